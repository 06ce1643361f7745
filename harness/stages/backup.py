"""Makes one backup of the running instance under load: everything a recovery needs, and what was promised.

The load goes on before, during and after the freeze window, so that journals hold transactions from both
sides of it. When the load has ended the journals from the marker on are copied away.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

from harness import destroy, freeze_log, plugins
from harness.errors import (
    HarnessError,
    ImageError,
    JournalsGone,
    ParseError,
    PreconditionError,
    SnapshotTimeout,
)
from harness.evidence.answers import Committed, Description
from harness.evidence.backup import NOT_ROLLED, Backup, Promise
from harness.evidence.journals import JournalSet
from harness.evidence.window import Window
from harness.instance.base import TO_READ, CanTellStuns
from harness.model import Position, RecoveryMode, Stun
from harness.plan.model import SnapshotSpec
from harness.session.leftovers import registrar
from harness.session.session import Session, Stages
from harness.snapshot.base import Snapshot, SnapshotProvider, Source
from harness.snapshot.guarded import GuardedProvider
from harness.stages import freeze
from harness.stages.load import Driver
from harness.stages.rollforward import collect
from harness.undo import SNAPSHOTS, CanUndo
from harness.workload.ledger import Ledger

_PROVIDER = ("options_schema", "probe", "capture", "expose", "release")
_MARKER_TEXT = "harness recovery point"


Hold = Callable[[Session, SnapshotProvider, Source], Window]


def back_up(
    session: Session,
    spec: SnapshotSpec,
    modes: Collection[RecoveryMode],
    stages: Stages,
    provider: SnapshotProvider | None = None,
    hold: Hold | None = None,
) -> Backup:
    """Load, freeze, snapshot, thaw, load, collect. A backup whose snapshot could not be made is one, too: its window
    and its log are known.

    Args:
        provider: In the place of the one that `spec` names.
        hold: Freezes, takes the snapshot and thaws, in the place of the harness; raises as `freeze.hold`.
    Raises HarnessError: there is no backup; the instance is not frozen (but for ThawError: it may be).
    """
    provider = provider or load_provider(session, spec)
    with freeze.released_on_failure(provider) as kept:
        return _back_up(session, spec, modes, stages, provider, hold, kept)


def _back_up(
    session: Session,
    spec: SnapshotSpec,
    modes: Collection[RecoveryMode],
    stages: Stages,
    provider: SnapshotProvider,
    hold: Hold | None,
    kept: list[Snapshot],
) -> Backup:
    source = snapshot_source(session.description, whole=RecoveryMode.BOOT in modes)
    limit_s = freeze.snapshot_limit_s(session.freeze, session.limits, spec.timeout_s)
    provider.probe(source)
    began_utc = datetime.now(UTC)
    with Driver(session.source, session.workload, session.seed, session.ledger) as driver:
        with stages.stage("load"):
            _work(driver, session, 0.3 + 0.3 * session.random.random())
        # asked before the freeze: what is open then began no earlier than what is open now
        required = session.source.required_journal()
        with stages.stage("freeze window"):
            driver.mark()
            window = (hold or partial(_hold, limit_s=limit_s))(session, provider, source)
            kept.extend([window.snapshot] if window.snapshot else [])
        image = freeze.image_status(window.snapshot)
        marked = None
        with stages.stage("load"):
            if window.snapshot:
                _work(driver, session, 0.2)
                marked = _mark(driver, session) if RecoveryMode.POINT_IN_TIME in modes else None
                _work(driver, session, 0.2)
            acknowledged = driver.finish()
            ended_s = time.monotonic()
    if window.snapshot_problem and not isinstance(window.snapshot_problem, ImageError | SnapshotTimeout):
        stages.problems.append(("snapshot", str(window.snapshot_problem)))
    stuns = stages.attempt("stuns", lambda: _stuns(session, began_utc))
    entry, problem, stale = freeze_entry(window)
    marker = entry.marker if entry else None
    journals = gone = committed = None
    if marker:
        journals, gone = _collected(session, stages, marker, required)
        if set(modes) & NOT_ROLLED:
            committed = stages.attempt("read journals", lambda: _committed_before(session, marker))
    ended = Promise(floor=acknowledged, ceiling=acknowledged, at_s=ended_s)
    promises = _promises(session.ledger, window, marked, ended)
    return Backup(
        provider=provider,
        source=source,
        window=window,
        image=image,
        stuns=stuns,
        open_in_image=required != "",
        entry=entry,
        entry_problem=problem,
        entry_stale=stale,
        journals=journals,
        journals_gone=gone,
        committed=committed,
        promises=promises,
        issued_later=_issued_later(promises),
        stages=tuple(stages.done),
        problems=tuple(stages.problems),
    )


def discard(session: Session, backup: Backup) -> None:
    """Remove the snapshot and the copied journals. May be called twice."""
    if backup.window.snapshot:
        backup.provider.release(backup.window.snapshot)
    if backup.journals:
        destroy.tree(backup.journals.folder, session.ground)


def load_provider(session: Session, spec: SnapshotSpec) -> SnapshotProvider:
    """A provider with a folder of its own. Raises UsageError or PreconditionError."""
    folder = _new_folder(session.work, "snapshots")
    name, distribution = spec.provider, plugins.origin(SNAPSHOTS, spec.provider)
    made = plugins.load(SNAPSHOTS, name, _PROVIDER)
    try:
        provider: SnapshotProvider = made(folder, spec.options)
        if isinstance(provider, CanUndo):
            provider.register_with(registrar(session.work, SNAPSHOTS, name))
    except HarnessError:
        raise
    except Exception as error:  # whatever a plug-in does
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


def freeze_entry(window: Window) -> tuple[freeze_log.FreezeEntry | None, str, bool]:
    """The one freeze logged in the window; else None, why, and whether the log is simply stale."""
    try:
        appended = freeze_log.parse_appended(window.log, window.log_from_byte)
        entry = freeze_log.find(appended, str(window.log))
    except ParseError as error:
        return None, str(error), False
    if entry is None:
        return None, "the freeze log tells of no freeze since this one was asked for: it is stale", True
    return entry, "", False


def _hold(session: Session, provider: SnapshotProvider, source: Source, *, limit_s: float) -> Window:
    try:
        window = _held(session, provider, source, limit_s)
    except BaseException:
        with contextlib.suppress(HarnessError):  # what became of the window matters more
            session.keep_freeze_log()
        raise
    # the copy that stays with the record, for whoever looks into it later
    return replace(window, log=session.keep_freeze_log())


def _held(session: Session, provider: SnapshotProvider, source: Source, limit_s: float) -> Window:
    return freeze.hold(
        session.source,
        provider,
        source,
        log=session.freeze_log,
        text=f"harness {uuid4().hex}",
        spec=session.freeze,
        limit_s=limit_s,
        database_files=freeze.database_files(session.description.folders),
        watchdog=session.watchdog,
    )


def _stuns(session: Session, since_utc: datetime) -> tuple[Stun, ...] | None:
    place = session.source.place
    return place.stuns(since_utc) if isinstance(place, CanTellStuns) else None


def _promises(
    ledger: Ledger, window: Window, marked: tuple[float, float, Position] | None, ended: Promise
) -> dict[RecoveryMode, Promise]:
    """What each mode has to bring back: looked up when the load has ended, so that later looks give ceilings."""
    called_s = window.frozen.called_s
    floor = ledger.floor(called_s)
    promises = {
        RecoveryMode.AS_OF_FREEZE: Promise(
            floor=floor, ceiling=ledger.ceiling(window.frozen.returned_s), at_s=called_s
        ),
        # an image holds what was journaled while it was taken
        RecoveryMode.BOOT: Promise(floor=floor, ceiling=ledger.ceiling(window.captured_s), at_s=called_s),
        RecoveryMode.ROLLFORWARD: ended,
    }
    if marked:
        called_s, returned_s, position = marked
        promises[RecoveryMode.POINT_IN_TIME] = Promise(
            floor=ledger.floor(called_s), ceiling=ledger.ceiling(returned_s), at_s=called_s, position=position
        )
    else:  # no point was set: nobody asks for it, or there is no image to recover from
        promises[RecoveryMode.POINT_IN_TIME] = ended
    return promises


def _issued_later(promises: dict[RecoveryMode, Promise]) -> int:
    """Transactions that were issued when the freeze was in force, or later: an image that is late holds some."""
    by_then = sum(promises[RecoveryMode.AS_OF_FREEZE].ceiling.values())
    return sum(promises[RecoveryMode.ROLLFORWARD].ceiling.values()) - by_then


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
        folder = new_folder_to_read(session.work, "set")
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


def new_folder_to_read(work: Path, name: str) -> Path:
    """A folder that restored instances can read, whatever umask this process has."""
    parent = work / TO_READ
    parent.mkdir(exist_ok=True)
    folder = _new_folder(parent, name)
    for made in (parent, folder):
        made.chmod(0o755)
    return folder


def _new_folder(parent: Path, name: str) -> Path:
    number = sum(1 for path in parent.iterdir() if path.name.startswith(name)) + 1
    folder = parent / f"{name}-{number}"
    folder.mkdir()
    return folder
