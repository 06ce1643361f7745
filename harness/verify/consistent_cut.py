"""If a recovered transaction read number j of another writer, then that writer is recovered up to j at least.

Catches databases and journals of different instants even where each writer for itself looks whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.declared import Declaration
from harness.evidence.case import Evidence
from harness.model import Code, Finding, Upstream
from harness.verify.base import ONE_INSTANT, not_checked


class ConsistentCutChecker:
    """Nothing recovered depends on something that is not."""

    declared = Declaration(
        name="consistent_cut",
        order=50,
        of_image=True,
        codes=(Code(name="consistent_cut.future", rank=Upstream.DATA + 120),),
        remedy=ONE_INSTANT,
        needs=("state",),
        facts=(
            "state.tells_what_work_did",
            "restore.place_and_mount",
            "boot.recovers",
        ),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        if evidence.state is None:
            return not_checked("consistent_cut", evidence, "restored state")
        findings: list[Finding] = []
        for number, state in sorted(evidence.state.writers.items()):
            for other, (read, by) in sorted(state.history.reads.items()):
                there = evidence.state.writers.get(other)
                recovered = there.recovered if there else 0
                if read > recovered:
                    findings.append(
                        Finding(
                            code="consistent_cut.future",
                            message="a recovered transaction read another one that is not recovered",
                            witness=f"transaction {by} of writer {number} read number {read} of writer {other}, "
                            f"which is recovered only up to {recovered}",
                        )
                    )
        return findings
