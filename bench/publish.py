"""Puts measured figures into the tables of a README: rows of the same name are replaced, all else stays.

`Measured 2026-11-25` in it becomes the day of the measurement, so measure everything that the file shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from figures import Row


def publish(rows: Sequence[Row], file: Path, day: str) -> list[str]:
    """Rewrite a file; returns the names of rows that it does not show."""
    text = re.sub(r"Measured \d{4}-\d\d-\d\d", f"Measured {day}", file.read_text())
    absent = []
    for row in rows:
        line = f"| {' | '.join(row.cells())} |"
        text, count = re.subn(
            rf"^\| {re.escape(row.what)} \|.*$", line.replace("\\", r"\\"), text, flags=re.M
        )
        if not count:
            absent.append(row.what)
    file.write_text(text)
    return absent
