"""Which journals a recovery reads, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import JournalError
from harness.instance.iris import Description, JournalFile
from harness.model import Position
from harness.rollforward import JournalSet, between, collect, order


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


class FakeLive:
    """An instance with four closed journals and one just begun."""

    names = ("20261122.001", "20261122.002", "20261122.003", "20261122.004")

    def switch_journal(self) -> Position:
        return Position(journal_file="20261122.005", offset_bytes=1)

    def journals(self, folder: Path) -> tuple[JournalFile, ...]:
        return tuple(map(_journal, self.names))


@pytest.mark.parametrize(
    ("required", "copied"),
    [
        ("", ["20261122.003", "20261122.004"]),
        ("20261122.004", ["20261122.003", "20261122.004"]),
        ("20261122.002", ["20261122.002", "20261122.003", "20261122.004"]),
    ],
)
def test_journals_are_copied_from_where_a_rollback_may_look(
    tmp_path: Path, required: str, copied: list[str]
) -> None:
    """A transaction that was open at the freeze began in an older journal, which the engine needs to roll it back."""
    folder = tmp_path / "copies"
    folder.mkdir()
    taken = _collected(tmp_path, folder, required)
    assert copied == [journal.name for journal in taken.expected]
    assert {*copied, "journal.log"} == {file.name for file in folder.iterdir()}
    assert "20261122.003" == taken.start.journal_file


def test_a_purged_journal_that_a_rollback_needs_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    with pytest.raises(JournalError, match=r"no longer has journal 20261121.009, which a rollback needs"):
        _collected(tmp_path, folder, "20261121.009")


def _collected(tmp_path: Path, folder: Path, required: str) -> JournalSet:
    journals = tmp_path / "mgr" / "journal"
    journals.mkdir(parents=True)
    for name in FakeLive.names:
        (journals / name).touch()
    (tmp_path / "mgr" / "journal.log").touch()
    description = Description(
        product="IRIS",
        version="2024.1",
        stand_in=False,
        root=tmp_path,
        journal_folder=journals,
        databases={},
        notes=(),
    )
    start = Position(journal_file="20261122.003", offset_bytes=1)
    return collect(FakeLive(), description, start, folder, required)  # type: ignore[arg-type]
