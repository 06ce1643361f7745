"""Every planted fault of `tests/data/scripts` that a run can show is found by `check`; right scripts pass."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from harness.model import Verdict
from harness.scripts.check import check
from harness.scripts.model import Outcome
from harness.session.progress import SilentProgress
from tests.script_faults import FAULTS, page, scripts_of

pytestmark = pytest.mark.e2e

DOCS = Path(__file__).parents[2] / "docs"
JOBS, PATIENCE_S = 4, 10.0
SHOWN = {name: row["scenarios"] for name, row in FAULTS.items() if row["scenarios"]}
TELLING = sorted({scenario for found in SHOWN.values() for scenario in found})
OF_JOBS = sorted({scenario for name, found in SHOWN.items() if "whole" in FAULTS[name] for scenario in found})


def outcomes(name: str, only: Collection[str], folder: Path) -> tuple[Outcome, ...]:
    scripts = replace(scripts_of(name), timeout_s=PATIENCE_S)
    return check(scripts, only=only, folder=folder, jobs=JOBS, progress=SilentProgress()).outcomes


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, needs_stand_in: None) -> None:
    """Checks register beside the results of this test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize("name", SHOWN)
def test_the_planted_fault_is_found(tmp_path: Path, name: str) -> None:
    """Each scenario of its row fails, with the finding that the row names."""
    found = outcomes(name, SHOWN[name], tmp_path)
    assert set(SHOWN[name]) == {one.name for one in found if one.verdict is Verdict.FAIL}, found
    codes = {one.name: {finding.code for finding in one.findings} for one in found}
    assert {} == {one: code for one, code in SHOWN[name].items() if code not in codes[one]}, codes


@pytest.mark.parametrize(
    ("name", "only"), [("right", [*TELLING, "cron", "two-nights"]), ("right-whole", [*OF_JOBS, "two-nights"])]
)
def test_right_scripts_pass_where_faults_are_found(tmp_path: Path, name: str, only: list[str]) -> None:
    """No scenario that finds a fault finds one in scripts without; what needs one script for both is not tried."""
    found = outcomes(name, only, tmp_path)
    assert len(only) == len(found)
    bad = [one for one in found if one.verdict is not Verdict.PASS and one.name != "wrong-argument"]
    assert [] == bad


def test_the_page_shows_the_table() -> None:
    """docs/script-faults.md is what `python -m tests.script_faults` prints."""
    assert page() == (DOCS / "script-faults.md").read_text(encoding="utf-8")
