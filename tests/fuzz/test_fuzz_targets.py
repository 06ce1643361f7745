"""Every fuzz target runs for a few seconds without finding a defect, by itself as a person would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TARGETS = sorted(HERE.glob("fuzz_*.py"))
SECONDS = 4


@pytest.mark.slow
@pytest.mark.parametrize("file", TARGETS, ids=lambda file: file.stem)
def test_a_target_finds_nothing(file: Path, tmp_path: Path) -> None:
    """A defect ends it with another status, and its output shows the input."""
    done = subprocess.run(
        [sys.executable, str(file), f"-max_total_time={SECONDS}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert 0 == done.returncode, done.stderr[-4000:]
    assert "stat::number_of_executed_units: 0" not in done.stderr


def test_every_target_has_seeds_that_it_accepts() -> None:
    """What inputs are made from raises nothing."""
    code = "import importlib as i, sys; m = i.import_module(sys.argv[1]); [m.target(s) for s in m.SEEDS]"
    for file in TARGETS:
        done = subprocess.run(
            [sys.executable, "-c", code, file.stem], cwd=HERE, capture_output=True, text=True, timeout=60
        )
        assert 0 == done.returncode, (file.name, done.stderr[-2000:])
