"""Snapshots of a btrfs subvolume: all files at one instant, whatever their number and size.

`Source.root` must be a subvolume and the snapshot folder must lie on the same btrfs. The snapshot is
read-only; it is exposed by cloning the captured paths out of it, so that any empty folder can be a target.

A btrfs snapshot ends at nested subvolumes and at mount points: both would come back as empty folders, so a
source that has them below a captured path is refused before the freeze.

A snapshot that may only be read cannot be emptied, so no removal of files takes it away: before the first one is made
the folder they lie in is registered, and `undo` deletes the subvolumes that lie directly in it.

Source: btrfs-subvolume(8), btrfs-progs 6.2, "Nested subvolumes": a snapshot is not recursive; linux/btrfs.h,
BTRFS_IOC_SNAP_DESTROY; btrfs(5): the inode number of the root of a subvolume is 256, and an empty one is removed by
rmdir(2) since Linux 4.18.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import destroy
from harness.command import Deadline, run
from harness.destroy import Ground
from harness.errors import CommandError, PreconditionError, RemovalError, SnapshotError
from harness.files import filesystem_type, walk
from harness.snapshot.base import NeededProgram, Snapshot, Source
from harness.snapshot.folder import NO_OPTIONS, SnapshotFolder
from harness.undo import Register

_TIMEOUT_S = 60.0
_ROOT_INODE = 256
_SNAP_DESTROY = 0x5000940F
_VOL_ARGS = struct.Struct("q4088s")
"""`struct btrfs_ioctl_vol_args`: a descriptor that is not used here, and a name."""


class BtrfsSnapshotProvider:
    """Runs `btrfs subvolume snapshot -r`, and deletes what it made."""

    options_schema: dict[str, object] = NO_OPTIONS
    program = NeededProgram(name="btrfs", version="--version", remedy="apt-get install btrfs-progs")

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        self._path = folder
        self._folder = SnapshotFolder(folder, _remove)
        self._register: Register | None = None
        self._is_registered = False

    def register_with(self, register: Register) -> None:
        self._register = register

    @staticmethod
    def undo(made: Mapping[str, str], ground: Ground, token: str) -> list[str]:
        """Delete the subvolumes that lie directly in the folder of a provider."""
        removed = []
        for location in _subvolumes(Path(made.get("folder", ""))):
            destroy.by_its_maker(location, ground, _delete)
            removed.append(f"removed subvolume {location}")
        return removed

    @staticmethod
    def make_volume(root: Path) -> bool:
        """A subvolume, on btrfs. It can be written to, so it goes as a folder does."""
        here = filesystem_type(root.parent) == "btrfs" and shutil.which("btrfs") is not None
        if here:
            run(["btrfs", "subvolume", "create", str(root)])
        return here

    def probe(self, source: Source) -> None:
        """Raises PreconditionError unless a snapshot, tried and deleted here, works and holds every path."""
        self._folder.require_source(source)
        _require_one_subvolume(source)
        self._require_registered()
        trial = self._path / "probe"
        try:
            _snapshot(source.root, trial, _TIMEOUT_S)
            _remove(trial, Ground(folder=self._path, right="this provider tried here whether it can"))
        except (CommandError, RemovalError) as error:
            kinds = f"{filesystem_type(source.root)} to {filesystem_type(self._path)}"
            raise PreconditionError(
                f"no btrfs snapshot of {source.root} in {self._path} ({kinds}): {error}",
                "Both must lie on one btrfs volume, the first as a subvolume (btrfs subvolume create).",
            ) from error

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        """Take the snapshot. Raises SnapshotError, also when a path is not in it; nothing is left."""
        with self._folder.new_location(source) as location:
            with _as_snapshot_error(f"snapshot of {source.root}"):
                self._require_registered()
                _snapshot(source.root, location, max(deadline.left_s, 0.001))
            self._folder.require_captured(location, source.paths)
        return Snapshot(provider="btrfs", location=location, paths=source.paths)

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        """Clone or copy out. Returns bytes. Raises SnapshotError; the target is then left as it was."""
        return self._folder.expose(snapshot, target)

    def release(self, snapshot: Snapshot) -> None:
        """Delete the subvolume; may be called twice. Raises SnapshotError."""
        self._folder.remove(snapshot)

    def _require_registered(self) -> None:
        """Raises PreconditionError: no subvolume may be made."""
        if not self._is_registered:
            assert self._register, "nothing is made before there is a run to register it with"
            self._register({"folder": str(self._path)})
            self._is_registered = True


def _snapshot(root: Path, location: Path, timeout_s: float) -> None:
    run(["btrfs", "subvolume", "snapshot", "-r", str(root), str(location)], timeout_s=timeout_s)


def _require_one_subvolume(source: Source) -> None:
    # Every subvolume and every mount has a device number of its own.
    device = source.root.stat().st_dev
    for path in source.paths:
        for found in walk(source.root / path):
            if found.lstat().st_dev != device:
                raise PreconditionError(
                    f"{found} is another volume than {source.root}: a btrfs snapshot would leave it out",
                    "Make it a plain folder, or capture it on its own.",
                )


def _remove(location: Path, ground: Ground) -> None:
    """A snapshot, or what else lies in its place. Raises RemovalError."""
    if _is_subvolume(location):
        destroy.by_its_maker(location, ground, _delete)
    else:
        destroy.tree(location, ground)


def _delete(above: int, name: str) -> None:
    """Raises OSError. The kernel takes the descriptor of the folder and a name in it, so no link is followed."""
    fcntl.ioctl(above, _SNAP_DESTROY, bytearray(_VOL_ARGS.pack(0, os.fsencode(name))))


def _subvolumes(folder: Path) -> list[Path]:
    """Those that lie directly in a folder, which may be gone, or any that an entry names. Raises RemovalError."""
    try:
        if not folder.is_absolute():
            raise RemovalError(f"{str(folder)!r} is no folder that snapshots were kept in")
        return [location for location in sorted(folder.iterdir()) if _is_subvolume(location)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise RemovalError(f"{str(folder)!r} cannot be looked at: {error}") from error


def _is_subvolume(location: Path) -> bool:
    """By the number of its root, and since every volume has a device number of its own."""
    try:
        status, above = location.lstat(), location.parent.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_ino == _ROOT_INODE and status.st_dev != above.st_dev


@contextlib.contextmanager
def _as_snapshot_error(what: str) -> Iterator[None]:
    try:
        yield
    except (CommandError, PreconditionError, RemovalError) as error:
        raise SnapshotError(f"{what}: {error}") from error
