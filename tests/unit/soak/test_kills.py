"""What the kill sweep takes for a violation: a reason that names nobody, no answer; and what it is worth."""

from __future__ import annotations

import random

import pytest

from tests.soak.draw import seeds
from tests.soak.kills import Outcome, draw, names_an_instance, weakness, wrong_answers
from tests.soak.witness import Answer, Sample

IN_WINDOW = {"freeze asked for", "frozen", "captured"}


def told(*answers: Answer) -> list[Sample]:
    return [Sample(at_s=float(n), answer=answer) for n, answer in enumerate(answers)]


@pytest.mark.parametrize(
    "reason",
    [
        "the processes of SOURCE have been ended",
        "the processes of TARGET-1 have been ended",
        "'iris session SOURCE -U%SYS' ended with status 137",
        "container harness-12-ab-source has ended",
    ],
)
def test_a_reason_that_names_the_instance(reason: str) -> None:
    assert names_an_instance(reason)


@pytest.mark.parametrize(
    "reason",
    [
        "cannot read /tmp/x/work/source/mgr/journal/20261126.001",
        "work/target-1/db/one/IRIS.DAT: No space left on device",
        "the source is not there",
        "/tmp/SOURCE/file is gone",
    ],
)
def test_a_path_names_nobody(reason: str) -> None:
    assert not names_an_instance(reason)


def test_no_answer_after_a_kill_is_a_violation() -> None:
    assert wrong_answers(told(Answer.NONE, Answer.NONE), 0.0)
    assert wrong_answers(told(Answer.NONE, Answer.NONE), None), "also after the kill of a target"


def test_five_seconds_are_the_limit_after_a_kill_of_the_harness() -> None:
    slow = told(*[Answer.FROZEN] * 6, Answer.RUNNING)
    assert wrong_answers(slow, 0.5)
    assert [] == wrong_answers(slow, 1.5)
    assert [] == wrong_answers(slow, None), "a window goes on while its run does"


def outcomes(count: int, *, late: int = 0, inside: int = 0) -> list[Outcome]:
    found = [Outcome(kill=draw(1), what="harness") for _ in range(count)]
    for one in found[:late]:
        one.what = "nothing"
    for one in found[late : late + inside]:
        one.frozen = True
    return found


def test_a_sweep_that_came_too_late_says_so() -> None:
    assert "too late" in weakness(outcomes(20, late=11))
    assert "struck a frozen" in weakness(outcomes(20, inside=6))
    assert "" == weakness(outcomes(21, inside=7))
    assert "" == weakness(outcomes(9, late=9)), "so few say nothing"


def test_half_of_the_kills_are_aimed_at_the_window() -> None:
    drawn = [draw(seed) for seed in seeds(random.Random(1), 400, 0.0)]
    assert 180 < sum(kill.mark in IN_WINDOW for kill in drawn)
