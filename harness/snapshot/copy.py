"""Snapshots by copying whole files: works on every filesystem, and the window is as long as the copy.

The baseline the other providers are measured against. Nothing is forced to disk inside the window: the copy
is read back on this machine, and a crash of it ends the run anyway.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from harness.command import Deadline
from harness.errors import PreconditionError
from harness.files import Method, copy_paths
from harness.snapshot.base import Snapshot, Source
from harness.snapshot.folder import NO_OPTIONS, SnapshotFolder


class CopySnapshotProvider:
    """Copies with copy_file_range; where that fails, with sendfile; where that fails, through a buffer."""

    options_schema: dict[str, object] = NO_OPTIONS

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        self._path = folder
        self._folder = SnapshotFolder(folder)

    def probe(self, source: Source) -> None:
        """Raises PreconditionError if a path is absent or the folder has no room for a copy."""
        needed = self._folder.require_source(source)
        free = shutil.disk_usage(self._path).free
        if free < needed:
            raise PreconditionError(
                f"a copy of {source.root} needs {needed} bytes and {self._path} has {free}",
                "Free some, or put the results on a bigger volume.",
            )

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        """Copy. Raises SnapshotError: deadline passed, disk full or file unreadable; nothing is left."""
        with self._folder.new_location(source) as location:
            copy_paths(source.root, source.paths, location, Method.COPY, deadline)
        return Snapshot(provider="copy", location=location, paths=source.paths)

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        """Copy out. Returns bytes. Raises SnapshotError; the target is then left as it was."""
        return self._folder.expose(snapshot, target)

    def release(self, snapshot: Snapshot) -> None:
        """Remove the copy; may be called twice. Raises SnapshotError."""
        self._folder.remove(snapshot)
