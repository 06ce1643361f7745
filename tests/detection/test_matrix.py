"""The verifier verified: every planted fault is caught by the checks that must see it, by no other, and named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.fault import matrix, report
from harness.fault.base import Fault, Specimen
from harness.fault.matrix import Matrix, Row
from harness.plan.model import InstanceSpec
from harness.session.progress import SilentProgress
from tests.checks import CHECKS
from tests.evidence import recorded

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

KNOWN = matrix.faults()
ALWAYS = {
    family: next(f.name for f in KNOWN.values() if f.family == family)
    for family in {f.family for f in KNOWN.values()}
}
"""Family → the fault of it that is planted whatever is recorded."""


@pytest.fixture(scope="module")
def specimen(needs_stand_in: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Specimen]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        folder: Path = tmp_path_factory.mktemp("matrix")
        with matrix.specimen_of(20261122, folder, SilentProgress(), InstanceSpec()) as made:
            yield made


def to_plant() -> list[Fault]:
    """The faults of which no evidence is recorded that planting them today would show again, and one of each family.

    The recorded ones are judged in `test_evidence.py`. HARNESS_PLANT=all plants every fault.
    """
    everything = os.environ.get("HARNESS_PLANT") == "all"
    return [
        fault
        for fault in KNOWN.values()
        if everything or fault.name in ALWAYS.values() or not recorded.fresh(fault)
    ]


@pytest.mark.parametrize("fault", to_plant(), ids=lambda fault: fault.name)
def test_every_fault_is_caught_and_named(specimen: Specimen, fault: Fault) -> None:
    """With evidence that something changed, and without one check that cries for nothing."""
    row = matrix.row_of(specimen, fault)
    shown = report.table(Matrix(instance="", seed=0, rows=(row,)))
    assert row.evidence and row.caught, shown
    assert row.named, shown


def test_there_are_enough_faults_of_every_family() -> None:
    """Two hundred and fifty at least, each with a name of its own and a statement; every check has its witness."""
    faults = list(KNOWN.values())
    assert len(faults) >= 250 and len({fault.statement for fault in faults}) == len(faults)
    families = {"freeze", "snapshot", "blocks", "image", "log", "journals", "rollforward", "application"}
    assert families == {fault.family for fault in faults}
    assert set(CHECKS) <= {name for fault in faults for name in fault.sees}


def test_a_row_without_evidence_is_not_caught(specimen: Specimen) -> None:
    """A fault that changed nothing has shown nothing, whatever the checks say."""
    fault = matrix.faults()["journals.first_missing"]
    planted = fault.plant(specimen)
    planted.evidence.clear()
    row: Row = matrix.judged(fault, planted, matrix.recovered(planted, fault.mode), 0.0)
    specimen.clear()
    assert not row.caught and row.named
