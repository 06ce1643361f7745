"""The recovered state is the last committed transaction in the journals, not one less. Catches a silent stop and a
database that was skipped.

For a roll-forward the journals up to the recovery point are read, and each writer must be exactly there in both
databases. Without a roll-forward (as-of-freeze, boot) what the journals had committed before the marker is the
least that must be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.declared import Declaration
from harness.evidence.answers import Committed
from harness.evidence.case import Evidence
from harness.evidence.state import RestoredState
from harness.model import Code, Finding, Upstream, Verdict
from harness.verify.base import not_checked
from harness.workload.ledger import Vector

_NOTHING_BETWEEN = Finding(
    code="recovery_point.nothing_between",
    message="no transaction lies between the freeze and the recovery point, so the roll-forward proved nothing; "
    "let the load go on longer (workload.duration, workload.transactions) or slower (workload.rate)",
    verdict=Verdict.UNKNOWN,
)


class RecoveryPointChecker:
    """Recovery reached exactly where the journals end or the recovery point is."""

    declared = Declaration(
        name="recovery_point",
        order=110,
        codes=(
            Code(name="recovery_point.skipped", rank=Upstream.DATA + 40),
            Code(name="recovery_point.broken_off", rank=Upstream.DATA + 50),
            Code(name="recovery_point.missed", rank=Upstream.DATA + 130),
            Code(name="recovery_point.nothing_between"),
        ),
        remedy="bring the journals that are missing, or look in commands.log at what the roll-forward said",
        needs=("state", "committed"),
        facts=(
            "agent.refuses_with_3",
            "journals.last_committed",
            "state.tells_what_work_did",
            "rollforward.start_position",
            "rollforward.start_between_records_refused",
            "rollforward.stop_at_marker",
            "rollforward.skipped_is_reported",
        ),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        if evidence.rolled_problem is not None:
            message = f"the roll-forward broke off: {evidence.rolled_problem}"
            return [Finding(code="recovery_point.broken_off", message=message)]
        if evidence.mode.rolls and evidence.rolled is None:
            return not_checked("recovery_point", evidence, "roll-forward")
        findings = _skipped(evidence)
        if evidence.state is None or evidence.committed is None:
            return [
                *findings,
                *not_checked("recovery_point", evidence, "restored state to compare with the journals"),
            ]
        exact = evidence.mode.rolls
        if exact and not any(one.one or one.two for one in evidence.committed):
            return [*findings, _NOTHING_BETWEEN]
        if not exact and (unread := _unread(evidence.committed, evidence.floor)):
            return [
                *findings,
                *not_checked("recovery_point", evidence, f"commit of writer {unread} in the journals"),
            ]
        return [*findings, *(f for one in evidence.committed for f in _compare(one, evidence.state, exact))]


def _unread(committed: Sequence[Committed], floor: Vector) -> int | None:
    """A writer whose transactions were acknowledged, and of which the journals before the marker show none."""
    read = {one.writer for one in committed if one.one and one.two}
    return next((w for w, promised in sorted(floor.items()) if promised and w not in read), None)


def _skipped(evidence: Evidence) -> list[Finding]:
    message = "the roll-forward skipped a database: none of its updates were applied"
    folders = evidence.rolled.skipped if evidence.rolled else ()
    return [
        Finding(code="recovery_point.skipped", message=message, witness=str(folder)) for folder in folders
    ]


def _compare(committed: Committed, state: RestoredState, exact: bool) -> Iterator[Finding]:
    writer = state.writers.get(committed.writer)
    for database, last, there in (
        ("one", committed.one, (writer.one if writer else 0) or 0),
        ("two", committed.two, (writer.two if writer else 0) or 0),
    ):
        if there < last or (exact and last and there > last):
            side = "short of" if there < last else "beyond"
            yield Finding(
                code="recovery_point.missed",
                message=f"database {database} stopped {side} the last transaction that its journals commit",
                witness=f"writer {committed.writer}: recovered {there}, the journals end at {last}",
            )
