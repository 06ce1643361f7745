"""Progress on standard error: on a terminal the stage under way with its time, how far it is and about how long the
rest takes, and one line for each finished case.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from harness.cli.output import tell
from harness.session.progress import (
    CaseDone,
    Event,
    Note,
    Progress,
    RunBegan,
    SilentProgress,
    StageBegan,
)

_COLOURS = {
    **{"PASS": "green", "FAIL": "red", "UNKNOWN": "yellow", "SKIPPED": "cyan"},
    **{"ok": "green", "BAD": "red"},
}
_REFRESHES_PER_S = 4
_TOLD_FROM = 2
"""The time left is estimated once this many cases are done."""
_SPINNER, _TIME = "⠋ ", " 0:00:00"
"""What stands before and after it."""


@contextmanager
def progress_for_terminal(plain: Progress) -> Iterator[Progress]:
    """Live progress if standard error is a terminal, else `plain`; the live line goes when the body ends."""
    if not sys.stderr.isatty():
        yield plain
        return
    live = LiveProgress(Console(stderr=True))
    try:
        yield live
    finally:
        live.close()


class NotesOnly(SilentProgress):
    """For a log: no stages, but what one should know."""

    def tell(self, event: Event) -> None:
        if isinstance(event, Note):
            tell(f"note: {event.text}")


class CasesOnly(NotesOnly):
    """For a log of many short cases: a line for each, with what is said of it `width` wide."""

    def __init__(self, width: int) -> None:
        self._width = width

    def tell(self, event: Event) -> None:
        if isinstance(event, CaseDone):
            tell(f"{event.said:<{self._width}} {event.case} ({event.duration_s:.1f} s)")
        else:
            super().tell(event)


class LiveProgress:
    """Progress on a console; standard output is left alone. A terminal that hangs up changes nothing in the run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = Count()
        self._case = self._stage = ""
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[left]}[/]"),
            console=console,
            transient=True,
            refresh_per_second=_REFRESHES_PER_S,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bars.add_task("starting", total=None, left="")
        self._bars.start()

    def tell(self, event: Event) -> None:
        """Show a stage, with its time from zero; leave a line for a case and for a note."""
        self._count.tell(event)
        with contextlib.suppress(OSError):
            match event:
                case StageBegan():
                    self._show(event.case, event.stage)
                case CaseDone():
                    said = f"[{_COLOURS.get(event.said, 'default')}]{event.said:<7}[/]"
                    self._print(f"{said} {escape(event.case)} [dim]{event.duration_s:.1f} s[/]")
                    if self._case:  # of cases side by side another one may go on for long
                        self._bars.update(self._task, description=self._line(), left=self._count.left)
                case Note():
                    self._print(f"note: {escape(event.text)}")

    def close(self) -> None:
        """Remove the live line. May be called twice."""
        with contextlib.suppress(OSError):
            self._bars.stop()

    def _show(self, case: str, stage: str) -> None:
        """With its time from zero."""
        self._case, self._stage = case, stage
        self._bars.reset(self._task, total=None, description=self._line(), left=self._count.left)

    def _line(self) -> str:
        """Where there is no room for all of it, the end of the case's name goes."""
        before, after = f"{self._count.place} · " if self._count.place else "", f" · {self._stage}"
        room = max(self._console.width - len(f"{_SPINNER}{before}{after}{_TIME} {self._count.left}"), 1)
        case = self._case if len(self._case) <= room else f"{self._case[: room - 1]}…"
        return escape(f"{before}{case}{after}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False)


class Count(SilentProgress):
    """How far it is, and about how long the rest takes, where cases are alike, if it goes on as it went."""

    def __init__(self) -> None:
        self._cases = self._done = 0
        self._alike = True
        self._began_s = self._last_s = time.monotonic()

    def tell(self, event: Event) -> None:
        if isinstance(event, RunBegan):
            self._cases, self._done, self._alike = event.cases, 0, event.alike
            self._began_s = self._last_s = time.monotonic()
        elif isinstance(event, CaseDone):
            self._done += 1
            self._last_s = time.monotonic()

    @property
    def place(self) -> str:
        """The number of the current case, such as `3 of 8`; empty if the total is unknown."""
        return f"{min(self._done + 1, self._cases)} of {self._cases}" if self._cases else ""

    @property
    def left(self) -> str:
        """Empty before there are enough to go by."""
        if not self._alike or not _TOLD_FROM <= self._done < self._cases:
            return ""
        each_s = (self._last_s - self._began_s) / self._done
        since_s = time.monotonic() - self._last_s
        return f"~{_spoken(each_s * (self._cases - self._done) - since_s)} left"


def _spoken(seconds: float) -> str:
    if seconds <= 90:
        return f"{max(1, math.ceil(seconds / 5)) * 5} s"
    return f"{math.ceil(seconds / 60)} min"
