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
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from harness import store
from harness.errors import HarnessError, ThawError, of_the_machine
from harness.model import CaseKey, CaseRecord, InstanceSummary, Record, Verdict
from harness.plan.expand import expand
from harness.plan.model import Case, InstanceSpec, Plan
from harness.session.opening import opened
from harness.session.progress import CaseDone, Note, Progress, RunBegan
from harness.session.session import Session
from harness.stages.backup import back_up, discard
from harness.stages.case_record import without_backup
from harness.stages.recovery import recover
from harness.stages.window import released_on_failure


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
    progress.tell(RunBegan(cases=journal.record.planned or 0))
    try:
        with of_the_machine(), opened_for(plan, seed, journal.folder, progress) as session:
            journal.update(instance=_instance(session, plan.instance), clock=session.clock)
            for _, cases in itertools.groupby(expand(plan), key=lambda case: case.backup):
                for case in back_up_and_recover(session, list(cases)):
                    journal.update(cases=(*journal.record.cases, case))
                    took_s = sum(stage.duration_s for stage in case.stages)
                    progress.tell(CaseDone(case=case.name, said=case.verdict.value, duration_s=took_s))
    except BaseException as error:
        with contextlib.suppress(HarnessError):  # a record that cannot be written must not hide this error
            journal.update(error=str(error) or type(error).__name__)
        raise
    verdict = Verdict.worst(case.verdict for case in journal.record.cases)
    journal.update(finished=True, verdict=verdict)
    return journal.record, journal.folder


def back_up_and_recover(session: Session, cases: list[Case]) -> Iterator[CaseRecord]:
    """One backup, and a recovery from it in each mode asked for."""
    name = cases[0].backup
    stages = session.stages(name)
    modes = [case.recovery for case in cases]
    try:
        with of_the_machine():
            backup = back_up(session, cases[0].snapshot, modes, stages)
    except ThawError:
        raise
    except HarnessError as error:
        stages.problems.append(("backup", str(error)))
        yield from (replace(without_backup(session, case, stages), key=_key(case)) for case in cases)
        return
    with released_on_failure() as kept:
        kept.extend([(backup.image.provider, backup.image.snapshot)] if backup.image else [])
        for case in cases:
            record = recover(session, backup, backup.point(case.recovery), name=case.name)
            yield replace(record, key=_key(case))
    try:
        with of_the_machine():
            discard(session, backup)
    except HarnessError as error:  # of no weight for the verdict on a backup that has been judged
        session.progress.tell(Note(text=f"{name}: the snapshot could not be removed: {error}"))


def opened_for(plan: Plan, seed: int, folder: Path, progress: Progress) -> AbstractContextManager[Session]:
    """A session for the cases of a plan. As `harness.session.opening.opened`."""
    return opened(
        plan.instance,
        folder,
        seed=seed,
        progress=progress,
        workload=plan.workload,
        freeze=plan.freeze,
        limits=plan.limits,
        target=plan.target,
        recoveries=len(expand(plan)),
        name=plan.name,
    )


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


def _key(case: Case) -> CaseKey:
    return CaseKey(
        cycle=case.cycle,
        provider=case.snapshot.provider,
        options=dict(case.snapshot.options),
        mode=case.recovery,
    )


def _instance(session: Session, spec: InstanceSpec) -> InstanceSummary:
    found = session.description
    return InstanceSummary(
        product=found.product,
        version=found.version,
        stand_in=found.stand_in,
        host=spec.host,
        image="" if spec.name else spec.image,
        image_digest=session.host.image_digest,
        notes=session.notes,
    )


def _versions() -> dict[str, str]:
    return {
        "harness": version("iris-restore-harness"),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
