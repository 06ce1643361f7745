"""No false alarm: clean cycles with random loads, snapshots and recovery modes, in two halves for two processors.

A failure's output holds the command that repeats the cycle alone, and the smallest one that still shows it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

CYCLES = 25
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("half", [1, 2])
def test_clean_cycles_raise_no_alarm(tmp_path: Path, half: int) -> None:
    argv = ["--cycles", CYCLES, "--jobs", 1, "--docker", 0, "--folder", tmp_path / "soak"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak.clean", *map(str, argv)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
