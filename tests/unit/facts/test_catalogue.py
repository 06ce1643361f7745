"""The catalogue of facts: complete, and fit to carry verdicts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.declared import resting_on
from harness.facts.catalogue import FACTS, OPEN_ITEMS, resting
from harness.model import IMAGE, RecoveryMode
from tests.checks import CHECKS, DECLARED

PAGE = Path("docs/conformance.md")


def test_ids_are_unique_and_speak() -> None:
    ids = [fact.id for fact in FACTS]
    assert len(ids) == len(set(ids))
    assert [] == [one for one in ids if not re.fullmatch(r"[a-z]+\.[a-z0-9_]+", one)]


def test_every_open_question_is_accounted_for() -> None:
    assert set(range(1, OPEN_ITEMS + 1)) == {fact.open_item for fact in FACTS if fact.open_item}


def test_every_open_question_is_on_the_page() -> None:
    numbers = re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert [str(number) for number in range(1, OPEN_ITEMS + 1)] == numbers


@pytest.mark.parametrize("mode", RecoveryMode)
@pytest.mark.parametrize("check", CHECKS)
def test_every_check_rests_on_a_fact_in_every_mode(check: str, mode: RecoveryMode) -> None:
    of_image = check.startswith(IMAGE)
    facts = DECLARED[check.removeprefix(IMAGE)].facts
    assert resting(facts, RecoveryMode.AS_OF_FREEZE if of_image else mode)


def test_checks_name_only_facts_there_are() -> None:
    """A fact that nobody knows is never confirmed; a check of the harness has none."""
    assert {check for check in CHECKS if not check.startswith(IMAGE)} == {
        check for fact in FACTS for check in resting_on(fact.id)
    }
    ids = {fact.id for fact in FACTS}
    assert [] == [fact for one in DECLARED.values() for fact in one.facts if fact not in ids]


def test_a_fact_that_nobody_knows_matters_in_every_mode() -> None:
    assert ("no.such_fact",) == resting(("no.such_fact", "boot.recovers"), RecoveryMode.ROLLFORWARD)


def test_nothing_rests_on_what_is_not_tried() -> None:
    assert [] == [fact.id for fact in FACTS if fact.untried and resting_on(fact.id)]


def test_a_fact_of_one_mode_does_not_burden_another() -> None:
    boot = set(resting(DECLARED["floor"].facts, RecoveryMode.BOOT))
    rolled = set(resting(DECLARED["floor"].facts, RecoveryMode.ROLLFORWARD))
    assert "boot.recovers" in boot - rolled
    assert "restore.place_and_mount" in rolled - boot
