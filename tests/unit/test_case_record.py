"""What a case leaves in the record: its verdict, how much was lost and how old it was, how long an operator waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.evidence.case import Evidence
from harness.model import CaseRecord, Check, Finding, RecoveryMode, RestoreSummary, Stage, Verdict
from harness.session.session import Session
from harness.stages.case_record import Recovered, case_record, measured, without_backup
from tests.checks import CHECKS, judge_all
from tests.unit.settings import backup, case, limited, point, session
from tests.whole import END, ONE, WRITERS, recovered, whole
from tests.windows import window

ROLLFORWARD, BOOT = RecoveryMode.ROLLFORWARD, RecoveryMode.BOOT
PASSED = Check(name="floor", verdict=Verdict.PASS, duration_s=0.0, findings=())
UNKNOWN = replace(PASSED, name="chain", verdict=Verdict.UNKNOWN)
STAGES = {
    "load": 100.0,
    "restore": 1.0,
    "boot": 2.0,
    "roll forward": 4.0,
    "integrity": 8.0,
    "walk": 16.0,
    "image integrity": 32.0,
    "image walk": 64.0,
    "judge": 128.0,
}


def record(
    made: Session,
    evidence: Evidence | None = None,
    checks: tuple[Check, ...] = (PASSED,),
    mode: RecoveryMode = ROLLFORWARD,
    **said: Any,
) -> CaseRecord:
    """The record of a case whose stages took a different power of two each."""
    stages = made.stages("case")
    stages.done.extend(Stage(name=name, started_s=0.0, duration_s=took) for name, took in STAGES.items())
    evidence = evidence or whole(mode)
    seen = Recovered(evidence=evidence, stages=stages, restored=None, rolled=None)
    return case_record(made, backup(**said), point(mode), seen, checks)


def judged(made: Session, evidence: Evidence | None = None) -> CaseRecord:
    """The record of a case as it is judged once it was recovered."""
    stages = made.stages("case")
    stages.done.extend(Stage(name=name, started_s=0.0, duration_s=took) for name, took in STAGES.items())
    evidence = evidence or whole(ROLLFORWARD)
    seen = Recovered(evidence=evidence, stages=stages, restored=None, rolled=None)
    evidence = measured(made, backup(), point(ROLLFORWARD), seen).evidence
    return record(made, evidence, tuple(judge_all(evidence)))


def summary(made: Session, **said: Any) -> Any:
    found = record(made, **said).recovery
    assert found
    return found


def numbers(evidence: Evidence, **two: int) -> Evidence:
    """Writers that are short of the end: database two has so many less of them."""
    assert evidence.state
    writers = dict(evidence.state.writers)
    for name, less in two.items():
        number = int(name.removeprefix("w"))
        writers[number] = replace(writers[number], two=END - less)
    return recovered(state=replace(evidence.state, writers=writers))(evidence)


def test_an_operator_waits_for_restore_boot_rollforward_check_and_walk(tmp_path: Path) -> None:
    """Not for the load, the looks at the image, or the judgement."""
    assert 1 + 2 + 4 + 8 + 16 == summary(session(tmp_path)).rto_s


def test_what_was_not_recovered_was_not_measured(tmp_path: Path) -> None:
    evidence = recovered(state=None)(whole(ROLLFORWARD))
    found = summary(session(tmp_path), evidence=evidence)
    assert (None, None, None, None) == (found.recovered, found.lost_acknowledged, found.rpo_s, found.rto_s)
    assert WRITERS * END == found.acknowledged


def test_nothing_is_lost_where_everything_is_there(tmp_path: Path) -> None:
    found = summary(session(tmp_path))
    assert (WRITERS * END, WRITERS * END, 0, 0.0) == (
        found.acknowledged,
        found.recovered,
        found.lost_acknowledged,
        found.rpo_s,
    )


def test_the_oldest_lost_transaction_counts(tmp_path: Path) -> None:
    """Transactions are acknowledged at the second of their number, the recovery point is at 1000."""
    evidence = numbers(whole(ROLLFORWARD), w2=3, w3=11)
    found = summary(session(tmp_path), evidence=evidence)
    assert (14, 1000.0 - (END - 11 + 1)) == (found.lost_acknowledged, found.rpo_s)


def test_a_writer_that_is_absent_has_lost_everything(tmp_path: Path) -> None:
    evidence = whole(ROLLFORWARD)
    assert evidence.state
    writers = {number: one for number, one in evidence.state.writers.items() if number != 2}
    found = summary(
        session(tmp_path), evidence=recovered(state=replace(evidence.state, writers=writers))(evidence)
    )
    assert (END, 1000.0 - 1) == (found.lost_acknowledged, found.rpo_s)


def test_more_than_was_promised_is_no_loss_and_makes_up_for_none(tmp_path: Path) -> None:
    evidence = numbers(whole(ROLLFORWARD), w1=-5, w2=1)
    assert evidence.state
    writers = dict(evidence.state.writers)
    ahead = replace(writers[1], one=END + 5, two=END + 5, history=replace(writers[1].history, last=END + 5))
    evidence = recovered(state=replace(evidence.state, writers={**writers, 1: ahead}))(evidence)
    assert 1 == summary(session(tmp_path), evidence=evidence).lost_acknowledged


@pytest.mark.parametrize(
    ("checks", "verdict"), [((PASSED,), Verdict.PASS), ((PASSED, UNKNOWN), Verdict.UNKNOWN)]
)
def test_the_worst_check_is_the_verdict(tmp_path: Path, checks: tuple[Check, ...], verdict: Verdict) -> None:
    found = record(session(tmp_path), checks=checks)
    assert verdict is found.verdict
    assert checks == found.checks


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ({"window_s": 3.0, "rpo_s": 0.0, "rto_s": 31.0}, Verdict.PASS),
        ({"window_s": 2.0}, Verdict.FAIL),
        ({"rto_s": 30.9}, Verdict.FAIL),
    ],
)
def test_the_limits_of_the_plan_are_a_check_among_the_others(
    tmp_path: Path, limits: dict[str, float], verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.verify.base.time.monotonic", lambda: 7.0)
    found = judged(limited(session(tmp_path), **limits))
    assert [("floor", 0.0), ("limits", 0.0)] == [
        (check.name, check.duration_s) for check in found.checks if check.name in ("floor", "limits")
    ]
    assert verdict is found.verdict


def test_a_limit_of_what_was_not_measured_is_unknown(tmp_path: Path) -> None:
    evidence = recovered(state=None)(whole(ROLLFORWARD))
    found = judged(limited(session(tmp_path), rto_s=9.0), evidence)
    assert Verdict.UNKNOWN is found.verdict
    (limits,) = (check for check in found.checks if check.name == "limits")
    assert ["limits.rto"] == [finding.code for finding in limits.findings]


def test_without_limits_in_the_plan_there_is_no_such_check(tmp_path: Path) -> None:
    assert [*CHECKS] == [check.name for check in judged(session(tmp_path)).checks]


def test_without_a_backup_the_limits_of_the_plan_were_not_measured(tmp_path: Path) -> None:
    """They are not forgotten, either."""
    made = limited(session(tmp_path), window_s=3.0, rto_s=9.0)
    checks = without_backup(made, case(ROLLFORWARD), made.stages("x")).checks
    assert [*CHECKS, "limits"] == [check.name for check in checks]
    assert ["limits.window", "limits.rto"] == [finding.code for finding in checks[-1].findings]
    assert Verdict.UNKNOWN is checks[-1].verdict


def test_a_file_that_changed_in_the_window_did_not_hold(tmp_path: Path) -> None:
    """Though the engine says that it was frozen until the thaw."""
    held = record(session(tmp_path)).freeze
    assert held and held.held
    after = (replace(window().after[0], modified_ns=2), window().after[1])
    changed = record(session(tmp_path), window=replace(window(), after=after)).freeze
    assert changed and not changed.held


def test_the_freeze_and_the_snapshot_in_numbers(tmp_path: Path) -> None:
    thawed = replace(window().thawed, thawed_utc=window().frozen.frozen_utc + timedelta(seconds=9))
    found = record(session(tmp_path), window=replace(window(), thawed=thawed))
    assert found.freeze and found.snapshot
    assert ("20261122.001", 50) == (found.freeze.journal_file, found.freeze.offset_bytes)
    assert (window().frozen.frozen_utc, thawed.thawed_utc) == (
        found.freeze.frozen_utc,
        found.freeze.thawed_utc,
    )
    assert 3.0 == found.freeze.window_s
    assert ("copy", 1.0, 2) == (found.snapshot.provider, found.snapshot.duration_s, found.snapshot.bytes)


def test_without_a_marker_and_without_a_snapshot_there_are_no_numbers_of_them(tmp_path: Path) -> None:
    evidence = replace(whole(ROLLFORWARD), entry=None)
    found = record(session(tmp_path), evidence, window=replace(window(), snapshot=None))
    assert found.freeze
    assert (None, None, None) == (found.freeze.journal_file, found.freeze.offset_bytes, found.snapshot)
    entry = replace(whole(ROLLFORWARD).entry, marker=None)  # type: ignore[type-var]
    unmarked = record(session(tmp_path), replace(evidence, entry=entry)).freeze
    assert unmarked and unmarked.journal_file is None and unmarked.offset_bytes is None


def test_paths_in_the_working_folder_are_named_from_there(tmp_path: Path) -> None:
    """It is gone when somebody reads the record."""
    made = session(tmp_path)
    finding = Finding(code="a.b", message=f"{made.work}/image is odd", witness=f"see {made.work}/x and {ONE}")
    check = replace(PASSED, verdict=Verdict.FAIL, findings=(finding,))
    (shown,) = record(made, checks=(check,)).checks
    assert (replace(finding, message="image is odd", witness=f"see x and {ONE}"),) == shown.findings
    assert Verdict.FAIL is shown.verdict


def test_what_was_restored_and_every_stage_is_kept(tmp_path: Path) -> None:
    made = session(tmp_path)
    stages = made.stages("cycle 1 · copy · boot")
    stages.done.append(Stage(name="restore", started_s=1.0, duration_s=2.0))
    first = Stage(name="freeze window", started_s=0.0, duration_s=1.0)
    restored = RestoreSummary(duration_s=2.0, bytes=9, into="here", interfaces=("lo",))
    seen = Recovered(evidence=whole(BOOT), stages=stages, restored=restored, rolled=None)
    found = case_record(made, backup(stages=(first,)), point(BOOT), seen, (PASSED,))
    assert (first, stages.done[0]) == found.stages
    assert restored is found.restore
    assert "cycle 1 · copy · boot" == found.name
    assert found.recovery and BOOT is found.recovery.mode


def test_without_a_backup_nobody_confirmed_more_than_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts that the mode rests on are missing for what was recovered, those of the freeze for its image."""
    known = {ROLLFORWARD: {"content": ("applied",)}, RecoveryMode.AS_OF_FREEZE: {"content": ("held",)}}
    monkeypatch.setattr("harness.stages.case_record.unconfirmed", lambda *engines, mode: known[mode])
    made = session(tmp_path)
    found = {check.name: check for check in without_backup(made, case(ROLLFORWARD), made.stages("x")).checks}
    said = {
        name: finding.message
        for name in ("content", "image.content", "floor")
        for finding in found[name].findings
        if finding.code.endswith(".unconfirmed")
    }
    assert {"content", "image.content"} == set(said)
    assert said["content"].endswith("applied") and said["image.content"].endswith("held")


def test_without_a_backup_every_check_is_unknown_and_says_why(tmp_path: Path) -> None:
    made = session(tmp_path)
    stages = made.stages("cycle 1 · copy")
    stages.problems.append(("backup", f"no room in {made.work}/snapshots"))
    stages.done.append(Stage(name="load", started_s=0.0, duration_s=1.0))
    found = without_backup(made, case(ROLLFORWARD), stages)
    assert Verdict.UNKNOWN is found.verdict
    assert {Verdict.UNKNOWN} == {check.verdict for check in found.checks} and len(found.checks) > 10
    said = [finding.witness for check in found.checks for finding in check.findings if finding.witness]
    assert any("backup: no room in snapshots" in text for text in said)
    parts = (found.freeze, found.snapshot, found.restore, found.rollforward, found.recovery)
    assert (None,) * 5 == parts
    assert tuple(stages.done) == found.stages


def test_a_backup_that_was_made_elsewhere_has_no_freeze_and_no_snapshot_of_ours(tmp_path: Path) -> None:
    made = session(tmp_path)
    stages = made.stages("case")
    seen = Recovered(evidence=whole(ROLLFORWARD), stages=stages, restored=None, rolled=None)
    there = replace(backup(), window=None)
    found = case_record(made, there, point(ROLLFORWARD), seen, (PASSED,))
    assert None is found.freeze is found.snapshot
    limits = measured(limited(made, window_s=1.0), there, point(ROLLFORWARD), seen).evidence.limits
    assert limits and [None] == [one.measured_s for one in limits if one.name == "window"]
