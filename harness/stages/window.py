"""The freeze window: who freezes and thaws is one thing, what is done in between is this.

Production feels the window, so between the freeze and the thaw only three things happen: the status of the database
files is read, the snapshot is taken, their status is read again. Everything else (probing, journal positions, the
log) is done before or after.

What proves the hold: the instance said just before the thaw that it was still frozen, and neither size nor
modification time nor change time of any database file moved in between. The kernel keeps change times to a
few milliseconds or better, so writes that all fall into the first tick after the freeze could hide; the
instance's own word covers those.

What the image must hold is what the source had: its files are listed before the freeze and after the thaw, outside of
the window, and the sizes of the database files are those seen in it.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.command import Deadline
from harness.errors import HarnessError, ImageError, SnapshotError, SnapshotTimeout, ThawError
from harness.evidence.answers import FreezeAnswer, ThawAnswer
from harness.evidence.files import ExpectedFile, FileStatus, left_out, written
from harness.evidence.window import Window
from harness.files import digest_of, walk
from harness.plan.model import FreezeSpec, Limits
from harness.snapshot.base import GivesOut, Snapshot, SnapshotProvider, Source

DIGEST_BYTES_MAX = 1 << 20
"""Files up to this size that did not change from before the window to after it are held against their content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A freeze that a snapshot was taken in, and that has ended.

    `log` is what the engine wrote of it, from byte `log_from_byte` on, and `text` what stands at the marker;
    `watchdog_thawed` if the harness did not thaw for longer than the window may last, `in_time` if the snapshot had
    ended before the watchdog could begin to.
    """

    log: Path
    log_from_byte: int
    text: str
    frozen: FreezeAnswer
    thawed: ThawAnswer
    watchdog_thawed: bool = False
    in_time: bool = False


class Freezer(Protocol):
    """Who freezes and thaws an instance: the harness, somebody's scripts, or the hooks of a hypervisor."""

    def held(self, take: Callable[[Deadline], None], limit_s: float) -> Held:
        """Freeze, let the snapshot be taken, thaw.

        Args:
            take: Takes the snapshot; to be called once, while the instance is frozen, with the time by which the
                snapshot must be there. It raises nothing but what ends a run.
            limit_s: How long after the freeze was asked for that is.
        Raises:
            FreezeError: not frozen; `take` was not called.
            InstanceGone: the instance ended, and a freeze with it; there is no backup.
            ThawError: the instance may still be frozen, whatever else went wrong.
        """


@dataclass(slots=True)
class _Taking:
    """Takes one snapshot, and keeps what was seen around it."""

    provider: SnapshotProvider
    source: Source
    database_files: Sequence[Path]
    limit_s: float
    snapshot: Snapshot | None = None
    broke_off: bool = False
    before: tuple[FileStatus, ...] = ()
    after: tuple[FileStatus, ...] = ()
    problem: SnapshotError | None = None
    began_s: float = 0.0
    ended_s: float = 0.0

    def take(self, limit: Deadline) -> None:
        self.broke_off = True
        self.before = tuple(map(FileStatus.of, self.database_files))
        self.began_s = time.monotonic()
        self.problem = self._capture(limit)
        self.ended_s = time.monotonic()
        self.after = tuple(map(FileStatus.of, self.database_files))
        self.broke_off = False

    def _capture(self, limit: Deadline) -> SnapshotError | None:
        """Why there is no snapshot, or none to be used: one that came too late has to be released all the same."""
        not_there = f"the snapshot was not there {self.limit_s:g} s after the freeze"
        try:
            self.snapshot = self.provider.capture(self.source, limit)
        except SnapshotError as error:
            if not limit.passed or isinstance(error, ImageError):
                return error
            return SnapshotTimeout(f"{not_there} and was ended: {error}")
        # a provider may be one that heeds no limit
        return SnapshotTimeout(not_there) if limit.passed else None


def hold(
    freezer: Freezer,
    provider: SnapshotProvider,
    source: Source,
    *,
    limit_s: float,
    database_files: Sequence[Path],
) -> Window:
    """Freeze, take the snapshot, thaw.

    Args:
        limit_s: The snapshot must be there so long after the freeze was asked for (`snapshot_limit_s`); then it is
            ended.
        database_files: Files that must not change in the window.
    Returns:
        The window, also where no snapshot could be made in it.
    Raises as `Freezer.held`. A snapshot is removed again, but after a ThawError.
    """
    listed_before = listed(source)
    taking = _Taking(provider, source, database_files, limit_s)
    with released_on_failure() as kept:
        try:
            held = freezer.held(taking.take, limit_s)
        except BaseException as error:
            # after a thaw that was interrupted everything stays as it is
            if taking.snapshot and (taking.broke_off or isinstance(error, Exception)):
                kept.append((provider, taking.snapshot))
            raise
    return Window(
        log=held.log,
        log_from_byte=held.log_from_byte,
        text=held.text,
        frozen=held.frozen,
        thawed=held.thawed,
        captured_s=taking.ended_s,
        capture_duration_s=taking.ended_s - taking.began_s,
        before=taking.before,
        after=taking.after,
        snapshot=taking.snapshot,
        snapshot_problem=taking.problem,
        watchdog_thawed=held.watchdog_thawed,
        in_time=held.in_time,
        files=expected_files(source, listed_before, taking.before, listed(source)),
    )


@contextmanager
def released_on_failure() -> Iterator[list[tuple[GivesOut, Snapshot]]]:
    """Snapshots that the body puts into the list are released if it fails, an interrupt included. In a window that is
    after the thaw: nothing may come before that. After a ThawError everything is left as it is.
    """
    kept: list[tuple[GivesOut, Snapshot]] = []
    try:
        yield kept
    except ThawError:
        raise
    except BaseException:
        for provider, snapshot in kept:
            with suppress(HarnessError):  # the first error is the one to report
                provider.release(snapshot)
        raise


def snapshot_limit_s(spec: FreezeSpec, limits: Limits, timeout_s: float | None) -> float:
    """How long after the freeze a snapshot may take: what the plan says for it, else its limit of the window; never
    longer than the freeze lasts.

    Source: class reference 2024.1, Backup.General.ExternalFreeze: past WDSuspendLimit the engine thaws itself, past
    ExternalFreezeTimeOut it blocks its users.
    """
    asked_s = timeout_s if timeout_s is not None else limits.window_s
    bounds = [spec.external_freeze_timeout_s, spec.wd_suspend_limit_s or None, asked_s]
    return float(min(bound for bound in bounds if bound is not None))


def image_status(snapshot: Snapshot | None) -> tuple[FileStatus, ...] | None:
    """Status of every file of a snapshot; None where there is none, or nobody here can see its files."""
    if snapshot is None or not snapshot.in_reach:
        return None
    places = [snapshot.location / path for path in snapshot.paths]
    files = (found for place in places if place.exists() for found in walk(place))
    found = tuple(FileStatus.of(file) for file in files if file.is_file() and not file.is_symlink())
    return found or None


def database_files(folders: Iterable[Path]) -> list[Path]:
    """The files of databases: what lies in their folders and is no folder itself (IRIS keeps streams in one)."""
    return [file for folder in folders for file in sorted(folder.iterdir()) if file.is_file()]


def listed(source: Source) -> dict[Path, FileStatus] | None:
    """The regular files of a source, by their path below its root; None if they cannot be listed. Files may come and
    go meanwhile.
    """
    found: dict[Path, FileStatus] = {}
    left = [source.root / path for path in source.paths]
    try:
        while left:
            path = left.pop()
            try:
                status = path.lstat()
                if stat.S_ISDIR(status.st_mode):
                    left.extend(path.iterdir())
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                found[path.relative_to(source.root)] = FileStatus.from_stat(path, status)
    except OSError:
        return None
    return found


def expected_files(
    source: Source,
    before: dict[Path, FileStatus] | None,
    in_window: Iterable[FileStatus],
    after: dict[Path, FileStatus] | None,
) -> tuple[ExpectedFile, ...] | None:
    """What an image taken in a window must hold: every file that was there before and after it.

    Args:
        before, after: The source as it was listed outside of the window.
        in_window: Database files as they were in it: these have one size.
    Returns:
        None if the source could not be listed, or had no file.
    """
    if before is None or after is None:
        return None
    exact = {status.path: status.size_bytes for status in in_window}
    found = []
    for path in sorted(before.keys() & after.keys()):
        old, new = before[path], after[path]
        size = exact.get(source.root / path)
        if left_out(path):
            continue
        if size is not None:
            found.append(ExpectedFile(path=path, least=size, most=size, database=True))
        elif old.inode != new.inode:
            found.append(ExpectedFile(path=path, least=0, most=None))
        else:
            sizes = (old.size_bytes, new.size_bytes)
            same = written(old, new) is None and new.size_bytes <= DIGEST_BYTES_MAX
            digest = digest_of(source.root / path) if same else None
            found.append(ExpectedFile(path=path, least=min(sizes), most=max(sizes), digest=digest))
    return tuple(found) or None
