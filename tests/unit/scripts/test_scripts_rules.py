"""What was seen, and what the rules say of it: honest scripts have no findings, and not measured is never frozen."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from harness.model import Finding, Verdict
from harness.scripts import rules
from harness.scripts.model import Ran, RecordedCall, Scripts, Seen

PAIR = Scripts(name="pair", freeze=("/pre",), thaw=("/post",))
JOB = Scripts(name="job", freeze=("/job",), thaw=("/job",), program="lvcreate")
UNUSUAL = Scripts(name="unusual", freeze=("/pre",), thaw=("/post",), success=(5, 7))
BOTH = ("A", "B")
FROZEN: Mapping[str, bool | None] = {"A": True, "B": True}


def ran(status: int | None, output: str = "") -> Ran:
    return Ran(
        status=status, output=output, duration_s=1.0, killed="TERM after 30 s" if status is None else ""
    )


def seen(freeze: int | None = 0, thaw_status: int | None = 0, **changes: Any) -> Seen:
    """A good backup of two instances, but for the changes."""
    given: dict[str, Any] = {
        "freeze": ran(freeze),
        "expected": BOTH,
        "frozen_after": FROZEN,
        "taken": True,
        "held": BOTH,
        "thaw": ran(thaw_status),
    }
    return Seen(**{**given, **changes})


def refused(status: int | None, **changes: Any) -> Seen:
    """A freeze that did not say success, with nothing frozen, but for the changes."""
    given: dict[str, Any] = {
        "frozen_after": {"A": False, "B": False},
        "taken": False,
        "held": (),
        "thaw": None,
    }
    return seen(status, **{**given, **changes})


def codes(findings: Iterable[Finding]) -> list[str]:
    return sorted(found.code for found in findings)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (seen(), []),
        (seen(frozen_after={"A": True, "B": False}, held=("A",)), ["freeze.claimed"]),
        (seen(frozen_after={"A": True, "B": None}, held=("A",)), ["freeze.claimed"]),
        (seen(frozen_after={"A": True}, held=("A",)), ["freeze.claimed"]),
        (seen(frozen_after={}, held=()), ["freeze.claimed", "freeze.claimed"]),
        (seen(held=("A",)), ["thaw.claimed"]),
        (seen(held=()), ["thaw.claimed", "thaw.claimed"]),
        (seen(left_frozen=("B",)), ["left_frozen", "thaw.claimed"]),
        (seen(thaw_status=1), ["thaw.refused"]),
        (seen(thaw_status=5), ["thaw.refused"]),
        (seen(thaw_status=1, left_frozen=("A",)), ["left_frozen", "thaw.refused"]),
        (seen(thaw_status=1, held=("A",)), ["freeze.not_held"]),
        (seen(thaw_status=1, held=()), ["freeze.not_held"]),
        (seen(thaw_status=None), ["thaw.no_end"]),
        (refused(1), ["freeze.refused"]),
        (refused(5), ["freeze.refused"]),
        (refused(None), ["freeze.no_end"]),
        (
            refused(5, frozen_after=FROZEN, left_frozen=BOTH),
            ["freeze.unmapped", "left_frozen", "left_frozen"],
        ),
        (refused(5, frozen_after={"A": True, "B": None}), ["freeze.refused"]),
        (refused(1, frozen_after=FROZEN, left_frozen=("A",)), ["freeze.refused", "left_frozen"]),
    ],
)
def test_a_backup_that_can_be_made(what: Seen, expected: list[str]) -> None:
    """Both say success, it was one, and nothing is left."""
    assert expected == codes(rules.must_succeed(what, PAIR))


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (refused(1), []),
        (refused(5), []),
        (refused(1, left_frozen=("A",)), ["left_frozen"]),
        (refused(None), ["freeze.no_end"]),
        (seen(), ["freeze.claimed"]),
        (seen(left_frozen=BOTH), ["freeze.claimed", "left_frozen", "left_frozen"]),
    ],
)
def test_a_backup_that_cannot_be_good(what: Seen, expected: list[str]) -> None:
    """Success is wrong, whatever was frozen."""
    assert expected == codes(rules.must_refuse(what, PAIR, "it was refused"))


def test_a_job_that_fails_after_its_snapshot_has_left_an_image() -> None:
    """A pair's snapshot is the caller's, who was told; a job's own looks like a backup."""
    assert ["snapshot.taken"] == codes(rules.must_refuse(seen(1), JOB, "it was refused"))
    assert [] == codes(rules.must_refuse(refused(1), JOB, "it was refused"))
    assert [] == codes(rules.must_refuse(seen(1), PAIR, "it was refused"))


UNTAKEN = {"frozen_after": {}, "taken": False, "held": (), "thaw": None}


@pytest.mark.parametrize(
    ("status", "known", "expected"),
    [
        (0, False, Verdict.UNKNOWN),
        (1, False, Verdict.UNKNOWN),
        (0, True, Verdict.FAIL),
        (1, True, Verdict.FAIL),
    ],
)
def test_a_job_that_never_called_its_program(status: int, known: bool, expected: Verdict) -> None:
    """What it did not call may have another name: only where that is out of the question is it a fault."""
    found = list(rules.must_succeed(seen(status, known=known, **UNTAKEN), JOB))
    assert [expected] == [one.verdict for one in found]
    asked = "lvcreate of --program was never called" in found[0].message
    assert asked is not known
    assert not any("was not frozen" in one.message for one in found)


def test_a_job_with_a_limit_of_its_own_is_not_called_endless() -> None:
    """Nobody waits for it; a script without one, or whose caller waits, has no end."""
    limited = Ran(status=None, output="", duration_s=9.0, killed="TERM after 9 s", limit="timeout 120 iris")
    (found,) = rules.in_time(limited, "freeze")
    assert Verdict.UNKNOWN is found.verdict and "--timeout" in found.message
    assert ["freeze.no_end"] == codes(rules.in_time(ran(None), "freeze"))


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (seen(), []),
        (refused(1), []),
        (seen(thaw_status=1), []),
        (seen(thaw_status=1, held=()), []),
        (refused(1, left_frozen=("A",)), ["left_frozen"]),
        (seen(frozen_after={"A": None, "B": None}), ["freeze.claimed", "freeze.claimed"]),
        (seen(taken=False, held=()), []),
    ],
)
def test_honesty_allows_a_refusal(what: Seen, expected: list[str]) -> None:
    """As `must_succeed`, but for refusing what could have been done."""
    assert expected == codes(rules.honest(what, PAIR))


def test_other_statuses_count_if_the_caller_says_so() -> None:
    """`success` of a suite: 0 is none of these callers' successes, 5 and 7 are."""
    for status in (5, 7):
        assert [] == codes(rules.must_succeed(seen(status, status), UNUSUAL))
        assert ["freeze.claimed"] == codes(rules.must_refuse(seen(status), UNUSUAL, "it was refused"))
    assert [] == codes(rules.must_refuse(refused(0), UNUSUAL, "it was refused"))


def test_only_what_is_known_to_be_frozen_counts_as_frozen() -> None:
    """Of all that can be known of two instances, one combination passes a freeze that says success."""
    passed = [
        states
        for states in itertools.product((True, False, None), repeat=2)
        if not codes(rules.must_succeed(seen(frozen_after=dict(zip(BOTH, states, strict=True))), PAIR))
    ]
    assert [(True, True)] == passed


def test_a_single_run_must_not_say_success() -> None:
    """And must end."""
    assert ["thaw.claimed"] == codes(rules.claims(ran(0), PAIR, "thaw", "nothing was frozen"))
    assert ["freeze.no_end"] == codes(rules.claims(ran(None), PAIR, "freeze", "nothing was frozen"))
    assert [] == codes(rules.claims(ran(1), PAIR, "thaw", "nothing was frozen"))


def test_history_is_told_once() -> None:
    """However often it was called."""
    call = RecordedCall(
        at=1.0,
        user=0,
        program="iris",
        what="externalsethistory",
        instance="A",
        secret_shown=False,
        arguments=(),
    )
    (found,) = rules.no_history([call, call], "before the copy")
    assert ("history", True) == (found.code, "before the copy" in found.message)
    assert [] == list(rules.no_history([], "before the copy"))


def test_what_could_not_be_measured_is_unknown() -> None:
    """Neither PASS nor a finding against the scripts."""
    assert Verdict.UNKNOWN is rules.inconclusive("no answer").verdict


def test_a_finding_shows_the_last_line_that_was_said() -> None:
    """Without what could steer a terminal, and cut."""
    (found,) = rules.claims(ran(0, "first\n\x1b[31mred" + "x" * 300 + "\n \n"), PAIR, "freeze", "why")
    assert "?[31mred" + "x" * 192 == found.witness
    (found,) = rules.claims(ran(0), PAIR, "freeze", "why")
    assert "it printed nothing" == found.witness
