"""The engine's own structure check is clean, with a closing verdict for every database asked for.

Catches damaged blocks and truncated files. Says nothing about lost writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.declared import Declaration
from harness.evidence.case import Evidence
from harness.model import Code, Finding, Upstream, Verdict
from harness.verify.base import not_checked


class IntegrityChecker:
    """Structure check of every restored database, closing verdict included."""

    declared = Declaration(
        name="integrity",
        order=20,
        of_image=True,
        codes=(
            Code(name="integrity.refused", rank=Upstream.DATA + 10),
            Code(name="integrity.damaged", rank=Upstream.DATA + 20),
            Code(name="integrity.incomplete", rank=Upstream.DATA + 30),
        ),
        remedy="do not count on this backup. Check the live databases with ^Integrity: if they are sound, "
        "the snapshot damaged them; take another",
        needs=("integrity",),
        facts=(
            "agent.answers",
            "agent.refuses_with_3",
            "restore.place_and_mount",
            "integrity.clean_verdict",
            "integrity.closing_verdict",
            "integrity.damage_is_seen",
            "boot.recovers",
        ),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        if evidence.refusal is not None:
            message = "the restored databases could not be opened, so nothing of them could be read"
            return [Finding(code="integrity.refused", message=message, witness=evidence.refusal)]
        report = evidence.integrity
        if report is None:
            return not_checked("integrity", evidence, "structure check")
        findings = [
            Finding(
                code="integrity.damaged",
                message=f"database {one.database} is damaged: {len(one.errors)} errors in its structure",
                witness=one.errors[0] if one.errors else "",
            )
            for one in report.databases
            if not one.clean
        ]
        if not report.complete or len(report.databases) != evidence.databases:
            message = f"the structure check ended without a verdict for all {evidence.databases} databases"
            findings.append(Finding(code="integrity.incomplete", message=message, verdict=Verdict.UNKNOWN))
        return findings
