"""The folder a provider keeps its snapshots in: names them, guards them, copies them out.

All providers share the rules of this module. A snapshot lies directly below the provider's own folder and is
never overwritten. Nothing outside that folder is ever removed. Nothing is exposed over something that is
there already, or into a tree that was captured: the live database may be in it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from harness import destroy
from harness.destroy import Ground
from harness.errors import ImageError, PreconditionError, RemovalError, SnapshotError
from harness.files import (
    Method,
    allocated_bytes,
    as_snapshot_error,
    copy_paths,
    require_inside,
    size_bytes,
)
from harness.snapshot.base import Snapshot, Source

NO_OPTIONS: dict[str, object] = {"type": "object", "properties": {}, "additionalProperties": False}
"""The `options_schema` of a provider that takes none."""


class SnapshotFolder:
    """Where one provider object keeps what it captures."""

    def __init__(self, folder: Path, remove: Callable[[Path, Ground], None] = destroy.tree) -> None:
        """`remove` is how what lies in it goes, as `destroy.tree` where that is plain folders."""
        self._folder = folder
        self._remove_from = remove
        self._names_given = 0
        self._captured: set[Source] = set()
        self._given: set[Path] = set()

    def require_source(self, source: Source) -> int:
        """For `probe`: bytes to be copied. Raises PreconditionError if a path is absent or not copyable."""
        try:
            self._require_apart(source)
            return allocated_bytes(source.root, source.paths)
        except SnapshotError as error:
            raise PreconditionError(f"{source.root} cannot be captured: {error}", _REMEDY) from error

    @contextlib.contextmanager
    def new_location(self, source: Source) -> Iterator[Path]:
        """A path to capture to, not there yet. If the body fails, whatever it left there is removed.

        Raises:
            SnapshotError: the path is taken or lies inside what is to be captured; ImageError: that is not there.
        """
        self._require_apart(source)
        self._names_given += 1
        location = self._folder / f"snapshot-{self._names_given:04d}"
        if os.path.lexists(location):
            raise SnapshotError(f"{location} is there already; a snapshot is never overwritten")
        self.require_captured(source.root, source.paths)
        self._captured.add(source)
        self._given.add(location)
        try:
            yield location
        except BaseException:
            self._remove_failed(location)
            raise

    def require_captured(self, location: Path, paths: Iterable[Path]) -> None:
        """Raises ImageError unless every path is there: a tool that does nothing also ends well."""
        for path in paths:
            require_inside(location, path)
            if not os.path.lexists(location / path):
                raise ImageError(f"{path} is not there in {location}")

    def require_target(self, snapshot: Snapshot, target: Path) -> None:
        """Raises SnapshotError unless `target` is an empty folder outside of snapshot and live source."""
        with as_snapshot_error(target):
            is_folder, is_empty = target.is_dir(), target.is_dir() and not any(target.iterdir())
        if not is_folder:
            raise SnapshotError(f"{target} is not a folder; a snapshot is put into an empty one")
        if not is_empty:
            raise SnapshotError(f"{target} is not empty; nothing is restored over what is there")
        itself = Source(root=snapshot.location, paths=(Path(),))
        inside = _first_inside(target, _folders(*self._captured, itself))
        if inside is not None:
            raise SnapshotError(
                f"{target} lies in {inside}, which was captured; nothing is restored over a source"
            )

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        """Copy the captured paths out, sharing blocks where the filesystem can. Returns bytes.

        Raises:
            SnapshotError: the target is left empty; ImageError: a captured path is not in the snapshot.
        """
        self.require_target(snapshot, target)
        self.require_captured(snapshot.location, snapshot.paths)
        with emptied_on_failure(target):
            return copy_paths(snapshot.location, snapshot.paths, target, Method.CLONE_OR_COPY)

    def exposed_bytes(self, snapshot: Snapshot, target: Path) -> int:
        """Bytes that another tool put below `target`. Raises ImageError if a path is missing there."""
        self.require_captured(target, snapshot.paths)
        return size_bytes(target, snapshot.paths)

    def require_own(self, snapshot: Snapshot) -> None:
        """Raises SnapshotError unless the snapshot lies directly below this folder; guards every removal."""
        location = snapshot.location
        with as_snapshot_error(location):
            own = location.parent.exists() and location.parent.samefile(self._folder)
            own = own and not location.is_symlink() and location.name.startswith("snapshot-")
        if not own:
            raise SnapshotError(
                f"{location} is not a snapshot below {self._folder}; nothing outside of it is removed"
            )

    def remove(self, snapshot: Snapshot) -> None:
        """Remove a snapshot; gone already is fine. Of a link in its place only the link is
        removed.
        Raises SnapshotError.
        """
        if snapshot.location.is_symlink() and snapshot.location in self._given:
            self._remove(snapshot.location)
            return
        self.require_own(snapshot)
        self._remove(snapshot.location)

    def _require_apart(self, source: Source) -> None:
        inside = _first_inside(self._folder, _folders(source))
        if inside is not None:
            raise SnapshotError(f"the snapshot folder {self._folder} lies in {inside}, which is captured")

    def _remove_failed(self, location: Path) -> None:
        # The first error is the one to report; what could not be removed stands in the way of the next one.
        with contextlib.suppress(SnapshotError):
            self._remove(location)

    def _remove(self, location: Path) -> None:
        ground = Ground(folder=self._folder, right="this provider keeps its snapshots here")
        try:
            self._remove_from(location, ground)
        except RemovalError as error:
            raise SnapshotError(str(error)) from error


_REMEDY = "Check `paths` of the instance and the rights of this user."


@contextlib.contextmanager
def emptied_on_failure(target: Path) -> Iterator[None]:
    """If the body fails, removes all it put into `target`, which was empty before."""
    try:
        yield
    except BaseException:
        # The first error is the one to report.
        ground = Ground(folder=target, right="it was empty before it was filled here")
        with contextlib.suppress(SnapshotError), as_snapshot_error(target):
            for entry in target.iterdir():
                with contextlib.suppress(RemovalError):
                    destroy.tree(entry, ground)
        raise


def _folders(*sources: Source) -> set[tuple[int, int]]:
    """Device and inode of the folders at the sources' paths.

    Names may differ through mounts and links, these do not. They are read anew each time: the inode of a
    removed folder or file is soon given to another.
    """
    found = set()
    for source in sources:
        for path in source.paths:
            require_inside(source.root, path)
            with as_snapshot_error(source.root / path):
                if (source.root / path).is_dir():
                    status = (source.root / path).stat()
                    found.add((status.st_dev, status.st_ino))
    return found


def _first_inside(path: Path, folders: set[tuple[int, int]]) -> Path | None:
    with as_snapshot_error(path):
        resolved = path.resolve(strict=True)
        for folder in (resolved, *resolved.parents):
            status = folder.stat()
            if (status.st_dev, status.st_ino) in folders:
                return folder
    return None
