"""What the floor says of the reason, where the whole of the state tells one."""

from __future__ import annotations

from dataclasses import replace

from harness.evidence.case import Evidence
from harness.model import RecoveryMode
from harness.verify.floor import FloorChecker
from tests.whole import END, FREEZE, look, whole


def said(evidence: Evidence) -> str:
    found = FloorChecker().check(evidence)
    assert {finding.code for finding in found} == {"floor.lost"}
    return found[0].message


def with_state_of(transactions: int) -> Evidence:
    """A roll-forward after which the state is that of so many transactions of each writer."""
    evidence = whole(RecoveryMode.ROLLFORWARD)
    return replace(evidence, recovered=replace(evidence.recovered, state=look(transactions).state))


def test_a_roll_forward_without_effect_is_told_from_one_that_stopped_early() -> None:
    assert said(with_state_of(FREEZE)).endswith(
        "; the roll-forward brought nothing beyond what the image held"
    )
    assert said(with_state_of(FREEZE + 1)).endswith("are lost")
    assert said(with_state_of(END - 1)).endswith("are lost")


def test_nothing_is_said_of_a_roll_forward_that_was_not_asked_for_or_an_image_nobody_looked_at() -> None:
    evidence = with_state_of(FREEZE)
    assert said(replace(evidence, rolled=None)).endswith("are lost")
    assert said(replace(evidence, image=None)).endswith("are lost")


def test_databases_that_hold_nothing_of_the_load_are_others_or_exchanged() -> None:
    assert said(with_state_of(0)).endswith("as where databases are others, or in each other's place")
    assert not said(with_state_of(1)).endswith("place")
