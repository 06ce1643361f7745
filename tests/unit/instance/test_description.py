"""Where the databases of an instance lie, and what that means for snapshot, restore and freeze log."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.command import Completed
from harness.destroy import Ground
from harness.errors import FreezeError, SnapshotError
from harness.evidence.answers import Description
from harness.evidence.backup import Image
from harness.instance.iris import Instance
from harness.plan.model import FreezeSpec
from harness.snapshot.base import Snapshot, Source
from harness.stages.backup import snapshot_source
from harness.stages.restore import expose, restore


def description(root: Path, one: Path, two: Path) -> Description:
    return Description(
        product="IRIS",
        version="2024.1",
        stand_in=False,
        root=root,
        journal_folder=root / "mgr" / "journal",
        databases={"one": one, "two": two},
        notes=(),
    )


@pytest.mark.parametrize(
    ("one", "two", "volume", "paths"),
    [
        ("/iris/db/one", "/iris/db/two", "/iris", ("db/one", "db/two")),
        ("/data/a/one", "/data/b/two", "/data", ("a/one", "b/two")),
        ("/iris/db/one", "/iris2/two", "/", ("iris/db/one", "iris2/two")),
    ],
)
def test_a_snapshot_is_of_what_holds_the_databases(
    one: str, two: str, volume: str, paths: tuple[str, ...]
) -> None:
    """The root where they are below it; a whole image is always of the root."""
    there = description(Path("/iris"), Path(one), Path(two))
    assert Path(volume) == there.volume
    assert Source(root=Path(volume), paths=tuple(map(Path, paths))) == snapshot_source(there, whole=False)
    assert Source(root=Path("/iris"), paths=(Path(),)) == snapshot_source(there, whole=True)


class FakePlace:
    """Answers one command."""

    name, where, isolated = "FAKE", "nowhere", True

    def __init__(self, status: int, said: str) -> None:
        self._status, self._said = status, said

    def run(self, argv: list[str], **_: object) -> Completed:
        return Completed(argv=tuple(argv), status=self._status, stdout=self._said, stderr="", duration_s=0.0)


class FakeTarget:
    """An instance that takes any files."""

    def __init__(self, described: Description) -> None:
        self.place = FakePlace(0, "heading\nheading\n    lo: 0\n")
        self._described = described

    def describe(self) -> Description:
        return self._described

    def dismount(self, database: Path) -> None: ...

    def mount(self, database: Path) -> None: ...


class FakeProvider:
    """Gives out a snapshot with a file in each captured folder."""

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        for path in snapshot.paths:
            (target / path).mkdir(parents=True)
            (target / path / "IRIS.DAT").write_text(str(path))
        return 1

    def release(self, snapshot: Snapshot) -> None: ...


def test_databases_outside_of_the_root_are_restored(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("data/a/one", "data/b/two", "target/one", "target/two")]
    for folder in folders:
        folder.mkdir(parents=True)
    source = description(tmp_path / "iris", *folders[:2])
    target = FakeTarget(description(tmp_path / "target", *folders[2:]))
    taken = snapshot_source(source, whole=False)
    snapshot = Snapshot(provider="fake", location=tmp_path / "snapshot", paths=taken.paths)
    given = Image(provider=FakeProvider(), source=taken, snapshot=snapshot)
    image = expose(given, tmp_path / "staging")
    ground = Ground(folder=tmp_path / "target", right="a test")
    restore(target, source, image, ground)  # type: ignore[arg-type]
    assert ["a/one", "b/two"] == [(folder / "IRIS.DAT").read_text() for folder in folders[2:]]


@pytest.mark.parametrize(
    ("said", "hint"),
    [("ERROR #7200: Failed to open logfile /w/freeze.log for output", True), ("ERROR: switch 10", False)],
)
def test_a_freeze_log_that_cannot_be_written_is_explained(said: str, hint: bool) -> None:
    """The instance's user may not come through to the results folder."""
    instance = Instance(FakePlace(3, said))  # type: ignore[arg-type]
    with pytest.raises(FreezeError) as caught:
        instance.freeze(Path("/w/freeze.log"), "text", FreezeSpec())
    assert hint == ("choose another folder with --out" in str(caught.value))


@pytest.mark.parametrize("whose", ["the backup's", "the running instance's"])
@pytest.mark.parametrize("way", ["the folder", "a file by another name"])
def test_nothing_is_restored_over_files_of_others(tmp_path: Path, whose: str, way: str) -> None:
    """Neither into a folder of an instance, nor with one of its files in the image."""
    folders = [
        tmp_path / name
        for name in ("data/one", "data/two", "target/one", "target/two", "live/one", "live/two")
    ]
    for folder in folders:
        folder.mkdir(parents=True)
    source = description(tmp_path / "iris", *folders[:2])
    live = description(tmp_path / "other", *folders[4:])
    others = source if whose == "the backup's" else live
    target = FakeTarget(description(tmp_path / "target", *folders[2:4]))
    taken = snapshot_source(source, whole=False)
    snapshot = Snapshot(provider="fake", location=tmp_path / "snapshot", paths=taken.paths)
    image = expose(Image(provider=FakeProvider(), source=taken, snapshot=snapshot), tmp_path / "staging")
    if way == "the folder":
        target = FakeTarget(others)
    else:
        own = next(iter(others.databases.values())) / "IRIS.DAT"
        given = next((tmp_path / "staging").rglob("IRIS.DAT"))
        own.hardlink_to(given)
    ground = Ground(folder=tmp_path, right="a test")
    with pytest.raises(SnapshotError):
        restore(target, source, image, ground, live=live)  # type: ignore[arg-type]
