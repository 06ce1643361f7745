"""The order of a run; nothing else knows it.

    start the instance, then for each cycle and snapshot provider
        load → freeze → snapshot → thaw → load ends → collect journals                   backup
        for each recovery mode, in a fresh isolated instance
            restore → roll forward → structure check → walk the state → checks           recovery

A backup that could not be made leaves its cases UNKNOWN and the run goes on. A thaw that was not confirmed ends
the run at once. The record is written after each case, so that a run cut short leaves what it found.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from harness import destroy, plugins, store
from harness.command import Transcript, recorded
from harness.errors import HarnessError, ThawError, of_the_machine
from harness.evidence.answers import Description
from harness.instance.base import Host
from harness.instance.iris import Instance
from harness.model import CaseRecord, InstanceSummary, Record, Verdict
from harness.plan.expand import expand
from harness.plan.model import Case, InstanceSpec, Plan
from harness.session import leftovers
from harness.session.entry import Registered
from harness.session.progress import Progress
from harness.session.session import Session, log_folder
from harness.session.targets import Targets
from harness.session.watchdog import COMMANDS_FILE, Watchdog
from harness.stages.backup import back_up, discard
from harness.stages.case_record import without_backup
from harness.stages.freeze import released_on_failure
from harness.stages.recovery import recover
from harness.workload.ledger import Ledger

_OTHER_SESSIONS = 3
"""Sessions that a run needs beside its writers: one that freezes and thaws, the watchdog's, and one to spare."""
_HOST = ("in_containers", "probe", "root", "source", "target", "boot", "environment", "close")


def run(
    plan: Plan, *, seed: int, out: Path, argv: tuple[str, ...], progress: Progress
) -> tuple[Record, Path]:
    """Run a plan to its verdict.

    Args:
        seed: Everything random comes from it.
        out: Folder for results; the run gets a folder of its own in it.
        argv: How the run was called, for the record.
    Returns:
        The record and the run's folder. Instances, snapshots and copies are gone.
    Raises:
        PreconditionError: something is missing; nothing is left running.
        MachineError: no room, a folder gone, no memory; nothing is left running.
        ThawError: the instance may still be frozen; it is left alone, and the watchdog goes on trying.
    """
    journal = RunRecord.begin(plan, seed, out, argv)
    try:
        with of_the_machine(), opened(plan, seed, journal.folder, progress) as session:
            journal.update(instance=_instance(session))
            for name, cases in itertools.groupby(expand(plan), key=_backup_name):
                for case in back_up_and_recover(session, name, list(cases)):
                    journal.update(cases=(*journal.record.cases, case))
                    progress.case_done(case)
    except BaseException as error:
        with contextlib.suppress(HarnessError):  # a record that cannot be written must not hide this error
            journal.update(error=str(error) or type(error).__name__)
        raise
    verdict = Verdict.worst(case.verdict for case in journal.record.cases)
    journal.update(finished=True, verdict=verdict)
    return journal.record, journal.folder


def back_up_and_recover(session: Session, name: str, cases: list[Case]) -> Iterator[CaseRecord]:
    """One backup, and a recovery from it in each mode asked for."""
    stages = session.stages(name)
    modes = [case.recovery for case in cases]
    try:
        with of_the_machine():
            backup = back_up(session, cases[0].snapshot, modes, stages)
    except ThawError:
        raise
    except HarnessError as error:
        stages.problems.append(("backup", str(error)))
        yield from (without_backup(session, case, stages) for case in cases)
        return
    with released_on_failure(backup.provider) as kept:
        kept.extend([backup.window.snapshot] if backup.window.snapshot else [])
        for case in cases:
            yield recover(session, backup, case)
    try:
        with of_the_machine():
            discard(session, backup)
    except HarnessError as error:  # of no weight for the verdict on a backup that has been judged
        session.progress.note(f"{name}: the snapshot could not be removed: {error}")


@contextmanager
def opened(plan: Plan, seed: int, folder: Path, progress: Progress) -> Iterator[Session]:
    """A running instance with all that surrounds it; gone afterwards, but after a ThawError left as it is.

    Raises PreconditionError or InstanceError: nothing is left running.
    """
    began = time.monotonic()
    folder = folder.resolve()  # an instance has a working folder of its own
    work = folder / "work"
    transcript = Transcript(folder / COMMANDS_FILE)
    hosts = [_host(spec, work, transcript) for spec in (plan.instance, plan.target) if spec]
    host, target_host = hosts[0], hosts[-1]
    entry = leftovers.register(work, containers=any(one.in_containers for one in hosts))
    log = log_folder(work) / store.FREEZE_LOG
    targets = watchdog = ledger = None
    with recorded(transcript), destroy.logged(folder / destroy.LOG_FILE):
        try:
            _make_log(log)
            progress.stage(plan.name, "start the instance")
            for one in hosts:
                one.probe()
            targets = Targets(target_host, host.root(), len(expand(plan)))
            targets.prepare()
            watchdog = Watchdog(folder, host.environment(), progress.note)
            source = Instance(host.source())
            description = source.describe()
            plan, notes = within_licence(plan, description)
            notes = (
                *notes,
                *_structure_only(description),
                *_open_log(log, description, way=not host.in_containers),
            )
            for note in notes:
                progress.note(note)
            ledger = Ledger(plan.workload.writers, folder / "ledger.bin")
            first_journal = _begin_anew(source) if plan.instance.name else None
            yield Session(
                plan=plan,
                seed=seed,
                folder=folder,
                work=work,
                host=host,
                target_host=target_host,
                targets=targets,
                source=source,
                description=description,
                ledger=ledger,
                watchdog=watchdog,
                progress=progress,
                began_s=began,
                random=random.Random(seed),
                first_journal=first_journal,
                notes=notes,
            )
        except ThawError:
            with contextlib.suppress(HarnessError):
                store.keep_log(log, folder)
            raise
        except BaseException:
            with contextlib.suppress(HarnessError):
                store.keep_log(log, folder)
            _close(hosts, targets, watchdog, ledger, entry)
            raise
        try:
            store.keep_log(log, folder)
        finally:
            _close(hosts, targets, watchdog, ledger, entry)


def within_licence(plan: Plan, description: Description) -> tuple[Plan, tuple[str, ...]]:
    """The plan with no more writers than there may be sessions, and a note if it was changed."""
    asked, most = plan.workload.writers, description.sessions_max
    writers = asked if most is None else max(1, min(asked, most - _OTHER_SESSIONS))
    if writers == asked:
        return plan, ()
    note = (
        f"{writers} writers instead of {asked}: the licence of the instance allows {most} sessions at a time"
    )
    return replace(plan, workload=replace(plan.workload, writers=writers)), (note,)


def _structure_only(description: Description) -> tuple[str, ...]:
    if not description.others:
        return ()
    names = ", ".join(folder.name for folder in description.others)
    return (f"of other databases only the structure is checked, not what they hold: {names}",)


def _begin_anew(source: Instance) -> str:
    """Remove what earlier runs left in an instance that lives longer than a run; returns the first journal of this
    one. An earlier run had other seeds and more writers: its journals must not be taken for this one's.
    """
    source.clear()
    return source.switch_journal().journal_file


def _make_log(log: Path) -> None:
    """The freeze log lies in the folder of a run from its beginning, in a folder of its own. Nobody else may enter,
    whatever umask this process has.
    """
    log.parent.mkdir(mode=0o700)
    log.touch(mode=0o600)


def _open_log(log: Path, description: Description, *, way: bool) -> tuple[str, ...]:
    """Let the user of the instance write the freeze log, who owns its databases, and nobody else; returns a note if
    that cannot be done. With `way` he comes to it through the run's folder; into a container its folder is mounted.

    Only root may give a file to another user. Anybody else then has to let all write it: the note says so, and
    whoever may come into the results folder could make a marker unreadable, or name another one.
    """
    folder = next(iter(description.databases.values()))
    with contextlib.suppress(OSError):
        owner = folder.stat()
        log.chmod(0o660)
        log.parent.chmod(0o750)
        if owner.st_uid != os.geteuid():
            os.chown(log, owner.st_uid, owner.st_gid)
            os.chown(log.parent, -1, owner.st_gid)
            if way:  # and he sees nothing else on it
                os.chown(log.parent.parent, -1, owner.st_gid)
                log.parent.parent.chmod(0o710)
        return ()
    log.chmod(0o666)
    for above in (log.parent, log.parent.parent):
        above.chmod(0o711)
    return (
        f"the freeze log {log} may be written by every user of this machine while the run lives: only root could let "
        f"nobody but the owner of {folder} write it. Run it as root or as that user.",
    )


def _host(spec: InstanceSpec, folder: Path, transcript: Transcript) -> Host:
    made: Host = plugins.load("harness.hosts", spec.host, _HOST)(spec, folder, transcript)
    return made


def _close(
    hosts: list[Host],
    targets: Targets | None,
    watchdog: Watchdog | None,
    ledger: Ledger | None,
    entry: Registered,
) -> None:
    """Everything is closed whatever the others raise; the last of them is raised."""
    with contextlib.ExitStack() as ending:
        ending.callback(leftovers.finish, entry)
        if ledger:
            ending.callback(ledger.close)
        for host in hosts:
            ending.callback(host.close)
        if targets:
            ending.callback(targets.close)
        if watchdog:
            ending.callback(watchdog.close)


class RunRecord:
    """The record of a run as it grows; every change is on disk when `update` returns."""

    def __init__(self, record: Record, folder: Path) -> None:
        self.record = record
        self.folder = folder
        store.save(record, folder)

    @staticmethod
    def begin(plan: Plan, seed: int, out: Path, argv: tuple[str, ...]) -> RunRecord:
        """A new run folder with a record that says nothing yet. Raises as `store.create_folder`."""
        started = datetime.now(UTC)
        record = Record(
            plan=plan.name,
            seed=seed,
            started_utc=started,
            finished=False,
            verdict=Verdict.UNKNOWN,
            instance=None,
            cases=(),
            versions=_versions(),
            argv=argv,
            planned=len(expand(plan)),
        )
        return RunRecord(record, store.create_folder(out, plan.name, started, seed))

    def update(self, **changes: object) -> None:
        """Change fields of the record and save it."""
        self.record = replace(self.record, **changes)  # type: ignore[arg-type]
        store.save(self.record, self.folder)


def _backup_name(case: Case) -> str:
    """`cycle 1 · copy` of `cycle 1 · copy · boot`: the cases of one backup follow one another."""
    return case.name.rpartition(" · ")[0]


def _instance(session: Session) -> InstanceSummary:
    found = session.description
    return InstanceSummary(
        product=found.product,
        version=found.version,
        stand_in=found.stand_in,
        host=session.plan.instance.host,
        image="" if session.plan.instance.name else session.plan.instance.image,
        image_digest=session.host.image_digest,
        notes=session.notes,
    )


def _versions() -> dict[str, str]:
    return {
        "harness": version("iris-restore-harness"),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
