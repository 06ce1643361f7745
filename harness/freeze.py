"""The freeze window: freeze, snapshot, thaw; and a thaw on every path out of it.

Production feels the window, so between the freeze call's return and the thaw only three things happen: the
status of the database files is read, the snapshot is taken, their status is read again. "Was it still frozen?"
and the thaw are one call, which stands ready inside the instance's surroundings before the freeze is asked for.
Everything else (probing, journal positions, the log) is done before or after.

What proves the hold: the instance said just before the thaw that it was still frozen, and neither size nor
modification time nor change time of any database file moved in between. The kernel keeps change times to a
few milliseconds or better, so writes that all fall into the first tick after the freeze could hide; the
instance's own word covers those.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from harness import freeze_log
from harness.command import Deadline, Prepared
from harness.errors import FreezeError, HarnessError, InstanceError, InstanceGone, ThawError
from harness.files import walk
from harness.instance.iris import FREEZE_TIMEOUT_S, FreezeAnswer, Instance, ThawAnswer
from harness.plan.model import FreezeSpec
from harness.snapshot.base import Snapshot, SnapshotProvider, Source
from harness.watchdog import Watchdog

CAPTURE_TIMEOUT_S = 3600.0
SETTLED_S = 3.0
"""A freeze without an answer is believed not to have happened after this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStatus:
    """What shows whether a file was touched; times in nanoseconds since the epoch."""

    path: Path
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int

    @staticmethod
    def of(path: Path) -> FileStatus:
        status = path.stat()
        return FileStatus(
            path=path,
            inode=status.st_ino,
            size_bytes=status.st_size,
            modified_ns=status.st_mtime_ns,
            changed_ns=status.st_ctime_ns,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One freeze window that ended with a confirmed thaw. Times are monotonic seconds."""

    log: Path
    log_from_byte: int
    text: str
    frozen: FreezeAnswer
    thawed: ThawAnswer
    captured_s: float
    capture_duration_s: float
    before: tuple[FileStatus, ...]
    after: tuple[FileStatus, ...]
    snapshot: Snapshot

    @property
    def duration_s(self) -> float:
        """From the freeze call's return to the thaw call's: what production feels."""
        return self.thawed.returned_s - self.frozen.returned_s


def image_status(snapshot: Snapshot) -> tuple[FileStatus, ...]:
    """Status of every file of a snapshot that is a folder here; none where only the provider can reach it."""
    places = [snapshot.location / path for path in snapshot.paths]
    files = (found for place in places if place.exists() for found in walk(place))
    return tuple(FileStatus.of(file) for file in files if file.is_file() and not file.is_symlink())


def hold(
    instance: Instance,
    provider: SnapshotProvider,
    source: Source,
    *,
    log: Path,
    text: str,
    spec: FreezeSpec,
    database_files: Sequence[Path],
    watchdog: Watchdog,
) -> Window:
    """Freeze, take the snapshot, thaw.

    Args:
        log: File the engine appends to.
        text: Stored with the journal marker; distinct for each freeze.
        database_files: Files that must not change in the window.
        watchdog: Thaws if this process dies in here.
    Raises:
        FreezeError: not frozen; no snapshot was tried.
        SnapshotError: no snapshot; thawed.
        InstanceGone: the instance ended, and a freeze with it; there is no backup.
        ThawError: the instance may still be frozen, whatever else went wrong.
    """
    log_from_byte = freeze_log.size_bytes(log)
    with closing(instance.prepare_thaw(log)) as prepared:
        watchdog.arm(instance.thaw_argv(log), instance.is_frozen_argv(), instance.stdin)
        # Only a refusal, a confirmed thaw or the end of the instance disarms: after anything else the watchdog
        # tries on when this run ends.
        try:
            frozen = _freeze(instance, log, text, spec)
        except (FreezeError, InstanceGone):
            watchdog.disarm()
            raise
        try:
            before = tuple(map(FileStatus.of, database_files))
            began = time.monotonic()
            snapshot = provider.capture(source, Deadline.after(CAPTURE_TIMEOUT_S))
            captured = time.monotonic()
            after = tuple(map(FileStatus.of, database_files))
        finally:
            try:
                thawed = _thaw(instance, log, prepared)
            except InstanceGone:
                watchdog.disarm()
                raise
            watchdog.disarm()
    return Window(
        log=log,
        log_from_byte=log_from_byte,
        text=text,
        frozen=frozen,
        thawed=thawed,
        captured_s=captured,
        capture_duration_s=captured - began,
        before=before,
        after=after,
        snapshot=snapshot,
    )


def _thaw(instance: Instance, log: Path, prepared: Prepared | None = None) -> ThawAnswer:
    """Every failure to thaw a running instance is a ThawError: nothing else says that it may still be frozen."""
    try:
        return instance.thaw(log, prepared)
    except (ThawError, InstanceGone):
        raise
    except Exception as error:
        raise ThawError(f"the thaw gave no answer: {error!r}", instance.thaw_by_hand(log)) from error


def _freeze(instance: Instance, log: Path, text: str, spec: FreezeSpec) -> FreezeAnswer:
    try:
        return instance.freeze(log, text, spec)
    except (FreezeError, InstanceGone):
        raise  # documented: a refused freeze leaves nothing frozen
    except BaseException as error:
        # no answer is no proof either way
        make_sure_thawed(instance, log, error)
        if isinstance(error, HarnessError):
            raise FreezeError(f"the freeze gave no answer and was taken back: {error}") from error
        raise


def make_sure_thawed(instance: Instance, log: Path, cause: BaseException) -> None:
    """After a freeze without an answer: thaw until the instance has said for a while that it is not frozen,
    since a freeze that is under way may still take effect. Raises ThawError if that cannot be told."""
    quiet_until, deadline = Deadline.after(SETTLED_S), Deadline.after(SETTLED_S + FREEZE_TIMEOUT_S)
    try:
        while not quiet_until.passed:
            if instance.is_frozen():
                _thaw(instance, log)
                quiet_until = Deadline.after(SETTLED_S)
            if deadline.passed:
                raise InstanceError("it was frozen again and again")
            time.sleep(0.1)
    except InstanceGone:
        return
    except ThawError:
        raise
    except HarnessError as error:
        by_hand = instance.thaw_by_hand(log)
        raise ThawError(f"after {cause} nothing tells whether it is frozen: {error}", by_hand) from error
