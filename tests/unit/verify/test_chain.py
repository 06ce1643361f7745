"""Which journals have to be whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.evidence.answers import JournalFile
from harness.evidence.journals import JournalSet
from harness.model import Position
from harness.verify.chain import ChainChecker
from tests.seen import seen

NAMES = ("20261122.001", "20261122.002", "20261122.003", "20261122.004")


def journal(number: int) -> JournalFile:
    return JournalFile(
        name=NAMES[number],
        files=(NAMES[number],),
        guid=str(number),
        identity=str(number),
        previous=str(number - 1),
        end_bytes=100,
        closed=True,
        problem="",
    )


def findings(
    copied: tuple[JournalFile, ...],
    expected: tuple[JournalFile, ...],
    until: Position | None = None,
    following: JournalFile | None = journal(3),  # noqa: B008 # frozen
) -> list[tuple[str, str]]:
    journals = JournalSet(
        folder=Path("/nowhere"),
        start=Position(journal_file=NAMES[1], offset_bytes=10),
        end=Position(journal_file="20261122.004", offset_bytes=10),
        expected=expected,
        following=following,
    )
    evidence = seen(journals=journals, copied=copied, until=until)
    return [(found.code, found.witness) for found in ChainChecker().check(evidence)]


def test_an_older_journal_that_a_rollback_needs_belongs_to_the_chain() -> None:
    """Without it a transaction that was open at the freeze could not be rolled back."""
    whole = tuple(map(journal, range(3)))
    assert [] == findings(whole, whole)
    assert [("chain.missing", NAMES[0])] == findings(whole[1:], whole)


def test_the_chain_begins_at_the_marker_where_nothing_older_is_needed() -> None:
    whole = tuple(map(journal, range(3)))
    assert [] == findings(whole[1:], whole[1:])
    assert [("chain.missing", NAMES[1])] == findings((whole[2],), whole[1:])


def test_no_journal_at_all_is_no_chain() -> None:
    assert "chain.empty" == findings((), ())[0][0]


def test_the_journal_of_a_point_in_time_is_needed_up_to_the_point() -> None:
    """A recovery reads it, so it must be there and ours; what is cut off behind the point is not missed."""
    whole = tuple(map(journal, range(3)))
    inside = Position(journal_file=NAMES[1], offset_bytes=60)
    assert [] == findings(whole, whole, inside)
    assert [] == findings(whole[:2], whole, inside)
    assert [("chain.missing", NAMES[1])] == findings((whole[0], whole[2]), whole, inside)
    reaches = (whole[0], replace(whole[1], end_bytes=60, closed=False))
    assert [] == findings(reaches, whole, inside)
    short = (whole[0], replace(whole[1], end_bytes=59))
    assert [("chain.short", "at 59 bytes; the recovery point is at 60")] == findings(short, whole, inside)


def test_a_point_in_the_journal_that_the_freeze_began_has_a_chain() -> None:
    """Where a marker does not switch the journal, the recovery point lies in the journal of the freeze."""
    (own,) = (journal(1),)
    assert [] == findings((own,), (own,), Position(journal_file=own.name, offset_bytes=60))


def test_the_set_ends_where_the_instance_went_on() -> None:
    """The last journals may have gone before anybody copied them: what is left is whole and in order."""
    whole = tuple(map(journal, range(3)))
    assert [("chain.gap", "it continues 2, 20261122.002 is 1")] == findings(whole[:2], whole[:2])
    assert [("chain.unended", "the instance does not list it")] == findings(whole, whole, following=None)
