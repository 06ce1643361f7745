"""The order of causes holds every code that it must, and every check that fails has a next step."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from harness.model import Upstream, Verdict
from tests.checks import CHECKS, GUIDE, cause, cause_line, next_step
from tests.unit.report.cases import case

FAIL, UNKNOWN = Verdict.FAIL, Verdict.UNKNOWN
UPSTREAM = ("snapshot", "marker", "hold", "chain", "integrity", "recovery_point", "atomicity", "floor")
EXPLAINS_NOTHING = {"recovery_point.nothing_between"}
ONE_INSTANT = ("atomicity.torn", "content.balance", "consistent_cut.future", "ceiling.newer")


ORDER = {
    Upstream.WINDOW: (
        "marker.stale",
        "hold.incomplete",
        "hold.self_thaw",
        "snapshot.timeout",
        "snapshot.incomplete",
        "snapshot.altered",
        "marker.incomplete",
        "hold.released",
        "hold.thawed_late",
        "hold.changed",
        "hold.thawed_twice",
        "hold.touched",
        "hold.warned",
    ),
    Upstream.JOURNALS: (
        "marker.unreadable",
        "marker.other_freeze",
        "chain.purged",
        "chain.missing",
        "chain.empty",
        "chain.foreign",
        "chain.damaged",
        "chain.short",
        "chain.gap",
        "chain.open",
        "chain.unended",
        "chain.unmarked",
        "marker.wrong_place",
        "marker.none",
    ),
    Upstream.IMAGE: ("snapshot.size",),
    Upstream.DATA: (
        "integrity.refused",
        "integrity.damaged",
        "integrity.incomplete",
        "recovery_point.skipped",
        "recovery_point.broken_off",
        "ceiling.foreign",
        "atomicity.torn",
        "atomicity.hole",
        "atomicity.half",
        "ceiling.newer",
        "floor.lost",
        "consistent_cut.future",
        "recovery_point.missed",
        "atomicity.confirmation",
        "content.unreadable",
        "content.counter_twice",
        "content.history",
        "content.accounts",
        "content.balance",
        "content.cold",
        "content.trail",
        "snapshot.other_size",
    ),
}
"""The codes that explain others, the cause before what shows of it."""


def test_the_ranks_that_the_checks_declare_give_this_order() -> None:
    """Each is ten after the one before it: by these numbers others find the place of their codes between them."""
    expected = [code for phase in Upstream for code in ORDER[phase]]
    ranked = {code.name: code.rank for code in GUIDE.codes.values() if code.rank is not None}
    assert expected == sorted((code for code in ranked if code in expected), key=ranked.__getitem__)
    for phase, codes in ORDER.items():
        places = range(phase + 10, phase + 10 * len(codes) + 10, 10)
        assert dict(zip(codes, places, strict=True)) == {code: ranked[code] for code in codes}


def test_every_code_of_a_stage_that_others_rest_on_has_a_rank() -> None:
    missing = {
        code.name
        for code in GUIDE.codes.values()
        if code.rank is None and code.name.startswith(tuple(f"{c}." for c in UPSTREAM))
    }
    assert EXPLAINS_NOTHING == missing


@pytest.mark.parametrize(
    ("first", "then"),
    [
        *pairwise(("marker.stale", "hold.self_thaw", "snapshot.incomplete", "hold.released", "hold.changed")),
        *pairwise(("hold.changed", "chain.purged", "chain.missing", "chain.short", "marker.wrong_place")),
        *pairwise(("marker.wrong_place", "snapshot.size", "integrity.refused", "recovery_point.skipped")),
        *pairwise(
            ("recovery_point.skipped", "ceiling.foreign", "atomicity.torn", "ceiling.newer", "floor.lost")
        ),
        *pairwise(("floor.lost", "consistent_cut.future", "recovery_point.missed", "atomicity.confirmation")),
        *pairwise(
            ("atomicity.confirmation", "content.unreadable", "content.counter_twice", "content.history")
        ),
        *pairwise(("content.history", "content.accounts", "content.balance")),
        *pairwise(
            ("content.balance", "content.cold", "content.trail", "snapshot.other_size", "content.large")
        ),
        ("chain.unended", "floor.lost"),
        ("chain.unmarked", "content.large"),
    ],
)
def test_what_lies_upstream_is_the_cause(first: str, then: str) -> None:
    for order in ((first, then), (then, first)):
        found = cause(case(*((code, FAIL) for code in order)))
        assert found and first == found.code


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("image.content.large", "integrity.refused"),
        ("image.content.large", "atomicity.torn"),
        ("image.content.odd", "content.history"),
        ("snapshot.size", "image.integrity.refused"),
        ("image.atomicity.torn", "image.content.balance"),
        ("chain.short", "image.atomicity.torn"),
    ],
)
def test_the_image_explains_what_was_recovered_from_it_and_not_what_it_was_taken_with(
    first: str, then: str
) -> None:
    for order in ((first, then), (then, first)):
        found = cause(case(*((code, FAIL) for code in order)))
        assert found and first == found.code


def test_a_failure_comes_before_a_doubt_that_lies_upstream() -> None:
    found = cause(case(("hold.warned", UNKNOWN), ("content.large", FAIL)))
    assert found and "content.large" == found.code


def test_of_several_cases_the_worst_is_told() -> None:
    cases = [case(), case(("content.large", FAIL)), case(("chain.missing", FAIL), witness="here")]
    assert "chain.missing: what chain.missing says (here)" == cause_line(cases)
    assert "content.large: what content.large says" == cause_line(cases[:2])
    assert "" == cause_line(cases[:1])
    assert next_step(cases[2:]) == next_step(cases) == next_step(cases[::-1]) != next_step(cases[:2])


def test_a_case_that_passed_is_no_cause_whatever_stands_in_it() -> None:
    odd = replace(case(("content.large", FAIL)), verdict=Verdict.PASS)
    assert ("", "") == (cause_line([odd]), next_step([odd]))


def test_why_nothing_could_be_looked_at_is_said_by_the_stage_that_failed() -> None:
    assert "backup: no room" == cause_line([case(("floor.not_checked", UNKNOWN), witness="backup: no room")])
    bare = "floor.not_checked: what floor.not_checked says"
    assert bare == cause_line([case(("floor.not_checked", UNKNOWN))])


@pytest.mark.parametrize("code", sorted(GUIDE.codes))
def test_every_failure_has_a_next_step_in_the_image_too(code: str) -> None:
    assert next_step([case((code, FAIL))])
    assert next_step([case((code, FAIL))]) == next_step([case((f"image.{code}", FAIL))])


def test_the_next_step_is_that_of_the_check_or_of_the_code_where_it_has_its_own() -> None:
    steps = {name: next_step([case((f"{name}.odd", FAIL))]) for name in CHECKS if "." not in name}
    assert next_step([case(("snapshot.timeout", FAIL))]) != steps["snapshot"]
    alike = {steps[code.partition(".")[0]] for code in ONE_INSTANT}
    assert 1 == len(alike) and alike.isdisjoint(
        {
            steps[name]
            for name in ("snapshot", "hold", "marker", "chain", "integrity", "recovery_point", "floor")
        }
    )
    assert steps["chain"] == next_step([case(("chain.odd.more", FAIL))])
    words = {"chain": "purge", "integrity": "^Integrity", "hold": "WDSuspendLimit", "marker": "log"}
    assert all(word in steps[name] for name, word in words.items())


def test_a_doubt_has_no_next_step() -> None:
    """What is only unknown may be good."""
    assert "" == next_step([case(("chain.unmarked", UNKNOWN))])
    assert "" == next_step([])
    mixed = replace(case(("chain.unmarked", UNKNOWN)), verdict=FAIL)
    assert "" == next_step([mixed])
    assert "" != next_step([case(("chain.unmarked", UNKNOWN)), case(("chain.missing", FAIL))])


def test_a_code_that_nobody_knows_has_no_step_of_its_own() -> None:
    assert "" == next_step([case(("plugin.odd", FAIL))])
