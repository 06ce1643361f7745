"""What a case leaves in the record: numbers, checks, a verdict. And what was measured against the plan's limits,
which a check judges.

RTO counts what an operator would wait for: restore or boot, roll-forward, structure check, walk of the state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.declared import RUN
from harness.evidence.backup import Backup, RecoveryPoint
from harness.evidence.case import Evidence, Limit, Look
from harness.evidence.window import Window
from harness.facts.known import unconfirmed
from harness.model import (
    CaseRecord,
    Check,
    FreezeSummary,
    RecoveryMode,
    RecoverySummary,
    RestoreSummary,
    RollforwardSummary,
    SnapshotSummary,
    Verdict,
)
from harness.plan.model import Case, Limits
from harness.session.session import Session, Stages
from harness.verify.judge import judge_all

_RTO_STAGES = ("restore", "boot", "roll forward", "integrity", "walk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a recovery leaves: all that was seen, its stages, and a summary of each step that was reached."""

    evidence: Evidence
    stages: Stages
    restored: RestoreSummary | None
    rolled: RollforwardSummary | None


def case_record(
    session: Session, backup: Backup, point: RecoveryPoint, recovered: Recovered, checks: Sequence[Check]
) -> CaseRecord:
    """The record of a judged case; its verdict is the worst of its checks."""
    evidence, stages = recovered.evidence, recovered.stages
    all_checks = tuple(lasting(checks, session.work))
    return CaseRecord(
        name=stages.name,
        verdict=Verdict.worst(check.verdict for check in all_checks),
        freeze=_freeze(evidence, backup),
        snapshot=_snapshot(backup.window),
        restore=recovered.restored,
        rollforward=recovered.rolled,
        recovery=_recovery(session, point, evidence, stages),
        checks=all_checks,
        stages=(*backup.stages, *stages.done),
        load=backup.load,
    )


def measured(session: Session, backup: Backup, point: RecoveryPoint, recovered: Recovered) -> Recovered:
    """What was recovered, with what it took against the limits of the plan in its evidence."""
    recovery = _recovery(session, point, recovered.evidence, recovered.stages)
    window_s = backup.window.duration_s if backup.window else None
    limits = _limits(session.limits, window_s=window_s, rpo_s=recovery.rpo_s, rto_s=recovery.rto_s)
    return replace(recovered, evidence=replace(recovered.evidence, limits=limits))


def lasting(checks: Sequence[Check], work: Path) -> Iterator[Check]:
    """The checks with paths that mean something after the run: what lay in its working folder is named from there."""

    def shown(text: str) -> str:
        return text.replace(f"{work}/", "")

    for check in checks:
        findings = tuple(
            replace(finding, message=shown(finding.message), witness=shown(finding.witness))
            for finding in check.findings
        )
        yield replace(check, findings=findings)


def _snapshot(window: Window | None) -> SnapshotSummary | None:
    if window is None or window.snapshot is None:
        return None
    return SnapshotSummary(
        provider=window.snapshot.provider,
        duration_s=window.capture_duration_s,
        bytes=sum(status.size_bytes for status in window.before),
    )


def without_backup(session: Session, case: Case, stages: Stages) -> CaseRecord:
    """The record of a case whose backup could not be made: every check says UNKNOWN, and why."""
    evidence = Evidence(
        mode=case.recovery,
        seed=session.seed,
        writers=session.workload.writers,
        databases=len(session.description.folders),
        recovered=Look(
            floor={}, ceiling={}, unconfirmed=unconfirmed(session.description, mode=case.recovery)
        ),
        image=Look(
            floor={},
            ceiling={},
            unconfirmed=unconfirmed(session.description, mode=RecoveryMode.AS_OF_FREEZE),
        ),
        limits=_limits(session.limits, window_s=None, rpo_s=None, rto_s=None),
        problems=tuple(stages.problems),
    )
    checks = list(lasting(judge_all(evidence, RUN), session.work))
    return CaseRecord(
        name=case.name,
        verdict=Verdict.worst(check.verdict for check in checks),
        freeze=None,
        snapshot=None,
        restore=None,
        rollforward=None,
        recovery=None,
        checks=tuple(checks),
        stages=tuple(stages.done),
    )


def _freeze(evidence: Evidence, backup: Backup) -> FreezeSummary | None:
    window = backup.window
    if window is None:
        return None
    marker = evidence.entry.marker if evidence.entry else None
    return FreezeSummary(
        journal_file=marker.journal_file if marker else None,
        offset_bytes=marker.offset_bytes if marker else None,
        frozen_utc=window.frozen.frozen_utc,
        thawed_utc=window.thawed.thawed_utc,
        window_s=window.duration_s,
        held=window.held,
        stuns=backup.stuns,
    )


def _recovery(session: Session, point: RecoveryPoint, evidence: Evidence, stages: Stages) -> RecoverySummary:
    """Counts and times. RPO: from the acknowledgement of the first lost transaction to the recovery point."""
    lost = rpo_s = None
    if evidence.state is not None:
        writers = evidence.state.writers
        recovered = {number: writers[number].recovered if number in writers else 0 for number in point.floor}
        short = {number: have for number, have in recovered.items() if have < point.floor[number]}
        lost = sum(point.floor[number] - have for number, have in short.items())
        rpo_s = max(
            (point.at_s - session.ledger.acknowledged_at(number, have + 1) for number, have in short.items()),
            default=0.0,
        )
    return RecoverySummary(
        mode=evidence.mode,
        acknowledged=sum(point.floor.values()),
        recovered=evidence.state.recovered if evidence.state else None,
        lost_acknowledged=lost,
        rpo_s=rpo_s,
        rto_s=stages.seconds(*_RTO_STAGES) if evidence.state else None,
    )


def _limits(
    limits: Limits, *, window_s: float | None, rpo_s: float | None, rto_s: float | None
) -> tuple[Limit, ...]:
    """The limits that are set, with what was measured."""
    known = (
        ("window", limits.window_s, window_s),
        ("rpo", limits.rpo_s, rpo_s),
        ("rto", limits.rto_s, rto_s),
    )
    return tuple(
        Limit(name=name, limit_s=limit_s, measured_s=measured_s)
        for name, limit_s, measured_s in known
        if limit_s is not None
    )
