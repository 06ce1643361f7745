"""Which journals have to be whole."""

from __future__ import annotations

from pathlib import Path

from harness.instance.iris import JournalFile
from harness.model import Position
from harness.rollforward import JournalSet
from harness.verify.chain import ChainChecker
from tests.seen import seen

NAMES = ("20261122.001", "20261122.002", "20261122.003")


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


def findings(copied: tuple[JournalFile, ...], expected: tuple[JournalFile, ...]) -> list[tuple[str, str]]:
    journals = JournalSet(
        folder=Path("/nowhere"),
        start=Position(journal_file=NAMES[1], offset_bytes=10),
        end=Position(journal_file="20261122.004", offset_bytes=10),
        expected=expected,
    )
    evidence = seen(journals=journals, copied=copied)
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
