"""Progress that nobody can read any more changes nothing: not the run, not its exit status."""

from __future__ import annotations

import errno
import io
import subprocess
import sys

from rich.console import Console

from harness.cli.live import LiveProgress

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
    progress.stage("case", "load")
    terminal.lost = True
    progress.stage("case", "freeze")
    progress.note("a note")
    progress.close()
