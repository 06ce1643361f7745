"""The contract of snapshot providers: one suite, run over every provider that can run here.

`copy` and `command` run anywhere. `reflink` and `btrfs` run on loop devices, made and removed here, as root;
on any other machine they are skipped with the reason. A new provider adds a row to `PROVIDERS`, no tests: what it can
do beside the port it is asked by `isinstance` with the ability.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest

from harness import containers, destroy, plugins
from harness.command import Deadline
from harness.destroy import Ground
from harness.errors import HarnessError, PreconditionError, SnapshotError, UsageError
from harness.snapshot.base import Snapshot, SnapshotProvider, Source
from harness.snapshot.btrfs import BtrfsSnapshotProvider
from harness.snapshot.command import CommandSnapshotProvider
from harness.snapshot.copy import CopySnapshotProvider
from harness.snapshot.docker_volume import DockerVolumeSnapshotProvider
from harness.snapshot.reflink import ReflinkSnapshotProvider
from harness.snapshot.volume import make_volume
from harness.undo import CanUndo, Register
from tests.conftest import require_engine

PATHS = (Path("one"), Path("deep/er/two.dat"))
CP_OPTIONS = {"run": ["cp", "-a", "{source}", "{target}"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A volume to work on: `root` is what gets captured from, `folder` the provider's, `outside` neither."""

    root: Path
    folder: Path
    outside: Path

    def target(self, name: str = "target") -> Path:
        path = self.outside / name
        path.mkdir()
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A provider and the place it runs in."""

    provider: SnapshotProvider
    place: Place
    source: Source
    made: list[Mapping[str, str]]
    """What the provider registered."""

    def capture(self) -> Snapshot:
        return self.provider.capture(self.source, Deadline.after(60))


def tool(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


@contextmanager
def mounted(argv: list[str], at: Path) -> Iterator[Path]:
    at.mkdir()
    tool("mount", *argv, str(at))
    try:
        yield at
    finally:
        tool("umount", "--lazy", str(at))


@contextmanager
def loop_volume(folder: Path, kind: str) -> Iterator[Path]:
    """A volume of 512 MB (XFS accepts no less than 300) in a file without blocks; always detached again."""
    if os.geteuid() != 0:
        pytest.skip("loop devices need root")
    if shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"mkfs.{kind} is not installed")
    image = folder / f"{kind}.img"
    with image.open("wb") as file:
        file.truncate(512 * 1024 * 1024)
    tool(f"mkfs.{kind}", "-q", str(image))
    try:
        device = tool("losetup", "--find", "--show", str(image))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no loop device: {error.stderr.strip()}")
    try:
        with mounted([device], folder / kind) as mount:
            yield mount
    finally:
        tool("losetup", "--detach", device)


@pytest.fixture(scope="session")
def xfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with loop_volume(tmp_path_factory.mktemp("xfs"), "xfs") as mount:
        yield mount


@pytest.fixture(scope="session")
def btrfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with loop_volume(tmp_path_factory.mktemp("btrfs"), "btrfs") as mount:
        yield mount


def folders(volume: Path) -> Place:
    for name in ("snapshots", "outside"):
        (volume / name).mkdir()
    return Place(root=volume / "live", folder=volume / "snapshots", outside=volume / "outside")


def plain_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    place = folders(request.getfixturevalue("tmp_path"))
    place.root.mkdir()
    yield place


def xfs_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    place = folders(_fresh(request.getfixturevalue("xfs")))
    place.root.mkdir()
    yield place


def btrfs_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    place = folders(_fresh(request.getfixturevalue("btrfs")))
    tool("btrfs", "subvolume", "create", str(place.root))
    yield place


def volume_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A volume of the container engine; removed with all that the run made there."""
    require_engine(request.config)
    place = folders(request.getfixturevalue("tmp_path"))
    root = containers.new_volume("test")
    yield Place(root=root, folder=place.folder, outside=place.outside)
    containers.remove(containers.token())


def _fresh(volume: Path) -> Path:
    folder = volume / f"test-{len(list(volume.iterdir()))}"
    folder.mkdir()
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    make: Callable[[Path], SnapshotProvider]
    place: Callable[[pytest.FixtureRequest], Iterator[Place]]


def registering(provider: SnapshotProvider, register: Register) -> SnapshotProvider:
    if isinstance(provider, CanUndo):
        provider.register_with(register)
    return provider


def command_provider(folder: Path) -> SnapshotProvider:
    return CommandSnapshotProvider(folder, dict(CP_OPTIONS))


def command_with_all_three(folder: Path) -> SnapshotProvider:
    options: dict[str, object] = {
        "run": "cp -a {source} {target}",
        "expose": "cp -a {source}/. {target}",
        "release": "rm -rf {target}",
    }
    return CommandSnapshotProvider(folder, options)


PROVIDERS: dict[str, Row] = {
    "copy": Row(make=lambda folder: CopySnapshotProvider(folder, {}), place=plain_place),
    "command": Row(make=command_provider, place=plain_place),
    "command-all": Row(make=command_with_all_three, place=plain_place),
    "reflink-xfs": Row(make=lambda folder: ReflinkSnapshotProvider(folder, {}), place=xfs_place),
    "reflink-btrfs": Row(make=lambda folder: ReflinkSnapshotProvider(folder, {}), place=btrfs_place),
    "btrfs": Row(make=lambda folder: BtrfsSnapshotProvider(folder, {}), place=btrfs_place),
    "docker_volume": Row(make=lambda folder: DockerVolumeSnapshotProvider(folder, {}), place=volume_place),
}
NEEDS_ROOT = {"reflink-xfs", "reflink-btrfs", "btrfs", "docker_volume"}


def fill(root: Path) -> None:
    """What an instance looks like: nested folders, odd modes, empty, sparse and big files, links."""
    (root / "one" / "inner").mkdir(parents=True)
    (root / "deep" / "er").mkdir(parents=True)
    (root / "one" / "a.dat").write_bytes(os.urandom(3_000_001))
    (root / "one" / "empty").touch()
    (root / "one" / "inner" / "closed").write_bytes(b"secret")
    (root / "one" / "inner" / "closed").chmod(0o440)
    (root / "one" / "inner").chmod(0o750)
    (root / "one" / "link").symlink_to("inner/closed")
    os.link(root / "one" / "a.dat", root / "one" / "a-again.dat")
    with (root / "one" / "sparse.dat").open("wb") as file:
        file.seek(8_000_000)
        file.write(b"end")
        file.truncate(16_000_000)
    (root / "deep" / "er" / "two.dat").write_bytes(os.urandom(500_000))
    (root / "not-asked-for").write_bytes(b"x")


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.root] * (name in NEEDS_ROOT)) for name in PROVIDERS]
)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    row = PROVIDERS[request.param]
    places = row.place(request)
    place = next(places)
    fill(place.root)
    made: list[Mapping[str, str]] = []
    yield Case(
        provider=registering(row.make(place.folder), made.append),
        place=place,
        source=Source(root=place.root, paths=PATHS),
        made=made,
    )
    next(places, None)


def tree(root: Path, paths: tuple[Path, ...] = PATHS) -> dict[str, tuple[str, str]]:
    """Every captured name with its mode and the digest of its bytes, or where it links to."""
    found: dict[str, tuple[str, str]] = {}
    for path in paths:
        top = root / path
        for entry in [top, *sorted(top.rglob("*"))]:
            found[str(entry.relative_to(root))] = (stat.filemode(entry.lstat().st_mode), _content(entry))
    return found


def _content(entry: Path) -> str:
    if entry.is_symlink():
        return str(entry.readlink())
    return hashlib.sha256(entry.read_bytes()).hexdigest() if entry.is_file() else ""


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


class TestContract:
    def test_round_trip(self, case: Case) -> None:
        """Bytes, modes, links, nested folders and sparse files come back as they were."""
        case.provider.probe(case.source)
        expected = tree(case.place.root)
        target = case.place.target()
        copied = case.provider.expose(case.capture(), target)
        assert tree(target) == expected
        assert copied >= 3_000_001 + 16_000_000 + 500_000
        assert allocated(target / "one" / "sparse.dat") < 2_000_000

    def test_source_is_untouched(self, case: Case) -> None:
        """Probe, capture, expose and release leave the source as it was."""
        before = tree(case.place.root, (Path(),))
        case.provider.probe(case.source)
        snapshot = case.capture()
        case.provider.expose(snapshot, case.place.target())
        case.provider.release(snapshot)
        assert tree(case.place.root, (Path(),)) == before

    def test_image_does_not_follow_the_source(self, case: Case) -> None:
        """What happens to the source after capture does not reach the snapshot."""
        expected = tree(case.place.root)
        snapshot = case.capture()
        with (case.place.root / "one" / "a.dat").open("r+b") as file:
            file.write(b"changed")
        (case.place.root / "one" / "new").touch()
        (case.place.root / "deep" / "er" / "two.dat").unlink()
        target = case.place.target()
        case.provider.expose(snapshot, target)
        assert tree(target) == expected

    def test_exposed_copy_is_writable_and_independent(self, case: Case) -> None:
        """Writing to one exposed copy reaches neither the source nor the snapshot nor another copy."""
        expected = tree(case.place.root)
        snapshot = case.capture()
        first, second = case.place.target("first"), case.place.target("second")
        case.provider.expose(snapshot, first)
        with (first / "one" / "a.dat").open("r+b") as file:
            file.write(b"changed")
        (first / "one" / "new").touch()
        case.provider.expose(snapshot, second)
        assert tree(second) == expected
        assert tree(case.place.root) == expected

    def test_exposed_copy_survives_release(self, case: Case) -> None:
        """An exposed copy does not need its snapshot; releasing twice is fine."""
        expected = tree(case.place.root)
        snapshot = case.capture()
        target = case.place.target()
        case.provider.expose(snapshot, target)
        case.provider.release(snapshot)
        case.provider.release(snapshot)
        assert tree(target) == expected
        assert list(case.place.folder.iterdir()) == []

    def test_two_snapshots(self, case: Case) -> None:
        """Snapshots of one object are apart: releasing one leaves the other."""
        first = case.capture()
        (case.place.root / "deep" / "er" / "two.dat").write_bytes(b"second")
        expected = tree(case.place.root)
        second = case.capture()
        case.provider.release(first)
        target = case.place.target()
        case.provider.expose(second, target)
        assert tree(target) == expected

    def test_capture_refuses_what_is_there(self, case: Case) -> None:
        """A left-over snapshot is neither overwritten nor removed."""
        left_over = case.capture().location.with_name("snapshot-0002")
        left_over.mkdir()
        (left_over / "keep").touch()
        with pytest.raises(SnapshotError, match="there already"):
            case.capture()
        assert [entry.name for entry in left_over.iterdir()] == ["keep"]

    @pytest.mark.parametrize("path", ["absent", "../outside", "/etc/hostname"])
    def test_failed_capture_leaves_nothing(self, case: Case, path: str) -> None:
        """A path that cannot be captured fails the whole capture, without remains."""
        source = Source(root=case.place.root, paths=(*PATHS, Path(path)))
        with pytest.raises(SnapshotError):
            case.provider.capture(source, Deadline.after(60))
        assert list(case.place.folder.iterdir()) == []
        with pytest.raises(PreconditionError):
            case.provider.probe(source)

    def test_capture_past_its_deadline_leaves_nothing(self, case: Case) -> None:
        """A capture that is out of time fails; one that was quicker than its limit is whole."""
        try:
            snapshot = case.provider.capture(case.source, Deadline.after(0))
        except SnapshotError:
            assert list(case.place.folder.iterdir()) == []
        else:
            target = case.place.target()
            case.provider.expose(snapshot, target)
            assert tree(target) == tree(case.place.root)

    def test_expose_refuses_a_full_target(self, case: Case) -> None:
        """Nothing is restored over what is there."""
        snapshot = case.capture()
        target = case.place.target()
        (target / "keep").write_text("kept")
        with pytest.raises(SnapshotError, match="not empty"):
            case.provider.expose(snapshot, target)
        assert [entry.name for entry in target.iterdir()] == ["keep"]
        with pytest.raises(SnapshotError, match="not a folder"):
            case.provider.expose(snapshot, target / "keep")

    def test_expose_refuses_the_live_source(self, case: Case) -> None:
        """No target inside a captured folder, by whatever name it is reached."""
        snapshot = case.capture()
        inside = case.place.root / "one" / "restore"
        inside.mkdir()
        alias = case.place.outside / "alias"
        alias.symlink_to(inside)
        for target in (inside, alias):
            with pytest.raises(SnapshotError, match="was captured"):
                case.provider.expose(snapshot, target)
        assert list(inside.iterdir()) == []

    def test_release_refuses_what_is_not_its_own(self, case: Case) -> None:
        """Nothing outside of the provider's folder is removed, through a link neither."""
        victim = case.place.target("snapshot-0001")
        (victim / "keep").touch()
        link = case.place.folder / "snapshot-0009"
        link.symlink_to(victim)
        for location in (victim, link, case.place.folder, case.place.root, case.place.folder / ".."):
            snapshot = Snapshot(provider="any", location=location, paths=PATHS)
            with pytest.raises(SnapshotError, match="nothing outside"):
                case.provider.release(snapshot)
        assert [entry.name for entry in victim.iterdir()] == ["keep"]

    def test_capture_refuses_to_capture_itself(self, case: Case) -> None:
        """A snapshot folder inside the captured tree would grow into itself."""
        kept = case.capture().location.parent
        nested = Source(root=kept.parent.parent, paths=(Path(kept.parent.name),))
        itself = Source(root=kept, paths=(Path(),))
        for source in (nested, itself):
            with pytest.raises(SnapshotError, match="which is captured"):
                case.provider.capture(source, Deadline.after(60))
        with pytest.raises(PreconditionError, match="which is captured"):
            case.provider.probe(itself)

    def test_options_schema(self, case: Case) -> None:
        """The schema is one, and refuses unknown keys."""
        jsonschema.Draft202012Validator.check_schema(case.provider.options_schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"run": "true", "unknown": "x"}, case.provider.options_schema)


TOKEN, ANOTHER = "999999999-0123456789ab", "999999999-ba9876543210"
HOSTILE = (
    "",
    ".",
    "..",
    "/",
    "/proc/self/cwd",
    "a\0b",
    "\ud800",
    "{above}",
    "{folder}",
    "{folder}/../..",
    "{link}",
)
"""What may stand in an entry that somebody altered."""


class TestKilled:
    """Nobody releases anything then. What was registered is undone by the class alone, and then plain files go."""

    @pytest.fixture(autouse=True)
    def token(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is made from now on is of another run than what the case itself has made."""
        monkeypatch.setenv(containers.TOKEN_VARIABLE, TOKEN)

    def test_between_register_and_make(self, case: Case, tmp_path: Path) -> None:
        made = killed(case, tmp_path / "made", at_register=True)
        assert [] == undone(case, made)

    @pytest.mark.parametrize("after_s", [0.001, 0.003, 0.01, 0.03, 0.1])
    def test_while_it_makes(self, case: Case, tmp_path: Path, after_s: float) -> None:
        made = killed(case, tmp_path / "made", after_s=after_s)
        undone(case, made)

    def test_between_make_and_release(self, case: Case, tmp_path: Path) -> None:
        made = killed(case, tmp_path / "made")
        assert made or not isinstance(case.provider, CanUndo), "nothing is made that was not registered"
        assert len(undone(case, made)) == len(made)

    def test_nothing_foreign_is_touched(self, case: Case) -> None:
        """Whatever stands in a record, and whatever run it is said to be of."""
        if not isinstance(case.provider, CanUndo):
            pytest.skip("it makes plain files only")
        link = case.place.folder / "link"
        link.symlink_to(case.place.root.parent)
        snapshot = case.capture()
        before, image = tree(case.place.root, (Path(),)), tree(snapshot.location)
        (case.place.outside / "keep").touch()
        ground = Ground(folder=case.place.outside, right="a test says so")
        names = {"folder", *(name for made in case.made for name in made)}
        words = {"above": case.place.root.parent, "folder": case.place.folder, "link": link}
        for value in HOSTILE:
            for record in ({}, *({name: value.format(**words)} for name in names), *case.made):
                for token in ("", ANOTHER):
                    with suppress(HarnessError):
                        assert [] == type(case.provider).undo(record, ground, token)
        assert before == tree(case.place.root, (Path(),)) and image == tree(snapshot.location)
        assert ["keep"] == [entry.name for entry in case.place.outside.iterdir()]
        case.provider.release(snapshot)


def killed(
    case: Case, kept: Path, *, at_register: bool = False, after_s: float = 0.0
) -> list[Mapping[str, str]]:
    """Probe and capture in a process of its own, which is killed; returns what it had registered."""
    kept.touch()

    def note(what: Mapping[str, str]) -> None:
        with kept.open("a") as file:
            file.write(json.dumps(dict(what)) + "\n")
        if at_register:
            os._exit(9)

    child = os.fork()
    if child == 0:
        try:
            containers.engine.cache_clear()
            signal.setitimer(signal.ITIMER_REAL, after_s)
            provider = registering(case.provider, note)
            provider.probe(case.source)
            case.capture()
        finally:
            os._exit(9)
    os.waitpid(child, 0)
    time.sleep(0.2 if after_s else 0.0)  # what it had started has ended by itself
    return [json.loads(line) for line in kept.read_text().splitlines()]


def undone(case: Case, made: list[Mapping[str, str]]) -> list[str]:
    """What `harness clean` does, twice; nothing of the run is left then, and the source is as it was. Returns what
    the provider said that it removed.
    """
    before = tree(case.place.root, (Path(),))
    ground = Ground(folder=case.place.folder, right="a test made it")
    said = list[str]()
    for attempt in (said, list[str]()):
        for record in made:
            assert isinstance(case.provider, CanUndo)
            attempt += type(case.provider).undo(record, ground, TOKEN)
        destroy.tree(case.place.folder, ground)
        assert not case.place.folder.exists()
    assert [] == attempt and before == tree(case.place.root, (Path(),))
    return said


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small volume needs root")
@pytest.mark.parametrize("name", ["copy", "command"])
def test_full_disk_leaves_nothing_and_is_named(name: str, tmp_path: Path) -> None:
    """A full volume is a SnapshotError; from our own copy it names the file and the bytes that are free."""
    root = tmp_path / "live"
    root.mkdir()
    (root / "big.dat").write_bytes(os.urandom(3_000_000))
    source = Source(root=root, paths=(Path("big.dat"),))
    with mounted(["-t", "tmpfs", "-o", "size=1m", "none"], tmp_path / "small") as small:
        provider = PROVIDERS[name].make(small)
        with pytest.raises(SnapshotError) as caught:
            provider.capture(source, Deadline.after(60))
        assert list(small.iterdir()) == []
        if name == "copy":
            assert "big.dat: " in str(caught.value)
            assert str(caught.value).endswith("bytes are free")
            with pytest.raises(PreconditionError, match=r"needs 30.* bytes"):
                provider.probe(source)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small volume needs root")
def test_full_disk_at_expose_leaves_the_target_empty(tmp_path: Path) -> None:
    """A target that is too small is emptied again."""
    place = folders(tmp_path)
    place.root.mkdir()
    fill(place.root)
    provider = CopySnapshotProvider(place.folder, {})
    snapshot = provider.capture(Source(root=place.root, paths=PATHS), Deadline.after(60))
    with mounted(["-t", "tmpfs", "-o", "size=1m", "none"], tmp_path / "small") as small:
        with pytest.raises(SnapshotError, match="bytes are free"):
            provider.expose(snapshot, small)
        assert list(small.iterdir()) == []


class TestCopy:
    def test_link_that_leads_out_is_refused(self, tmp_path: Path) -> None:
        """A link to the live database would make the restored copy write to it."""
        place = folders(tmp_path)
        place.root.mkdir()
        (place.root / "IRIS.DAT").symlink_to("/etc/hostname")
        source = Source(root=place.root, paths=(Path(),))
        provider = CopySnapshotProvider(place.folder, {})
        with pytest.raises(PreconditionError, match="symbolic link"):
            provider.probe(source)
        with pytest.raises(SnapshotError, match="symbolic link"):
            provider.capture(source, Deadline.after(60))

    def test_hard_links_stay_links(self, tmp_path: Path) -> None:
        """Two names of one file are copied once, and the copy is not linked to the source."""
        place = folders(tmp_path)
        place.root.mkdir()
        fill(place.root)
        provider = CopySnapshotProvider(place.folder, {})
        snapshot = provider.capture(Source(root=place.root, paths=PATHS), Deadline.after(60))
        copied = snapshot.location / "one"
        assert (copied / "a.dat").samefile(copied / "a-again.dat")
        assert not (copied / "a.dat").samefile(place.root / "one" / "a.dat")

    def test_whole_root(self, tmp_path: Path) -> None:
        """`.` captures all of the root."""
        place = folders(tmp_path)
        place.root.mkdir()
        fill(place.root)
        provider = CopySnapshotProvider(place.folder, {})
        snapshot = provider.capture(Source(root=place.root, paths=(Path(),)), Deadline.after(60))
        assert tree(snapshot.location, (Path(),)) == tree(place.root, (Path(),))

    def test_folder_that_vanished_is_a_snapshot_error(self, tmp_path: Path) -> None:
        """Inside the window a foreign exception would look like a defect of ours."""
        place = folders(tmp_path)
        place.root.mkdir()
        fill(place.root)
        provider = CopySnapshotProvider(place.folder, {})
        source = Source(root=place.root, paths=PATHS)
        snapshot = provider.capture(source, Deadline.after(60))
        provider.release(snapshot)
        place.folder.rmdir()
        with pytest.raises(SnapshotError, match="No such file"):
            provider.capture(source, Deadline.after(60))
        with pytest.raises(SnapshotError):
            provider.expose(snapshot, place.target())
        with pytest.raises(SnapshotError):
            provider.release(snapshot)
        with pytest.raises(PreconditionError):
            provider.probe(source)


class TestReflink:
    def test_filesystem_without_clones(self, tmp_path: Path) -> None:
        """Where files cannot be cloned, probe says which filesystem it is and what to do."""
        place = folders(tmp_path)
        place.root.mkdir()
        fill(place.root)
        source = Source(root=place.root, paths=PATHS)
        provider = ReflinkSnapshotProvider(place.folder, {})
        try:
            provider.probe(source)
        except PreconditionError as error:
            assert "cannot be cloned" in error.missing
            assert "reflink=1" in error.remedy
            with pytest.raises(SnapshotError):
                provider.capture(source, Deadline.after(60))
        else:
            pytest.skip(f"{tmp_path} lies on a filesystem that can clone")
        assert list(place.folder.iterdir()) == []


@pytest.mark.root
class TestBtrfs:
    def test_plain_folder_is_refused(self, btrfs: Path) -> None:
        """A folder that is no subvolume cannot be snapshot; probe says so before the freeze."""
        place = folders(_fresh(btrfs))
        place.root.mkdir()
        fill(place.root)
        provider = registering(BtrfsSnapshotProvider(place.folder, {}), lambda _: None)
        with pytest.raises(PreconditionError, match="subvolume create"):
            provider.probe(Source(root=place.root, paths=PATHS))

    def test_a_source_on_btrfs_is_made_a_subvolume(self, btrfs: Path) -> None:
        """By whatever provider it will be captured; emptied, it goes as a folder does."""
        place = folders(_fresh(btrfs))
        make_volume(place.root)
        make_volume(place.root)
        fill(place.root)
        provider = registering(BtrfsSnapshotProvider(place.folder, {}), lambda _: None)
        provider.probe(Source(root=place.root, paths=PATHS))
        destroy.tree(place.root, Ground(folder=place.root.parent, right="a test made it"))
        assert not place.root.exists()

    def test_a_source_elsewhere_is_made_a_folder(self, tmp_path: Path) -> None:
        assert not BtrfsSnapshotProvider.make_volume(tmp_path / "source")
        make_volume(tmp_path / "source")
        assert (tmp_path / "source").stat().st_dev == tmp_path.stat().st_dev

    def test_nested_subvolume_is_refused(self, btrfs: Path) -> None:
        """A nested subvolume would come back empty; probe says so before the freeze."""
        place = folders(_fresh(btrfs))
        tool("btrfs", "subvolume", "create", str(place.root))
        fill(place.root)
        tool("btrfs", "subvolume", "create", str(place.root / "one" / "nested"))
        provider = registering(BtrfsSnapshotProvider(place.folder, {}), lambda _: None)
        with pytest.raises(PreconditionError, match="would leave it out"):
            provider.probe(Source(root=place.root, paths=PATHS))


class TestCommand:
    @staticmethod
    def provider(tmp_path: Path, **options: object) -> tuple[CommandSnapshotProvider, Source, Path]:
        place = folders(tmp_path)
        place.root.mkdir()
        fill(place.root)
        return (
            CommandSnapshotProvider(place.folder, options),
            Source(root=place.root, paths=PATHS),
            place.folder,
        )

    def test_command_that_does_nothing(self, tmp_path: Path) -> None:
        """An exit status of 0 is not believed when nothing was captured."""
        provider, source, folder = self.provider(tmp_path, run=["true"])
        with pytest.raises(SnapshotError, match="is not there in"):
            provider.capture(source, Deadline.after(60))
        assert list(folder.iterdir()) == []

    def test_command_that_fails_half_way(self, tmp_path: Path) -> None:
        """What a failing command left is removed, and its words are in the error."""
        script = "import pathlib, sys; pathlib.Path(sys.argv[1]).mkdir(); sys.exit('array offline')"
        provider, source, folder = self.provider(tmp_path, run=[sys.executable, "-c", script, "{target}"])
        with pytest.raises(SnapshotError, match="array offline"):
            provider.capture(source, Deadline.after(60))
        assert list(folder.iterdir()) == []

    def test_command_that_hangs(self, tmp_path: Path) -> None:
        """The deadline of the window ends the command."""
        provider, source, _ = self.provider(tmp_path, run="sleep 60")
        with pytest.raises(SnapshotError, match="did not end within"):
            provider.capture(source, Deadline.after(0.2))

    def test_absent_program(self, tmp_path: Path) -> None:
        """A program that is not there is found before the freeze."""
        provider, source, _ = self.provider(tmp_path, run="no-such-snapshot-tool {source}")
        with pytest.raises(PreconditionError, match="no-such-snapshot-tool"):
            provider.probe(source)
        with pytest.raises(SnapshotError, match="no-such-snapshot-tool"):
            provider.capture(source, Deadline.after(60))

    @pytest.mark.parametrize("options", [{}, {"run": "cp 'unclosed"}, {"run": []}, {"run": 7}])
    def test_options_that_make_no_command(self, tmp_path: Path, options: dict[str, object]) -> None:
        """Options without a usable `run` are an error of the plan."""
        with pytest.raises(UsageError):
            CommandSnapshotProvider(tmp_path, options)


@pytest.mark.parametrize("name", ["copy", "reflink", "btrfs", "command"])
def test_registered(name: str) -> None:
    """Every built-in provider is found by its name and has the members of the port."""
    members = ("options_schema", "probe", "capture", "expose", "release")
    assert plugins.load("harness.snapshots", name, members) is not None
