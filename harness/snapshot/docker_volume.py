"""Snapshots of a container engine's volume, into another volume that this run makes.

For instances that keep their data in a volume (`storage: volume`). The new volume is made before the freeze;
inside the window files are copied as `cp --reflink=auto` does: blocks are shared where the engine's filesystem can,
and copied where it cannot. The volumes are reached where the engine keeps them, which takes root and the engine's
`local` driver; what other drivers do for snapshots of their own belongs to the provider `command`.

The volume carries the token of the run as a label, so there is nothing to register but that there may be one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness import containers
from harness.command import Deadline
from harness.destroy import Ground
from harness.errors import PreconditionError, SnapshotError
from harness.files import Method, copy_paths
from harness.snapshot.base import Snapshot, Source
from harness.snapshot.folder import NO_OPTIONS, SnapshotFolder
from harness.undo import Register


class DockerVolumeSnapshotProvider:
    """Copies a volume of the container engine into a new one."""

    options_schema: dict[str, object] = NO_OPTIONS

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        self._volume: Path | None = None
        self._folder: SnapshotFolder | None = None
        self._register: Register | None = None

    def register_with(self, register: Register) -> None:
        self._register = register

    @staticmethod
    def undo(made: Mapping[str, str], ground: Ground, token: str) -> list[str]:
        """Remove all that carries the token, since a volume cannot go before the containers that use it."""
        return containers.remove(token)

    def probe(self, source: Source) -> None:
        """Raises PreconditionError if the source is in no volume, or no volume can be made; makes it."""
        with containers.as_precondition("volumes could not be listed"):
            name = containers.volume_at(source.root)
        if name is None:
            raise PreconditionError(
                f"{source.root} lies in no volume of the container engine",
                "Say `storage: volume` for the instance, or take the provider copy.",
            )
        self._kept().require_source(source)

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        """Copy. Raises SnapshotError: deadline passed, disk full or file unreadable; nothing is left."""
        with self._kept().new_location(source) as location:
            copy_paths(source.root, source.paths, location, Method.CLONE_OR_COPY, deadline)
        return Snapshot(provider="docker_volume", location=location, paths=source.paths)

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        """Copy out. Returns bytes. Raises SnapshotError; the target is then left as it was."""
        return self._kept().expose(snapshot, target)

    def release(self, snapshot: Snapshot) -> None:
        """Remove the copy, and the volume with the last one; may be called twice. Raises SnapshotError."""
        self._kept().remove(snapshot)
        if self._volume and not any(self._volume.iterdir()):
            containers.remove_volume(self._volume)
            self._volume = self._folder = None

    def _kept(self) -> SnapshotFolder:
        if self._folder is None:
            assert self._register, "nothing is made before there is a run to register it with"
            try:
                self._register({})
                with containers.as_precondition("a volume could not be made"):
                    self._volume = containers.new_volume("snapshot")
            except PreconditionError as error:
                raise SnapshotError(str(error)) from error
            self._folder = SnapshotFolder(self._volume)
        return self._folder
