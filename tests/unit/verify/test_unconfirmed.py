"""A check that rests on facts nobody confirmed cannot say PASS."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.declared import Declaration
from harness.evidence.case import Evidence
from harness.model import Finding, Verdict
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
