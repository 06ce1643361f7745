"""The verifier verified: every planted fault is caught by the checks that must see it, by no other, and named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import registry
from harness.fault import matrix, report
from harness.fault.base import Scene
from harness.fault.matrix import Matrix, Row
from harness.plan.model import InstanceSpec
from harness.progress import SilentProgress
from harness.verify import judge

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

WITNESSES = {
    "snapshot": "snapshot.grown",
    "image.integrity": "blocks.zeroed_cold_one_boot",
    "image.atomicity": "image.confirm_rollforward",
    "image.content": "image.coldtwo_rollforward",
    "image.consistent_cut": "image.older_rollforward",
    "image.floor": "snapshot.older_whole",
    "image.ceiling": "snapshot.late_by_expose",
    "integrity": "rollforward.files_gone",
    "atomicity": "application.confirm",
    "content": "application.balance",
    "consistent_cut": "application.older",
    "floor": "snapshot.older_whole",
    "ceiling": "application.foreign",
    "marker": "log.stale",
    "chain": "journals.duplicated",
    "hold": "freeze.written_to",
    "recovery_point": "rollforward.skipped",
}
"""Check → a fault that it must see."""


@pytest.fixture(scope="module")
def scene(needs_stand_in: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        folder: Path = tmp_path_factory.mktemp("matrix")
        with matrix.scene_of(20261122, folder, SilentProgress(), InstanceSpec()) as made:
            yield made


@pytest.mark.parametrize("fault", matrix.chosen(()), ids=lambda fault: fault.name)
def test_every_fault_is_caught_and_named(scene: Scene, fault: matrix.Fault) -> None:
    """With evidence that something changed, and without one check that cries for nothing."""
    row = matrix.row_of(scene, fault)
    shown = report.table(Matrix(instance="", seed=0, rows=(row,)))
    assert row.evidence and row.caught, shown
    assert row.named, shown


@pytest.mark.parametrize("check", WITNESSES)
def test_no_check_is_idle(scene: Scene, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    """Without it a row of the matrix fails."""
    fault = matrix.faults()[WITNESSES[check]]
    assert check in fault.sees and matrix.row_of(scene, fault).caught
    names = registry.names
    monkeypatch.setattr(registry, "names", lambda group: [n for n in names(group) if n != check])
    monkeypatch.setattr(judge, "CHECKS", tuple(name for name in judge.CHECKS if name != check))
    row = matrix.row_of(scene, fault)
    assert matrix.MISSED == row.cells[check] and not row.caught


def test_there_are_enough_faults_of_every_family() -> None:
    """A hundred and twenty at least, each with a name of its own and a statement; every check has its witness."""
    faults = list(matrix.faults().values())
    assert len(faults) >= 120 and len({fault.statement for fault in faults}) == len(faults)
    families = {"freeze", "snapshot", "blocks", "image", "log", "journals", "rollforward", "application"}
    assert families == {fault.family for fault in faults}
    assert set(judge.CHECKS) == set(WITNESSES) <= {name for fault in faults for name in fault.sees}


def test_a_row_without_evidence_is_not_caught(scene: Scene) -> None:
    """A fault that changed nothing has shown nothing, whatever the checks say."""
    fault = matrix.faults()["journals.first_missing"]
    planted = fault.plant(scene)
    planted.evidence.clear()
    row: Row = matrix.judged(fault, planted, matrix.recovered(planted, fault.mode), 0.0)
    scene.clear()
    assert not row.caught and row.named
