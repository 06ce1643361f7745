"""Recovers from a backup in one mode, in an isolated instance, and judges what came back.

    restore (or boot) → roll forward → structure check → walk the state → the checks

Reading the copied journals goes on beside roll-forward, structure check and walk; no stage waits for it but
the checks.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.backup import NOT_ROLLED, Backup
from harness.case_record import case_record
from harness.errors import HarnessError, RestoreError, RollforwardError, StartError
from harness.facts.known import unconfirmed
from harness.freeze import image_status
from harness.instance.base import Place
from harness.instance.iris import Committed, Instance, JournalFile, MarkerReading, RollforwardAnswer
from harness.model import (
    CaseRecord,
    RecoveryMode,
    RestoreSummary,
    RollforwardSummary,
)
from harness.plan.model import Case
from harness.restore import require_isolated, restore
from harness.rollforward import roll_forward
from harness.setting import Setting, Stages
from harness.targets import Targets
from harness.verify.base import Evidence
from harness.verify.judge import judge_all
from harness.verify.state import read_state

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What a recovery is made of; a planted fault puts another in the place of one (`harness.fault`).

    `settle` is called with the recovered instance before anything is looked at.
    """

    take: Callable[[Targets], Place] = Targets.take
    restore: Callable[..., RestoreSummary] = restore
    roll_forward: Callable[..., tuple[RollforwardSummary, RollforwardAnswer]] = roll_forward
    settle: Callable[[Instance], object] = lambda target: None


_AS_EVER = Steps()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Journals:
    """What the copied journals show; a part that could not be read is None."""

    copied: tuple[JournalFile, ...] | None
    marker: MarkerReading | None
    committed: tuple[Committed, ...] | None


@dataclass(slots=True, kw_only=True)
class _Recovered:
    """A recovery as far as it got."""

    target: Instance | None = None
    restored: RestoreSummary | None = None
    rolled: RollforwardSummary | None = None
    refusal: str = ""


def recover(setting: Setting, backup: Backup, case: Case, steps: Steps = _AS_EVER) -> CaseRecord:
    """Recover once and judge. Whatever goes wrong is in the record: FAIL if it speaks of the backup, UNKNOWN
    if it kept us from telling. The instance made for it is gone afterwards."""
    stages = setting.stages(case.name)
    stages.problems.extend(backup.problems)
    promise = backup.promises[case.recovery]
    evidence = Evidence(
        mode=case.recovery,
        seed=setting.seed,
        writers=setting.plan.workload.writers,
        floor=promise.floor,
        ceiling=promise.ceiling,
        window=backup.window,
        image=backup.image,
        image_now=image_status(backup.window.snapshot),
        entry=backup.entry,
        entry_problem=backup.entry_problem,
        entry_stale=backup.entry_stale,
        journals=backup.journals,
        until=promise.position,
        databases=len(setting.description.databases),
    )
    recovered = _Recovered()
    with _Scratch(setting, case) as scratch:
        evidence = _recover(setting, backup, evidence, stages, recovered, scratch, steps)
    setting.targets.prepare()
    with stages.stage("judge"):
        engines = [setting.description, *([recovered.target.describe()] if recovered.target else [])]
        doubts = unconfirmed(*engines, mode=case.recovery)
        checks = judge_all(replace(evidence, unconfirmed=doubts, problems=tuple(stages.problems)))
    return case_record(
        setting, backup, case, evidence, checks, stages, restored=recovered.restored, rolled=recovered.rolled
    )


class _Scratch:
    """The place of one recovery and its files; gone when it is left."""

    def __init__(self, setting: Setting, case: Case) -> None:
        self._setting = setting
        self.name = f"{case.recovery.value}-{len(list(setting.work.glob(f'{case.recovery.value}-*')))}"
        self.folder = setting.work / self.name
        self.place: Place | None = None

    def __enter__(self) -> _Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        if self.place:
            self.place.discard()


def _recover(
    setting: Setting,
    backup: Backup,
    evidence: Evidence,
    stages: Stages,
    recovered: _Recovered,
    scratch: _Scratch,
    steps: Steps,
) -> Evidence:
    bring_up = _boot if evidence.mode is RecoveryMode.BOOT else _restore
    bring_up(setting, backup, stages, recovered, scratch, steps)
    target = recovered.target
    if target is None:
        return replace(evidence, refusal=recovered.refusal)
    with ThreadPoolExecutor(max_workers=1) as beside:
        reading = beside.submit(_read_journals, setting, backup, evidence, target, stages)
        if evidence.mode not in NOT_ROLLED:
            evidence = _roll_forward(setting, evidence, target, stages, recovered, steps)
        steps.settle(target)
        databases = list(target.describe().databases.values())
        integrity = stages.attempt("integrity", lambda: target.integrity(databases))
        evidence = replace(evidence, integrity=integrity)
        if evidence.mode in NOT_ROLLED or evidence.rolled is not None:
            state = stages.attempt("walk", lambda: read_state(target, evidence.seed, evidence.writers))
            evidence = replace(evidence, state=state)
        journals = reading.result()
    return replace(evidence, copied=journals.copied, marker=journals.marker, committed=journals.committed)


def _restore(
    setting: Setting,
    backup: Backup,
    stages: Stages,
    recovered: _Recovered,
    scratch: _Scratch,
    steps: Steps,
) -> None:
    def start() -> Instance:
        scratch.place = steps.take(setting.targets)
        return Instance(scratch.place)

    def put(target: Instance) -> RestoreSummary | None:
        staging = setting.work / f"{scratch.name}-image"
        try:
            return steps.restore(
                backup.provider, backup.window.snapshot, setting.description, target, staging
            )
        except RestoreError as error:
            recovered.refusal = str(error)
            return None

    target = stages.attempt("start target", start)
    if target:
        recovered.restored = stages.attempt("restore", lambda: put(target))
        recovered.target = target if recovered.restored else None


def _boot(
    setting: Setting,
    backup: Backup,
    stages: Stages,
    recovered: _Recovered,
    scratch: _Scratch,
    steps: Steps,
) -> None:
    def expose() -> RestoreSummary:
        scratch.folder.mkdir()
        copied = backup.provider.expose(backup.window.snapshot, scratch.folder)
        return RestoreSummary(duration_s=0.0, bytes=copied)

    def boot() -> Instance | None:
        try:
            scratch.place = setting.target_host.boot(scratch.name, scratch.folder, setting.description.root)
        except StartError as error:
            recovered.refusal = f"the engine does not start from the restored image: {error}"
            return None
        target = Instance(scratch.place)
        target.describe()  # kept by it: what comes later needs it also where the instance has ended by then
        return target

    recovered.restored = stages.attempt("restore", expose)
    if recovered.restored:
        target = stages.attempt("boot", boot)
        if target and (alone := stages.attempt("isolation", lambda: require_isolated(target.place))):
            recovered.target = target
            recovered.restored = replace(
                recovered.restored,
                duration_s=stages.seconds("restore"),
                into=target.place.where,
                interfaces=alone,
            )


def _roll_forward(
    setting: Setting,
    evidence: Evidence,
    target: Instance,
    stages: Stages,
    recovered: _Recovered,
    steps: Steps,
) -> Evidence:
    journals = evidence.journals
    if journals is None:
        return evidence
    try:
        with stages.stage("roll forward"):
            recovered.rolled, answer = steps.roll_forward(
                target, setting.description, journals, evidence.until
            )
    except RollforwardError as error:
        # the engine's refusal of these journals is an answer about the backup
        return replace(evidence, rolled_problem=str(error))
    except HarnessError as error:
        stages.problems.append(("roll forward", str(error)))
        return evidence
    return replace(evidence, rolled=answer)


def _read_journals(
    setting: Setting, backup: Backup, evidence: Evidence, target: Instance, stages: Stages
) -> _Journals:
    """Runs beside other stages, so it is not timed as one; its problems are kept all the same."""
    journals = evidence.journals
    if journals is None:
        return _Journals(copied=None, marker=None, committed=None)
    copied = _kept(stages, "read journals", lambda: target.journals(journals.folder))
    marker = _kept(stages, "read marker", lambda: target.read_marker(journals.folder, journals.start))
    if evidence.mode in NOT_ROLLED:
        return _Journals(copied=copied, marker=marker, committed=backup.committed)
    last = evidence.until.journal_file if evidence.until else journals.expected[-1].name
    stop = evidence.until.offset_bytes if evidence.until else None
    first, writers = journals.start.journal_file, evidence.writers
    committed = _kept(
        stages, "read journals", lambda: target.last_committed(journals.folder, first, last, stop, writers)
    )
    return _Journals(copied=copied, marker=marker, committed=committed)


def _kept(stages: Stages, name: str, work: Callable[[], Answer]) -> Answer | None:
    try:
        return work()
    except HarnessError as error:
        stages.problems.append((name, str(error)))
        return None
