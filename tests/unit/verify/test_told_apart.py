"""What a finding tells a person: which database, which side, which writer: a wrong word sends them astray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.evidence.answers import Committed
from harness.evidence.case import Evidence
from harness.evidence.state import Cold, WriterState
from harness.model import Position, RecoveryMode
from harness.verify.content import ContentChecker
from harness.verify.snapshot import SnapshotChecker
from harness.workload.oracle import COUNTED_EVERY
from tests.checks import judge_all
from tests.whole import END, FREEZE, WRITERS, look, recovered, whole


def told(evidence: Evidence, code: str) -> tuple[str, str]:
    """Message and witness of the only finding of a code."""
    (found,) = [f for check in judge_all(evidence) for f in check.findings if f.code == code]
    return found.message, found.witness


def writer(last: int | None = None, **said: int | None) -> Callable[[Evidence], Evidence]:
    """Numbers of writer 2 are others; `last` is of its history."""

    def change(evidence: Evidence) -> Evidence:
        assert evidence.state
        two = evidence.state.writers[2]
        history = two.history if last is None else replace(two.history, last=last)
        changed = replace(two, history=history, **said)  # type: ignore[arg-type]
        return recovered(state=replace(evidence.state, writers={**evidence.state.writers, 2: changed}))(
            evidence
        )

    return change


def as_of_freeze() -> Evidence:
    return whole(RecoveryMode.AS_OF_FREEZE)


@pytest.mark.parametrize(("name", "other"), [("one", "two"), ("two", "one")])
def test_which_database_is_ahead(name: str, other: str) -> None:
    message, witness = told(writer(**{name: FREEZE + 4})(as_of_freeze()), "atomicity.torn")
    assert message.endswith(f"database {name} is ahead of database {other}")
    assert witness.startswith(f"writer 2: transaction {FREEZE + 1} is in database {name} only")


@pytest.mark.parametrize(
    ("last", "word", "number"),
    [
        (FREEZE + 2, "is recorded but not committed", FREEZE + 1),
        (FREEZE - 2, "is committed without its record", FREEZE - 1),
    ],
)
def test_which_part_of_a_transaction_is_there(last: int, word: str, number: int) -> None:
    _, witness = told(writer(last=last)(as_of_freeze()), "atomicity.half")
    assert f"writer 2: transaction {number} {word}" == witness


def test_an_update_outside_of_transactions_is_told_with_both_numbers() -> None:
    _, witness = told(writer(confirmed=FREEZE - 3)(as_of_freeze()), "atomicity.confirmation")
    assert f"writer 2: confirmed {FREEZE - 3}, committed {FREEZE}" == witness


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_number_that_is_not_there_is_none_committed(name: str) -> None:
    evidence = writer(**{name: None})(as_of_freeze())
    message, _ = told(evidence, "atomicity.torn")
    assert message.endswith(f"is ahead of database {name}")


@pytest.mark.parametrize("mode", RecoveryMode)
def test_a_part_that_is_missing_was_not_checked_and_broke_nothing(mode: RecoveryMode) -> None:
    """A check that stumbles is UNKNOWN, too; but it would tell its author to mend it, who is not to blame."""
    for name in (
        "window",
        "entry",
        "marker",
        "journals",
        "copied",
        "files",
        "digests",
        "rolled",
        "committed",
        "image",
    ):
        found = judge_all(replace(whole(mode), **{name: None}))
        assert not [f.code for check in found for f in check.findings if f.code.endswith(".broken")]
    for name in ("state", "integrity", "floor", "ceiling"):
        found = judge_all(recovered(**{name: {} if name in ("floor", "ceiling") else None})(whole(mode)))
        assert not [f.code for check in found for f in check.findings if f.code.endswith(".broken")]


def test_a_trail_that_ends_early_or_late_is_told_by_its_next_node() -> None:
    for last, number, word in ((FREEZE - 9, FREEZE - 1, "absent"), (FREEZE + 7, FREEZE + 7, "there")):
        evidence = as_of_freeze()
        assert evidence.state
        evidence.state.writers[2].history.trail.last = last
        _, witness = told(evidence, "content.trail")
        assert witness.startswith(f'^RVA("h",2,{number}) is {word}')


def test_a_node_that_is_killed_later_is_told_by_its_number() -> None:
    evidence = as_of_freeze()
    assert evidence.state
    there = evidence.state.writers[2].temporaries
    number = min(there)
    del there[number]
    _, witness = told(evidence, "content.killed")
    assert f"^RVB(\"t\",2,{number}) is None, expected ('{number}', '-{number}')" == witness


@pytest.mark.parametrize(
    ("reached", "issued", "spare"),
    [
        (COUNTED_EVERY * 8 - 1, 1, WRITERS),  # the next transaction of each takes a value
        (COUNTED_EVERY * 8 - 1, 0, 0),  # the load has ended
        (COUNTED_EVERY * 8, 1, 0),
        (COUNTED_EVERY * 8 - 2, 1, 0),
        (COUNTED_EVERY * 8 - 1, None, WRITERS),  # nobody knows what was issued
        (COUNTED_EVERY * 8, None, 0),
    ],
)
def test_the_counter_is_ahead_by_transactions_in_work_and_by_no_more(
    reached: int, issued: int | None, spare: int
) -> None:
    """Each writer may have taken one value in vain, and only for a transaction that takes one and was issued."""
    there = look(reached)
    assert there.state
    taken = max(int(part.max()) for one in there.state.writers.values() for part in one.history.counters)
    ceiling = {} if issued is None else {number: have + issued for number, have in there.ceiling.items()}

    def refused(counter: int | None) -> bool:
        seen = replace(there, ceiling=ceiling, state=replace(there.state, counter=counter))  # type: ignore[type-var]
        codes = [f.code for f in ContentChecker().check(replace(as_of_freeze(), recovered=seen))]
        assert set(codes) <= {"content.counter"}
        return bool(codes)

    assert [refused(taken + more) for more in (-1, 0, spare, spare + 1)] == [True, False, False, True]
    assert refused(None)


@pytest.mark.parametrize(
    ("mode", "gone", "journals", "code"),
    [
        (RecoveryMode.ROLLFORWARD, "no .001", None, "chain.purged"),
        (RecoveryMode.ROLLFORWARD, None, None, "chain.not_checked"),
        (RecoveryMode.BOOT, "no .001", None, "chain.not_checked"),
        (RecoveryMode.ROLLFORWARD, "no .001", whole(RecoveryMode.ROLLFORWARD).journals, None),
    ],
)
def test_journals_that_are_gone_are_an_answer_where_they_are_needed_and_not_there(
    mode: RecoveryMode, gone: str | None, journals: object, code: str | None
) -> None:
    evidence = replace(whole(mode), journals=journals, journals_gone=gone)  # type: ignore[arg-type]
    (chain,) = [check for check in judge_all(evidence) if check.name == "chain"]
    assert ([code] if code else []) == [f.code for f in chain.findings]


def test_findings_of_the_floor_and_of_the_cut_come_in_order_of_their_writers() -> None:
    evidence = as_of_freeze()
    assert evidence.state
    for one in evidence.state.writers.values():
        others = [n for n in (3, 2, 1) if n != one.writer]
        one.history.reads = {n: (FREEZE + 9, 7) for n in others}
    writers = {number: evidence.state.writers[number] for number in (3, 1, 2)}
    floor = dict.fromkeys((3, 1, 2), FREEZE + 1)
    found = judge_all(recovered(floor=floor, state=replace(evidence.state, writers=writers))(evidence))
    said = {check.name: [f.witness for f in check.findings] for check in found}
    assert ["writer 1", "writer 2", "writer 3"] == [text.partition(":")[0] for text in said["floor"]]
    pairs = [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)]
    assert [f"transaction 7 of writer {a} read number {FREEZE + 9} of writer {b}" for a, b in pairs] == [
        text.partition(",")[0] for text in said["consistent_cut"]
    ]


@pytest.mark.parametrize(
    ("warning", "harmless"),
    [
        ("Warning, /db/other is not being journaled", True),
        ("Warning, /db/one is not being journaled", False),
        ("Warning, /db/two/ is not being journaled", False),
    ],
)
def test_a_warning_of_a_database_of_ours_is_a_doubt(warning: str, harmless: bool) -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    entry = replace(evidence.entry, warnings=(warning,))  # type: ignore[type-var]
    found = judge_all(replace(evidence, entry=entry))
    assert harmless is (not [f for check in found for f in check.findings])


def test_without_a_snapshot_nobody_need_have_watched_one() -> None:
    """That there is none is said elsewhere: this check speaks of the freeze."""
    evidence = whole(RecoveryMode.ROLLFORWARD)
    window = replace(evidence.window, snapshot=None)  # type: ignore[type-var]
    image = replace(evidence.image, state=None)  # type: ignore[type-var]
    bare = replace(evidence, window=window, watched=None, watched_now=None, issued_later=0, image=image)
    (hold,) = [check for check in judge_all(bare) if check.name == "hold"]
    assert () == hold.findings


def test_the_image_is_judged_as_of_the_freeze() -> None:
    for mode in RecoveryMode:
        evidence = whole(mode)
        image = evidence.of_image()
        assert RecoveryMode.AS_OF_FREEZE is image.mode and evidence.image is image.recovered
    nobody_looked = replace(whole(RecoveryMode.BOOT), image=None).of_image()
    assert ({}, {}, None, None) == (
        nobody_looked.floor,
        nobody_looked.ceiling,
        nobody_looked.state,
        nobody_looked.integrity,
    )


@pytest.mark.parametrize(
    ("number", "end"), [(1, "f0"), (4, "f0, f1, f2, f3"), (5, "f0, f1, f2, f3 and 1 more")]
)
def test_four_unconfirmed_facts_are_named_and_the_others_counted(number: int, end: str) -> None:
    facts = {"chain": tuple(f"f{n}" for n in range(number))}
    message, _ = told(recovered(unconfirmed=facts)(whole(RecoveryMode.ROLLFORWARD)), "chain.unconfirmed")
    assert message.endswith(f": {end}")


@pytest.mark.parametrize(
    ("gone", "between"),
    [
        (0, "the marker and 20261122.002"),
        (1, "20261122.001 and 20261122.003"),
        (2, "20261122.002 and the recovery point"),
    ],
)
def test_where_a_journal_is_missing(gone: int, between: str) -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    assert evidence.copied
    there = tuple(one for n, one in enumerate(evidence.copied) if n != gone)
    message, _ = told(replace(evidence, copied=there), "chain.missing")
    assert message.endswith(f"is missing between {between}")


def test_where_no_journal_reaches_is_told() -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    assert evidence.journals
    none = replace(evidence, journals=replace(evidence.journals, expected=()))
    assert told(none, "chain.empty")[1] == str(evidence.journals.end)
    until = Position(journal_file="20261123.001", offset_bytes=70)
    message, witness = told(replace(evidence, until=until), "chain.empty")
    assert message.endswith(str(until)) and str(until) == witness


def test_the_first_large_value_that_differs_is_told_and_no_other() -> None:
    evidence = as_of_freeze()
    assert evidence.state
    there = evidence.state.writers[2].large
    first, second = sorted(there)[:2]
    long = there[first]
    there[first], there[second] = "x" * 20, "y"
    _, witness = told(evidence, "content.large")
    assert f'^RVB("l",2,{first}) is {"x" * 16!r}… of 20 characters, ' in witness
    assert witness.endswith(f"expected {long[:16]!r}… of {len(long)} characters")
    del there[first]
    assert f'^RVB("l",2,{first}) is absent' in told(evidence, "content.large")[1]


def test_how_a_file_of_the_snapshot_went_on_changing_is_told() -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    assert evidence.watched
    first, second = evidence.watched
    for now, word in (
        ((replace(first, size_bytes=9), second), "size 1 bytes"),
        ((replace(first, changed_ns=9), second), "its status changed"),
        ((second,), "it came or went"),
    ):
        _, witness = told(replace(evidence, watched_now=now), "hold.incomplete")
        assert witness.startswith(f"{first.path}: {word}")


@pytest.mark.parametrize(
    ("failures", "word"), [((), "no line says that the system was suspended"), (("a", "b"), "a; b")]
)
def test_why_a_freeze_was_not_completed(failures: tuple[str, ...], word: str) -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    entry = replace(evidence.entry, suspended=None, failures=failures)  # type: ignore[type-var]
    assert told(replace(evidence, entry=entry), "marker.incomplete")[0].endswith(word)


def snapshot(**sizes: int | None) -> Evidence:
    """Files of the image by a word of their names: another size, or none."""
    evidence = whole(RecoveryMode.ROLLFORWARD)
    assert evidence.files
    files = dict(evidence.files)
    for word, size in sizes.items():
        (path,) = [path for path in files if word in str(path)]
        if size is None:
            del files[path]
        else:
            files[path] = size
    return replace(evidence, files=files)


def test_files_that_the_image_lacks_are_counted() -> None:
    assert " and " not in told(snapshot(cpf=None), "snapshot.incomplete")[0].partition(", which")[0]
    message, witness = told(snapshot(cpf=None, two=None), "snapshot.incomplete")
    assert "lacks db/two/IRIS.DAT and 1 more files, which" in message
    assert "db/two/IRIS.DAT, iris.cpf" == witness


def test_a_size_is_told_with_the_one_that_is_right() -> None:
    """One file is enough, and a database comes first."""
    assert told(snapshot(two=99), "snapshot.size")[1] == "99 bytes, expected 100 bytes"
    journal = {"20261122": 21}
    assert told(snapshot(**journal), "snapshot.other_size")[1] == "21 bytes, expected 10 to 20 bytes"
    found = judge_all(snapshot(**journal, two=99, one=98))
    assert ["snapshot.size"] == [
        f.code for check in found if check.name == "snapshot" for f in check.findings
    ]


def test_a_list_of_files_that_is_not_there_breaks_nothing() -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    bare = replace(evidence, window=replace(evidence.window, files=None))  # type: ignore[type-var]
    assert told(bare, "snapshot.not_checked")


def committed(evidence: Evidence, **writers: tuple[int, int] | None) -> Evidence:
    """What the journals commit of a writer, in both databases; None: nothing is said of it."""
    there = {one.writer: one for one in evidence.committed or ()}
    for name, numbers in writers.items():
        number = int(name[1:])
        there.pop(number)
        if numbers:
            there[number] = Committed(writer=number, one=numbers[0], two=numbers[1])
    return replace(evidence, committed=tuple(there.values()))


def recovery_point(evidence: Evidence) -> list[str]:
    return [f.code for check in judge_all(evidence) if check.name == "recovery_point" for f in check.findings]


@pytest.mark.parametrize("numbers", [(7, 0), (0, 7)])
def test_a_commit_in_one_database_alone_is_something_between(numbers: tuple[int, int]) -> None:
    alone = committed(whole(RecoveryMode.ROLLFORWARD), w1=None, w2=None, w3=numbers)
    assert "recovery_point.nothing_between" not in recovery_point(alone)
    assert ["recovery_point.nothing_between"] == recovery_point(committed(alone, w3=(0, 0)))


@pytest.mark.parametrize("numbers", [(FREEZE, 0), (0, FREEZE), None])
def test_a_writer_whose_commits_before_the_marker_are_not_seen_was_not_checked(
    numbers: tuple[int, int] | None,
) -> None:
    """For a roll-forward it may have made none since the freeze."""
    assert ["recovery_point.not_checked"] == recovery_point(committed(as_of_freeze(), w2=numbers))
    assert [] == recovery_point(committed(whole(RecoveryMode.ROLLFORWARD), w2=None))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_damaged_journal_is_not_told_as_a_gap_too(number: int) -> None:
    """What it continues, and what continues it, cannot be read in it."""
    evidence = whole(RecoveryMode.ROLLFORWARD)
    assert evidence.copied
    there = list(evidence.copied)
    there[number] = replace(there[number], problem="cannot be read", identity="", previous="")
    found = judge_all(replace(evidence, copied=tuple(there)))
    assert ["chain.damaged"] == [f.code for check in found for f in check.findings]


def test_findings_of_several_writers_come_in_their_order() -> None:
    evidence = as_of_freeze()
    assert evidence.state
    few = dict.fromkeys((3, 1, 2), FREEZE - 1)
    writers = {number: evidence.state.writers[number] for number in (3, 1, 2)}
    state = replace(evidence.state, writers=writers)
    found = judge_all(recovered(ceiling=few, state=state)(evidence))
    told = [f.witness for check in found if check.name == "ceiling" for f in check.findings]
    assert [f"writer {n}" for n in (1, 2, 3)] == [text.partition(":")[0] for text in told]
    torn = {number: replace(one, confirmed=None) for number, one in writers.items()}
    found = judge_all(recovered(state=replace(evidence.state, writers=torn))(evidence))
    told = [f.witness for check in found if check.name == "atomicity" for f in check.findings]
    assert [f"writer {n}" for n in (1, 2, 3)] == [text.partition(":")[0] for text in told]
    bare = {number: replace(one, large={}) for number, one in writers.items()}
    cold = {database: Cold(nodes=1, differs=(f"^{database}", "", "")) for database in (2, 1)}
    found = judge_all(recovered(state=replace(evidence.state, writers=bare, cold=cold))(evidence))
    told = [f.witness for check in found if check.name == "content" for f in check.findings]
    begin = ["^1 is", "^2 is", *(f'^RVB("l",{number},' for number in (1, 2, 3))]
    assert [True] * 5 == [text.startswith(start) for text, start in zip(told, begin, strict=True)]


def test_a_check_took_some_time_and_no_more() -> None:
    assert all(0.0 <= check.duration_s < 60.0 for check in judge_all(as_of_freeze()))


Damage = Callable[[WriterState], object]
KILLED_LATER = [64, 72, 80, 88, 96, 104, 112, 120]
"""Numbers of the temporary nodes that are there at the freeze."""


@pytest.mark.parametrize(
    ("damage", "code", "node"),
    [
        (lambda one: one.balances.update({4: 1, 7: 1, 9: 1}), "content.balance", '^RVA("b",2,4) is 1,'),
        (
            lambda one: [one.balances.pop(7), one.balances.update({256: 0})],
            "content.accounts",
            '^RVA("b",2,7)',
        ),
        (lambda one: one.temporaries.clear(), "content.killed", '^RVB("t",2,64) is None'),
        (lambda one: [one.large.pop(0), one.large.update({-1: "x"})], "content.large", '^RVB("l",2,-1) is'),
        (lambda one: setattr(one.history.trail, "missing", 48), "content.trail", '^RVA("h",2,48) is absent'),
    ],
)
def test_the_first_of_several_nodes_is_told_and_no_other(damage: Damage, code: str, node: str) -> None:
    evidence = as_of_freeze()
    assert evidence.state and KILLED_LATER == sorted(evidence.state.writers[2].temporaries)
    damage(evidence.state.writers[2])
    assert told(evidence, code)[1].startswith(node)


@pytest.mark.parametrize("counter", [None, 0])
def test_a_counter_that_is_not_there_counts_nothing(counter: int | None) -> None:
    """Right before the first transaction that takes a value, wrong after it."""
    there = look(COUNTED_EVERY - 2)
    assert there.state
    counted = replace(there, state=replace(there.state, counter=counter))
    assert [] == ContentChecker().check(replace(as_of_freeze(), recovered=counted))
    there.state.writers[2].history.counters.append(np.array([1]))
    _, witness = told(replace(as_of_freeze(), recovered=counted), "content.counter")
    assert f'^RVA("n") is {counter}, the transactions took up to 1' == witness


@pytest.mark.parametrize(
    ("watchdog", "notes", "said", "witness"),
    [
        (True, ("a", "b"), "", "see watchdog.log"),
        (False, ("a", "b"), "not frozen", "a; b"),
        (False, (), "not frozen", "not frozen"),
        (False, (), "", "IsWDSuspended said no just before the thaw"),
    ],
)
def test_who_ended_a_freeze_is_told(watchdog: bool, notes: tuple[str, ...], said: str, witness: str) -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    assert evidence.window and evidence.entry
    thawed = replace(evidence.window.thawed, suspended=False, message=said)
    window = replace(evidence.window, thawed=thawed, watchdog_thawed=watchdog)
    ended = replace(evidence, window=window, entry=replace(evidence.entry, notes=notes))
    message, found = told(ended, "hold.released")
    assert witness == found and watchdog is ("watchdog" in message)
    if not notes:
        assert witness == told(replace(ended, entry=None), "hold.released")[1]


def test_by_how_much_a_change_time_moved_is_told_in_seconds() -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    assert evidence.window
    first, second = evidence.window.before
    begun = replace(first, changed_ns=7_000_000_000)
    after = (replace(begun, changed_ns=8_250_000_000), second)
    touched = replace(evidence, window=replace(evidence.window, before=(begun, second), after=after))
    assert "changed 1.250 s later than at the freeze" == told(touched, "hold.touched")[1]


def test_of_many_files_that_went_on_changing_the_first_is_told() -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    assert evidence.watched
    files = tuple(replace(evidence.watched[0], path=Path(f"/db/{letter}")) for letter in "hgfedcba")
    _, witness = told(replace(evidence, watched=files, watched_now=()), "hold.incomplete")
    assert "/db/a: it came or went" == witness


def test_why_the_end_of_a_set_is_not_known() -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    assert evidence.journals and evidence.journals.following
    for following, why in (
        (None, "the instance does not list it"),
        (replace(evidence.journals.following, problem="cannot be read"), "cannot be read"),
    ):
        there = replace(evidence, journals=replace(evidence.journals, following=following))
        assert why == told(there, "chain.unended")[1]


def test_a_database_that_was_skipped_is_told_whatever_else_is_not_known() -> None:
    """It is the worst news of a roll-forward."""
    evidence = whole(RecoveryMode.ROLLFORWARD)
    assert evidence.rolled
    skipped = replace(evidence, rolled=replace(evidence.rolled, skipped=(Path("/db/two"),)))
    nothing = committed(skipped, w1=None, w2=None, w3=(0, 0))
    assert ["recovery_point.skipped", "recovery_point.nothing_between"] == recovery_point(nothing)
    unread = replace(committed(skipped, w2=None), mode=RecoveryMode.AS_OF_FREEZE)
    assert ["recovery_point.skipped", "recovery_point.not_checked"] == recovery_point(unread)
    unknown = replace(skipped, committed=None)
    assert ["recovery_point.skipped", "recovery_point.not_checked"] == recovery_point(unknown)


def test_the_first_writer_whose_commits_are_not_seen_is_told_and_none_that_was_promised_nothing() -> None:
    evidence = as_of_freeze()
    floor = {3: FREEZE, 2: FREEZE, 1: 0}
    bare = recovered(floor=floor)(replace(evidence, committed=()))
    assert "writer 2" in told(bare, "recovery_point.not_checked")[0]
    none = recovered(floor=dict.fromkeys(floor, 0))(replace(evidence, committed=()))
    assert [] == recovery_point(none)


@pytest.mark.parametrize("database", ["one", "two"])
@pytest.mark.parametrize(("more", "side"), [(1, "short of"), (-1, "beyond")])
def test_which_database_stopped_on_which_side(database: str, more: int, side: str) -> None:
    evidence = whole(RecoveryMode.ROLLFORWARD)
    numbers = (END + more, END) if database == "one" else (END, END + more)
    message, witness = told(committed(evidence, w2=numbers), "recovery_point.missed")
    assert message.startswith(f"database {database} stopped {side} the last")
    assert f"writer 2: recovered {END}, the journals end at {END + more}" == witness


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_database_without_a_number_recovered_none(name: str) -> None:
    evidence = writer(**{name: None})(as_of_freeze())
    message, witness = told(evidence, "recovery_point.missed")
    assert message.startswith(f"database {name} ")
    assert f"writer 2: recovered 0, the journals end at {FREEZE}" == witness


def test_a_database_of_another_size_is_told_before_any_other_file() -> None:
    evidence = snapshot(**{"20261122": 21}, two=99)
    assert evidence.window and evidence.window.files
    turned = replace(evidence, window=replace(evidence.window, files=evidence.window.files[::-1]))
    assert ["snapshot.size"] == [f.code for f in SnapshotChecker().check(turned)]


def test_a_file_that_is_missing_is_not_told_as_altered_too() -> None:
    missing = replace(snapshot(cpf=None), digests={})
    assert ["snapshot.incomplete"] == [f.code for f in SnapshotChecker().check(missing)]


def test_a_file_whose_content_nobody_knows_is_told_as_that() -> None:
    unknown = replace(whole(RecoveryMode.ROLLFORWARD), digests={})
    assert "SHA-256 unknown, expected d1" == told(unknown, "snapshot.altered")[1]
