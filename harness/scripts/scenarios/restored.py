"""A real backup by the scripts, restored and verified as `harness run` does: the data decides."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness import plugins
from harness.command import Deadline
from harness.declared import guide
from harness.errors import FreezeError, HarnessError
from harness.evidence.answers import FreezeAnswer, ThawAnswer
from harness.evidence.files import ExpectedFile, FileStatus
from harness.evidence.window import Window
from harness.instance.iris import Instance
from harness.model import CaseRecord, Finding, RecoveryMode, Verdict
from harness.plan.model import Case, FreezeSpec, InstanceSpec, Limits, SnapshotSpec, WorkloadSpec
from harness.report.cause import cause
from harness.scripts import rules
from harness.scripts.scenarios.base import INTEGRITY_GUIDE, Family
from harness.scripts.scene import Scene
from harness.session.progress import SilentProgress
from harness.session.session import Session
from harness.session.targets import Targets
from harness.session.watchdog import Watchdog
from harness.snapshot.base import Snapshot, SnapshotProvider, Source
from harness.stages.backup import back_up, discard
from harness.stages.freeze import database_files, expected_files, listed
from harness.stages.recovery import recover
from harness.workload.ledger import Ledger

family = Family("restored")
_SEED = 20261123
_CAPTURE_S = 60.0
_HOST = ("probe", "target", "close")
_WORKLOAD = WorkloadSpec(writers=2, duration_s=2.0, rate=3000)
_SNAPSHOT = SnapshotSpec(provider="copy", options={})
_MODES = (RecoveryMode.AS_OF_FREEZE, RecoveryMode.ROLLFORWARD)


@family.scenario(
    "restored",
    situation="an instance under load; what was copied between freeze and thaw is restored and rolled forward",
    right="every acknowledged transaction is there, none by half, from the marker in the scripts' own log",
    source=INTEGRITY_GUIDE,
    waits_s=20,
)
def restored(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first, load=False)
    with ExitStack() as ending:
        session = _session(scene, ending)
        stages = session.stages("restored")
        try:
            backup = back_up(
                session,
                _SNAPSHOT,
                _MODES,
                stages,
                hold=lambda *given: _hold(scene, *given),
            )
        except FreezeError as error:
            yield rules.inconclusive(str(error))
            return
        ending.callback(discard, session, backup)
        for mode in _MODES:
            case = Case(name=f"restored · {mode.value}", cycle=1, snapshot=_SNAPSHOT, recovery=mode)
            record = recover(session, backup, case)
            scene.notes.append(f"{mode.value}: {record.verdict.value}")
            yield from _finding(record)


def _finding(record: CaseRecord) -> Iterator[Finding]:
    if record.verdict is Verdict.PASS:
        return
    found = cause(record, guide())
    mode = record.recovery.mode.value if record.recovery else record.name
    if found is None:
        yield Finding(code="restored", message=f"{mode}: {record.verdict.value}", verdict=record.verdict)
    else:
        yield replace(found, message=f"{mode}: {found.message}", verdict=record.verdict)


def _session(scene: Scene, ending: ExitStack) -> Session:
    """What a backup and its recoveries share. Everything in it ends with `ending`."""
    root = scene.root(scene.first)
    work, folder = scene.work / "restored", scene.folder
    work.mkdir()
    host = plugins.load("harness.hosts", "local", _HOST)(InstanceSpec(), work)
    ending.callback(host.close)
    host.probe()
    targets = Targets(host, root, len(_MODES))
    ending.callback(targets.close)
    targets.prepare()
    watchdog = Watchdog(folder, {}, scene.notes.append)
    ending.callback(watchdog.close)
    source = Instance(scene.machine.instance(scene.first))
    ledger = Ledger(_WORKLOAD.writers, folder / "ledger.bin")
    ending.callback(ledger.close)
    return Session(
        workload=_WORKLOAD,
        freeze=FreezeSpec(),
        limits=Limits(),
        seed=_SEED,
        folder=folder,
        work=work,
        host=host,
        target_host=host,
        targets=targets,
        source=source,
        description=source.describe(),
        ledger=ledger,
        watchdog=watchdog,
        progress=SilentProgress(),
        began_s=time.monotonic(),
        random=random.Random(_SEED),
        first_journal=None,
        notes=(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """The snapshot, and what was seen around it."""

    began_s: float
    ended_s: float
    before: tuple[FileStatus, ...]
    after: tuple[FileStatus, ...]
    snapshot: Snapshot
    files: tuple[ExpectedFile, ...] | None
    suspended: bool


def _take(scene: Scene, provider: SnapshotProvider, source: Source, files: list[Path]) -> _Taken:
    _require_plain(scene.root(scene.first))
    there = listed(source)
    before = tuple(map(FileStatus.of, files))
    began = time.monotonic()
    snapshot = provider.capture(source, Deadline.after(_CAPTURE_S))
    ended = time.monotonic()
    after = tuple(map(FileStatus.of, files))
    suspended = scene.frozen(scene.first) is True
    return _Taken(
        began_s=began,
        ended_s=ended,
        before=before,
        after=after,
        snapshot=snapshot,
        files=expected_files(source, there, before, listed(source)),
        suspended=suspended,
    )


def _hold(scene: Scene, session: Session, provider: SnapshotProvider, source: Source) -> Window:
    """Freeze and thaw by the scripts; the snapshot is the harness's. Raises FreezeError: the freeze script failed."""
    files = database_files(session.description.folders)
    called, frozen_utc = time.monotonic(), datetime.now(UTC)
    made: list[_Taken] = []

    def take() -> None:
        nonlocal frozen_utc
        frozen_utc = datetime.now(UTC)
        made.append(_take(scene, provider, source, files))

    if scene.scripts.program:
        seen = scene.backup(during=take, snapshot_s=0.0)
        if not made:
            raise FreezeError(rules.nothing_taken(seen, scene.scripts).message)
    else:
        ran = scene.call("freeze")
        if ran.status not in scene.scripts.success:
            raise FreezeError(f"there is no backup to restore: the freeze script {ran}")
        take()
        scene.call("thaw")
    (taken,) = made
    _require_plain(scene.root(scene.first))
    log, text = _logged(scene)
    return Window(
        log=log,
        log_from_byte=0,
        text=text,
        frozen=FreezeAnswer(called_s=called, returned_s=taken.began_s, frozen_utc=frozen_utc),
        thawed=ThawAnswer(
            suspended=taken.suspended,
            called_s=taken.ended_s,
            returned_s=time.monotonic(),
            thawed_utc=datetime.now(UTC),
            message="by the thaw script",
        ),
        captured_s=taken.ended_s,
        capture_duration_s=taken.ended_s - taken.began_s,
        before=taken.before,
        after=taken.after,
        snapshot=taken.snapshot,
        files=taken.files,
    )


def _require_plain(root: Path) -> None:
    """What is copied from here on is copied by whoever runs the harness: it must not lead out of the machine."""
    for folder in ("db", "db/one", "db/two", "mgr", "mgr/journal", "mgr/gtm"):
        if (root / folder).is_symlink() or any(path.is_symlink() for path in (root / folder).iterdir()):
            raise HarnessError(
                f"the scripts have put a link into {folder} of the instance, so it is not restored"
            )


def _logged(scene: Scene) -> tuple[Path, str]:
    """The log that the scripts gave ExternalFreeze, as a file of the harness, and the text for the marker."""
    kept = scene.folder / "freeze.log"
    calls = scene.calls("externalfreeze")
    text = calls[-1].argument(2) if calls else ""
    kept.write_bytes(b"")
    if calls and calls[-1].argument(1).startswith("/"):
        try:
            kept.write_bytes(scene.machine.tree.read(calls[-1].argument(1)))
        except OSError as error:
            raise HarnessError(f"the log of the freeze cannot be read: {error}") from error
    return kept, text


SCENARIOS = family.scenarios
