"""A check that rests on facts nobody confirmed cannot say PASS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.declared import Declaration
from harness.evidence.case import Evidence
from harness.model import Check, Finding, Verdict
from harness.verify.base import judge
from tests.seen import seen


class Finds:
    """A checker that states what it was given."""

    def __init__(self, name: str, *findings: Finding) -> None:
        self.declared = Declaration(name=name)
        self.findings = findings

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        return self.findings


def evidence(*facts: str) -> Evidence:
    return seen(unconfirmed={"hold": facts} if facts else {})


def test_what_would_pass_is_unknown_and_says_how_to_confirm() -> None:
    check = judge(Finds("hold"), evidence("thaw.asks_first", "freeze.self_thaw"))
    (finding,) = check.findings
    assert (Verdict.UNKNOWN, "hold.unconfirmed") == (check.verdict, finding.code)
    assert "thaw.asks_first, freeze.self_thaw" in finding.message
    assert "harness conform --image" in finding.witness


def test_a_fail_stays_a_fail() -> None:
    check = judge(Finds("hold", Finding(code="hold.changed", message="it changed")), evidence("a.b"))
    assert Verdict.FAIL is check.verdict
    assert ["hold.changed", "hold.unconfirmed"] == [finding.code for finding in check.findings]


@pytest.mark.parametrize("name", ["hold", "chain"])
def test_with_everything_confirmed_it_passes(name: str) -> None:
    assert Verdict.PASS is judge(Finds(name), evidence()).verdict


def test_other_checks_are_not_burdened() -> None:
    assert Verdict.PASS is judge(Finds("chain"), evidence("thaw.asks_first")).verdict


def test_many_facts_are_counted_not_listed() -> None:
    (finding,) = judge(Finds("hold"), evidence(*(f"fact.number_{n}" for n in range(9)))).findings
    assert "fact.number_3 and 5 more" in finding.message


class Said:
    """A check that says what it is told to."""

    declared = Declaration(name="said")
    answer: Any = ()

    def check(self, evidence: Evidence) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        "",
        {},
        None,
        [Finding(code="said.x", message="m", verdict="FAIL")],  # type: ignore[arg-type]
        [Finding(code="said.x", message="m", verdict=Verdict.PASS)],
        [Finding(code="said.x", message=None)],  # type: ignore[arg-type]
        [Finding(code=None, message="m")],  # type: ignore[arg-type]
        [Finding(code="snapshot.timeout", message="m")],
        SystemExit(0),
        SystemExit(1),
    ],
)
def test_what_is_no_finding_of_its_own_makes_a_check_unknown(answer: Any) -> None:
    """It says nothing of the backup, and neither ends the run nor passes."""
    checker = Said()
    checker.answer = answer
    found = judge(checker, seen())
    assert isinstance(found, Check) and Verdict.UNKNOWN is found.verdict
    assert ["said.broken"] == [one.code for one in found.findings if one.code.endswith("broken")]
