"""Journals that were copied for a recovery, and the order in which an engine counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.evidence.answers import JournalFile
from harness.model import Position

_DIGITS_MAX = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSet:
    """Journals copied to a folder.

    `expected` is what the live instance had, in order, from the oldest that a rollback may look into (the marker's
    where none is older) to the end. `following` is the journal that was begun at the end: what it says it continues
    must be the last of the set. None if the instance did not list it. `vouched` is False where no live instance said
    what it had: then `expected` is what the copies were when they were taken over, and nobody knows what is missing.
    """

    folder: Path
    start: Position
    end: Position
    expected: tuple[JournalFile, ...]
    following: JournalFile | None
    vouched: bool = True


def between(journals: Sequence[JournalFile], first: str, until: Position) -> tuple[JournalFile, ...]:
    """The journals that a recovery from `first` to a position reads, the position's own excluded."""
    return tuple(j for j in journals if order(first) <= order(j.name) < order(until.journal_file))


def order(journal_file: str) -> tuple[str, int]:
    """Sorts journal names as the engine counts them: .999 comes before .1000.

    Source: Data Integrity Guide 6.2: the suffix counts up within a day, the date part changes with the day; a
    compressed file ends in z.
    """
    stem, _, suffix = journal_file.rpartition(".")
    number = suffix.rstrip("z")
    counted = number.isascii() and number.isdigit() and len(number) <= _DIGITS_MAX
    return (stem, int(number)) if counted else (journal_file, 0)
