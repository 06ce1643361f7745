"""What the files of a source and of a snapshot were in the window, and what an image must hold of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from harness.evidence.files import ExpectedFile, FileStatus, written
from harness.evidence.window import Window
from harness.snapshot.base import Snapshot, Source
from harness.stages import window as module
from harness.stages.window import database_files, expected_files, image_status, listed
from tests.windows import status, window

ONE = status("/db/IRIS.DAT")


@pytest.mark.parametrize(
    ("after", "word"),
    [
        (replace(ONE, size_bytes=2), "size 1 bytes at the freeze, 2 at the thaw"),
        (replace(ONE, inode=2), "another file has its name"),
        (replace(ONE, modified_ns=1_500_000_001), "last written 1.500 s later than at the freeze"),
        (replace(ONE, modified_ns=0), "last written"),
    ],
)
def test_a_file_that_was_written_or_replaced(after: FileStatus, word: str) -> None:
    found = written(ONE, after)
    assert found and word in found


@pytest.mark.parametrize("after", [ONE, replace(ONE, changed_ns=9)])
def test_a_change_of_owner_or_times_writes_nothing(after: FileStatus) -> None:
    assert written(ONE, after) is None


def changed(window: Window) -> Window:
    return replace(window, after=(replace(window.after[0], size_bytes=2), window.after[1]))


@pytest.mark.parametrize(
    ("change", "held"),
    [
        (lambda window: window, True),
        (changed, False),
        (lambda window: replace(window, thawed=replace(window.thawed, suspended=False)), False),
        (lambda window: replace(window, before=(), after=()), False),
    ],
)
def test_a_window_held_if_it_was_in_force_and_no_file_was_written(
    change: Callable[[Window], Window], held: bool
) -> None:
    """One in which no file was looked at proves nothing."""
    assert held is change(window()).held


def test_a_window_lasts_from_the_answer_of_the_freeze_to_that_of_the_thaw() -> None:
    assert 3.0 == window().duration_s
    assert timedelta(0) == window().thawed.thawed_utc - window().frozen.frozen_utc


def test_a_status_is_that_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("four")
    os.utime(file, ns=(5, 7))
    found, there = FileStatus.of(file), file.stat()
    assert (
        FileStatus(path=file, inode=there.st_ino, size_bytes=4, modified_ns=7, changed_ns=there.st_ctime_ns)
        == found
    )


# --- the snapshot


def snapshot(place: Path, *paths: str, in_reach: bool = True) -> Snapshot:
    found = Snapshot(provider="copy", location=place, paths=tuple(map(Path, paths)))
    return found if in_reach else replace(found, in_reach=False)


def test_every_file_of_a_snapshot_is_watched(tmp_path: Path) -> None:
    for name in ("db/one/IRIS.DAT", "db/one/stream/part", "other/file"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "db/link").symlink_to(tmp_path / "other/file")
    found = image_status(snapshot(tmp_path, "db", "absent"))
    assert found
    assert {"db/one/IRIS.DAT", "db/one/stream/part"} == {
        one.path.relative_to(tmp_path).as_posix() for one in found
    }
    assert set(map(FileStatus.of, (one.path for one in found))) == set(found)


def test_a_snapshot_that_nobody_can_see_is_not_watched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert image_status(None) is None
    assert image_status(snapshot(tmp_path, "", in_reach=False)) is None
    assert image_status(snapshot(tmp_path, "absent")) is None, "there is nothing to see"


def test_files_of_databases_lie_in_their_folders_themselves(tmp_path: Path) -> None:
    more = [f"one/{number:02}" for number in range(30)]
    for name in ("two/IRIS.DAT", "one/iris.lck", "one/IRIS.DAT", "one/stream/part", *more):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = database_files([tmp_path / "two", tmp_path / "one"])
    assert ["two/IRIS.DAT", *more, "one/IRIS.DAT", "one/iris.lck"] == [
        file.relative_to(tmp_path).as_posix() for file in found
    ]


# --- the source


@pytest.fixture
def source(tmp_path: Path) -> Source:
    for name, text in {
        "db/IRIS.DAT": "data",
        "mgr/log": "lines",
        "mgr/iris.cpf": "conf",
        "left": "x",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Source(root=tmp_path, paths=(Path("db"), Path("mgr")))


def test_a_source_is_listed_by_its_regular_files(source: Source) -> None:
    (source.root / "mgr/link").symlink_to(source.root / "left")
    os.mkfifo(source.root / "mgr/pipe")
    found = listed(source)
    assert found is not None
    assert {Path("db/IRIS.DAT"), Path("mgr/log"), Path("mgr/iris.cpf")} == set(found)
    assert FileStatus.of(source.root / "mgr/log") == found[Path("mgr/log")]


def test_what_goes_while_it_is_listed_is_not_there(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.lstat

    def gone(path: Path) -> os.stat_result:
        if path.name == "log":
            raise FileNotFoundError(path)
        return real(path)

    monkeypatch.setattr(Path, "lstat", gone)
    found = listed(source)
    assert found is not None and {Path("db/IRIS.DAT"), Path("mgr/iris.cpf")} == set(found)


def test_what_may_not_be_read_cannot_be_listed(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "iterdir", lambda path: (_ for _ in ()).throw(PermissionError(path)))
    assert listed(source) is None


def expected(
    source: Source,
    change: Callable[[], object] = lambda: None,
    in_window: tuple[FileStatus, ...] | None = None,
) -> dict[str, ExpectedFile]:
    """What an image must hold of a source that something happened to in the window."""
    before = listed(source)
    database = FileStatus.of(source.root / "db/IRIS.DAT")
    change()
    after = listed(source)
    found = expected_files(source, before, (database,) if in_window is None else in_window, after)
    return {file.path.as_posix(): file for file in found or ()}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_what_did_not_change_is_held_against_its_content(source: Source) -> None:
    found = expected(source)
    assert ["db/IRIS.DAT", "mgr/iris.cpf", "mgr/log"] == list(found)
    assert ExpectedFile(path=Path("db/IRIS.DAT"), least=4, most=4, database=True) == found["db/IRIS.DAT"]
    conf = ExpectedFile(path=Path("mgr/iris.cpf"), least=4, most=4, digest=digest("conf"))
    assert conf == found["mgr/iris.cpf"]


def test_a_database_has_the_size_that_it_had_in_the_window(source: Source) -> None:
    """It was smaller before, and grows after."""
    path = source.root / "db/IRIS.DAT"
    in_window = (replace(FileStatus.of(path), size_bytes=6),)
    found = expected(source, lambda: path.write_text("data and more"), in_window)["db/IRIS.DAT"]
    assert (6, 6, True, None) == (found.least, found.most, found.database, found.digest)


@pytest.mark.parametrize(("text", "sizes"), [("lines and lines", (5, 15)), ("li", (2, 5))])
def test_a_file_that_grew_or_shrank_has_a_size_between(
    source: Source, text: str, sizes: tuple[int, int]
) -> None:
    found = expected(source, lambda: (source.root / "mgr/log").write_text(text))["mgr/log"]
    assert (*sizes, False, None) == (found.least, found.most, found.database, found.digest)


def test_a_file_that_was_replaced_may_have_any_size(source: Source) -> None:
    def replaced() -> None:
        (source.root / "new").write_text("other")
        (source.root / "new").replace(source.root / "mgr/log")

    found = expected(source, replaced)["mgr/log"]
    assert (0, None, None) == (found.least, found.most, found.digest)


def test_files_are_listed_in_their_order(source: Source) -> None:
    """So that a report names the same file first each time."""
    for number in range(40):
        (source.root / "mgr" / f"{number:02}").touch()
    assert sorted(expected(source), key=Path) == list(expected(source))


def test_a_file_that_came_or_went_is_not_asked_for(source: Source) -> None:
    def change() -> None:
        (source.root / "mgr/log").unlink()
        (source.root / "mgr/new").touch()

    assert {"db/IRIS.DAT", "mgr/iris.cpf"} == set(expected(source, change))


@pytest.mark.parametrize(("more", "read"), [(0, True), (1, False)])
def test_the_content_of_small_files_alone_is_read(source: Source, more: int, read: bool) -> None:
    (source.root / "mgr/log").write_bytes(b"x" * ((1 << 20) + more))
    assert read is (expected(source)["mgr/log"].digest is not None)


def test_what_the_engine_makes_anew_is_not_asked_for(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "left_out", lambda path: path.name == "log")
    assert {"db/IRIS.DAT", "mgr/iris.cpf"} == set(expected(source))


def test_a_source_that_could_not_be_listed_promises_nothing(source: Source) -> None:
    there = listed(source)
    assert expected_files(source, None, (), there) is None
    assert expected_files(source, there, (), None) is None
    assert expected_files(source, {}, (), {}) is None
