"""The port for snapshots: copies of a directory tree that a freeze holds still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.command import Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to capture: `paths` (relative, files or folders) below `root`, which is one volume or folder."""

    root: Path
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A finished copy. The paths of its source lie below `location` under the same relative names.

    `in_reach` is False where only the provider reaches them: then nobody can watch here whether they still change.
    """

    provider: str
    location: Path
    paths: tuple[Path, ...]
    in_reach: bool = True


class GivesOut(Protocol):
    """Gives out snapshots that are there, and removes them."""

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        """Put the captured paths below `target` (exists, empty): writable, independent of source and snapshot.

        May be called many times. Returns bytes put there. Raises SnapshotError; ImageError if a captured path is not
        in the image.
        """

    def release(self, snapshot: Snapshot) -> None:
        """Remove the snapshot. May be called twice. Raises SnapshotError."""


class SnapshotProvider(GivesOut, Protocol):
    """Makes snapshots, gives them out and removes them. One object serves one run.

    Constructed with `folder: Path` (exists, ours alone, for whatever the provider stores) and `options: Mapping`
    (checked against `options_schema` when the plan was loaded).

    A run may be killed at any moment. Plain files below `folder` are then removed with the run's own. A provider
    that makes anything else is a `harness.undo.CanUndo`, too: in `probe`, before it makes the first, it registers
    what will have to be undone, and its `undo` may be called twice, and for what was never made.
    """

    options_schema: dict[str, object]
    """JSON Schema of the options a plan may give; unknown keys are refused."""

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None: ...

    def probe(self, source: Source) -> None:
        """Called before the freeze. Raises PreconditionError if capture cannot work here."""

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        """Called once a cycle, inside the freeze window: nothing here that could be done before or after.

        Returns only when the image no longer depends on the source. Raises SnapshotError, and leaves nothing;
        ImageError if the tool called it done and it does not hold what was captured.
        """


class CanMakeVolume(Protocol):
    """A class of providers that capture a volume of their own kind, not any folder. Asked of the class: the source is
    made before there is a provider.
    """

    @staticmethod
    def make_volume(root: Path) -> bool:
        """Make `root` (not there yet, the folder above is) an empty volume that goes with the files of a run when it
        has been emptied; False if it does not lie where this kind of volume can be. Raises CommandError.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededProgram:
    """What must be installed: its name, the argument by which it tells its version, and how to get it."""

    name: str
    version: str
    remedy: str


class NeedsProgram(Protocol):
    """A class of providers that call a program; `harness doctor` looks whether it is here."""

    program: NeededProgram
