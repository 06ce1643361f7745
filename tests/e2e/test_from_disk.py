"""A backup that the harness did not make: its files alone are there."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.errors import PreconditionError
from harness.fault.base import SNAPSHOT
from harness.instance.iris import Instance
from harness.model import CaseRecord, RecoveryMode, Verdict
from harness.session.session import Session
from harness.stages.backup import back_up, discard
from harness.stages.from_disk import BackupFiles, DatabaseFiles, open_backup
from harness.stages.recovery import Steps, recover
from harness.stages.walk import read_state
from tests.conftest import Opener, small_plan

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]
FREEZE, ROLLFORWARD = RecoveryMode.AS_OF_FREEZE, RecoveryMode.ROLLFORWARD


@dataclass
class Left:
    """A session, and what somebody's backup of its instance left on a disk."""

    session: Session
    files: BackupFiles
    reached: dict[int, int]

    def recovered(self, files: BackupFiles, mode: RecoveryMode) -> tuple[CaseRecord, dict[int, int]]:
        """The record, and the last transaction of each writer that is there."""
        there: dict[int, int] = {}

        def look(target: Instance) -> None:
            state = read_state(target, self.session.seed, self.session.workload.writers)
            there.update({number: writer.recovered for number, writer in state.writers.items()})

        stages = self.session.stages("opened")
        backup = open_backup(self.session, files, (mode,), stages)
        try:
            record = recover(
                self.session, backup, backup.point(mode), name=mode.value, steps=Steps(settle=look)
            )
        finally:
            discard(self.session, backup)
        return record, there


@pytest.fixture
def left(open_session: Opener, tmp_path: Path) -> Iterator[Left]:
    with open_session(small_plan(recovery=(ROLLFORWARD,))) as session:
        made = back_up(session, SNAPSHOT, (ROLLFORWARD,), session.stages("made"))
        assert made.image and made.journals
        image, journals, log = tmp_path / "image", tmp_path / "journals", tmp_path / "freeze.log"
        image.mkdir()
        made.image.give_out(image)
        shutil.copytree(made.journals.folder, journals)
        shutil.copy(made.window.log, log)
        discard(session, made)
        databases = {
            role: DatabaseFiles(was=folder, lies=Path("db") / role)
            for role, folder in session.description.databases.items()
        }
        files = BackupFiles(image=image, databases=databases, journals=journals, log=log)
        yield Left(session, files, dict(made.point(ROLLFORWARD).floor))


def content(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {
        str(file): f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.stat().st_uid}" for file in files
    }


def verdicts(record: CaseRecord) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in record.checks}


def test_it_is_recovered_to_its_last_transaction_and_what_nobody_saw_is_not_called_good(
    left: Left, tmp_path: Path
) -> None:
    """Its files stay as they are, and its owner's."""
    before = content(tmp_path)
    record, there = left.recovered(left.files, ROLLFORWARD)
    assert left.reached == there, (record.rollforward, record.checks)
    found = verdicts(record)
    assert Verdict.PASS is found["integrity"] is found["image.integrity"]
    assert Verdict.UNKNOWN is record.verdict
    unknown = ("hold", "snapshot", "marker", "chain", "floor", "ceiling", "content", "atomicity")
    assert dict.fromkeys(unknown, Verdict.UNKNOWN) == {name: found[name] for name in unknown}
    assert record.rollforward and record.rollforward.from_offset_bytes and record.freeze is None
    assert before == {name: said for name, said in content(tmp_path).items() if name in before}


def test_without_its_log_or_journals_the_image_can_be_recovered_alone(left: Left) -> None:
    alone = replace(left.files, journals=None, log=None)
    record, there = left.recovered(alone, FREEZE)
    assert Verdict.PASS is verdicts(record)["integrity"] and there
    assert all(there[writer] <= last for writer, last in left.reached.items())
    rolled, nothing = left.recovered(alone, ROLLFORWARD)
    assert rolled.rollforward is None and Verdict.UNKNOWN is verdicts(rolled)["chain"]
    assert rolled.verdict is not Verdict.PASS and nothing


def test_what_is_wrong_with_it_is_a_fail(left: Left) -> None:
    """A journal in the middle, a database that is empty, a log of nothing."""
    assert left.files.journals and left.files.log
    names = sorted(file for file in left.files.journals.iterdir() if file.name != "journal.log")
    if len(names) > 2:
        names[1].unlink()
        record, _ = left.recovered(left.files, ROLLFORWARD)
        assert Verdict.FAIL is record.verdict
    left.files.log.write_text("nothing that an engine says\n")
    record, _ = left.recovered(left.files, ROLLFORWARD)
    assert Verdict.FAIL is verdicts(record)["marker"] or Verdict.UNKNOWN is verdicts(record)["marker"]
    (left.files.image / "db/two/IRIS.DAT").unlink()
    record, _ = left.recovered(left.files, FREEZE)
    assert Verdict.FAIL is verdicts(record)["integrity"] is record.verdict


def test_what_cannot_be_asked_of_it_is_refused(left: Left) -> None:
    for files, mode in (
        (left.files, RecoveryMode.BOOT),
        (left.files, RecoveryMode.POINT_IN_TIME),
        (replace(left.files, image=left.files.image / "nowhere"), FREEZE),
    ):
        with pytest.raises(PreconditionError):
            open_backup(left.session, files, (mode,), left.session.stages("x"))
