"""The freeze window: freeze, snapshot, thaw; and a thaw on every path out of it.

Production feels the window, so between the freeze call's return and the thaw only three things happen: the
status of the database files is read, the snapshot is taken, their status is read again. "Was it still frozen?"
and the thaw are one call, which stands ready inside the instance's surroundings before the freeze is asked for.
Everything else (probing, journal positions, the log) is done before or after.

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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from harness import freeze_log
from harness.command import Deadline, Prepared
from harness.errors import (
    FreezeError,
    HarnessError,
    ImageError,
    InstanceError,
    InstanceGone,
    SnapshotError,
    SnapshotTimeout,
    ThawError,
)
from harness.evidence.answers import FreezeAnswer, ThawAnswer
from harness.evidence.files import ExpectedFile, FileStatus, left_out, written
from harness.evidence.window import Window
from harness.files import digest_of, walk
from harness.instance.iris import FREEZE_TIMEOUT_S, Instance
from harness.plan.model import FreezeSpec, Limits
from harness.session.watchdog import Orders, Watchdog
from harness.snapshot.base import Snapshot, SnapshotProvider, Source

THAW_GRACE_S = 3.0
"""A window that goes on for so long past the limit of its snapshot is ended by the watchdog."""
DIGEST_BYTES_MAX = 1 << 20
"""Files up to this size that did not change from before the window to after it are held against their content."""
SETTLED_S = 3.0
"""A freeze without an answer is believed not to have happened after this long."""


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


def hold(
    instance: Instance,
    provider: SnapshotProvider,
    source: Source,
    *,
    log: Path,
    text: str,
    spec: FreezeSpec,
    limit_s: float,
    database_files: Sequence[Path],
    watchdog: Watchdog,
) -> Window:
    """Freeze, take the snapshot, thaw.

    Args:
        log: File the engine appends to.
        text: Stored with the journal marker; distinct for each freeze.
        limit_s: The snapshot must be there so long after the freeze was asked for (`snapshot_limit_s`); then it is
            ended.
        database_files: Files that must not change in the window.
        watchdog: Thaws if this process dies in here, or has not thawed when the limit is over.
    Returns:
        The window, also where no snapshot could be made in it.
    Raises:
        FreezeError: not frozen; no snapshot was tried.
        InstanceGone: the instance ended, and a freeze with it; there is no backup.
        ThawError: the instance may still be frozen, whatever else went wrong.
    """
    log_from_byte = freeze_log.size_bytes(log)
    listed_before = listed(source)
    with released_on_failure(provider) as kept, closing(instance.prepare_thaw(log)) as prepared:
        watchdog.arm(orders_of(instance, log), FREEZE_TIMEOUT_S + limit_s + THAW_GRACE_S)
        # Only a refusal, a confirmed thaw or the end of the instance disarms: after anything else the watchdog
        # tries on when this run ends.
        try:
            frozen = _freeze(instance, log, text, spec)
        except (FreezeError, InstanceGone):
            watchdog.disarm()
            raise
        snapshot = None
        try:
            limit = Deadline(frozen.called_s + limit_s)
            watchdog.hold(limit.left_s + THAW_GRACE_S)
            before = tuple(map(FileStatus.of, database_files))
            began = time.monotonic()
            snapshot, problem = _captured(provider, source, limit, limit_s)
            captured = time.monotonic()
            after = tuple(map(FileStatus.of, database_files))
        finally:
            try:
                thawed = _thaw(instance, log, prepared)
            except InstanceGone:
                watchdog.disarm()
                kept.extend([snapshot] if snapshot else [])
                raise
            watchdog.disarm()
            kept.extend([snapshot] if snapshot else [])
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
        snapshot_problem=problem,
        watchdog_thawed=watchdog.has_thawed(),
        in_time=captured < limit.at_s + THAW_GRACE_S,
        files=expected_files(source, listed_before, before, listed(source)),
    )


@contextmanager
def released_on_failure(provider: SnapshotProvider) -> Iterator[list[Snapshot]]:
    """Snapshots that the body puts into the list are released if it fails, an interrupt included. In a window that is
    after the thaw: nothing may come before that. After a ThawError everything is left as it is.
    """
    kept: list[Snapshot] = []
    try:
        yield kept
    except ThawError:
        raise
    except BaseException:
        for snapshot in kept:
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


def orders_of(instance: Instance, log: Path) -> Orders:
    """What a watchdog does for an instance that is about to be frozen."""
    return Orders(
        thaw=instance.thaw_argv(log),
        is_frozen=instance.is_frozen_argv(),
        is_there=instance.place.is_there_argv(),
        stdin=instance.stdin,
    )


def _captured(
    provider: SnapshotProvider, source: Source, limit: Deadline, limit_s: float
) -> tuple[Snapshot | None, SnapshotError | None]:
    """A snapshot that is there too late is one, with its problem: it has to be released."""
    not_there = f"the snapshot was not there {limit_s:g} s after the freeze"
    try:
        snapshot = provider.capture(source, limit)
    except SnapshotError as error:
        if not limit.passed or isinstance(error, ImageError):
            return None, error
        return None, SnapshotTimeout(f"{not_there} and was ended: {error}")
    # a provider may be one that heeds no limit
    return snapshot, SnapshotTimeout(not_there) if limit.passed else None


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
    since a freeze that is under way may still take effect. Raises ThawError if that cannot be told.
    """
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
