"""Which journals a recovery reads, by their names."""

from __future__ import annotations

from harness.instance.iris import JournalFile
from harness.model import Position
from harness.rollforward import between, order


def _journal(name: str) -> JournalFile:
    return JournalFile(
        name=name, files=(name,), guid="", identity="", previous="", end_bytes=0, closed=True, problem=""
    )


def test_journals_are_counted_not_spelled() -> None:
    """The suffix is a number, the date before it decides first, and a prefix belongs to the name."""
    names = ["20261121.1000", "20261122.001", "20261122.999", "20261122.1000", "20261122.1001z"]
    assert names == sorted(reversed(names), key=order)
    assert order("H2015_20261122.011") < order("H2015_20261122.012")


def test_a_name_that_is_no_journal_is_not_a_number() -> None:
    assert ("journal.log", 0) == order("journal.log")


def test_the_journal_of_the_recovery_point_is_not_read() -> None:
    journals = [_journal(f"20261122.{n}") for n in ("998", "999", "1000", "1001")]
    read = between(journals, "20261122.999", Position(journal_file="20261122.1001", offset_bytes=1))
    assert ["20261122.999", "20261122.1000"] == [journal.name for journal in read]
