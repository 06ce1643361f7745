"""Progress that nobody can read any more changes nothing: not the run, not its exit status."""

from __future__ import annotations

import errno
import io
import subprocess
import sys

import pytest
from rich.console import Console

from harness.cli.live import LiveProgress
from harness.session.progress import Note, StageBegan

SCRIPT = """
import os, sys
from harness.cli.guard import guarded
from harness.cli.output import tell
def verb():
    {lose}
    tell("a note that nobody reads")
    raise KeyboardInterrupt
sys.exit(guarded(verb))
"""
PIPE = "r, w = os.pipe(); os.close(r); os.dup2(w, 2)"
TERMINAL = "m, s = os.openpty(); os.dup2(s, 2); os.close(s); os.close(m)"


def status(lose: str) -> int:
    argv = [sys.executable, "-c", SCRIPT.format(lose=lose)]
    return subprocess.run(argv, stderr=subprocess.DEVNULL, timeout=60, check=False).returncode


def test_a_reader_that_has_gone() -> None:
    assert 3 == status(PIPE)


def test_a_terminal_that_has_gone() -> None:
    """Once it ended with 1, which says that a backup is bad."""
    assert 3 == status(TERMINAL)


RESULT = """
import os, sys
from harness.cli.guard import guarded
from harness.cli.output import emit
def verb():
    {lose}
    emit("a result that nobody reads")
    return 0
sys.exit(guarded(verb))
"""


@pytest.mark.parametrize(
    ("lose", "expected"),
    [
        (PIPE.replace(", 2)", ", 1)"), 0),
        (TERMINAL.replace(", 2)", ", 1)"), 0),
        ("os.dup2(os.open('/dev/full', os.O_WRONLY), 1)", 3),
    ],
    ids=["pipe", "terminal", "full disk"],
)
def test_a_result_that_nobody_reads_is_still_the_result(lose: str, expected: int) -> None:
    """Once a run that passed ended with 3 where its terminal had hung up. A full disk is something else."""
    argv = [sys.executable, "-c", RESULT.format(lose=lose)]
    assert subprocess.run(argv, stderr=subprocess.DEVNULL, timeout=60, check=False).returncode == expected


class _HungUp(io.StringIO):
    """A terminal that hangs up in the middle. Source: termios(3): a write then fails with EIO."""

    lost = False

    def write(self, text: str) -> int:
        if self.lost:
            raise OSError(errno.EIO, "Input/output error")
        return super().write(text)


def test_live_progress_outlives_its_terminal() -> None:
    """Once a run whose terminal hung up ended with 70."""
    terminal = _HungUp()
    progress = LiveProgress(Console(file=terminal, force_terminal=True, width=100))
    progress.tell(StageBegan(case="case", stage="load"))
    terminal.lost = True
    progress.tell(StageBegan(case="case", stage="freeze"))
    progress.tell(Note(text="a note"))
    progress.close()
