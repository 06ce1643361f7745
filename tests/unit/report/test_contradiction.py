"""A record that contradicts itself is not believed: it may say less than PASS, never more."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness import store
from harness.cli.status import code_of
from harness.errors import ExitCode
from harness.model import CaseKey, CaseRecord, Clock, Finding, Record, RecoveryMode, Verdict
from tests.checks import CHECKS, final_verdict, summary
from tests.unit.report.test_reporters import PASSED

FOLDER = Path(__file__).parent


def with_case(**changes: Any) -> Record:
    return replace(PASSED, cases=(replace(PASSED.cases[1], **changes), *PASSED.cases[2:]))


def in_part(part: str, **changes: Any) -> Record:
    return with_case(**{part: replace(getattr(PASSED.cases[1], part), **changes)})


def without(name: str) -> Record:
    return with_case(checks=tuple(check for check in PASSED.cases[1].checks if check.name != name))


CASE = PASSED.cases[1]


def instance(**changes: Any) -> Record:
    assert PASSED.instance
    return replace(PASSED, instance=replace(PASSED.instance, **changes))


TAMPERED: dict[str, Record] = {
    "one check only": with_case(checks=CASE.checks[:1]),
    "one unknown check only": with_case(checks=(replace(CASE.checks[0], name="foo"),)),
    "one check twice and nothing else": with_case(checks=(CASE.checks[7], CASE.checks[7])),
    "every check and one twice": with_case(checks=(*CASE.checks, CASE.checks[3])),
    "no freeze": with_case(freeze=None),
    "no snapshot": with_case(snapshot=None),
    "no restore": with_case(restore=None),
    "no recovery": with_case(recovery=None),
    "no roll-forward": with_case(rollforward=None),
    "a roll-forward as of the freeze": replace(
        PASSED, cases=(replace(PASSED.cases[0], rollforward=CASE.rollforward),)
    ),
    "nothing recovered": in_part("recovery", recovered=0),
    "one transaction less recovered": in_part("recovery", recovered=CASE.recovery.acknowledged - 1),  # type: ignore[union-attr]
    "recovered not known": in_part("recovery", recovered=None),
    "lost not known": in_part("recovery", lost_acknowledged=None),
    "RPO not known": in_part("recovery", rpo_s=None),
    "something lost": in_part("recovery", lost_acknowledged=1),
    "an RPO without a loss": in_part("recovery", rpo_s=1e9),
    "RTO not known": in_part("recovery", rto_s=None),
    "an RTO below its restore": in_part("recovery", rto_s=0.001),
    "another mode": with_case(name="cycle 1 · copy · boot"),
    "the target saw a network": in_part("restore", interfaces=("lo", "eth0")),
    "nobody looked at the target's network": in_part("restore", interfaces=()),
    "nothing restored": in_part("restore", bytes=0),
    "an empty snapshot": in_part("snapshot", bytes=0),
    "a freeze that did not hold": in_part("freeze", held=False),
    "a freeze without a marker": in_part("freeze", journal_file=None),
    "a window of no time": in_part("freeze", window_s=0.0),
    "a roll-forward from elsewhere": in_part("rollforward", from_offset_bytes=1),
    "a roll-forward without its journal": in_part("rollforward", files=()),
    "a check that was skipped": with_case(
        checks=(replace(CASE.checks[2], verdict=Verdict.SKIPPED), *CASE.checks[:2], *CASE.checks[3:])
    ),
    "a case that was skipped": replace(
        PASSED, cases=(replace(CASE, verdict=Verdict.SKIPPED), *PASSED.cases[2:])
    ),
    "every check skipped": with_case(checks=tuple(replace(c, verdict=Verdict.SKIPPED) for c in CASE.checks)),
    "a finding that passes": with_case(
        checks=(
            replace(CASE.checks[0], findings=(Finding(code="x.y", message="z", verdict=Verdict.PASS),)),
            *CASE.checks[1:],
        )
    ),
    "a case less than planned": replace(PASSED, planned=8),
    "nothing acknowledged": in_part("recovery", acknowledged=0, recovered=0),
    "more recovered than there was": in_part("recovery", recovered=10**15),
    "a thaw before the freeze": in_part("freeze", thawed_utc=CASE.freeze.frozen_utc - timedelta(seconds=9)),  # type: ignore[union-attr]
    "a snapshot longer than the window": in_part("snapshot", duration_s=9999.0),
    "no stages": with_case(stages=()),
    "a restore of one byte": in_part("restore", bytes=1),
    "a marker at 0": in_part("freeze", offset_bytes=0),
    "no instance": replace(PASSED, instance=None),
    "the stand-in as IRIS": instance(product="IRIS"),
    "the stand-in relabelled": instance(product="IRIS", stand_in=False),
    "the stand-in's image as IRIS": instance(
        product="IRIS", version="2025.1", stand_in=False, image="stand-in"
    ),
    "GT.M that is no stand-in": instance(stand_in=False),
    "two cases of one name": replace(PASSED, cases=(PASSED.cases[0], PASSED.cases[0])),
    **{f"without {name}": without(name) for name in CHECKS},
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_record_that_was_tampered_with_is_not_believed(what: str) -> None:
    """UNKNOWN, and the first line names the contradiction; what was skipped is not passed."""
    verdict = Verdict.SKIPPED if "skipped" in what else Verdict.UNKNOWN
    assert verdict is final_verdict(TAMPERED[what])
    assert code_of(verdict) is ExitCode.UNKNOWN
    assert "skipped" in what or summary(TAMPERED[what])[0].startswith("UNKNOWN: not believed: ")


def test_a_record_without_a_contradiction_is_believed() -> None:
    assert Verdict.PASS is final_verdict(PASSED)
    assert summary(PASSED) == ["PASS: 7 of 7 cases passed."]


def test_a_further_check_contradicts_nothing() -> None:
    """Checks of other distributions, and the plan's limits."""
    more = replace(CASE.checks[0], name="of_others")
    assert Verdict.PASS is final_verdict(with_case(checks=(*CASE.checks, more)))
    limits = replace(CASE.checks[0], name="limits")
    cases = tuple(replace(case, checks=(*case.checks, limits)) for case in PASSED.cases)
    assert Verdict.PASS is final_verdict(replace(PASSED, cases=cases))


def test_limits_of_a_plan_are_for_all_of_its_cases() -> None:
    """A case that shed its FAIL would pass otherwise."""
    limits = replace(CASE.checks[0], name="limits")
    cases = tuple(c if c is CASE else replace(c, checks=(*c.checks, limits)) for c in PASSED.cases)
    shed = replace(PASSED, cases=cases)
    assert Verdict.UNKNOWN is final_verdict(shed)
    assert "the check limits is missing, others have it" in summary(shed)[0]


KEY = CaseKey(cycle=1, provider="copy", options={}, mode=RecoveryMode.ROLLFORWARD)
ROLLED = next(case for case in PASSED.cases if case.recovery and case.recovery.mode is KEY.mode)


@pytest.mark.parametrize(
    "differs",
    [
        {"key": replace(KEY, mode=RecoveryMode.BOOT)},
        {"key": replace(KEY, cycle=7)},
        {"key": replace(KEY, provider="reflink")},
        {"name": "rollforward"},
        {"name": "cycle 3 · copy · rollforward"},
        {"snapshot": replace(ROLLED.snapshot, provider="btrfs")},  # type: ignore[type-var]
        {"restore": replace(ROLLED.restore, duration_s=-1.0)},  # type: ignore[type-var]
        {"stages": (*ROLLED.stages, replace(ROLLED.stages[0], duration_s=-0.1))},
        {"checks": (replace(ROLLED.checks[0], duration_s=-1.0), *ROLLED.checks[1:])},
    ],
)
def test_a_case_whose_parts_say_different_things_is_not_believed(differs: dict[str, Any]) -> None:
    right = replace(PASSED, cases=(replace(ROLLED, key=KEY),))
    assert Verdict.PASS is final_verdict(right)
    assert Verdict.UNKNOWN is final_verdict(
        replace(right, cases=(replace(ROLLED, **{"key": KEY, **differs}),))
    )


def test_a_run_that_does_not_tell_how_many_cases_it_has_is_not_believed_if_it_should() -> None:
    """Records without a clock are of versions that did not keep it."""
    clock = Clock(utc=PASSED.started_utc, monotonic_s=1.0)
    assert PASSED.planned is None and Verdict.PASS is final_verdict(PASSED)
    assert Verdict.UNKNOWN is final_verdict(replace(PASSED, clock=clock))
    assert Verdict.PASS is final_verdict(replace(PASSED, clock=clock, planned=len(PASSED.cases)))


def test_a_run_that_began_after_its_freeze_is_not_believed() -> None:
    late = replace(PASSED, started_utc=PASSED.started_utc + timedelta(days=400))
    assert Verdict.UNKNOWN is final_verdict(late)


def test_a_failure_stays_one() -> None:
    """What is missing beside it changes nothing."""
    record = replace(PASSED, verdict=Verdict.FAIL, cases=(replace(CASE, verdict=Verdict.FAIL, freeze=None),))
    assert Verdict.FAIL is final_verdict(record)


def test_an_iris_is_believed() -> None:
    assert Verdict.PASS is final_verdict(instance(product="IRIS", version="2025.1.0.223.0", stand_in=False))


def test_a_record_of_version_0_3_is_readable_and_proves_less() -> None:
    """It knew no look at the image: that was not looked at."""
    old = store.load(FOLDER / "record-0.3.json")
    passed = replace(
        old, verdict=Verdict.PASS, cases=tuple(c for c in old.cases if c.verdict is Verdict.PASS)
    )
    assert 10 == len(passed.cases[0].checks)
    assert Verdict.UNKNOWN is final_verdict(passed)
    assert "the check snapshot is missing" in summary(passed)[0]


ALTERED: dict[str, Callable[[CaseRecord], CaseRecord]] = {
    field.name: lambda case, name=field.name: replace(case, **{name: None})  # type: ignore[misc]
    for field in dataclasses.fields(CaseRecord)
    if field.name in ("freeze", "snapshot", "restore", "recovery")
}


@pytest.mark.parametrize("part", ALTERED)
@pytest.mark.parametrize("number", range(len(PASSED.cases)))
def test_no_case_of_any_mode_passes_without_a_part(number: int, part: str) -> None:
    case = ALTERED[part](PASSED.cases[number])
    assert Verdict.UNKNOWN is final_verdict(replace(PASSED, cases=(case,)))
