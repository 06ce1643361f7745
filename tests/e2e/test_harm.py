"""Some of the faults of `./dev harm`, for every day: what must hold is in tests/soak/harm.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak import faults
from tests.soak.faults import FAULTS
from tests.soak.harm import carry_out, judge

pytestmark = [pytest.mark.e2e, pytest.mark.root, pytest.mark.usefixtures("needs_stand_in")]

CHOSEN = [
    ("kill -9", "harness", faults.CAPTURE),
    ("stop", "harness", faults.CAPTURE),
    ("full disk", "all", faults.RESTORE),
    ("moved away", "folder `work`", faults.COLLECT),
    ("hung up", "terminal", faults.CAPTURE),
    ("gone", "reader of the output", faults.CHECKS),
]


@pytest.mark.parametrize(("name", "party", "stage"), CHOSEN)
def test_a_fault_harms_nobody(name: str, party: str, stage: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a filesystem of its own needs root")
    fault = next(one for one in FAULTS if (one.name, one.party) == (name, party))
    seen = carry_out(fault, stage, tmp_path / "run")
    assert seen.struck_at, "it came too late"
    assert [] == judge(seen)
