"""What is changed at all, and how much of it must be noticed, in percent of what is not equivalent."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

FLOORS: tuple[tuple[str, float], ...] = (
    # what says that a backup is good, or reads what says so: a gap here lets a bad one pass
    ("harness/verify/*.py", 97.0),
    ("harness/freeze_log.py", 97.0),
    ("harness/stages/rollforward.py", 97.0),
    ("harness/evidence/*.py", 97.0),
    ("harness/stages/open_transactions.py", 97.0),
    ("harness/stages/walk.py", 97.0),
    ("harness/report/*.py", 97.0),
    # what makes, holds, restores and describes; much of it is tried by tests with an engine, which are not run here
    ("harness/stages/recovery.py", 90.0),
    ("harness/stages/backup.py", 90.0),
    ("harness/cycle.py", 90.0),
    ("harness/session/opening.py", 90.0),
    ("harness/stages/freeze.py", 90.0),
    ("harness/stages/window.py", 90.0),
    ("harness/stages/look.py", 90.0),
    ("harness/stages/read_journals.py", 90.0),
    ("harness/declared.py", 90.0),
    ("harness/codec.py", 90.0),
    ("harness/record_json.py", 90.0),
    ("harness/stages/case_record.py", 90.0),
    ("harness/session/watchdog.py", 90.0),
    ("harness/lint/*.py", 90.0),
    ("harness/lint/*/*.py", 90.0),
)


def floor_of(file: str) -> float | None:
    """The floor of a file; None if it is not changed at all."""
    return next((floor for pattern, floor in FLOORS if fnmatch(file, pattern)), None)


def files(root: Path) -> list[str]:
    """Every file with a floor, in the order of the table."""
    found = [file for pattern, _ in FLOORS for file in sorted(root.glob(pattern))]
    return [name for file in found if (name := file.relative_to(root).as_posix()) and _says_something(file)]


def _says_something(file: Path) -> bool:
    return bool(file.read_text(encoding="utf-8").strip())
