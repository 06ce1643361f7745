"""What is no fault passes: a good backup in every recovery mode, and what is odd but harmless."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import SnapshotError
from harness.facts import known
from harness.fault import matrix
from harness.fault.base import Planted, Specimen
from harness.model import RecoveryMode, Verdict
from harness.plan.model import InstanceSpec
from harness.session.progress import SilentProgress
from harness.stages.recovery import Steps
from harness.stages.restore import require_separate
from harness.stages.rollforward import roll_forward
from tests.checks import CHECKS

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]


@pytest.fixture(scope="module")
def specimen(needs_stand_in: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Specimen]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        folder: Path = tmp_path_factory.mktemp("specimen")
        with matrix.specimen_of(20261122, folder, SilentProgress(), InstanceSpec()) as made:
            yield made
            made.clear()


@pytest.fixture(autouse=True)
def cleared(specimen: Specimen) -> None:
    specimen.clear()


def _passes(planted: Planted, mode: RecoveryMode = RecoveryMode.ROLLFORWARD) -> None:
    record = matrix.recovered(planted, mode)
    assert [] == [finding for check in record.checks for finding in check.findings]
    assert Verdict.PASS is record.verdict
    assert record.recovery and record.recovery.lost_acknowledged == 0


@pytest.mark.parametrize("mode", list(RecoveryMode))
def test_good_backup_passes(specimen: Specimen, mode: RecoveryMode) -> None:
    """Without a fault every check passes in every recovery mode."""
    _passes(specimen.planted(), mode)


def test_roll_forward_repeated_passes(specimen: Specimen) -> None:
    """Applying the same journals twice changes nothing."""

    def twice(*arguments):  # type: ignore[no-untyped-def]
        roll_forward(*arguments)
        return roll_forward(*arguments)

    _passes(specimen.planted(steps=Steps(roll_forward=twice)))


def test_a_good_backup_of_an_engine_that_nobody_tried_does_not_pass(
    specimen: Specimen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a record of conformance every check is UNKNOWN, and says which facts it rests on."""
    monkeypatch.setattr(known, "SHIPPED", tmp_path)
    record = matrix.recovered(specimen.planted(), RecoveryMode.ROLLFORWARD)
    assert Verdict.UNKNOWN is record.verdict
    codes = {finding.code for check in record.checks for finding in check.findings}
    assert {f"{check}.unconfirmed" for check in CHECKS} == codes


def test_foreign_files_beside_the_journals(specimen: Specimen) -> None:
    """Files that are no journals do not disturb."""

    def add(folder: Path, names: list[str]) -> str:
        for name in ("README", "20261122.001z.tmp", "journal.log.old", "20261122.0001"):
            (folder / name).write_text("foreign")
        return "four files were added"

    _passes(specimen.with_journals(add))


def test_a_restore_leaves_the_good_backup_as_it_was(specimen: Specimen) -> None:
    """Faults are planted in copies: after one of each kind the backup still passes."""
    faults = matrix.faults()
    for name in (
        "journals.purged",
        "blocks.zeroed_hot_two_rollforward",
        "freeze.thawed_before",
        "application.gone",
    ):
        assert matrix.row_of(specimen, faults[name]).verdict is Verdict.FAIL
    _passes(specimen.planted())


def test_nothing_is_restored_over_the_running_instance(specimen: Specimen) -> None:
    """Source and target are compared by device and inode before the first write."""
    description = specimen.session.description
    with pytest.raises(SnapshotError, match="belongs to the running instance"):
        require_separate(description, description.databases)


def test_a_log_of_two_windows_is_read_from_where_ours_begins(specimen: Specimen) -> None:
    """What stood in the log before this freeze does not disturb."""
    planted = specimen.planted(replace(specimen.good))
    assert planted.backup.window.log_from_byte > 0
    _passes(planted)
