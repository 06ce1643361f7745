"""Makes one backup of the running instance under load: everything a recovery needs, and what was promised.

The load goes on before, during and after the freeze window, so that journals hold transactions from both
sides of it. When the load has ended the journals from the marker on are copied away.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from harness import destroy, freeze_log, plugins
from harness.command import Deadline
from harness.errors import (
    HarnessError,
    ImageError,
    JournalsGone,
    ParseError,
    PreconditionError,
    SnapshotTimeout,
)
from harness.evidence.answers import Committed, Description
from harness.evidence.backup import Backup, Image, Logged, OwnBackup, RecoveryPoint, Written, point_of
from harness.evidence.journals import JournalSet
from harness.evidence.window import Window
from harness.files import new_folder
from harness.instance.base import CanTellStuns
from harness.model import LoadSeries, Position, RecoveryMode, Stun
from harness.plan.model import SnapshotSpec
from harness.session.leftovers import registrar
from harness.session.session import Session, Stages
from harness.snapshot.base import GivesOut, Snapshot, SnapshotProvider, Source
from harness.snapshot.guarded import GuardedProvider
from harness.stages.freeze import OwnFreezer
from harness.stages.load import Driver
from harness.stages.rollforward import collect
from harness.stages.window import (
    Freezer,
    Held,
    database_files,
    hold,
    image_status,
    released_on_failure,
    snapshot_limit_s,
)
from harness.undo import SNAPSHOTS, CanUndo
from harness.workload.ledger import Ledger, Vector

_PROVIDER = ("options_schema", "probe", "capture", "expose", "release")
_MARKER_TEXT = "harness recovery point"
_SLICE_S, _SLICES = 0.05, 100
"""A load is told in so many slices at most, none shorter than this."""


def back_up(
    session: Session,
    spec: SnapshotSpec,
    modes: Collection[RecoveryMode],
    stages: Stages,
    provider: SnapshotProvider | None = None,
    freezer: Freezer | None = None,
) -> OwnBackup:
    """Load, freeze, snapshot, thaw, load, collect. A backup whose snapshot could not be made is one, too: its window
    and its log are known.

    Args:
        modes: Those in which it will be recovered; there is a point for each.
        provider: In the place of the one that `spec` names.
        freezer: Who freezes and thaws, in the place of the harness.
    Raises HarnessError: there is no backup; the instance is not frozen (but for ThawError: it may be).
    """
    provider = provider or load_provider(session, spec)
    with released_on_failure() as kept:
        return _back_up(session, spec, modes, stages, provider, freezer or own_freezer(session), kept)


def _back_up(
    session: Session,
    spec: SnapshotSpec,
    modes: Collection[RecoveryMode],
    stages: Stages,
    provider: SnapshotProvider,
    freezer: Freezer,
    kept: list[tuple[GivesOut, Snapshot]],
) -> OwnBackup:
    source = snapshot_source(session.description, whole=any(mode.boots for mode in modes))
    limit_s = snapshot_limit_s(session.freeze, session.limits, spec.timeout_s)
    provider.probe(source)
    began_utc = datetime.now(UTC)
    with Driver(session.source, session.workload, session.seed, session.ledger) as driver:
        load_began_s = time.monotonic()
        with stages.stage("load"):
            _work(driver, session, 0.3 + 0.3 * session.random.random())
        # asked before the freeze: what is open then began no earlier than what is open now
        required = session.source.required_journal()
        with stages.stage("freeze window"):
            driver.mark()
            files = database_files(session.description.folders)
            window = hold(freezer, provider, source, limit_s=limit_s, database_files=files)
            kept.extend([(provider, window.snapshot)] if window.snapshot else [])
        image = _image(provider, source, window)
        marked = None
        with stages.stage("load"):
            if image:
                _work(driver, session, 0.2)
                marked = _mark(driver, session) if RecoveryMode.POINT_IN_TIME in modes else None
                _work(driver, session, 0.2)
            acknowledged = driver.finish()
            ended_s = time.monotonic()
    if window.snapshot_problem and not isinstance(window.snapshot_problem, ImageError | SnapshotTimeout):
        stages.problems.append(("snapshot", str(window.snapshot_problem)))
    stuns = stages.attempt("stuns", lambda: _stuns(session, began_utc))
    logged = freeze_entry(window)
    marker = logged.entry.marker if logged.entry else None
    journals = gone = committed = None
    if marker:
        journals, gone = _collected(session, stages, marker, required)
        if not all(mode.rolls for mode in modes):
            committed = stages.attempt("read journals", lambda: _committed_before(session, marker))
    points = _points(session.ledger, window, marked, acknowledged, ended_s)
    return OwnBackup(
        of=session.description,
        image=image,
        window=window,
        logged=logged,
        journals=journals,
        journals_gone=gone,
        committed=committed,
        written=Written(
            seed=session.seed,
            writers=session.workload.writers,
            issued_later=_issued_later(points),
            open_in_image=required != "",
        ),
        points=points,
        load=_series(session, load_began_s, ended_s),
        stuns=stuns,
        stages=tuple(stages.done),
        problems=tuple(stages.problems),
    )


def _image(provider: SnapshotProvider, source: Source, window: Window) -> Image | None:
    if window.snapshot is None:
        return None
    return Image(
        provider=provider,
        source=source,
        snapshot=window.snapshot,
        problem=window.snapshot_problem,
        watched=image_status(window.snapshot),
    )


def discard(session: Session, backup: Backup) -> None:
    """Remove the snapshot and the copied journals. May be called twice."""
    if backup.image:
        backup.image.release()
    if backup.journals:
        destroy.tree(backup.journals.folder, session.ground)


def load_provider(session: Session, spec: SnapshotSpec) -> SnapshotProvider:
    """A provider with a folder of its own. Raises UsageError or PreconditionError."""
    folder = new_folder(session.work, "snapshots")
    name, distribution = spec.provider, plugins.origin(SNAPSHOTS, spec.provider)
    made = plugins.load(SNAPSHOTS, name, _PROVIDER)
    try:
        provider: SnapshotProvider = made(folder, spec.options)
        if isinstance(provider, CanUndo):
            provider.register_with(registrar(session.work, SNAPSHOTS, name))
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:  # whatever a plug-in does
        raise PreconditionError(
            f"the snapshot provider {name} of {distribution} could not be made: {error!r}",
            "Use another provider.",
        ) from error
    return GuardedProvider(provider, name, distribution)


def snapshot_source(description: Description, *, whole: bool) -> Source:
    """The folders of all databases, or the whole root where an instance is to be booted from the snapshot."""
    if whole:
        return Source(root=description.root, paths=(Path(),))
    folders = tuple(folder.relative_to(description.volume) for folder in description.folders)
    return Source(root=description.volume, paths=folders)


def freeze_entry(window: Window) -> Logged:
    """What was logged in the window."""
    try:
        appended = freeze_log.parse_appended(window.log, window.log_from_byte)
        entry = freeze_log.find(appended, str(window.log))
    except ParseError as error:
        return Logged(entry=None, problem=str(error))
    if entry is None:
        why = "no freeze was logged since this one was asked for: the log is stale"
        return Logged(entry=None, problem=why, stale=True)
    return Logged(entry=entry)


@dataclass(frozen=True, slots=True)
class _LogKept:
    """A freezer whose log is copied to the record, for whoever looks into it later."""

    freezer: Freezer
    session: Session

    def held(self, take: Callable[[Deadline], None], limit_s: float) -> Held:
        try:
            held = self.freezer.held(take, limit_s)
        except BaseException:
            with contextlib.suppress(HarnessError):  # what became of the window matters more
                self.session.keep_freeze_log()
            raise
        return replace(held, log=self.session.keep_freeze_log())


def own_freezer(session: Session) -> Freezer:
    """The harness itself, with the watchdog and the freeze log of the session."""
    own = OwnFreezer(
        instance=session.source,
        log=session.freeze_log,
        text=f"harness {uuid4().hex}",
        spec=session.freeze,
        watchdog=session.watchdog,
    )
    return _LogKept(own, session)


def _stuns(session: Session, since_utc: datetime) -> tuple[Stun, ...] | None:
    place = session.source.place
    return place.stuns(since_utc) if isinstance(place, CanTellStuns) else None


def _points(
    ledger: Ledger,
    window: Window,
    marked: tuple[float, float, Position] | None,
    acknowledged: Vector,
    ended_s: float,
) -> tuple[RecoveryPoint, ...]:
    """One for each mode. Called when the load has ended, so that later looks of the ledger give ceilings.

    Without a mark in the journals nobody asks for a point in time, or there is no image: that point is their end.
    """
    frozen = window.frozen
    at_s, floor = frozen.called_s, ledger.floor(frozen.called_s)
    end = RecoveryPoint(mode=RecoveryMode.ROLLFORWARD, floor=acknowledged, ceiling=acknowledged, at_s=ended_s)
    points = [
        RecoveryPoint(
            mode=RecoveryMode.AS_OF_FREEZE, floor=floor, ceiling=ledger.ceiling(frozen.returned_s), at_s=at_s
        ),
        # an image holds what was journaled while it was taken
        RecoveryPoint(
            mode=RecoveryMode.BOOT, floor=floor, ceiling=ledger.ceiling(window.captured_s), at_s=at_s
        ),
        end,
    ]
    if marked is None:
        return (*points, replace(end, mode=RecoveryMode.POINT_IN_TIME))
    called_s, returned_s, position = marked
    in_time = RecoveryPoint(
        mode=RecoveryMode.POINT_IN_TIME,
        floor=ledger.floor(called_s),
        ceiling=ledger.ceiling(returned_s),
        at_s=called_s,
        position=position,
    )
    return (*points, in_time)


def _series(session: Session, began_s: float, ended_s: float) -> LoadSeries:
    slice_s = max(_SLICE_S, (ended_s - began_s) / _SLICES)
    number = math.ceil((ended_s - began_s) / slice_s) or 1
    acknowledged, waited_s = session.ledger.slices(began_s, slice_s, number)
    return LoadSeries(
        started_s=round(began_s - session.clock.monotonic_s, 4),
        slice_s=round(slice_s, 4),
        acknowledged=tuple(acknowledged),
        longest_wait_s=tuple(round(one, 4) for one in waited_s),
    )


def _issued_later(points: tuple[RecoveryPoint, ...]) -> int:
    """Transactions that were issued when the freeze was in force, or later: an image that is late holds some."""
    by_then = sum(point_of(points, RecoveryMode.AS_OF_FREEZE).ceiling.values())
    return sum(point_of(points, RecoveryMode.ROLLFORWARD).ceiling.values()) - by_then


def _work(driver: Driver, session: Session, share: float) -> None:
    """Let the writers do a share of the load of one cycle."""
    load = session.workload
    if load.transactions is None:
        driver.wait(load.duration_s * share)
    else:
        driver.wait_for(int(load.transactions * share))


def _mark(driver: Driver, session: Session) -> tuple[float, float, Position]:
    """Plant a recovery point; returns monotonic times around the call, and the point."""
    driver.mark()
    called_s = time.monotonic()
    position = session.source.add_marker(_MARKER_TEXT)
    return called_s, time.monotonic(), position


def _collected(
    session: Session, stages: Stages, marker: Position, required: str
) -> tuple[JournalSet | None, str | None]:
    """The journals; else None, and why if the instance no longer has them."""
    gone: list[str] = []

    def attempted() -> JournalSet | None:
        folder = session.new_folder_to_read("set")
        try:
            return collect(session.source, session.description, marker, folder, required)
        except JournalsGone as error:
            gone.append(str(error))
            return None

    return stages.attempt("collect journals", attempted), next(iter(gone), None)


def _committed_before(session: Session, marker: Position) -> tuple[Committed, ...]:
    """The last transactions before the marker, read where the instance keeps its journals."""
    folder = session.description.journal_folder
    first = session.first_journal or session.source.journals(folder)[0].name
    return session.source.last_committed(
        folder, first, marker.journal_file, marker.offset_bytes, session.workload.writers
    )
