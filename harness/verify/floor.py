"""Every transaction that was acknowledged before the recovery point is there. Catches lost transactions."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model import Finding
from harness.verify.base import Evidence, not_checked


class FloorChecker:
    """Nothing acknowledged before the recovery point is lost."""

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        if evidence.state is None:
            return not_checked("floor", evidence, "restored state")
        if len(evidence.floor) != evidence.writers:
            return not_checked("floor", evidence, "acknowledgement of every writer")
        findings: list[Finding] = []
        for number, promised in sorted(evidence.floor.items()):
            state = evidence.state.writers.get(number)
            recovered = state.recovered if state else 0
            if recovered < promised:
                findings.append(
                    Finding(
                        code="floor.lost",
                        message=f"{promised - recovered} transactions that were acknowledged before the recovery "
                        "point are lost",
                        witness=f"writer {number}: transaction {recovered + 1} is missing, {promised} were promised",
                    )
                )
        return findings
