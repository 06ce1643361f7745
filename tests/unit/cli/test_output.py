"""Progress that nobody can read any more changes nothing: not the run, not its exit status."""

from __future__ import annotations

import subprocess
import sys

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
