"""A backup that somebody else made, taken over from what lies on a disk: an image, journals, the log of its freeze.

Nothing of it is changed: the image is copied whenever it is given out, and the journals before an instance reads
them. What nobody of ours has seen is not known: there is no window, nothing tells what was written, and no live
instance says which journals there were. The checks that need it say so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import freeze_log
from harness.errors import ImageError, ParseError, PreconditionError, SnapshotError
from harness.evidence.answers import Description
from harness.evidence.backup import Backup, Image, Logged, RecoveryPoint
from harness.evidence.journals import JournalSet, order
from harness.files import Method, copy_paths
from harness.instance.iris import Instance
from harness.model import Position, RecoveryMode
from harness.session.session import Session, Stages
from harness.snapshot.base import Snapshot, Source
from harness.stages.read_journals import hand_over_to

_NAME, _ROOT = "from disk", Path("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFiles:
    """A database in an image: the folder that it had at its instance, by which journals name it, and where that lies,
    relative to the image.
    """

    was: Path
    lies: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFiles:
    """Where the parts of a backup lie.

    Attributes:
        image: A folder; what was captured lies below it.
        databases: Database of the target that each is restored into → its files.
        journals: The folder of the journals; None if there are none: then it can be recovered as of the freeze alone.
        log: What the freeze logged; None if that is not there: then no marker is known.
    """

    image: Path
    databases: Mapping[str, DatabaseFiles]
    journals: Path | None = None
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class _OnDisk:
    """Gives out copies of files that are somebody else's, where they were at their instance; never removes them."""

    databases: tuple[DatabaseFiles, ...]

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        copied = 0
        for one in self.databases:
            place = snapshot.location / one.lies
            if not place.is_dir():
                raise ImageError(f"{one.lies} is not in the image")
            put = target / _below_root(one.was)
            put.mkdir(parents=True)
            copied += copy_paths(place, [Path()], put, Method.CLONE_OR_COPY)
        return copied

    def release(self, snapshot: Snapshot) -> None:
        """They stay where they are."""


def open_backup(
    session: Session, files: BackupFiles, modes: Collection[RecoveryMode], stages: Stages
) -> Backup:
    """Take a backup over from its files.

    Args:
        session: Lends an instance that reads the journals; none of its own data is in the backup.
        modes: Those in which it will be recovered; a point of each is its end.
    Returns:
        What is there; `stages` keeps why a part is not.
    Raises PreconditionError: there is no image, or a mode needs what such a backup does not have.
    """
    if not files.image.is_dir():
        raise PreconditionError(f"there is no folder {files.image}", "Name the folder of the restored image.")
    if odd := [mode.value for mode in modes if mode.boots or mode is RecoveryMode.POINT_IN_TIME]:
        raise PreconditionError(
            f"a backup from a disk cannot be recovered {odd[0]} yet", "Use as-of-freeze or rollforward."
        )
    root = files.image.resolve()
    databases = tuple(files.databases.values())
    source = Source(root=_ROOT, paths=tuple(_below_root(one.was) for one in databases))
    logged = _logged(files.log)
    marker = logged.entry.marker if logged.entry else None
    journals = None
    if marker and files.journals:
        folder = files.journals
        journals = stages.attempt("read journals", lambda: _taken_over(session, folder, marker))
    return Backup(
        of=_described(session.description, files.databases),
        image=Image(
            provider=_OnDisk(databases),
            source=source,
            snapshot=Snapshot(provider=_NAME, location=root, paths=source.paths),
        ),
        window=None,
        logged=logged,
        journals=journals,
        journals_gone=None,
        committed=None,
        written=None,
        points=tuple(_point(mode) for mode in dict.fromkeys((RecoveryMode.AS_OF_FREEZE, *modes))),
        load=None,
        stuns=None,
        stages=tuple(stages.done),
        problems=tuple(stages.problems),
    )


def _point(mode: RecoveryMode) -> RecoveryPoint:
    return RecoveryPoint(mode=mode, floor={}, ceiling={}, at_s=0.0)


def _below_root(folder: Path) -> Path:
    return folder.relative_to(_ROOT)


def _described(engine: Description, databases: Mapping[str, DatabaseFiles]) -> Description:
    """The instance that it is of, as far as its image tells, taken for one of the engine that is here."""
    return Description(
        product=engine.product,
        version=engine.version,
        stand_in=engine.stand_in,
        root=_ROOT,
        journal_folder=_ROOT,
        databases={role: one.was for role, one in databases.items()},
        notes=(),
    )


def _logged(log: Path | None) -> Logged:
    """The one freeze that the log tells of."""
    if log is None:
        return Logged(entry=None, problem="there is no log of the freeze")
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
        entry = freeze_log.find(freeze_log.parse(text, str(log)), str(log))
    except (OSError, ParseError) as error:
        return Logged(entry=None, problem=str(error))
    if entry is None:
        return Logged(entry=None, problem=f"{log} tells of no freeze", stale=True)
    return Logged(entry=entry)


def _taken_over(session: Session, folder: Path, marker: Position) -> JournalSet:
    """Copies of the journals from the marker on, with what an instance says of each.

    Raises SnapshotError or InstanceError.
    """
    copy = session.new_folder_to_read("set")
    names = [Path(file.name) for file in sorted(folder.iterdir()) if file.is_file() and not file.is_symlink()]
    copy_paths(folder, names, copy, Method.CLONE_OR_COPY)
    place = session.targets.take()
    try:
        reader = Instance(place)
        hand_over_to(reader, copy)
        there = sorted(reader.journals(copy), key=lambda journal: order(journal.name))
    finally:
        place.discard()
    needed = tuple(one for one in there if order(one.name) >= order(marker.journal_file))
    if not needed:
        raise SnapshotError(f"{folder} holds no journal from {marker.journal_file} on, where the marker is")
    last = needed[-1]
    return JournalSet(
        folder=copy,
        start=marker,
        end=Position(journal_file=last.name, offset_bytes=last.end_bytes),
        expected=needed,
        following=None,
        vouched=False,
    )
