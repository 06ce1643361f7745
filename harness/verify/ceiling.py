"""Nothing is there that was not issued before the recovery point. Catches foreign and newer data, wrong images."""

from __future__ import annotations

from collections.abc import Sequence

from harness.declared import Declaration
from harness.evidence.case import Evidence
from harness.model import Code, Finding, Upstream
from harness.verify.base import ONE_INSTANT, not_checked


class CeilingChecker:
    """Nothing newer than the recovery point, nothing of another workload."""

    declared = Declaration(
        name="ceiling",
        order=70,
        of_image=True,
        codes=(
            Code(name="ceiling.foreign", rank=Upstream.DATA + 60),
            Code(name="ceiling.newer", rank=Upstream.DATA + 100),
        ),
        remedy=ONE_INSTANT,
        needs=("state",),
        facts=(
            "state.tells_what_work_did",
            "state.other_data_is_seen",
            "restore.place_and_mount",
            "rollforward.stop_at_marker",
            "boot.recovers",
        ),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        if evidence.state is None:
            return not_checked("ceiling", evidence, "restored state")
        if len(evidence.ceiling) != evidence.writers:
            return not_checked("ceiling", evidence, "number that each writer had reached")
        findings: list[Finding] = []
        for number, state in sorted(evidence.state.writers.items()):
            most = evidence.ceiling.get(number)
            if most is None:
                findings.append(
                    Finding(
                        code="ceiling.foreign",
                        message="the restored databases hold data of a writer that this run did not have",
                        witness=f"writer {number}",
                    )
                )
            elif state.highest > most:
                findings.append(
                    Finding(
                        code="ceiling.newer",
                        message="the restored databases hold transactions that were not issued before the "
                        "recovery point",
                        witness=f"writer {number}: transaction {state.highest}, at most {most} were issued",
                    )
                )
        return findings
