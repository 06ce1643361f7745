"""One backup: its image, the journals after it, the log of its freeze, and the points it can be recovered to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SnapshotError
from harness.evidence.answers import Committed, Description
from harness.evidence.files import FileStatus
from harness.evidence.journals import JournalSet
from harness.evidence.window import Window
from harness.freeze_log import FreezeEntry
from harness.model import LoadSeries, Position, RecoveryMode, Stage, Stun
from harness.snapshot.base import GivesOut, Snapshot, Source
from harness.workload.ledger import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryPoint:
    """Where a recovery may end, and what it must bring back then. One backup has many.

    `floor` was acknowledged by then and must be there, nothing beyond `ceiling` was issued by then; both are empty
    where nothing is known of the load.
    `at_s` is when it was (monotonic); `position` where it is in the journals, None for their end.
    """

    mode: RecoveryMode
    floor: Vector
    ceiling: Vector
    at_s: float
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """The freeze as the engine logged it. `entry` is None if the log shows no one freeze: `problem` says why, and
    `stale` that nothing at all was logged.
    """

    entry: FreezeEntry | None
    problem: str = ""
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A snapshot that is there, and who gives it out.

    Attributes:
        provider: Gives it out, and removes it.
        source: What was captured.
        problem: Why it must not be used; None if nothing says so.
        watched: Status of its files just after the thaw; None if the harness cannot see them.
    """

    provider: GivesOut
    source: Source
    snapshot: Snapshot
    problem: SnapshotError | None = None
    watched: tuple[FileStatus, ...] | None = None

    def give_out(self, target: Path) -> int:
        """As `GivesOut.expose`. Raises `problem` if it must not be used."""
        if self.problem:
            raise self.problem
        return self.provider.expose(self.snapshot, target)

    def release(self) -> None:
        """As `GivesOut.release`."""
        self.provider.release(self.snapshot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The load that went on around the freeze, as far as it decides what a database holds.

    Attributes:
        seed, writers: What it was a function of.
        issued_later: How many transactions were issued after the freeze.
        open_in_image: Whether this engine writes what is not committed to its database files, so that an image may
            hold a part of a transaction that a recovery takes back.
    """

    seed: int
    writers: int
    issued_later: int
    open_in_image: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup, before anything is recovered from it.

    Attributes:
        of: The instance that it is a backup of.
        image: None if no snapshot was made: the window says why.
        window: The freeze window that it was taken in; None if it was taken elsewhere.
        journals: From the marker to the end of the load; None if the marker is not known or copying failed.
        journals_gone: Why there are none, if the instance no longer had a journal that is needed; else None.
        committed: What the live journals had committed before the marker; None if no mode asks for it.
        written: None if nothing is known of the load.
        points: What may be asked of it; at least one for each mode that was asked for.
        load: How the load went while it was made.
        stuns: Times in which nothing of the instance ran; None where its host cannot tell.
        stages: What was done, and how long it took.
        problems: Stage → why it could not be done.
    """

    of: Description
    image: Image | None
    window: Window | None
    logged: Logged
    journals: JournalSet | None
    journals_gone: str | None
    committed: tuple[Committed, ...] | None
    written: Written | None
    points: tuple[RecoveryPoint, ...]
    load: LoadSeries | None
    stuns: tuple[Stun, ...] | None
    stages: tuple[Stage, ...]
    problems: tuple[tuple[str, str], ...]

    def point(self, mode: RecoveryMode) -> RecoveryPoint:
        """The first point of a mode. Raises LookupError if there is none."""
        return point_of(self.points, mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnBackup(Backup):
    """One that was made in a window of ours, under a load of ours."""

    window: Window
    written: Written


def point_of(points: Iterable[RecoveryPoint], mode: RecoveryMode) -> RecoveryPoint:
    """The first point of a mode. Raises LookupError if there is none."""
    for point in points:
        if point.mode is mode:
            return point
    raise LookupError(f"this backup has no point for {mode.value}")
