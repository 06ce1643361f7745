"""Freeze logs made from a grammar, each with what it says; and ways to damage one.

The two layouts are those of the captured samples in tests/data/freeze_log; windows that failed, thawed by themselves
or refused a thaw have texts of the InterSystems Error Reference or of the stand-in, as the reader knows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import strategies as st

from harness.freeze_log import FreezeEntry
from harness.model import Position

_FOLDERS = ("/iris/journal1/", "/trak/jnl/jrnpri/h20152/", "C:\\IRIS\\mgr\\journal\\", "/with a blank/j/")
_FAILURES = (
    "Failed to place journal marker",
    "ERROR #7200: Backup is currently running",
    "Failed to switch journal file. Status = 0 ERROR #1111: no space",
    "System failed to quiesce",
)
_WARNINGS = (
    "Warning, /usr/irissys/mgr/irislocaldata/ is not being journalled",
    "Warning, 1 databases are not journalled, data will be lost in them if system crashes while suspended",
)


@dataclass(frozen=True)
class Window:
    """One freeze and its thaw: `lines` as logged, `entry` as a reader must see it (line numbers left out)."""

    lines: tuple[str, ...]
    entry: FreezeEntry

    @property
    def completed(self) -> bool:
        return self.entry.suspended is not None and not self.entry.failures


@st.composite
def windows(draw: st.DrawFn, *, number: int | None = None) -> Window:
    """A window in one of the two layouts, with a journal of its own."""
    at = datetime(2026, 11, 22) + timedelta(minutes=draw(st.integers(0, 10**6)))
    count = draw(st.integers(1, 1200)) if number is None else number
    name = f"{draw(st.sampled_from(['', 'H20152_', 'MIRROR-A-']))}20261122.{count:03d}"
    path = draw(st.sampled_from(_FOLDERS)) + name
    offset = draw(st.integers(0, 10**9))
    writer = _Writer(at)
    warnings = tuple(draw(st.lists(st.sampled_from(_WARNINGS), max_size=2)))
    end = draw(
        st.sampled_from(["thawed", "thawed", "thawed", "frozen", "itself", "refused", "failed", "late"])
    )
    switched = writer.freeze(path, offset, warnings, iris=draw(st.booleans()), failed=end == "failed")
    if end != "failed":
        writer.thaw(end)
    return writer.window(switched, path, Position(journal_file=name, offset_bytes=offset), warnings)


def logs(max_size: int = 4) -> st.SearchStrategy[list[Window]]:
    return st.lists(windows(), min_size=1, max_size=max_size)


def text_of(log: list[Window], end: str = "\n") -> str:
    return "".join(line + end for window in log for line in window.lines)


class _Writer:
    """Writes the lines of one window and remembers what they say."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.lines: list[str] = []
        self.times: dict[str, datetime] = {}
        self.failures: list[str] = []
        self.notes: list[str] = []
        self.thaws = 0

    def say(self, method: str, text: str) -> None:
        self.thaws += text == "Resuming system"
        self.lines.append(f"{self.at:%m/%d/%Y %H:%M:%S}: Backup.General.{method}: {text}")
        self.times.setdefault(text, self.at)

    def freeze(
        self, path: str, offset: int, warnings: tuple[str, ...], *, iris: bool, failed: bool
    ) -> str | None:
        self.say("ExternalFreeze", "Suspending system")
        for warning in warnings:
            self.say("ExternalFreeze", warning)
        if failed:
            self._fail("ExternalFreeze", _FAILURES[offset % len(_FAILURES)])
            return None
        self.lines += ["", "Journal file switched to:", *([path] if iris else [])]
        self.say("ExternalFreeze", f"Start a journal restore for this backup with journal file: {path}")
        self.lines += ["", "Journal marker set at", f"offset {offset} of {path}"]
        self.at += timedelta(seconds=1)
        self.say("ExternalFreeze", "System suspended")
        return path if iris else None

    def thaw(self, end: str) -> None:
        self.at += timedelta(seconds=10)
        if end in ("itself", "late"):
            self.notes.append("WDSuspendLimit of 300 seconds reached, resuming system")
            self.say("ExternalFreeze", self.notes[0])
        if end == "refused":
            self.say("ExternalThaw", "Resuming system")
            self._fail("ExternalThaw", "Request to suspend write daemon cleared")
        if end in ("thawed", "late"):
            self.say("ExternalThaw", "Resuming system")
            self.at += timedelta(seconds=1)
            self.say("ExternalThaw", "System resumed")

    def _fail(self, method: str, text: str) -> None:
        self.failures.append(text)
        self.say(method, text)

    def window(self, switched: str | None, path: str, marker: Position, warnings: tuple[str, ...]) -> Window:
        there = "System suspended" in self.times
        entry = FreezeEntry(
            started=self.times["Suspending system"],
            warnings=warnings,
            switched_to=switched,
            start_file=path if there else None,
            marker=marker if there else None,
            marker_path=path if there else None,
            suspended=self.times.get("System suspended"),
            resuming=self.times.get("Resuming system"),
            resumed=self.times.get("System resumed"),
            failures=tuple(self.failures),
            notes=tuple(self.notes),
            thaws=self.thaws,
            line_numbers=(0, 0),
        )
        return Window(tuple(self.lines), entry)


Damage = Callable[[list[str], int, int], list[str]]


def drop(lines: list[str], place: int, _: int) -> list[str]:
    return lines[:place] + lines[place + 1 :]


def double(lines: list[str], place: int, other: int) -> list[str]:
    return [*lines[:other], lines[place], *lines[other:]]


def exchange(lines: list[str], place: int, other: int) -> list[str]:
    changed = list(lines)
    changed[place], changed[other] = lines[other], lines[place]
    return changed


def cut(lines: list[str], place: int, other: int) -> list[str]:
    return [*lines[:place], lines[place][:other]]


def other_date(lines: list[str], place: int, other: int) -> list[str]:
    """Day first, the year first, dots, or the short form of messages.log."""
    line, rest = lines[place][:10], lines[place][10:]
    month, _, day = line.partition("/")
    forms = (f"{day[:2]}/{month}{day[2:]}", f"{day[3:]}-{month}-{day[:2]}", line.replace("/", "."), line[:8])
    return [*lines[:place], forms[other % 4] + rest, *lines[place + 1 :]]


def flip(lines: list[str], place: int, other: int) -> list[str]:
    """One bit of one character."""
    line = lines[place]
    if not line:
        return lines
    at = other % len(line)
    changed = line[:at] + chr(ord(line[at]) ^ (1 << other % 7)) + line[at + 1 :]
    return [*lines[:place], changed, *lines[place + 1 :]]


def interleave(lines: list[str], place: int, other: int) -> list[str]:
    """Two freezes wrote at the same time: every other line of the rest comes first."""
    rest = lines[place:]
    return [*lines[:place], *rest[other % 2 :: 2], *rest[1 - other % 2 :: 2]]


DAMAGES: tuple[Damage, ...] = (drop, double, exchange, cut, other_date, flip, interleave)
