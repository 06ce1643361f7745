"""Progress on a terminal: the stage under way with its time, and one line for each finished case."""

from __future__ import annotations

import contextlib
import sys

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from harness.cli.output import tell
from harness.model import CaseRecord, Verdict
from harness.session.progress import Progress, SilentProgress

_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.UNKNOWN: "yellow", Verdict.SKIPPED: "cyan"}
_REFRESHES_PER_S = 4


def progress_for_terminal() -> Progress:
    """Live progress if standard error is a terminal, else notes only."""
    return LiveProgress(Console(stderr=True)) if sys.stderr.isatty() else NotesOnly()


class NotesOnly(SilentProgress):
    """For a log: no stages, but what one should know."""

    def note(self, text: str) -> None:
        tell(f"note: {text}")


class LiveProgress:
    """Progress on a console; standard output is left alone. A terminal that hangs up changes nothing in the run."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            refresh_per_second=_REFRESHES_PER_S,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bars.add_task("starting", total=None)
        self._bars.start()

    def stage(self, case: str, name: str) -> None:
        """Show the stage, with its time from zero."""
        with contextlib.suppress(OSError):
            self._bars.reset(self._task, total=None, description=escape(f"{case} · {name}"))

    def case_done(self, case: CaseRecord) -> None:
        """Leave a line with verdict, name and time of the case."""
        seconds = sum(stage.duration_s for stage in case.stages)
        verdict = f"[{_COLOURS[case.verdict]}]{case.verdict.value:<7}[/]"
        self._print(f"{verdict} {escape(case.name)} [dim]{seconds:.1f} s[/]")

    def note(self, text: str) -> None:
        """Leave a line."""
        self._print(f"note: {escape(text)}")

    def close(self) -> None:
        """Remove the live line."""
        with contextlib.suppress(OSError):
            self._bars.stop()

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._bars.console.print(text, highlight=False)
