"""What a case of the fuzzer is called: every verdict with every look."""

from __future__ import annotations

import itertools

import pytest

from harness.model import Verdict
from tests.soak.judged import Look, Word, judged, together
from tests.soak.mutations import JOURNALS, LOG, SLACK

CODES = ("chain.damaged",)
TABLE = {
    (Verdict.PASS, Look.EQUAL): Word.RIGHT_PASS,
    (Verdict.PASS, Look.DIFFERS): Word.WRONG_PASS,
    (Verdict.PASS, Look.UNUSABLE): Word.WRONG_PASS,
    (Verdict.PASS, Look.NOT_LOOKED): Word.WRONG_PASS,
    (Verdict.FAIL, Look.EQUAL): Word.FALSE_ALARM,
    (Verdict.FAIL, Look.DIFFERS): Word.CAUGHT,
    (Verdict.FAIL, Look.UNUSABLE): Word.CAUGHT,
    (Verdict.FAIL, Look.NOT_LOOKED): Word.FALSE_ALARM,
    (Verdict.UNKNOWN, Look.EQUAL): Word.FALSE_ALARM,
    (Verdict.UNKNOWN, Look.DIFFERS): Word.NOT_FOUND_OUT,
    (Verdict.UNKNOWN, Look.UNUSABLE): Word.NOT_FOUND_OUT,
    (Verdict.UNKNOWN, Look.NOT_LOOKED): Word.FALSE_ALARM,
    (Verdict.SKIPPED, Look.EQUAL): Word.FALSE_ALARM,
    (Verdict.SKIPPED, Look.DIFFERS): Word.NOT_FOUND_OUT,
    (Verdict.SKIPPED, Look.UNUSABLE): Word.NOT_FOUND_OUT,
    (Verdict.SKIPPED, Look.NOT_LOOKED): Word.FALSE_ALARM,
}


@pytest.mark.parametrize(("verdict", "look"), list(itertools.product(Verdict, Look)))
def test_without_a_promise_the_verdict_must_be_what_the_engine_says(verdict: Verdict, look: Look) -> None:
    codes = () if verdict is Verdict.PASS else CODES
    assert TABLE[verdict, look] is judged(verdict, codes, look, ()).word


@pytest.mark.parametrize(("verdict", "look"), list(itertools.product(Verdict, Look)))
def test_a_promise_excuses_a_false_alarm_and_nothing_else(verdict: Verdict, look: Look) -> None:
    codes = () if verdict is Verdict.PASS else CODES
    found = judged(verdict, codes, look, (JOURNALS,))
    plain = TABLE[verdict, look]
    assert found.word is (Word.EXCUSED if plain is Word.FALSE_ALARM else plain)
    assert found.excused_by == ((JOURNALS.name,) if found.word is Word.EXCUSED else ())


def test_a_promise_excuses_its_own_codes_alone() -> None:
    """One finding that none of them covers is a false alarm, whatever else was promised."""
    assert Word.FALSE_ALARM is judged(Verdict.FAIL, CODES, Look.EQUAL, (SLACK, LOG)).word
    more = (*CODES, "content.cold")
    assert Word.FALSE_ALARM is judged(Verdict.FAIL, more, Look.EQUAL, (JOURNALS, SLACK)).word
    both = (*CODES, "marker.unreadable")
    found = judged(Verdict.FAIL, both, Look.EQUAL, (JOURNALS, SLACK, LOG))
    assert (Word.EXCUSED, (JOURNALS.name, LOG.name)) == (found.word, found.excused_by)


def test_a_verdict_without_a_finding_is_not_excused() -> None:
    assert Word.FALSE_ALARM is judged(Verdict.UNKNOWN, (), Look.EQUAL, (JOURNALS,)).word


def test_a_check_that_broke_off_is_a_crash() -> None:
    assert Word.CRASH is judged(Verdict.UNKNOWN, ("content.broken",), Look.DIFFERS, ()).word


@pytest.mark.parametrize(("image", "recovered"), list(itertools.product(Look, Look)))
def test_both_looks_must_be_equal(image: Look, recovered: Look) -> None:
    """A difference in either is one; nobody looked is never equal."""
    found = together(image, recovered)
    assert (found is Look.EQUAL) == (image is recovered is Look.EQUAL)
    assert (found is Look.NOT_LOOKED) == (
        Look.NOT_LOOKED in (image, recovered) and {image, recovered} <= {Look.EQUAL, Look.NOT_LOOKED}
    )


def test_words_in_capitals_are_findings() -> None:
    findings = {Word.WRONG_PASS, Word.FALSE_ALARM, Word.CRASH, Word.HANG, Word.LEFT}
    assert findings == {word for word in Word if word.is_finding}
