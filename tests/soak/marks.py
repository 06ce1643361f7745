"""Stage boundaries of a run as they are seen from outside: in its folder, its transcript and its freeze log.

A command is in the transcript once it has answered, so its name marks the moment when the next step begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.model import RecoveryMode
from tests.runs import Run

_ROLLED = tuple(mode for mode in RecoveryMode if mode.rolls)
_NOT_ROLLED = tuple(mode for mode in RecoveryMode if not mode.rolls)
_RESTORED = tuple(mode for mode in RecoveryMode if not mode.boots)


@dataclass(frozen=True, slots=True)
class Mark:
    """A boundary. `modes`: with one of these it is certain to come."""

    name: str
    passed: Callable[[Run], bool]
    modes: tuple[RecoveryMode, ...] = tuple(RecoveryMode)


def last_passed(run: Run) -> Mark | None:
    """The last boundary that lies behind a run; None before it is registered."""
    return next((mark for mark in reversed(MARKS) if mark.passed(run)), None)


def by_name(name: str) -> Mark:
    return next(mark for mark in MARKS if mark.name == name)


def said(words: str) -> Callable[[Run], bool]:
    """Whether the transcript holds these words."""
    return lambda run: words in _text(run, "commands.log")


def _logged(words: str) -> Callable[[Run], bool]:
    # the instance's own while the run lives, and what is kept of it
    return lambda run: any(words in _text(run, log) for log in ("work/log/freeze.log", "freeze.log"))


def has_case(run: Run) -> bool:
    """Whether a case has been judged."""
    text = _text(run, "record.json")
    return bool(text) and bool(json.loads(text)["cases"])


def _is_finished(run: Run) -> bool:
    text = _text(run, "record.json")
    return bool(text) and bool(json.loads(text)["finished"])


def _text(run: Run, name: str) -> str:
    file = next(run.out.glob(f"*/*/{name}"), None)
    try:
        return file.read_text(errors="replace") if file else ""
    except OSError:
        return ""


def _has_work(run: Run, pattern: str) -> bool:
    return any(Path(folder) for folder in run.out.glob(f"*/*/work/{pattern}"))


MARKS = (
    Mark("registered", lambda run: bool(run.token()) or _has_work(run, "registry")),
    Mark("instance started", said(".Describe()")),
    Mark("load began", lambda run: _has_work(run, "snapshots-1")),
    Mark("freeze asked for", said(".RequiredJournal(")),
    Mark("frozen", said(".ExternalFreeze(")),
    Mark("captured", lambda run: run.flag.exists()),
    Mark("thawed", _logged("ExternalThaw: System resumed")),
    Mark("AddMarker", said(".AddMarker("), (RecoveryMode.POINT_IN_TIME,)),
    Mark("SwitchJournal", said(".SwitchJournal(")),
    Mark("Journals", said(".Journals(")),
    Mark("LastCommitted", said(".LastCommitted("), _NOT_ROLLED),
    Mark("restore", said("/proc/net/dev"), _RESTORED),
    Mark("Dismount", said(".Dismount("), _RESTORED),
    Mark("Mount", said(".Mount("), _RESTORED),
    Mark("RollForward", said(".RollForward("), _ROLLED),
    Mark("Integrity", said(".Integrity(")),
    Mark("case recorded", has_case),
    Mark("finished", _is_finished),
)
IN_WINDOW = tuple(mark for mark in MARKS if mark.name in ("freeze asked for", "frozen", "captured"))
"""From here to the next one the source is frozen, or is about to be."""
