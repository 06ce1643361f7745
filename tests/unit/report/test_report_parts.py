"""What each part of a report says of a record: one contradiction at a time, checks that could not look, numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.model import CaseRecord, Check, Finding, Record, RecoveryMode, RollforwardSummary, Stun, Verdict
from harness.report import contradiction, table
from harness.report.base import heading, not_passed, printable, reasons, remarks
from harness.report.blocks import Block, blocks, is_blind
from harness.report.columns import ALIGN, HEADERS
from harness.report.grid import grid
from harness.report.junit import JUnitReporter
from harness.report.markdown import MarkdownReporter, _code, _plain
from harness.report.overview import HEADERS as RUN_HEADERS
from harness.report.table import TableReporter
from tests.checks import (
    CHECKS,
    GUIDE,
    blind,
    case_verdict,
    cells,
    contradictions,
    final_verdict,
    of_case,
    overview,
    summary,
)
from tests.unit.report.test_reporters import PASSED

PASS, FAIL, UNKNOWN, SKIPPED = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIPPED
AS_OF_FREEZE, CASE = PASSED.cases[0], PASSED.cases[1]
POINT = PASSED.cases[2]

WITHOUT = "this harness demands it, and the run was made without"


def in_case(part: str, **changes: Any) -> CaseRecord:
    return replace(CASE, **{part: replace(getattr(CASE, part), **changes)})


def window(case: CaseRecord) -> float:
    assert case.freeze
    return case.freeze.window_s


def between(seconds: float, window_s: float) -> CaseRecord:
    """A window of another length by each of the two clocks."""
    assert CASE.freeze
    thawed = CASE.freeze.frozen_utc + timedelta(seconds=seconds)
    return in_case("freeze", thawed_utc=thawed, window_s=window_s)


# --- one contradiction at a time

ODD: list[tuple[CaseRecord, str]] = [
    (
        replace(CASE, checks=CASE.checks[1:]),
        f"the check {CASE.checks[0].name} is missing: {WITHOUT}",
    ),
    (
        replace(CASE, checks=CASE.checks[3:]),
        f"the check {CASE.checks[0].name} is missing, and 2 more: {WITHOUT}",
    ),
    (
        replace(CASE, checks=(*CASE.checks, CASE.checks[4])),
        f"the check {CASE.checks[4].name} is there 2 times",
    ),
    (
        replace(
            CASE,
            checks=(
                replace(CASE.checks[0], findings=(Finding(code="a", message="", verdict=PASS),)),
                *CASE.checks[1:],
            ),
        ),
        f"the check {CASE.checks[0].name} passed and has a finding",
    ),
    (
        replace(CASE, checks=CASE.checks[2:]),
        f"the check {CASE.checks[0].name} is missing, and 1 more: {WITHOUT}",
    ),
    (replace(CASE, freeze=None), "there is no freeze"),
    (replace(CASE, snapshot=None), "there is no snapshot"),
    (replace(CASE, restore=None), "there is no restore"),
    (replace(CASE, recovery=None), "there is no recovery"),
    (replace(CASE, name="cycle 1 · copy · boot"), "its recovery is of the mode rollforward"),
    (in_case("restore", bytes=CASE.restore.bytes - 1), "less was restored than the snapshot holds"),  # type: ignore[union-attr]
    (
        in_case("snapshot", duration_s=window(CASE) + 1e-3),
        "the snapshot took longer than the freeze window",
    ),
    (replace(CASE, stages=()), "it has no stages"),
    (in_case("freeze", held=False), "the freeze did not hold"),
    (
        in_case("restore", interfaces=("lo", "eth0")),
        "the restored instance was not isolated: it saw the network interfaces lo, eth0",
    ),
    (
        in_case("restore", interfaces=()),
        "the restored instance was not isolated: it saw the network interfaces none that was looked at",
    ),
    (in_case("recovery", recovered=None), "what was recovered is not known"),
    (in_case("recovery", lost_acknowledged=None), "what was recovered is not known"),
    (in_case("recovery", rpo_s=None), "what was recovered is not known"),
    (in_case("recovery", lost_acknowledged=7), "7 acknowledged transactions are lost"),
    (
        in_case("recovery", recovered=CASE.recovery.acknowledged - 9, lost_acknowledged=7),
        "9 acknowledged transactions are lost",
    ),  # type: ignore[union-attr]
    (in_case("recovery", recovered=CASE.recovery.acknowledged - 1), "1 acknowledged transactions are lost"),  # type: ignore[union-attr]
    (in_case("recovery", rpo_s=0.5), "nothing is lost, and RPO is 0.5 s"),
    (
        in_case("recovery", acknowledged=0, recovered=0),
        "nothing had been acknowledged, so nothing was proved",
    ),
    (
        in_case("recovery", recovered=CASE.recovery.acknowledged + 1),
        "more was recovered than the load ever acknowledged",
    ),  # type: ignore[union-attr]
    (in_case("recovery", rto_s=None), "RTO is shorter than the restore in it"),
    (in_case("recovery", rto_s=0.199), "RTO is shorter than the restore in it"),
    (replace(CASE, rollforward=None), "a roll-forward is missing in the mode rollforward"),
    (replace(POINT, rollforward=None), "a roll-forward is missing in the mode point-in-time"),
    (replace(AS_OF_FREEZE, rollforward=CASE.rollforward), "a roll-forward is there in the mode as-of-freeze"),
    (
        in_case("rollforward", from_offset_bytes=1),
        "the roll-forward starts at 20261122.002 @ 1, which is not the marker",
    ),
    (
        in_case("rollforward", files=("20261122.002", "20261122.004")),
        "the roll-forward did not apply its first or last journal",
    ),
    (
        in_case("rollforward", files=("20261122.003",)),
        "the roll-forward did not apply its first or last journal",
    ),
    (
        in_case("rollforward", files=("20261122.002", "20261122.003", "20261122.002")),
        "the roll-forward applied a journal twice",
    ),
    (between(3.0, 1.0), "the freeze window took 1.000 s, and 3.000 s lie between freeze and thaw"),
    (between(1.0, 3.0), "the freeze window took 3.000 s, and 1.000 s lie between freeze and thaw"),
    (between(10.0, 12.3), "the freeze window took 12.300 s, and 10.000 s lie between freeze and thaw"),
]


@pytest.mark.parametrize(("case", "why"), ODD)
def test_one_contradiction_is_told_alone(case: CaseRecord, why: str) -> None:
    assert [why] == of_case(case)
    assert UNKNOWN is case_verdict(case)
    assert [f"not believed: {case.name}: {why}"] == contradictions(
        replace(PASSED, cases=(case,), planned=None)
    )


@pytest.mark.parametrize(
    "case",
    [
        *PASSED.cases,
        in_case("snapshot", duration_s=window(CASE)),
        in_case("snapshot", duration_s=window(CASE) + 1e-6),
        in_case("recovery", rto_s=0.2),
        between(1.9, 0.9 + 1e-9),
        between(10.0, 11.9),
        between(12.0, 10.0),
        replace(in_case("snapshot", bytes=1), restore=replace(CASE.restore, bytes=1)),  # type: ignore[type-var]
        replace(
            in_case("freeze", journal_file="20261122.999"),
            rollforward=replace(
                CASE.rollforward,  # type: ignore[type-var]
                from_file="20261122.999",
                files=("20261122.999", "20261122.1000"),
                to_file="20261122.1000",
            ),
        ),
        replace(POINT, recovery=replace(POINT.recovery, recovered=POINT.recovery.acknowledged + 4)),  # type: ignore[union-attr,type-var]
    ],
)
def test_what_is_within_bounds_contradicts_nothing(case: CaseRecord) -> None:
    """Clocks differ a little, a snapshot may take the whole window, and a point in the load is passed by some."""
    assert [] == of_case(case)
    assert PASS is case_verdict(case)


@pytest.mark.parametrize(
    ("case", "whys"),
    [
        (in_case("snapshot", bytes=0), ["the snapshot is empty"]),
        (in_case("restore", bytes=0), ["less was restored than the snapshot holds", "nothing was restored"]),
        (in_case("freeze", offset_bytes=0), ["the freeze has no marker", "the roll-forward starts at"]),
        (in_case("freeze", journal_file=None), ["the freeze has no marker", "the roll-forward starts at"]),
        (between(0.0, 0.0), ["the snapshot took longer", "the freeze window took 0.0 s"]),
        (
            replace(in_case("recovery", rto_s=0.0), restore=replace(CASE.restore, duration_s=1e-6)),  # type: ignore[type-var]
            ["RTO is 0 s"],
        ),
    ],
)
def test_one_that_brings_others_is_told_with_them(case: CaseRecord, whys: list[str]) -> None:
    found = of_case(case)
    assert len(whys) == len(found)
    assert all(line.startswith(why) for line, why in zip(found, whys, strict=True))


def test_what_is_wrong_above_the_cases() -> None:
    assert [] == contradiction.of_record(PASSED) == contradiction.of_record(replace(PASSED, planned=7))
    twice = replace(PASSED, cases=(CASE, CASE), planned=3)
    assert [
        f"there are 2 cases {CASE.name}",
        "the plan has 3 cases, and 2 are there",
    ] == contradiction.of_record(twice)
    assert ["no instance answered"] == contradiction.of_record(replace(PASSED, instance=None))
    iris = replace(PASSED.instance, product="IRIS")  # type: ignore[type-var]
    (line,) = contradiction.of_record(replace(PASSED, instance=iris))
    assert "IRIS" in line
    assert [f"not believed: {line}"] == contradictions(replace(PASSED, instance=iris))


def test_a_run_that_says_less_than_pass_is_not_doubted() -> None:
    """It claims nothing that anybody could disbelieve."""
    failed = replace(
        PASSED,
        verdict=FAIL,
        instance=None,
        cases=(replace(CASE, verdict=FAIL, freeze=None, checks=failing()),),
    )
    assert [] == contradictions(failed)


def test_a_case_that_says_pass_over_a_check_that_failed_is_doubted_all_the_same() -> None:
    """It is not reported as PASS, and a person is told what else is wrong with it."""
    odd = replace(in_case("snapshot", bytes=0), checks=failing())
    assert [f"not believed: {odd.name}: the snapshot is empty"] == contradictions(
        replace(PASSED, cases=(odd,), planned=None)
    )
    assert FAIL is case_verdict(odd)


def test_a_finding_of_a_check_that_did_not_pass_contradicts_nothing() -> None:
    finding = Finding(code="floor.lost", message="lost", witness="")
    for verdict, found in (
        (FAIL, []),
        (UNKNOWN, []),
        (PASS, [f"the check {CASE.checks[0].name} passed and"]),
    ):
        checks = (replace(CASE.checks[0], verdict=verdict, findings=(finding,)), *CASE.checks[1:])
        told = of_case(replace(CASE, checks=checks))
        assert found == [line.partition(" has")[0] for line in told]


def failing() -> tuple[Check, ...]:
    return (replace(CASE.checks[0], verdict=FAIL), *CASE.checks[1:])


def test_a_case_that_says_pass_over_a_check_that_failed_is_the_worse_of_both() -> None:
    for case in (replace(CASE, checks=failing()), replace(CASE, verdict=FAIL)):
        assert FAIL is case_verdict(case) is final_verdict(replace(PASSED, cases=(case,)))
    inside = replace(CASE.checks[0], verdict=UNKNOWN, findings=(Finding(code="a", message="b"),))
    assert FAIL is case_verdict(replace(CASE, checks=(inside, *CASE.checks[1:])))
    assert UNKNOWN is case_verdict(replace(CASE, checks=()))
    assert UNKNOWN is case_verdict(replace(CASE, checks=(), verdict=SKIPPED))


@pytest.mark.parametrize(
    "record", [replace(PASSED, finished=False), replace(PASSED, cases=()), replace(PASSED, error="odd")]
)
def test_a_run_that_is_not_whole_is_no_pass(record: Record) -> None:
    assert UNKNOWN is final_verdict(record)
    assert PASS is final_verdict(PASSED)


# --- what did not pass

LOST = Finding(code="floor.lost", message="9 are lost", witness="writer 2")
BLIND = Finding(
    code="floor.not_checked", message="there is no state", witness="walk: broke off", verdict=UNKNOWN
)


def record_of(*cases: tuple[Check, ...]) -> Record:
    made = tuple(
        replace(CASE, name=f"cycle {n} · copy · rollforward", verdict=FAIL, checks=checks)
        for n, checks in enumerate(cases, 1)
    )
    return replace(PASSED, cases=made, verdict=FAIL)


def check(name: str, *findings: Finding) -> Check:
    verdict = Verdict.worst([PASS, *(finding.verdict for finding in findings)])
    return Check(name=name, verdict=verdict, duration_s=0.0, findings=findings)


def test_what_several_checks_say_alike_is_one_block() -> None:
    found = blocks(record_of((check("a", LOST), check("ok")), (check("a", LOST), check("b", LOST, BLIND))))
    (block,) = found
    assert (FAIL, (LOST,)) == (block.verdict, block.findings)
    places = [
        "cycle 1 · copy · rollforward · a",
        "cycle 2 · copy · rollforward · a",
        "cycle 2 · copy · rollforward · b",
    ]
    assert places == list(block.where)


def test_what_differs_is_a_block_of_its_own_in_the_order_of_the_record() -> None:
    other = replace(LOST, witness="writer 3")
    found = blocks(record_of((check("a", LOST), check("b", other))))
    assert [(LOST,), (other,)] == [block.findings for block in found]


def test_a_check_that_only_could_not_look_is_no_block() -> None:
    assert [] == blocks(record_of((check("a", BLIND),)))
    assert [(True), (False), (False)] == [
        is_blind(replace(BLIND, code=code)) for code in ("a.not_checked", "a.not_checked.b", ".not_checkeda")
    ]


def test_cases_that_lack_the_same_for_the_same_reason_are_one() -> None:
    other = replace(BLIND, witness="walk: another reason")
    found = blind(
        record_of(
            (check("a", BLIND), check("b", BLIND)),
            (check("a", BLIND), check("b", BLIND)),
            (check("a", other),),
        )
    )
    first, second = found
    assert (("a", "b"), "walk: broke off") == (first.checks, first.why)
    assert ("cycle 1 · copy · rollforward", "cycle 2 · copy · rollforward") == first.cases
    assert (("a",), "walk: another reason") == (second.checks, second.why)


@pytest.mark.parametrize(
    ("checks", "why"),
    [
        (
            (check("a", BLIND), check("b", replace(BLIND, witness="boot: refused"))),
            "walk: broke off; boot: refused",
        ),
        ((check("a", replace(BLIND, witness="")), check("b", BLIND)), "walk: broke off"),
        ((check("a", replace(BLIND, witness="")), check("floor", LOST)), "of floor.lost"),
        ((check("a", replace(BLIND, witness="")),), "there is no state"),
        (
            (
                check("a", replace(BLIND, witness="")),
                check("b", replace(BLIND, witness="", message="nor that")),
            ),
            "there is no state; nor that",
        ),
    ],
)
def test_why_nothing_could_be_looked_at(checks: tuple[Check, ...], why: str) -> None:
    """As a stage said; else the cause that there is; else what was missing."""
    (found,) = blind(record_of(checks))
    assert why == found.why


def test_every_check_that_is_no_pass_is_listed_with_its_case() -> None:
    record = record_of((check("ok"), check("a", LOST)), (replace(check("b"), verdict=SKIPPED),))
    assert [("cycle 1 · copy · rollforward", "a"), ("cycle 2 · copy · rollforward", "b")] == [
        (case.name, one.name) for case, one in not_passed(record)
    ]


@pytest.mark.parametrize("verdict", [FAIL, UNKNOWN, SKIPPED])
def test_a_check_that_gave_no_reason_has_one_of_its_own_verdict(verdict: Verdict) -> None:
    (finding,) = reasons(replace(check("floor"), verdict=verdict))
    assert ("floor.no-finding", verdict) == (finding.code, finding.verdict)
    assert (LOST,) == reasons(check("floor", LOST))


# --- above and below the table


def test_the_heading_names_plan_seed_start_and_product() -> None:
    assert PASSED.instance
    lines = heading(replace(PASSED, instance=replace(PASSED.instance, notes=("one", "two"))))
    assert lines[0] == f"plan {PASSED.plan} · seed {PASSED.seed} · started 2026-11-22 11:01:02 UTC"
    assert ["instance: stand-in (GT.M V7.0-005) on local", "note: one", "note: two"] == lines[1:4]
    assert [lines[0], "instance: none answered"] == heading(replace(PASSED, instance=None))


def stunned(started_s: float, duration_s: float, window_s: float = 2.0) -> list[str]:
    """Remarks on one stun, which begins so many seconds after the freeze."""
    assert CASE.freeze
    frozen = CASE.freeze.frozen_utc
    stun = Stun(started_utc=frozen + timedelta(seconds=started_s), duration_s=duration_s)
    freeze = replace(
        CASE.freeze, thawed_utc=frozen + timedelta(seconds=window_s), window_s=window_s, stuns=(stun,)
    )
    both = (replace(CASE, freeze=freeze), replace(POINT, freeze=freeze), replace(AS_OF_FREEZE, freeze=None))
    return remarks(replace(PASSED, cases=both))


@pytest.mark.parametrize(
    ("started_s", "duration_s", "inside"),
    [
        (0.5, 0.5, True),
        (-0.5, 0.6, True),
        (-0.5, 0.5, False),
        (-0.5, 0.1, False),
        (1.9, 9.0, True),
        (2.0, 1.0, False),
        (-5.0, 60.0, True),
    ],
)
def test_a_stun_is_inside_the_window_if_a_part_of_it_is(
    started_s: float, duration_s: float, inside: bool
) -> None:
    """It is told once for each backup."""
    (line,) = stunned(started_s, duration_s)
    assert line.startswith(f"cycle 1 · copy: the instance was stunned for {duration_s:.2f} s at 11:0")
    assert line.endswith("inside the freeze window" if inside else "outside the freeze window")


def test_a_case_of_another_name_is_named_itself() -> None:
    assert CASE.freeze
    stun = Stun(started_utc=CASE.freeze.frozen_utc, duration_s=0.5)
    odd = replace(CASE, name="odd", freeze=replace(CASE.freeze, stuns=(stun,)))
    (line,) = remarks(replace(PASSED, cases=(odd,)))
    assert line.startswith("odd: the instance was stunned")


def test_a_host_that_cannot_tell_of_stuns_says_nothing() -> None:
    assert [] == remarks(PASSED)


def test_the_last_lines_say_what_to_look_at_what_to_do_and_how_many_passed() -> None:
    record = replace(
        record_of((check("floor", LOST),)), cases=(*record_of((check("floor", LOST),)).cases, POINT)
    )
    first, todo, counts = summary(record)
    assert first == "FAIL: floor.lost: 9 are lost (writer 2)"
    assert todo.startswith("what to do: do not count on this backup")
    assert counts == "1 of 2 cases passed, 1 FAIL."
    cut = summary(replace(record, finished=False))
    assert cut[-1] == "1 of 2 cases passed, 1 FAIL, the run was cut short."


def test_a_doubt_is_told_below_the_cause() -> None:
    record = replace(record_of((check("floor", LOST),)), verdict=PASS, instance=None)
    first, todo, doubt, counts = summary(record)
    assert first.startswith("FAIL: floor.lost") and todo.startswith("what to do: ")
    assert "not believed: no instance answered" == doubt and counts.startswith("0 of 1")


def test_where_only_something_is_unknown_there_is_nothing_to_do() -> None:
    record = replace(record_of((check("a", BLIND),)), verdict=UNKNOWN)
    cases = tuple(replace(case, verdict=UNKNOWN) for case in record.cases)
    assert ["UNKNOWN: walk: broke off", "0 of 1 cases passed, 1 UNKNOWN."] == summary(
        replace(record, cases=cases)
    )


def test_each_verdict_is_counted() -> None:
    verdicts = (FAIL, UNKNOWN, UNKNOWN, SKIPPED)
    cases = tuple(replace(CASE, name=f"{n}", verdict=v) for n, v in enumerate(verdicts))
    record = replace(PASSED, cases=(*cases, POINT), verdict=FAIL)
    assert "1 of 5 cases passed, 1 FAIL, 2 UNKNOWN, 1 SKIPPED" in summary(record)[-1]


# --- numbers


def test_a_row_has_a_cell_for_each_heading() -> None:
    assert len(HEADERS) == len(ALIGN) == len(cells(CASE)) == 11
    expected = "20261122.002 @ 65976|85.1|12.6|120034|120034|0|0.00|1.29|17/17"
    assert [CASE.name, "PASS", *expected.split("|")] == cells(CASE)
    assert ["left"] * 3 + ["right"] * 8 == list(ALIGN)


def test_what_was_not_reached_is_a_dash() -> None:
    bare = replace(CASE, freeze=None, snapshot=None, recovery=None)
    assert ["-"] * 8 == cells(bare)[2:10]
    unknown = in_case("recovery", recovered=None, lost_acknowledged=None, rpo_s=None, rto_s=None)
    assert ["120034", "-", "-", "-", "-"] == cells(unknown)[5:10]
    assert (
        "-"
        == cells(in_case("freeze", journal_file=None))[2]
        == cells(in_case("freeze", offset_bytes=None))[2]
    )


def test_checks_that_were_skipped_were_not_made() -> None:
    some = (replace(CASE.checks[0], verdict=SKIPPED), replace(CASE.checks[1], verdict=FAIL), *CASE.checks[2:])
    assert f"{len(CHECKS) - 2}/{len(CHECKS) - 1}" == cells(replace(CASE, checks=some))[-1]


def test_the_overview_tells_the_worst_of_each_run() -> None:
    worse = in_case(
        "recovery", recovered=CASE.recovery.acknowledged - 9, lost_acknowledged=9, rpo_s=1.25, rto_s=7.5
    )  # type: ignore[union-attr]
    record = replace(PASSED, cases=(AS_OF_FREEZE, replace(worse, verdict=FAIL)), verdict=FAIL)
    none = replace(
        PASSED,
        cases=(replace(CASE, freeze=None, recovery=None, verdict=UNKNOWN),),
        instance=None,
        verdict=UNKNOWN,
    )
    lines = overview([("first", record), ("second", None), ("third", none)]).splitlines()
    assert ["first", "stand-in", "(GT.M", "V7.0-005)", "FAIL", "1/2", "85.1", "9", "1.25", "7.50"] == lines[
        -3
    ].split()
    assert ["second", "-", "unreadable", "-", "-", "-", "-", "-"] == lines[-2].split()
    assert ["third", "none", "UNKNOWN", "0/1", "-", "-", "-", "-"] == lines[-1].split()
    assert len(RUN_HEADERS) == 8 and lines[0].split()[:3] == ["run", "instance", "verdict"]


def test_a_grid_is_as_narrow_as_its_content() -> None:
    text = grid(("a", "b\nlong", "c"), [["x", "1", "y"], ["xx", "22", ""]], ("left", "right", "left"))
    assert text.splitlines() == ["a      b  c", "    long", "--  ----  -", "x      1  y", "xx    22"]


def test_a_cell_is_shown_as_it_is() -> None:
    """No number is read from it, to be written in another way."""
    assert ["a", "----", "1.50", "1e3"] == grid(("a",), [["1.50"], ["1e3"]], ("left",)).splitlines()


def test_what_steers_a_terminal_is_shown() -> None:
    assert "a\\x1bb\\x07\nc" == printable("a\x1bb\x07\nc")
    assert "äα · ok" == printable("äα · ok")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("x", "`x`"),
        ("a`b", "`` a`b ``"),
        ("``", "``` `` ```"),
        ("a`b``c", "``` a`b``c ```"),
        ("a\n  b", "`a b`"),
        ("", "``"),
    ],
)
def test_a_code_span_holds_any_text(text: str, span: str) -> None:
    assert span == _code(text)


def test_what_markdown_would_read_is_escaped() -> None:
    assert r"a \| b \*c\* \`d\` \<e\> \_f\_ \[g\]" == _plain("a | b *c* `d` <e> _f_\n [g]")


RENDER: tuple[Callable[[Record], str], ...] = tuple(
    partial(reporter.render, guide=GUIDE) for reporter in (TableReporter(), MarkdownReporter())
)


@pytest.mark.parametrize("render", RENDER)
def test_people_are_told_of_a_run_that_was_cut_short_or_ended_with_an_error(
    render: Callable[[Record], str],
) -> None:
    cut = "This run was cut short: what it did not reach is not proved."
    assert cut in render(replace(PASSED, finished=False)) and cut not in render(PASSED)
    assert "no room" in render(replace(PASSED, error="no room"))
    assert "rror" not in render(PASSED)


@pytest.mark.parametrize("render", RENDER)
def test_people_see_what_could_not_be_looked_at_and_stuns(render: Callable[[Record], str]) -> None:
    assert CASE.freeze
    stun = Stun(started_utc=CASE.freeze.frozen_utc, duration_s=0.5)
    record = record_of((check("a", BLIND), check("b", BLIND), check("floor", LOST)), (check("c", BLIND),))
    first = replace(record.cases[0], freeze=replace(CASE.freeze, stuns=(stun,)))
    text = render(replace(record, cases=(first, record.cases[1])))
    assert "2 checks could not look" in text and "walk: broke off" in text
    assert "the instance was stunned for 0.50 s" in text
    assert "floor.lost" in text and "writer 2" in text


def test_one_check_that_could_not_look_is_one() -> None:
    text = TableReporter().render(record_of((check("a", BLIND),)), GUIDE)
    assert (
        "UNKNOWN  1 check could not look: a\n      cycle 1 · copy · rollforward\n  because walk: broke off"
        in text
    )


def test_a_finding_milder_than_its_check_says_so() -> None:
    mild = Finding(code="floor.odd", message="odd", verdict=UNKNOWN)
    text = TableReporter().render(record_of((check("floor", LOST, mild),)), GUIDE)
    assert "floor.odd (UNKNOWN): odd" in text and "floor.lost: 9 are lost" in text


@pytest.mark.parametrize(("number", "more"), [(10, False), (11, True)])
def test_a_block_shows_ten_findings(number: int, more: bool) -> None:
    findings = tuple(replace(LOST, message=f"number {n}") for n in range(number))
    text = TableReporter().render(record_of((check("floor", *findings),)), GUIDE)
    assert ("and 1 more findings in record.json" in text) is ("more findings" in text) is more
    assert ("floor.lost: number 10" in text) is False and "floor.lost: number 9" in text


def test_a_rollforward_is_of_the_modes_that_ask_for_it() -> None:
    modes = {mode for mode in RecoveryMode if mode.rolls}
    assert {RecoveryMode.ROLLFORWARD, RecoveryMode.POINT_IN_TIME} == modes
    assert isinstance(CASE.rollforward, RollforwardSummary)


MARKDOWN = """\
## FAIL: floor.lost: 9 are lost (writer 2)

what to do: do not count on this backup: restored, it loses what its users were told is stored

0 of 2 cases passed, 1 FAIL, 1 UNKNOWN, the run was cut short.

plan quick · seed 2987654321 · started 2026-11-22 11:01:02 UTC

instance: stand-in (GT.M V7.0-005) on local

The stand-in proves the procedure and the scripts; it is never a statement about IRIS itself.

**This run was cut short: what it did not reach is not proved.**

**Error:** no \\*room\\*

| case | verdict | marker | window ms | size MB | acknowledged | recovered | lost | RPO s | RTO s | checks passed |
|:-|:-|:-|-:|-:|-:|-:|-:|-:|-:|-:|
| cycle 1 · copy · rollforward | FAIL | 20261122.002 @ 65976 | 85.1 | 12.6 | 120034 | 120034 | 0 | 0.00 | 1.29 | 0/2 |
| cycle 2 · copy · rollforward | UNKNOWN | 20261122.002 @ 65976 | 85.1 | 12.6 | 120034 | 120034 | 0 | 0.00 | 1.29 | 0/1 |

cycle 1 · copy: the instance was stunned for 0.50 s at 11:01:02.345 UTC, inside the freeze window

### FAIL: cycle 1 · copy · rollforward · floor

Also: cycle 1 · copy · rollforward · more

- `floor.lost` (FAIL): 9 are lost
 witness: `writer 2`
- `floor.odd` (UNKNOWN): odd

### UNKNOWN: 1 checks could not look

a, in cycle 2 · copy · rollforward

- because `walk: broke off`
"""  # noqa: E501 # rows of a table
"""With one blank for several, and one dash."""

JUNIT = """\
run verdict run 0.0 failure FAIL floor.lost: 9 are lost
cycle 1 · copy · rollforward floor cycle 1 · copy · rollforward 1.5 failure FAIL 9 are lost
cycle 1 · copy · rollforward more cycle 1 · copy · rollforward 1.5 failure FAIL 9 are lost
cycle 1 · copy · rollforward verdict cycle 1 · copy · rollforward 0.0 failure FAIL the case is FAIL
cycle 2 · copy · rollforward a cycle 2 · copy · rollforward 0.0 error UNKNOWN there is no state
cycle 2 · copy · rollforward verdict cycle 2 · copy · rollforward 0.0 error UNKNOWN the case is UNKNOWN
"""


def bad() -> Record:
    """One block of two checks, one check that could not look, a stun, an error."""
    assert CASE.freeze
    mild = Finding(code="floor.odd", message="odd", verdict=UNKNOWN)
    both = tuple(replace(check(name, LOST, mild), duration_s=1.5) for name in ("floor", "more"))
    record = record_of(both, (check("a", BLIND),))
    stun = Stun(started_utc=CASE.freeze.frozen_utc, duration_s=0.5)
    first = replace(record.cases[0], freeze=replace(CASE.freeze, stuns=(stun,)))
    cases = (first, replace(record.cases[1], verdict=UNKNOWN))
    return replace(record, cases=cases, finished=False, error="no *room*")


def test_the_whole_of_a_markdown_report() -> None:
    text = MarkdownReporter().render(bad(), GUIDE)
    assert MARKDOWN == re.sub(r"-+(?=[:|])", "-", re.sub(r" +", " ", text)).replace(" \n", "\n")
    assert "9 are lost  \n" in text, "two blanks end a line of Markdown"


def test_the_whole_of_a_junit_report() -> None:
    """Suite, test, class, seconds, what it is, and the first words of why."""
    text = JUnitReporter().render(bad(), GUIDE)
    assert text.endswith("</testsuites>\n") and not text.endswith("\n\n")
    lines = []
    for suite in ElementTree.fromstring(text):
        for test in suite:
            (result,) = test
            said = [
                suite.get("name"),
                test.get("name"),
                test.get("classname"),
                str(float(test.get("time") or 0)),
            ]
            message = (result.get("message") or "").removeprefix("FAIL: ").partition(" (writer")[0]
            lines.append(" ".join([*map(str, said), result.tag, str(result.get("type")), message]))
    assert JUNIT.splitlines() == lines
    whole = ElementTree.fromstring(text)
    assert ["6", "4", "2", "3.0"] == [whole.get(name) for name in ("tests", "failures", "errors", "time")]
    texts = [result.text for suite in ElementTree.fromstring(text) for test in suite for result in test]
    assert "no *room*" == texts[0]
    assert "floor.lost (FAIL): 9 are lost\n  witness: writer 2\nfloor.odd (UNKNOWN): odd" == texts[1]


def test_a_run_that_was_skipped_proved_nothing_and_is_an_error() -> None:
    """As its exit status says."""
    cases = tuple(replace(case, verdict=SKIPPED) for case in PASSED.cases)
    text = JUnitReporter().render(replace(PASSED, verdict=SKIPPED, cases=cases), GUIDE)
    (result,) = ElementTree.fromstring(text)[0][0]
    assert ("error", "UNKNOWN") == (result.tag, result.get("type"))


@pytest.mark.parametrize("render", RENDER)
def test_a_run_without_a_case_has_no_table(render: Callable[[Record], str]) -> None:
    text = render(replace(PASSED, cases=()))
    assert "acknow" not in text and "| case" not in text


def test_one_place_has_no_others() -> None:
    assert "Also" not in MarkdownReporter().render(record_of((check("floor", LOST),)), GUIDE)


@pytest.mark.parametrize(("more", "lines"), [(0, 1), (1, 2)])
def test_a_line_has_108_columns_at_most(more: int, lines: int) -> None:
    """Two of them are the indent, twelve the code."""
    message = "x" * 90 + " " + "y" * (3 + more)
    text = TableReporter().render(
        record_of((check("floor", replace(LOST, message=message, witness="")),)), GUIDE
    )
    block = text.partition("\n\nFAIL: ")[0].rpartition("FAIL  cycle")[2].splitlines()[1:]
    assert lines == len(block)


def test_a_record_without_an_error_names_the_file_that_holds_the_run() -> None:
    text = JUnitReporter().render(replace(bad(), error=""), GUIDE)
    assert "record.json holds the whole run" in text


def test_a_word_with_a_hyphen_is_not_broken() -> None:
    """It may be a name that somebody copies."""
    long = replace(LOST, message="word " * 18 + "an-ordinary-name-with-hyphens that goes on")
    text = TableReporter().render(record_of((check("floor", long),)), GUIDE)
    assert "an-ordinary-name-with-hyphens" in text.partition("FAIL: floor.lost")[0]


def test_every_case_and_check_that_a_finding_is_of_is_named_in_the_terminal() -> None:
    """It is said once, so whoever looks for a case must find it there."""
    places = ("cycle 1 · floor", "cycle 2 · floor", "cycle 3 · image.floor")
    finding = Finding(code="floor.lost", message="lost", witness="writer 1")
    shown = table._block(Block(verdict=FAIL, where=places, findings=(finding,))).splitlines()
    assert [f"FAIL  {places[0]}", *(f"      {place}" for place in places[1:])] == shown[:3]
    assert ["  floor.lost: lost", "    witness: writer 1"] == shown[3:]
