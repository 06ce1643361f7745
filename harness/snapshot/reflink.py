"""Snapshots by cloning files: copies share blocks with the source until one of them is written.

Needs a filesystem that can (XFS made with reflink=1, btrfs, bcachefs), and the snapshot folder on it.
The window is as long as a few system calls per file, plus what the kernel must write back before it shares
blocks. A file is cloned at one instant; it is the freeze that makes several files one instant.
"""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.command import Deadline
from harness.errors import PreconditionError
from harness.files import Method, clone, copy_paths, filesystem_type, walk
from harness.snapshot.base import Snapshot, Source
from harness.snapshot.folder import NO_OPTIONS, SnapshotFolder

_REMEDY = (
    "Put the instance and the snapshot folder on one XFS (mkfs.xfs -m reflink=1) or btrfs volume,"
    " or use `snapshot: copy`."
)


class ReflinkSnapshotProvider:
    """Clones each file with the FICLONE ioctl; never falls back to copying inside the window."""

    options_schema: dict[str, object] = NO_OPTIONS

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        self._path = folder
        self._folder = SnapshotFolder(folder)

    def probe(self, source: Source) -> None:
        """Raises PreconditionError unless files of the source can be cloned into the folder.

        Tries it with the smallest file of each volume, since a clone is the only proof; the source is not
        written to, and the clones are removed.
        """
        self._folder.require_source(source)
        try:
            with tempfile.TemporaryDirectory(dir=self._path) as trial:
                for number, sample in enumerate(_smallest_files(source)):
                    clone(sample, Path(trial) / str(number))
        except OSError as error:
            kinds = f"{filesystem_type(source.root)} to {filesystem_type(self._path)}"
            raise PreconditionError(
                f"files of {source.root} cannot be cloned into {self._path} ({kinds}): {error.strerror}",
                _REMEDY,
            ) from error

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        """Clone. Raises SnapshotError: deadline passed or a file cannot be cloned; nothing is left."""
        with self._folder.new_location(source) as location:
            copy_paths(source.root, source.paths, location, Method.CLONE, deadline)
        return Snapshot(provider="reflink", location=location, paths=source.paths)

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        """Clone or copy out. Returns bytes. Raises SnapshotError; the target is then left as it was."""
        return self._folder.expose(snapshot, target)

    def release(self, snapshot: Snapshot) -> None:
        """Remove the clones; may be called twice. Raises SnapshotError."""
        self._folder.remove(snapshot)


def _smallest_files(source: Source) -> list[Path]:
    """The smallest file with content on each volume that the source has files on. Raises OSError."""
    smallest: dict[int, tuple[int, Path]] = {}
    for path in source.paths:
        for found in walk(source.root / path):
            status = found.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_size:
                sized = (status.st_size, found)
                smallest[status.st_dev] = min(sized, smallest.get(status.st_dev, sized))
    return [found for _, found in smallest.values()]
