"""The scripts with a planted fault each, `tests/data/scripts`, and what must find them.

python -m tests.script_faults >docs/script-faults.md
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from harness.scripts.model import Scripts

FOLDER = Path(__file__).parent / "data" / "scripts"
FAULTS: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "faults.yaml").read_text(encoding="utf-8"))

_HEAD = """\
# Faults in scripts, and what finds them

Made by `python -m tests.script_faults` of `tests/data/scripts/faults.yaml`. Each row is a pair of scripts, or one for
all, in `tests/data/scripts`; beside the fault it is as good as it can be. The tests run `harness scripts lint` and
`harness scripts check` on each and hold them to this table: lint may claim nothing else, and every scenario named
must fail with that finding. Where none is named a reading finds the fault alone: Windows batch is never run, and some
faults do no harm in a machine with the stand-in.

"""


def scripts_of(name: str) -> Scripts:
    """The scripts of a row as `harness scripts check` is given them."""
    row = FAULTS[name]
    freeze, thaw = (_argv(name, row.get("whole") or row[hook]) for hook in ("freeze", "thaw"))
    return Scripts(
        name=name.replace("/", "-"),
        freeze=freeze,
        thaw=thaw,
        program="snapshot" if "whole" in row else "",
        instances=("IRIS",) if "IRIS" in freeze else (),
    )


def _argv(name: str, words: list[str]) -> tuple[str, ...]:
    return (str(FOLDER / name / words[0]), *words[1:])


def page() -> str:
    """docs/script-faults.md."""
    rows = [
        [
            f"`{name}`",
            row["title"],
            _listed(f"`{rule}`" for rule in row["lint"]),
            _listed(f"`{scenario}` ({code})" for scenario, code in row["scenarios"].items()),
        ]
        for name, row in FAULTS.items()
    ]
    lines = [["scripts", "fault", "lint", "check"], ["---"] * 4, *rows]
    return _HEAD + "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _listed(found: Iterable[str]) -> str:
    return ", ".join(found) or "-"


if __name__ == "__main__":
    print(page(), end="")
