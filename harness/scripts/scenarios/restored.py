"""A real backup by the scripts, restored and verified as `harness run` does: the data decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness import plugins
from harness.command import Deadline
from harness.declared import guide
from harness.errors import FreezeError, HarnessError
from harness.evidence.answers import FreezeAnswer, ThawAnswer
from harness.instance.base import Host
from harness.instance.iris import Instance
from harness.model import CaseRecord, Finding, RecoveryMode, Verdict
from harness.plan.model import InstanceSpec, SnapshotSpec, WorkloadSpec
from harness.report.cause import cause
from harness.scripts import rules
from harness.scripts.scenarios.base import INTEGRITY_GUIDE, Family
from harness.scripts.scene import Scene
from harness.session.opening import over
from harness.session.session import Session
from harness.stages.backup import back_up, discard
from harness.stages.recovery import recover
from harness.stages.window import Held

family = Family("restored")
_SEED = 20261123
_HOST = ("environment", "probe", "target", "close")
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
    with _session(scene) as session:
        stages = session.stages("restored")
        try:
            backup = back_up(session, _SNAPSHOT, _MODES, stages, freezer=_ByScripts(scene))
        except FreezeError as error:
            yield rules.inconclusive(str(error))
            return
        try:
            for mode in _MODES:
                record = recover(session, backup, backup.point(mode), name=f"restored · {mode.value}")
                scene.notes.append(f"{mode.value}: {record.verdict.value}")
                yield from _finding(record)
        finally:
            discard(session, backup)


def _session(scene: Scene) -> AbstractContextManager[Session]:
    """A backup of the scene's first instance, recovered in instances of this machine."""
    work = scene.work / "restored"
    work.mkdir()
    host: Host = plugins.load("harness.hosts", "local", _HOST)(InstanceSpec(), work)
    return over(
        Instance(scene.machine.instance(scene.first)),
        host,
        scene.root(scene.first),
        scene.folder,
        work,
        seed=_SEED,
        workload=_WORKLOAD,
        recoveries=len(_MODES),
        note=scene.notes.append,
    )


def _finding(record: CaseRecord) -> Iterator[Finding]:
    if record.verdict is Verdict.PASS:
        return
    found = cause(record, guide())
    mode = record.recovery.mode.value if record.recovery else record.name
    if found is None:
        yield Finding(code="restored", message=f"{mode}: {record.verdict.value}", verdict=record.verdict)
    else:
        yield replace(found, message=f"{mode}: {found.message}", verdict=record.verdict)


@dataclass(frozen=True, slots=True)
class _ByScripts:
    """The scripts freeze and thaw; what is copied in between is the harness's."""

    scene: Scene

    def held(self, take: Callable[[Deadline], None], limit_s: float) -> Held:
        """As `harness.stages.window.Freezer.held`: FreezeError if the freeze script failed."""
        scene = self.scene
        called_s = time.monotonic()
        seen: list[_Copied] = []

        def copy() -> None:
            _require_plain(scene.root(scene.first))
            began_s, began_utc = time.monotonic(), datetime.now(UTC)
            take(Deadline.after(limit_s))
            suspended = scene.frozen(scene.first) is True
            seen.append(_Copied(began_s, began_utc, time.monotonic(), suspended))

        if scene.scripts.program:
            watched = scene.backup(during=copy, snapshot_s=0.0)
            if not seen:
                raise FreezeError(rules.nothing_taken(watched, scene.scripts).message)
        else:
            ran = scene.call("freeze")
            if ran.status not in scene.scripts.success:
                raise FreezeError(f"there is no backup to restore: the freeze script {ran}")
            copy()
            scene.call("thaw")
        (copied,) = seen
        _require_plain(scene.root(scene.first))
        log, text = _logged(scene)
        return Held(
            log=log,
            log_from_byte=0,
            text=text,
            frozen=FreezeAnswer(called_s=called_s, returned_s=copied.began_s, frozen_utc=copied.began_utc),
            thawed=ThawAnswer(
                suspended=copied.suspended,
                called_s=copied.ended_s,
                returned_s=time.monotonic(),
                thawed_utc=datetime.now(UTC),
                message="by the thaw script",
            ),
        )


@dataclass(frozen=True, slots=True)
class _Copied:
    began_s: float
    began_utc: datetime
    ended_s: float
    suspended: bool


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
