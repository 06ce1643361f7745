"""Every code that a check can give has a witness: evidence in which one thing is wrong, and this code alone says so.

A check whose finding always comes with another one's could be taken away and nothing would be noticed. What is seen
of a look at the image is seen in the same way of what was recovered, so each witness of restored data is tried three
times: in both looks, in the first alone and in the second alone.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness.evidence.answers import Committed, DatabaseIntegrity
from harness.evidence.case import Evidence, Look
from harness.evidence.state import Cold, WriterState
from harness.facts.catalogue import FACTS
from harness.model import IMAGE, Position, RecoveryMode, Verdict
from harness.plan.model import Limits
from harness.stages.case_record import _limits
from harness.verify.base import DOES_NOT_APPLY, judge
from harness.verify.limits import LimitsChecker
from tests.checks import CHECKS, DECLARED, GUIDE, LOOKS, judge_all
from tests.whole import END, FREEZE, JOURNALS, ONE, TWO, Change, journal, whole
from tests.windows import window

FAIL, UNKNOWN = Verdict.FAIL, Verdict.UNKNOWN
AS_OF_FREEZE, ROLLFORWARD = RecoveryMode.AS_OF_FREEZE, RecoveryMode.ROLLFORWARD
POINT_IN_TIME, BOOT = RecoveryMode.POINT_IN_TIME, RecoveryMode.BOOT


def codes(evidence: Evidence) -> dict[str, Verdict]:
    """Every code that any check gives, with its verdict."""
    return {finding.code: finding.verdict for check in judge_all(evidence) for finding in check.findings}


@pytest.mark.parametrize("mode", RecoveryMode)
def test_a_case_without_a_fault_passes(mode: RecoveryMode) -> None:
    assert {} == codes(whole(mode))


# --- one look

OfLook = Callable[[Look], object]
"""Makes something wrong in a look; it may change its state in place."""


def writer(change: Callable[[WriterState], object], number: int = 2) -> OfLook:
    def changed(look: Look) -> None:
        assert look.state
        change(look.state.writers[number])

    return changed


def at(name: str, value: object, number: int = 2, **also: Any) -> OfLook:
    """An attribute of a writer, or of its history or trail, has another value."""

    def changed(look: Look) -> None:
        assert look.state
        *steps, last = name.split(".")
        there: Any = look.state.writers[number]
        for step in steps:
            there = getattr(there, step)
        found = value(getattr(there, last)) if callable(value) else value
        setattr(there, last, found)
        for part, of in also.items():
            getattr(look, part)[number] += of

    return changed


def hole(look: Look) -> None:
    assert look.state
    look.state.writers[2].history.missing = 100
    look.floor[2] = 99  # type: ignore[index]
    for one in look.state.writers.values():
        one.history.reads.pop(2, None)


def both_balances(look: Look) -> None:
    assert look.state
    balances = look.state.writers[2].balances
    balances[3], balances[4] = balances[3] + 1, balances[4] - 1


def created(look: Look) -> None:
    """The history that is there creates money, and the balances agree with it."""
    assert look.state
    one = look.state.writers[2]
    one.history.flow[3] += 1
    one.balances[3] += 1


def counted_twice(look: Look) -> None:
    assert look.state
    taken = look.state.writers[2].history.counters
    taken[0] = np.concatenate([taken[0][:1], taken[0][:1], taken[0][2:]])


def extra_writer(look: Look) -> None:
    assert look.state
    look.state.writers[9] = WriterState(writer=9, one=0, two=0, confirmed=0)


def writer_zero(look: Look) -> None:
    assert look.state
    look.state.writers[0] = WriterState(writer=0, one=0, two=0, confirmed=0)


def integrity(**said: object) -> OfLook:
    return lambda look: replace(look, integrity=replace(look.integrity, **said))  # type: ignore[arg-type,type-var]


def part(name: str, value: object) -> OfLook:
    return lambda look: replace(look, **{name: value})  # type: ignore[arg-type]


def state(**said: object) -> OfLook:
    return lambda look: replace(look, state=replace(look.state, **said))  # type: ignore[arg-type,type-var]


BAD = DatabaseIntegrity(database=TWO, clean=False, errors=("bad block",))
GOOD = DatabaseIntegrity(database=ONE, clean=True, errors=())

OF_A_LOOK: list[tuple[str, OfLook]] = [
    ("integrity.refused", part("refusal", "not a database")),
    ("integrity.damaged", integrity(databases=(GOOD, BAD))),
    ("integrity.damaged", integrity(databases=(replace(BAD, errors=()), GOOD))),
    ("integrity.incomplete", integrity(complete=False)),
    ("integrity.incomplete", integrity(databases=(GOOD,))),
    ("integrity.incomplete", integrity(databases=(GOOD, GOOD, GOOD))),
    ("atomicity.torn", at("one", lambda n: n + 1, ceiling=1)),
    ("atomicity.torn", lambda look: _two_ahead(look)),
    ("atomicity.hole", hole),
    ("atomicity.half", at("history.last", lambda n: n + 1, ceiling=1)),
    ("atomicity.confirmation", at("confirmed", lambda n: n - 2)),
    ("atomicity.confirmation", at("confirmed", lambda n: n + 1)),
    ("atomicity.confirmation", at("confirmed", None)),
    ("content.accounts", writer(lambda one: one.balances.pop(7))),
    ("content.accounts", writer(lambda one: one.balances.__setitem__(256, 0))),
    ("content.balance", both_balances),
    ("content.total", created),
    ("content.history", at("history.altered", (50, "is", "belongs"))),
    ("content.unreadable", at("history.unreadable", ("50", "garbage"))),
    ("content.trail", at("history.trail.altered", (48, "is", "belongs"))),
    ("content.trail", at("history.trail.missing", 48)),
    ("content.trail", at("history.trail.last", lambda n: n - 8)),
    ("content.trail", at("history.trail.last", lambda n: n + 8)),
    ("content.killed", writer(lambda one: one.temporaries.__setitem__(8, ("8", "-8")))),
    ("content.killed", writer(lambda one: one.temporaries.popitem())),
    ("content.killed", writer(lambda one: one.temporaries.update(dict.fromkeys(one.temporaries, ("", ""))))),
    ("content.large", writer(lambda one: one.large.update({0: one.large[0][:-1]}))),
    ("content.large", writer(lambda one: one.large.popitem())),
    ("content.large", writer(lambda one: one.large.__setitem__(99, "x"))),
    ("content.cold", state(cold={1: Cold(nodes=9, differs=None), 2: Cold(nodes=9, differs=("n", "a", "b"))})),
    ("content.cold", state(cold={1: Cold(nodes=9, differs=("n", "a", "b")), 2: Cold(nodes=9, differs=None)})),
    ("content.foreign", state(foreign=("^RVZ",))),
    (
        "content.counter",
        lambda look: replace(look, state=replace(look.state, counter=look.state.counter - 1)),
    ),  # type: ignore[type-var,union-attr,operator]
    (
        "content.counter",
        lambda look: replace(look, state=replace(look.state, counter=look.state.counter + 4)),
    ),  # type: ignore[type-var,union-attr,operator]
    ("content.counter", state(counter=None)),
    ("content.counter_twice", counted_twice),
    ("consistent_cut.future", writer(lambda one: one.history.reads.__setitem__(1, (FREEZE + 500, 7)))),
    ("consistent_cut.future", writer(lambda one: one.history.reads.__setitem__(8, (1, 7)))),
    ("floor.lost", at("writer", 2, floor=1)),
    ("ceiling.newer", at("writer", 2, ceiling=-1)),
    ("ceiling.foreign", extra_writer),
    ("ceiling.foreign", writer_zero),
]


def _two_ahead(look: Look) -> None:
    """Database two has one more, with its record; nothing of it is in database one."""
    assert look.state
    one = look.state.writers[2]
    assert one.two is not None
    one.two += 1
    one.history.last += 1
    look.ceiling[2] += 1  # type: ignore[index]


def changed(look: Look | None, change: OfLook) -> Look:
    assert look
    own = replace(look, floor=dict(look.floor), ceiling=dict(look.ceiling), state=deepcopy(look.state))
    found = change(own)
    return found if isinstance(found, Look) else own


@pytest.mark.parametrize(("code", "change"), OF_A_LOOK)
def test_one_fault_of_restored_data_in_both_looks(code: str, change: OfLook) -> None:
    evidence = whole(AS_OF_FREEZE)
    there = changed(evidence.recovered, change)
    found = codes(replace(evidence, recovered=there, image=there))
    assert {code, f"{IMAGE}{code}"} == set(found)
    assert {UNKNOWN if code == "integrity.incomplete" else FAIL} == set(found.values())


@pytest.mark.parametrize(("code", "change"), OF_A_LOOK)
def test_one_fault_of_the_image_alone(code: str, change: OfLook) -> None:
    """As when a roll-forward heals it."""
    evidence = whole(ROLLFORWARD)
    assert {f"{IMAGE}{code}"} == set(codes(replace(evidence, image=changed(evidence.image, change))))


@pytest.mark.parametrize("mode", [AS_OF_FREEZE, BOOT])
@pytest.mark.parametrize(("code", "change"), OF_A_LOOK)
def test_one_fault_of_what_was_recovered_alone(code: str, change: OfLook, mode: RecoveryMode) -> None:
    evidence = whole(mode)
    assert {code} == set(codes(replace(evidence, recovered=changed(evidence.recovered, change))))


# --- the rest of a case


def has(**said: object) -> Change:
    return lambda evidence: replace(evidence, **said)  # type: ignore[arg-type]


def entry(**said: object) -> Change:
    return lambda evidence: replace(evidence, entry=replace(evidence.entry, **said))  # type: ignore[arg-type,type-var]


def in_window(**said: object) -> Change:
    return lambda evidence: replace(evidence, window=replace(evidence.window, **said))  # type: ignore[arg-type,type-var]


def after(number: int, **said: int) -> Change:
    """A database file has another status after the snapshot."""
    files = list(window().after)
    files[number] = replace(files[number], **said)  # type: ignore[arg-type]
    return in_window(after=tuple(files))


def copied(number: int, **said: object) -> Change:
    there = [journal(n) for n in range(3)]
    there[number] = replace(there[number], **said)  # type: ignore[arg-type]
    return has(copied=tuple(there))


def in_set(**said: object) -> Change:
    return lambda evidence: replace(evidence, journals=replace(evidence.journals, **said))  # type: ignore[arg-type,type-var]


def following(**said: object) -> Change:
    return in_set(following=replace(journal(3), **said))  # type: ignore[arg-type]


def without_file(evidence: Evidence) -> Evidence:
    assert evidence.files is not None
    return replace(
        evidence, files={path: size for path, size in evidence.files.items() if "two" not in str(path)}
    )


def size(path: str, value: int) -> Change:
    return lambda evidence: replace(evidence, files={**(evidence.files or {}), Path(path): value})


def committed(number: int, one: int, two: int) -> Change:
    def change(evidence: Evidence) -> Evidence:
        assert evidence.committed
        there = [c for c in evidence.committed if c.writer != number]
        return replace(evidence, committed=(*there, Committed(writer=number, one=one, two=two)))

    return change


def rolled(**said: object) -> Change:
    return lambda evidence: replace(evidence, rolled=replace(evidence.rolled, **said))  # type: ignore[arg-type,type-var]


def no_journals(evidence: Evidence) -> Evidence:
    assert evidence.journals
    return replace(evidence, journals=replace(evidence.journals, expected=()), copied=())


def unmarked(evidence: Evidence) -> Evidence:
    return replace(unmarked_live(evidence), copied=unmarked_live(evidence).journals.expected)  # type: ignore[union-attr]


def unmarked_live(evidence: Evidence) -> Evidence:
    assert evidence.journals
    there = tuple(replace(journal(n), guid="" if n == 1 else f"guid {n}") for n in range(3))
    return replace(evidence, journals=replace(evidence.journals, expected=there))


WATCHED = window().before
ANY = tuple(RecoveryMode)
EXACT = (ROLLFORWARD, POINT_IN_TIME)
TO_THE_END = (ROLLFORWARD, AS_OF_FREEZE)
NOT_BOOTED = (ROLLFORWARD, AS_OF_FREEZE, POINT_IN_TIME)

OF_A_CASE: list[tuple[str, Verdict, Change, tuple[RecoveryMode, ...]]] = [
    ("snapshot.incomplete", FAIL, has(incomplete="left nothing"), ANY),
    ("snapshot.incomplete", FAIL, without_file, ANY),
    ("snapshot.timeout", FAIL, has(late="not there after 9 s"), ANY),
    ("snapshot.size", FAIL, size("db/two/IRIS.DAT", 99), ANY),
    ("snapshot.size", FAIL, size("db/one/IRIS.DAT", 101), ANY),
    ("snapshot.other_size", FAIL, size("mgr/journal/20261122.001", 9), ANY),
    ("snapshot.other_size", FAIL, size("mgr/journal/20261122.001", 21), ANY),
    ("snapshot.altered", FAIL, has(digests={Path("iris.cpf"): "d2"}), ANY),
    ("snapshot.altered", FAIL, has(digests={}), ANY),
    ("marker.stale", FAIL, has(entry=None, entry_problem="stale", entry_stale=True), ANY),
    ("marker.unreadable", UNKNOWN, has(entry=None, entry_problem="line 7"), ANY),
    ("marker.incomplete", FAIL, entry(suspended=None), ANY),
    ("marker.incomplete", FAIL, entry(failures=("journal switch failed",)), ANY),
    ("marker.none", UNKNOWN, entry(marker=None), ANY),
    ("marker.wrong_place", FAIL, lambda e: replace(e, marker=replace(e.marker, kind="record")), ANY),  # type: ignore[type-var]
    ("marker.wrong_place", FAIL, lambda e: replace(e, marker=replace(e.marker, kind="none")), ANY),  # type: ignore[type-var]
    ("marker.other_freeze", FAIL, lambda e: replace(e, marker=replace(e.marker, text="other")), ANY),  # type: ignore[type-var]
    ("chain.empty", FAIL, no_journals, EXACT),
    ("chain.empty", FAIL, has(until=Position(journal_file=JOURNALS[3], offset_bytes=90)), (POINT_IN_TIME,)),
    (
        "chain.empty",
        FAIL,
        has(until=Position(journal_file="20261121.001", offset_bytes=90)),
        (POINT_IN_TIME,),
    ),
    ("chain.purged", FAIL, has(journals=None, journals_gone="no longer has 20261122.001"), NOT_BOOTED),
    ("chain.missing", FAIL, has(copied=tuple(journal(n) for n in (1, 2))), EXACT),
    ("chain.missing", FAIL, has(copied=tuple(journal(n) for n in (0, 1))), NOT_BOOTED),
    ("chain.missing", FAIL, has(copied=tuple(journal(n) for n in (0, 2))), EXACT),
    ("chain.damaged", FAIL, copied(1, problem="cannot be read"), EXACT),
    ("chain.unmarked", UNKNOWN, copied(1, guid=""), EXACT),
    ("chain.unmarked", UNKNOWN, unmarked, EXACT),
    ("chain.unmarked", UNKNOWN, unmarked_live, EXACT),
    ("chain.foreign", FAIL, copied(1, guid="another"), EXACT),
    ("chain.foreign", FAIL, copied(0, guid="another"), ANY),
    ("chain.short", FAIL, copied(1, end_bytes=99), EXACT),
    ("chain.short", FAIL, copied(2, identity="another"), (ROLLFORWARD,)),
    ("chain.short", FAIL, copied(2, end_bytes=69), NOT_BOOTED),
    ("chain.damaged", FAIL, copied(2, problem="cannot be read"), NOT_BOOTED),
    ("chain.foreign", FAIL, copied(2, guid="another"), NOT_BOOTED),
    ("chain.gap", FAIL, copied(2, previous="another"), NOT_BOOTED),
    ("chain.gap", FAIL, following(previous="another"), TO_THE_END),
    ("chain.unended", UNKNOWN, in_set(following=None), TO_THE_END),
    ("chain.unended", UNKNOWN, following(problem="cannot be read", previous=""), TO_THE_END),
    ("chain.open", FAIL, copied(2, closed=False), TO_THE_END),
    ("chain.open", FAIL, copied(1, closed=False), EXACT),
    ("chain.gap", FAIL, copied(1, previous="another"), EXACT),
    ("hold.released", FAIL, lambda e: _thawed(e, suspended=False), ANY),
    ("hold.released", FAIL, lambda e: _thawed(in_window(watchdog_thawed=True)(e), suspended=False), ANY),
    (
        "hold.thawed_late",
        UNKNOWN,
        lambda e: _thawed(in_window(watchdog_thawed=True, in_time=True)(e), suspended=False),
        ANY,
    ),
    ("hold.released", FAIL, lambda e: _thawed(in_window(in_time=True)(e), suspended=False), ANY),
    ("hold.self_thaw", FAIL, entry(notes=("WDSuspendLimit reached",)), ANY),
    ("hold.thawed_twice", UNKNOWN, entry(thaws=2), ANY),
    ("hold.warned", UNKNOWN, entry(warnings=("something odd",)), ANY),
    ("hold.changed", FAIL, after(0, size_bytes=2), ANY),
    ("hold.changed", FAIL, after(1, modified_ns=2), ANY),
    ("hold.changed", FAIL, after(1, inode=2), ANY),
    ("hold.touched", UNKNOWN, after(1, changed_ns=2), ANY),
    ("hold.incomplete", FAIL, has(watched_now=WATCHED[:1]), ANY),
    ("hold.incomplete", FAIL, has(watched=WATCHED[:1]), ANY),
    ("hold.incomplete", FAIL, has(watched_now=(WATCHED[0], replace(WATCHED[1], changed_ns=2))), ANY),
    ("hold.not_checked", UNKNOWN, has(watched=None, issued_later=0), ANY),
    ("hold.not_checked", UNKNOWN, has(watched_now=None, issued_later=None), ANY),
    ("recovery_point.broken_off", FAIL, has(rolled_problem="<DATABASE>"), EXACT),
    ("recovery_point.skipped", FAIL, rolled(skipped=(TWO,)), EXACT),
    ("recovery_point.nothing_between", UNKNOWN, has(committed=(Committed(writer=1, one=0, two=0),)), EXACT),
    ("recovery_point.nothing_between", UNKNOWN, has(committed=()), EXACT),
    ("recovery_point.missed", FAIL, committed(2, END + 1, END), (ROLLFORWARD,)),
    ("recovery_point.missed", FAIL, committed(2, END, END + 1), (ROLLFORWARD,)),
    ("recovery_point.missed", FAIL, committed(2, END - 1, END), (ROLLFORWARD,)),
    ("recovery_point.missed", FAIL, committed(2, END, END - 1), (ROLLFORWARD,)),
    ("recovery_point.missed", FAIL, committed(9, 1, 0), ANY),
    ("recovery_point.missed", FAIL, committed(9, 0, 1), ANY),
    ("recovery_point.missed", FAIL, committed(2, FREEZE + 1, FREEZE), (AS_OF_FREEZE, BOOT)),
    ("recovery_point.missed", FAIL, committed(2, FREEZE, FREEZE + 1), (AS_OF_FREEZE, BOOT)),
    ("recovery_point.not_checked", UNKNOWN, committed(2, 0, 0), (AS_OF_FREEZE, BOOT)),
    ("recovery_point.not_checked", UNKNOWN, committed(2, FREEZE, 0), (AS_OF_FREEZE, BOOT)),
    ("recovery_point.not_checked", UNKNOWN, has(committed=()), (AS_OF_FREEZE, BOOT)),
]


def _thawed(evidence: Evidence, **said: object) -> Evidence:
    assert evidence.window
    thawed = replace(evidence.window.thawed, **said)  # type: ignore[arg-type]
    return replace(evidence, window=replace(evidence.window, thawed=thawed))


@pytest.mark.parametrize(
    ("code", "verdict", "change", "mode"),
    [(code, verdict, change, mode) for code, verdict, change, modes in OF_A_CASE for mode in modes],
)
def test_one_fault_of_a_case(code: str, verdict: Verdict, change: Change, mode: RecoveryMode) -> None:
    assert {code: verdict} == codes(change(whole(mode)))


GOOD_ALL_THE_SAME: list[tuple[Change, tuple[RecoveryMode, ...]]] = [
    (copied(2, closed=False), (POINT_IN_TIME,)),
    (copied(0, end_bytes=0, closed=False, identity="growing"), (BOOT,)),
    (has(copied=(journal(0),)), (BOOT,)),
    (committed(2, FREEZE - 1, FREEZE - 1), (AS_OF_FREEZE, BOOT)),
    (committed(2, 0, 0), EXACT),
    (has(watched=None, watched_now=None), ANY),
    (has(issued_later=0), ANY),
    (size("extra", 1), ANY),
    (size("mgr/journal/20261122.001", 20), ANY),
    (in_window(captured_s=4.0), ANY),
]


@pytest.mark.parametrize(
    ("change", "mode"), [(change, mode) for change, modes in GOOD_ALL_THE_SAME for mode in modes]
)
def test_what_looks_odd_and_is_right(change: Change, mode: RecoveryMode) -> None:
    """A false alarm is a fault, too."""
    assert {} == codes(change(whole(mode)))


# --- a part that is missing alone

STATE = ("atomicity", "content", "consistent_cut", "floor", "ceiling")
MISSING: dict[str, set[str]] = {
    "image": {f"{IMAGE}{name}" for name in LOOKS},
    "window": {"snapshot", "marker", "hold"},
    "incomplete": set(),
    "late": set(),
    "files": {"snapshot"},
    "digests": {"snapshot"},
    "watched": set(),  # the look at the image proves it
    "watched_now": set(),
    "issued_later": set(),  # it was watched
    "entry": {"marker"},
    "marker": {"marker"},
    "journals": {"chain"},
    "copied": {"chain"},
    "until": set(),  # the end of the journals
    "rolled": {"recovery_point"},
    "rolled_problem": set(),
    "journals_gone": set(),
    "committed": {"recovery_point"},
}
OF_LOOK: dict[str, set[str]] = {
    "refusal": set(),
    "integrity": {"integrity"},
    "state": {*STATE, "recovery_point"},
    "unconfirmed": set(CHECKS) - {f"{IMAGE}{name}" for name in LOOKS},
}


def optional(kind: type) -> list[str]:
    return [field.name for field in fields(kind) if field.default is None]


def unknown(evidence: Evidence) -> set[str]:
    found = {check.name: check.verdict for check in judge_all(evidence)}
    assert FAIL not in found.values()
    return {name for name, verdict in found.items() if verdict is UNKNOWN}


@pytest.mark.parametrize("name", optional(Evidence))
def test_a_part_that_is_missing_alone_makes_its_checks_unknown(name: str) -> None:
    assert MISSING[name] == unknown(replace(whole(ROLLFORWARD), **{name: None}))


@pytest.mark.parametrize("name", optional(Look))
def test_a_part_of_a_look_that_is_missing_alone(name: str) -> None:
    evidence = whole(ROLLFORWARD)
    assert OF_LOOK[name] == unknown(replace(evidence, recovered=replace(evidence.recovered, **{name: None})))
    image = {f"{IMAGE}{one}" for one in OF_LOOK[name]} & set(CHECKS)
    image |= {f"{IMAGE}{one}" for one in LOOKS} if name == "unconfirmed" else set()
    assert image == unknown(replace(evidence, image=replace(evidence.image, **{name: None})))  # type: ignore[type-var]


def test_an_image_that_nobody_watched_nor_looked_at_is_unknown() -> None:
    evidence = whole(ROLLFORWARD)
    without = replace(evidence, watched=None, image=replace(evidence.image, state=None))  # type: ignore[type-var]
    assert "hold" in unknown(without)


@pytest.mark.parametrize("name", ["floor", "ceiling"])
@pytest.mark.parametrize("numbers", [{}, {1: 1}, {1: 1, 2: 1}])
def test_a_promise_that_is_not_known_of_every_writer(name: str, numbers: dict[int, int]) -> None:
    evidence = whole(ROLLFORWARD)
    assert {name} == unknown(replace(evidence, recovered=replace(evidence.recovered, **{name: numbers})))


@pytest.mark.parametrize(("promised", "expected"), [(0, False), (1, True)])
def test_a_writer_that_is_absent_has_nothing_recovered(promised: int, expected: bool) -> None:
    evidence = whole(AS_OF_FREEZE)
    look = changed(evidence.recovered, lambda look: look.state and look.state.writers.pop(2))
    look = replace(look, floor={**look.floor, 2: promised})
    assert expected is ("floor.lost" in codes(replace(evidence, recovered=look)))


@pytest.mark.parametrize("name", ["window", "snapshot"])
def test_a_list_of_files_that_is_missing(name: str) -> None:
    change = in_window(files=None) if name == "window" else in_window(files=None, snapshot=None)
    assert {"snapshot"} == unknown(change(whole(ROLLFORWARD)))


def test_facts_that_nobody_confirmed_are_shown_for_their_check_alone() -> None:
    evidence = whole(ROLLFORWARD)
    facts = {"chain": ("journals.linked", "a", "b", "c", "d")}
    found = judge_all(replace(evidence, recovered=replace(evidence.recovered, unconfirmed=facts)))
    (finding,) = [finding for check in found for finding in check.findings]
    assert ("chain.unconfirmed", UNKNOWN) == (finding.code, finding.verdict)
    assert "journals.linked, a, b, c and 1 more" in finding.message


# --- what a check needs


@pytest.mark.parametrize("mode", ANY)
@pytest.mark.parametrize(
    ("check", "need"), [(name, need) for name, one in DECLARED.items() for need in one.needs]
)
def test_without_a_part_that_it_needs_a_check_is_unknown(check: str, need: str, mode: RecoveryMode) -> None:
    """In every mode, and of the image, too."""
    evidence = whole(mode)
    if need in OF_LOOK:
        look = replace(evidence.recovered, **{need: None})  # type: ignore[arg-type]
        assert check in unknown(replace(evidence, recovered=look))
        assert f"{IMAGE}{check}" in unknown(replace(evidence, image=look)) or not DECLARED[check].of_image
    else:
        assert check in unknown(replace(evidence, **{need: None}))  # type: ignore[arg-type]


IN_SOME_CASES = {
    ("digests", "snapshot"): "where the source has small files that did not change",
    ("rolled", "recovery_point"): "where a roll-forward was asked for",
}
"""(part, check) → when the check needs it."""


def test_whatever_a_check_is_unknown_without_is_declared() -> None:
    lacked = {(part, name) for part, names in MISSING.items() if part != "image" for name in names}
    lacked |= {(part, name) for part, names in OF_LOOK.items() if part != "unconfirmed" for name in names}
    declared = {(need, name) for name, one in DECLARED.items() for need in one.needs}
    assert lacked == declared | IN_SOME_CASES.keys()


# --- limits


@pytest.mark.parametrize(
    ("limits", "said", "expected"),
    [
        (Limits(), {}, None),
        (Limits(window_s=3.0, rpo_s=1.0, rto_s=10.0), {}, {}),
        (Limits(window_s=2.9), {}, {"limits.window": FAIL}),
        (Limits(rpo_s=0.9), {}, {"limits.rpo": FAIL}),
        (Limits(rto_s=9.9), {}, {"limits.rto": FAIL}),
        (Limits(rpo_s=0.0), {"rpo_s": None}, {"limits.rpo": UNKNOWN}),
        (Limits(rto_s=0.0), {"rto_s": None}, {"limits.rto": UNKNOWN}),
        (
            Limits(window_s=1.0, rpo_s=9.0, rto_s=0.0),
            {"rto_s": None},
            {"limits.window": FAIL, "limits.rto": UNKNOWN},
        ),
        (
            Limits(window_s=0.0, rpo_s=0.0, rto_s=0.0),
            {},
            dict.fromkeys(("limits.window", "limits.rpo", "limits.rto"), FAIL),
        ),
    ],
)
def test_limits(
    limits: Limits,
    said: dict[str, Any],
    expected: dict[str, Verdict] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was not measured is UNKNOWN, and a worse verdict wins. A plan without limits has no such check."""
    monkeypatch.setattr("harness.verify.base.time.monotonic", lambda: 7.0)
    given = _limits(limits, **{"window_s": 3.0, "rpo_s": 1.0, "rto_s": 10.0, **said})
    found = [
        check for check in judge_all(replace(whole(ROLLFORWARD), limits=given)) if check.name == "limits"
    ]
    if expected is None:
        assert [] == found
        assert DOES_NOT_APPLY is judge(LimitsChecker(), replace(whole(ROLLFORWARD), limits=given))
    else:
        (check,) = found
        assert 0.0 == check.duration_s
        assert expected == {finding.code: finding.verdict for finding in check.findings}
        assert Verdict.worst([Verdict.PASS, *expected.values()]) is check.verdict


# --- no code without a witness, and none that is not declared


def codes_in_the_source() -> set[str]:
    """Whole codes that modules of checks write down, but for their declarations."""
    folder = Path(harness.__file__).parent
    found = set()
    for file in sorted((folder / "verify").glob("*.py")):
        tree = ast.parse(file.read_text())
        declared = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Code"
            for part in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in declared:
                check, dot, what = node.value.partition(".")
                if dot and check in DECLARED and what.isidentifier() and node.value not in FACT_IDS:
                    found.add(node.value)
    return found


FACT_IDS = {fact.id for fact in FACTS}
LIMITS = {"limits.window", "limits.rpo", "limits.rto"}


def test_every_code_has_a_witness() -> None:
    witnessed = {code for code, *_ in OF_A_LOOK} | {code for code, *_ in OF_A_CASE}
    assert GUIDE.codes.keys() - LIMITS == {code for code in witnessed if not code.endswith(".not_checked")}


def test_every_code_that_a_check_writes_down_is_declared() -> None:
    """An undeclared one would be shown, and ranked after all others."""
    assert GUIDE.codes.keys() - LIMITS == codes_in_the_source()
    assert LIMITS <= GUIDE.codes.keys()


def test_a_code_begins_with_the_name_of_its_check() -> None:
    names = [(name, code.name) for name, one in DECLARED.items() for code in one.codes]
    assert [] == [code for name, code in names if not code.startswith(f"{name}.")]
    assert len(names) == len(GUIDE.codes)


def test_every_optional_part_was_thought_of() -> None:
    assert set(optional(Evidence)) == set(MISSING) and set(optional(Look)) == set(OF_LOOK)


def test_limits_stand_last_and_say_what_to_do() -> None:
    """They speak of a backup that is good."""
    declared = LimitsChecker.declared
    assert 1000 == declared.order and not declared.always
    assert "the backup is good and too slow or too old for the plan" in declared.remedy
