"""What a source said is judged rightly: above all, no answer is never taken for "not frozen"."""

from __future__ import annotations

import pytest

from tests.soak.witness import Answer, Sample, longest_s, thawed_after_s, violations

FROZEN, RUNNING, NONE, GONE = Answer.FROZEN, Answer.RUNNING, Answer.NONE, Answer.GONE


def samples(*answers: Answer, own: bool = True) -> list[Sample]:
    """One a second."""
    return [Sample(at_s=float(n), answer=answer, own=own) for n, answer in enumerate(answers)]


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (GONE,),
        (RUNNING,),
        (RUNNING, FROZEN, RUNNING),
        (FROZEN, NONE, RUNNING),
        (FROZEN, GONE),
        (NONE, GONE),
    ],
)
def test_what_is_right(answers: tuple[Answer, ...]) -> None:
    assert [] == violations(samples(*answers), 10.0)


@pytest.mark.parametrize("answers", [(NONE,), (RUNNING, NONE), (RUNNING, FROZEN, NONE), (GONE, NONE)])
def test_no_answer_of_a_source_that_lives_is_a_violation(answers: tuple[Answer, ...]) -> None:
    assert any("nobody was told" in one for one in violations(samples(*answers), 10.0))


def test_a_source_that_is_left_frozen_is_a_violation() -> None:
    assert ["left frozen"] == violations(samples(RUNNING, FROZEN), 10.0)


def test_frozen_for_too_long() -> None:
    (found,) = violations(samples(FROZEN, FROZEN, FROZEN, RUNNING), 2.0)
    assert "frozen for 3.0 s" in found


def test_a_freeze_goes_on_while_nobody_answers() -> None:
    assert 4.0 == longest_s(samples(FROZEN, NONE, NONE, NONE, RUNNING))


def test_the_moments_of_a_marker_are_no_freeze() -> None:
    """The stand-in raises the flag then, too; the log tells that the system has resumed."""
    assert 0.0 == longest_s(samples(RUNNING, FROZEN, RUNNING, own=False))
    assert thawed_after_s(samples(RUNNING, FROZEN, RUNNING, own=False), 0.0) is None


def test_a_flag_that_stays_up_is_a_freeze_whatever_the_log_says() -> None:
    assert ["left frozen"] == violations(samples(RUNNING, FROZEN, own=False), 10.0)


def test_time_until_the_thaw() -> None:
    told = samples(RUNNING, FROZEN, FROZEN, RUNNING)
    assert 1.5 == thawed_after_s(told, 1.5)
    assert thawed_after_s(told, 3.0) is None
    assert thawed_after_s(samples(RUNNING, RUNNING), 0.0) is None
