"""Which journals a recovery reads, by their names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import JournalError, JournalsGone
from harness.evidence.answers import Description, JournalFile, RollforwardAnswer
from harness.evidence.journals import JournalSet, between, order
from harness.model import Position
from harness.stages import rollforward
from harness.stages.rollforward import collect, roll_forward


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

    names: tuple[str, ...] = ("20261122.001", "20261122.002", "20261122.003", "20261122.004")

    def __init__(self, names: tuple[str, ...] = names, end: str = "20261122.005") -> None:
        self.names, self.end = names, end

    def switch_journal(self) -> Position:
        return Position(journal_file=self.end, offset_bytes=1)

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


def test_a_purged_journal_of_the_marker_is_an_error(tmp_path: Path) -> None:
    """Though older ones are there, and one that a rollback needs."""
    folder = tmp_path / "copies"
    folder.mkdir()
    live = FakeLive(("20261122.002", "20261122.004"))
    with pytest.raises(JournalsGone, match=r"no longer has journal 20261122.003, where the marker is"):
        _collected(tmp_path, folder, "20261122.002", live)


def test_the_oldest_journal_is_told_by_its_number(tmp_path: Path) -> None:
    """.1000 comes after .999, though its name comes before."""
    folder = tmp_path / "copies"
    folder.mkdir()
    names = ("20261122.998", "20261122.999", "20261122.1000", "20261122.1001")
    live = FakeLive(names, end="20261122.1002")
    taken = _collected(tmp_path, folder, "20261122.999", live, start="20261122.1000")
    assert list(names[1:]) == [journal.name for journal in taken.expected]


def test_the_journal_that_the_instance_went_on_with_is_known_and_not_copied(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    live = FakeLive((*FakeLive.names, "20261122.005"))
    taken = _collected(tmp_path, folder, "", live)
    assert taken.following and "20261122.005" == taken.following.name
    assert "20261122.005" == taken.end.journal_file
    assert "20261122.005" not in {file.name for file in folder.iterdir()}


def test_one_that_is_not_listed_is_not_known(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    assert _collected(tmp_path, folder, "").following is None


def test_journals_that_cannot_be_copied_are_no_purged_ones(tmp_path: Path) -> None:
    """The backup may be good: that is another answer."""
    with pytest.raises(JournalError, match="could not be copied") as raised:
        _collected(tmp_path, tmp_path / "copies", "", without="20261122.004")
    assert not isinstance(raised.value, JournalsGone)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20261122.001", ("20261122", 1)),
        ("20261122.001z", ("20261122", 1)),
        ("a.b.012", ("a.b", 12)),
        ("20261122.z001", ("20261122.z001", 0)),
        ("20261122.", ("20261122.", 0)),
        ("20261122.\u0663", ("20261122.\u0663", 0)),
        ("20261122.\u00b2", ("20261122.\u00b2", 0)),
        ("1." + "9" * 18, ("1", int("9" * 18))),
        ("1." + "9" * 19, ("1." + "9" * 19, 0)),
    ],
)
def test_how_a_name_is_counted(name: str, expected: tuple[str, int]) -> None:
    """Digits of ASCII alone, at most as many as a number of the engine has; a compressed file ends in z."""
    assert expected == order(name)


@pytest.mark.parametrize(
    ("until", "last", "stop", "names"),
    [
        (None, "20261122.003", None, ("20261122.002", "20261122.003")),
        ("20261122.002", "20261122.002", 70, ("20261122.002",)),
    ],
)
def test_journals_are_applied_from_the_marker_to_the_recovery_point(
    tmp_path: Path, until: str | None, last: str, stop: int | None, names: tuple[str, ...]
) -> None:
    """Each database of the source goes to the one of its role; older journals of the set are for a rollback only."""
    asked: list[Any] = []
    answer = RollforwardAnswer(records=9, updated=(), skipped=(), duration_s=1.5)

    class Target:
        def describe(self) -> Any:
            return SimpleNamespace(databases={"two": Path("/t/2"), "one": Path("/t/1")})

        def roll_forward(self, *words: Any) -> RollforwardAnswer:
            asked.extend(words)
            return answer

    start = Position(journal_file="20261122.002", offset_bytes=50)
    journals = JournalSet(
        folder=tmp_path,
        start=start,
        end=Position(journal_file="20261122.004", offset_bytes=1),
        expected=tuple(_journal(f"20261122.00{n}") for n in (1, 2, 3)),
        following=None,
    )
    source = SimpleNamespace(databases={"one": Path("/s/1"), "two": Path("/s/2")})
    point = Position(journal_file=until, offset_bytes=70) if until else None
    summary, said = roll_forward(Target(), source, journals, point)  # type: ignore[arg-type]
    redirect = {Path("/s/1"): Path("/t/1"), Path("/s/2"): Path("/t/2")}
    assert [tmp_path, start, last, stop, redirect] == asked
    assert answer is said
    assert ("20261122.002", 50, last, names, 9, 1.5) == (
        summary.from_file,
        summary.from_offset_bytes,
        summary.to_file,
        summary.files,
        summary.records,
        summary.duration_s,
    )


def test_journals_are_copied_by_the_fast_way_and_their_list_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list grows while it is copied: a clone of it would be of another instant than its size."""
    copied: list[Any] = []
    monkeypatch.setattr(rollforward, "copy_paths", lambda *words: copied.append(words))
    _collected(tmp_path, tmp_path, "")
    journals, listed = copied
    assert (tmp_path / "mgr/journal", rollforward.Method.CLONE_OR_COPY) == (journals[0], journals[3])
    assert (tmp_path / "mgr", [Path("journal.log")], tmp_path, rollforward.Method.COPY) == listed


def _collected(
    tmp_path: Path,
    folder: Path,
    required: str,
    live: FakeLive | None = None,
    start: str = "20261122.003",
    without: str = "",
) -> JournalSet:
    live = live or FakeLive()
    journals = tmp_path / "mgr" / "journal"
    journals.mkdir(parents=True)
    for name in live.names:
        if name != without:
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
    marker = Position(journal_file=start, offset_bytes=1)
    return collect(live, description, marker, folder, required)  # type: ignore[arg-type]
