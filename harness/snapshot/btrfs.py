"""Snapshots of a btrfs subvolume: all files at one instant, whatever their number and size.

`Source.root` must be a subvolume and the snapshot folder must lie on the same btrfs. The snapshot is
read-only; it is exposed by cloning the captured paths out of it, so that any empty folder can be a target.

A btrfs snapshot ends at nested subvolumes and at mount points: both would come back as empty folders, so a
source that has them below a captured path is refused before the freeze.
Source: btrfs-subvolume(8), btrfs-progs 6.2, "Nested subvolumes": a snapshot is not recursive.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import destroy
from harness.command import Deadline, run
from harness.destroy import Ground
from harness.errors import CommandError, PreconditionError, RemovalError, SnapshotError
from harness.files import filesystem_type, walk
from harness.snapshot.base import Snapshot, Source
from harness.snapshot.folder import NO_OPTIONS, SnapshotFolder

_TIMEOUT_S = 60.0


class BtrfsSnapshotProvider:
    """Runs `btrfs subvolume snapshot -r`, and `btrfs subvolume delete` by `harness.destroy`."""

    options_schema: dict[str, object] = NO_OPTIONS

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        self._path = folder
        self._folder = SnapshotFolder(folder)

    def probe(self, source: Source) -> None:
        """Raises PreconditionError unless a snapshot, tried and deleted here, works and holds every path."""
        self._folder.require_source(source)
        _require_one_subvolume(source)
        trial = self._path / "probe"
        try:
            _snapshot(source.root, trial, _TIMEOUT_S)
            self._delete(trial)
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
                _snapshot(source.root, location, max(deadline.left_s, 0.001))
            self._folder.require_captured(location, source.paths)
        return Snapshot(provider="btrfs", location=location, paths=source.paths)

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        """Clone or copy out. Returns bytes. Raises SnapshotError; the target is then left as it was."""
        return self._folder.expose(snapshot, target)

    def release(self, snapshot: Snapshot) -> None:
        """Delete the subvolume; may be called twice. Raises SnapshotError."""
        self._folder.require_own(snapshot)
        if snapshot.location.exists():
            with _as_snapshot_error(f"deletion of {snapshot.location}"):
                self._delete(snapshot.location)

    def _delete(self, location: Path) -> None:
        destroy.tree(location, Ground(folder=self._path, right="this provider keeps its snapshots here"))


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


@contextlib.contextmanager
def _as_snapshot_error(what: str) -> Iterator[None]:
    try:
        yield
    except (CommandError, PreconditionError, RemovalError) as error:
        raise SnapshotError(f"{what}: {error}") from error
