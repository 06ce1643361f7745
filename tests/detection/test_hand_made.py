"""Backups that are bad in ways the engines do not see. Each must be FAIL, by the right check, with a witness.

One good backup is made of a loaded instance; each test damages a copy of it by hand and recovers from that.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness import recovery, registry
from harness.backup import Backup, back_up, freeze_entry
from harness.command import Deadline
from harness.errors import SnapshotError
from harness.instance.iris import FreezeAnswer, Instance
from harness.model import CaseRecord, Finding, Position, RecoveryMode, Verdict
from harness.plan.expand import expand
from harness.plan.model import FreezeSpec, Plan, SnapshotSpec
from harness.recovery import recover
from harness.restore import require_separate
from harness.rollforward import collect
from harness.setting import Setting
from harness.snapshot.base import Snapshot, Source
from harness.standin.journal_file import record_at
from tests.conftest import Opener, small_plan

pytestmark = pytest.mark.e2e

ALL_MODES = tuple(RecoveryMode)
PLAN = small_plan(transactions=6000, recovery=ALL_MODES)


@pytest.fixture(scope="module")
def setting(open_setting: Opener) -> Iterator[Setting]:
    with open_setting(PLAN) as opened:
        yield opened


def _back_up(setting: Setting) -> Backup:
    return back_up(setting, setting.plan.snapshots[0], setting.plan.recovery, setting.stages("test"))


@pytest.fixture(scope="module")
def earlier(setting: Setting) -> Backup:
    """Yesterday's backup of the same instance; its log is kept as it was then."""
    made = _back_up(setting)
    shutil.copy(made.window.log, setting.work / "yesterday.log")
    return made


@pytest.fixture(scope="module")
def good(setting: Setting, earlier: Backup) -> Backup:
    return _back_up(setting)


@pytest.fixture
def tampered(good: Backup, tmp_path: Path) -> Backup:
    """The good backup with journals of its own to damage."""
    assert good.journals
    folder = tmp_path / "journals"
    shutil.copytree(good.journals.folder, folder)
    return replace(good, journals=replace(good.journals, folder=folder))


def _recover(setting: Setting, backup: Backup, mode: RecoveryMode = RecoveryMode.ROLLFORWARD) -> CaseRecord:
    case = next(case for case in expand(PLAN) if case.recovery is mode)
    return recover(setting, backup, case)


def _findings(record: CaseRecord, check: str) -> tuple[Finding, ...]:
    (found,) = (one for one in record.checks if one.name == check)
    return found.findings


def _failed(record: CaseRecord) -> set[str]:
    return {check.name for check in record.checks if check.verdict is Verdict.FAIL}


def _journal(backup: Backup, which: int) -> str:
    assert backup.journals
    return backup.journals.expected[which].name


@pytest.mark.parametrize("mode", ALL_MODES)
def test_good_backup_passes(setting: Setting, good: Backup, mode: RecoveryMode) -> None:
    """Without a fault every check passes in every recovery mode."""
    record = _recover(setting, good, mode)
    assert [] == [f for check in record.checks for f in check.findings]
    assert Verdict.PASS is record.verdict
    assert record.recovery and record.recovery.lost_acknowledged == 0


def test_roll_forward_repeated_passes(
    setting: Setting, good: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Applying the same journals twice changes nothing."""
    once = recovery.roll_forward

    def twice(*arguments: object) -> object:
        once(*arguments)  # type: ignore[arg-type]
        return once(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(recovery, "roll_forward", twice)
    assert Verdict.PASS is _recover(setting, good).verdict


def test_first_journal_left_out(setting: Setting, tampered: Backup) -> None:
    """The journal that holds the marker is not there."""
    assert tampered.journals
    name = _journal(tampered, 0)
    for file in tampered.journals.folder.glob(f"{name}*"):
        file.unlink()
    record = _recover(setting, tampered)
    assert {"chain", "marker"} <= _failed(record)
    (finding,) = _findings(record, "chain")
    assert "chain.missing" == finding.code
    assert name == finding.witness
    assert f"journal {name} is missing between the marker and" in finding.message


def test_middle_journal_left_out(setting: Setting, tampered: Backup) -> None:
    """A journal between others is not there; GT.M applies the rest and calls it a success."""
    assert tampered.journals
    before, name, after = (_journal(tampered, n) for n in range(3))
    for file in tampered.journals.folder.glob(f"{name}*"):
        file.unlink()
    record = _recover(setting, tampered)
    assert "chain" in _failed(record)
    assert f"journal {name} is missing between {before} and {after}" == _findings(record, "chain")[0].message


def test_last_journal_of_one_database_left_out(setting: Setting, tampered: Backup) -> None:
    """One database's stream is one file short; GT.M calls the recovery a success."""
    assert tampered.journals
    name = f"{_journal(tampered, -1)}.two"
    (tampered.journals.folder / name).unlink()
    record = _recover(setting, tampered)
    assert "chain" in _failed(record)
    finding = _findings(record, "chain")[0]
    assert "chain.damaged" == finding.code
    assert f"{name} is missing" in finding.message


def test_one_database_is_not_rolled_forward(setting: Setting, tampered: Backup) -> None:
    """Every file of one stream is left out; GT.M then applies nothing and calls it a success."""
    assert tampered.journals
    for file in tampered.journals.folder.glob("*.two"):
        file.unlink()
    record = _recover(setting, tampered)
    assert {"chain", "recovery_point", "floor"} <= _failed(record)
    assert "recovery_point.skipped" in {f.code for f in _findings(record, "recovery_point")}


@pytest.mark.parametrize("past", ["one byte", "one record", "one record and one byte"])
def test_wrong_offset(setting: Setting, tampered: Backup, past: str) -> None:
    """The log's offset is not where the marker is."""
    assert tampered.journals and tampered.entry
    start = tampered.journals.start
    held = record_at(tampered.journals.folder / start.journal_file, start.offset_bytes)
    assert held
    length = held.length
    by = {"one byte": 1, "one record": length, "one record and one byte": length + 1}[past]
    wrong = Position(journal_file=start.journal_file, offset_bytes=start.offset_bytes + by)
    record = _recover(
        setting,
        replace(
            tampered,
            entry=replace(tampered.entry, marker=wrong),
            journals=replace(tampered.journals, start=wrong),
        ),
    )
    assert "marker" in _failed(record)
    (finding,) = _findings(record, "marker")
    assert "marker.wrong_place" == finding.code
    assert str(wrong) in finding.witness
    assert str(start.offset_bytes) in finding.message


def test_yesterdays_freeze_log(setting: Setting, good: Backup) -> None:
    """A log of an earlier freeze of the same instance, whose marker exists in the journals."""
    window = replace(good.window, log=setting.work / "yesterday.log", log_from_byte=0)
    entry, problem, stale = freeze_entry(window)
    assert entry and entry.marker and not problem and not stale
    folder = setting.work / "journals-of-yesterday"
    folder.mkdir()
    journals = collect(setting.source, setting.description, entry.marker, folder)
    record = _recover(setting, replace(good, window=window, entry=entry, journals=journals))
    assert "marker" in _failed(record)
    (finding,) = _findings(record, "marker")
    assert "marker.other_freeze" == finding.code
    assert "yesterday.log, lines 1 to" in finding.witness


def test_stale_freeze_log(setting: Setting, good: Backup) -> None:
    """Nothing was appended to the log by this freeze."""
    window = replace(good.window, log_from_byte=good.window.log.stat().st_size)
    entry, problem, stale = freeze_entry(window)
    record = _recover(
        setting, replace(good, window=window, entry=entry, entry_problem=problem, entry_stale=stale)
    )
    assert "marker" in _failed(record)
    assert "marker.stale" == _findings(record, "marker")[0].code


def _with_log(backup: Backup, log: Path, text: str) -> Backup:
    log.write_text(text)
    window = replace(backup.window, log=log, log_from_byte=0)
    entry, problem, stale = freeze_entry(window)
    journals = backup.journals if entry and entry.marker else None
    return replace(
        backup, window=window, entry=entry, entry_problem=problem, entry_stale=stale, journals=journals
    )


def _own_log(backup: Backup) -> str:
    with backup.window.log.open() as log:
        log.seek(backup.window.log_from_byte)
        return log.read()


def test_half_a_freeze_log(setting: Setting, good: Backup, tmp_path: Path) -> None:
    """The log stops before the marker's offset: where to start is not known, so nothing passes."""
    text = _own_log(good)
    cut = text[: text.index("Journal marker set at") + len("Journal marker set at\n")]
    record = _recover(setting, _with_log(good, tmp_path / "half.log", cut))
    assert record.verdict in (Verdict.UNKNOWN, Verdict.FAIL)
    (finding,) = _findings(record, "marker")
    assert "half.log" in finding.message + finding.witness


def test_log_with_two_freezes(setting: Setting, good: Backup, tmp_path: Path) -> None:
    """Two freezes where one was asked for: neither can be called ours."""
    text = _own_log(good)
    record = _recover(setting, _with_log(good, tmp_path / "two.log", text + text))
    assert Verdict.UNKNOWN is record.verdict
    (finding,) = _findings(record, "marker")
    assert "marker.unreadable" == finding.code
    assert "2 freezes where one was expected" in finding.message


def test_foreign_files_beside_the_journals(setting: Setting, tampered: Backup) -> None:
    """Files that are no journals do not disturb."""
    assert tampered.journals
    for name in ("README", "20261122.001z.tmp", "journal.log.old", "20261122.0001"):
        (tampered.journals.folder / name).write_text("foreign")
    assert Verdict.PASS is _recover(setting, tampered).verdict


def test_foreign_journal_under_our_name(setting: Setting, earlier: Backup, tampered: Backup) -> None:
    """A journal of another time lies under the name of one of ours."""
    assert tampered.journals and earlier.journals
    name, other = _journal(tampered, 1), _journal(earlier, 1)
    for end in ("", ".two"):
        shutil.copy(earlier.journals.folder / f"{other}{end}", tampered.journals.folder / f"{name}{end}")
    record = _recover(setting, tampered)
    assert "chain.foreign" in {f.code for f in _findings(record, "chain")}


@pytest.mark.parametrize("left", ["half", "header", "nothing"])
def test_truncated_journal(setting: Setting, tampered: Backup, left: str) -> None:
    """A journal was cut off."""
    assert tampered.journals
    file = tampered.journals.folder / _journal(tampered, 0)
    size = {"half": file.stat().st_size // 2, "header": 65536, "nothing": 0}[left]
    os.truncate(file, size)
    record = _recover(setting, tampered)
    assert "chain" in _failed(record)
    assert file.name in _findings(record, "chain")[0].message


def test_flipped_bit_in_a_journal(setting: Setting, tampered: Backup) -> None:
    """One bit of a journal's data: the engine refuses it, or the content shows it."""
    assert tampered.journals
    file = tampered.journals.folder / f"{_journal(tampered, 1)}.two"
    data = bytearray(file.read_bytes())
    data[65976 + (len(data) - 65976) // 4] ^= 0x10
    file.write_bytes(data)
    assert Verdict.FAIL is _recover(setting, tampered).verdict


class _NeverFreezes(Instance):
    """An instance whose freeze is only claimed, as by a script that exits 0."""

    def freeze(self, log: Path, text: str, spec: FreezeSpec) -> FreezeAnswer:
        now = time.monotonic()
        return FreezeAnswer(called_s=now, returned_s=now, frozen_utc=datetime.now(UTC))


class _SlowProvider:
    """Copies as the real one does, but something happens halfway."""

    def __init__(self, real: object, halfway: Callable[[], object]) -> None:
        self._real = real
        self._halfway = halfway

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        self._halfway()
        time.sleep(0.3)
        return self._real.capture(source, deadline)  # type: ignore[attr-defined, no-any-return]


def _back_up_with(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, halfway: Callable[[], object], plan: Plan = PLAN
) -> Backup:
    real = registry.load

    def load(group: str, name: str, required: object) -> object:
        adapter = real(group, name, required)  # type: ignore[arg-type]
        if group != "harness.snapshots":
            return adapter
        return lambda folder, options: _SlowProvider(adapter(folder, options), halfway)

    monkeypatch.setattr("harness.backup.registry.load", load)
    made = back_up(
        dataclasses.replace(setting, plan=plan), plan.snapshots[0], plan.recovery, setting.stages("test")
    )
    monkeypatch.undo()
    return made


def test_snapshot_without_a_freeze(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image is taken under load and nothing was ever frozen."""
    lying = dataclasses.replace(setting, source=_NeverFreezes(setting.source.place))
    made = _back_up_with(lying, monkeypatch, lambda: None)
    record = _recover(setting, made)
    assert {"hold", "marker"} <= _failed(record)
    assert "hold.released" in {f.code for f in _findings(record, "hold")}
    assert all(finding.witness for finding in _findings(record, "hold"))


def test_thaw_before_the_copy_ends(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else thaws while the copy goes on."""
    made = _back_up_with(setting, monkeypatch, lambda: setting.source.thaw(setting.folder / "other.log"))
    record = _recover(setting, made)
    assert "hold" in _failed(record)
    assert {"hold.released", "hold.changed"} == {f.code for f in _findings(record, "hold")}


def test_copy_that_goes_on_in_the_background(setting: Setting) -> None:
    """The snapshot command ends well, but part of its work goes on after the thaw."""
    script = 'cp -a "$0"/. "$1" && { (sleep 0.4; cp -a "$0"/db/. "$1"/db) >/dev/null 2>&1 & }'
    command = SnapshotSpec(provider="command", options={"run": ["sh", "-c", script, "{source}", "{target}"]})
    made = back_up(setting, command, PLAN.recovery, setting.stages("test"))
    record = _recover(setting, made)
    assert "hold" in _failed(record)
    assert "hold.incomplete" in {f.code for f in _findings(record, "hold")}


def test_self_thaw_in_mid_copy(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """WDSuspendLimit passes while the copy goes on; the engine resumes by itself."""
    plan = replace(PLAN, freeze=FreezeSpec(wd_suspend_limit_s=1))
    made = _back_up_with(setting, monkeypatch, lambda: time.sleep(1.3), plan)
    record = _recover(setting, made)
    assert "hold" in _failed(record)
    released = next(f for f in _findings(record, "hold") if f.code == "hold.released")
    assert "WDSuspendLimit of 1 seconds reached" in released.witness


def test_database_of_an_older_snapshot(setting: Setting, earlier: Backup, good: Backup) -> None:
    """One database comes from yesterday's snapshot: torn set."""
    torn = setting.work / "torn"
    shutil.copytree(good.window.snapshot.location, torn)
    shutil.copy(earlier.window.snapshot.location / "db/two/IRIS.DAT", torn / "db/two/IRIS.DAT")
    snapshot = replace(good.window.snapshot, location=torn)

    class _Elsewhere:
        def expose(self, snapshot: Snapshot, target: Path) -> int:
            shutil.copytree(snapshot.location, target, dirs_exist_ok=True)
            return 1

    record = _recover(
        setting,
        replace(good, window=replace(good.window, snapshot=snapshot), provider=_Elsewhere()),  # type: ignore[arg-type]
        RecoveryMode.AS_OF_FREEZE,
    )
    assert {"atomicity", "floor"} <= _failed(record)
    assert "atomicity.torn" in {f.code for f in _findings(record, "atomicity")}


class _Damaging:
    """Gives out the image of a good snapshot, damaged."""

    def __init__(self, damage: Callable[[Path], None]) -> None:
        self._damage = damage

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        shutil.copytree(
            snapshot.location, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock")
        )
        self._damage(target)
        return 1


def _truncate(image: Path) -> None:
    os.truncate(image / "db/two/IRIS.DAT", 300_000)


def _empty(image: Path) -> None:
    os.truncate(image / "db/one/IRIS.DAT", 0)


def _zero_blocks(image: Path) -> None:
    file = image / "db/two/IRIS.DAT"
    data = bytearray(file.read_bytes())
    at = data.index(b",10000000000\x00") if b",10000000000\x00" in data else data.index(b"10000000")
    at -= at % 4096
    data[at : at + 8192] = bytes(8192)
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [_truncate, _empty, _zero_blocks])
@pytest.mark.parametrize("mode", [RecoveryMode.AS_OF_FREEZE, RecoveryMode.ROLLFORWARD])
def test_damaged_image(
    setting: Setting, good: Backup, damage: Callable[[Path], None], mode: RecoveryMode
) -> None:
    """A database file that is cut off, empty, or has blocks of zeros."""
    record = _recover(setting, replace(good, provider=_Damaging(damage)), mode)  # type: ignore[arg-type]
    assert "integrity" in _failed(record) or "content" in _failed(record)
    assert any(finding.witness for finding in _findings(record, "integrity"))


def test_image_without_a_database_does_not_boot(setting: Setting, good: Backup) -> None:
    """The whole image, but for one database file: the engine makes an empty one, or does not start."""

    def lose(image: Path) -> None:
        (image / "db/two/IRIS.DAT").unlink()

    record = _recover(setting, replace(good, provider=_Damaging(lose)), RecoveryMode.BOOT)  # type: ignore[arg-type]
    assert Verdict.FAIL is record.verdict


def test_nothing_is_restored_over_the_running_instance(setting: Setting) -> None:
    """Source and target are compared by device and inode before the first write."""
    with pytest.raises(SnapshotError, match="belongs to the running instance"):
        require_separate(setting.description, setting.description.databases)


def test_plan_without_marker_is_unknown(setting: Setting) -> None:
    """SwitchJournalFile=0 writes no marker: where to start is not proved, so nothing passes."""
    plan = replace(PLAN, freeze=FreezeSpec(switch_journal=False), recovery=(RecoveryMode.ROLLFORWARD,))
    made = back_up(
        dataclasses.replace(setting, plan=plan),
        SnapshotSpec(provider="copy", options={}),
        plan.recovery,
        setting.stages("test"),
    )
    record = _recover(setting, made)
    assert Verdict.UNKNOWN is record.verdict
    assert "marker.none" == _findings(record, "marker")[0].code
