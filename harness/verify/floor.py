"""Every transaction that was acknowledged before the recovery point is there. Catches lost transactions."""

from __future__ import annotations

from collections.abc import Sequence

from harness.declared import Declaration
from harness.evidence.case import Evidence
from harness.evidence.state import RestoredState
from harness.model import Code, Finding, Upstream
from harness.verify.base import not_checked


class FloorChecker:
    """Nothing acknowledged before the recovery point is lost."""

    declared = Declaration(
        name="floor",
        order=60,
        of_image=True,
        codes=(Code(name="floor.lost", rank=Upstream.DATA + 110),),
        remedy="do not count on this backup: restored, it loses what its users were told is stored",
        needs=("state",),
        facts=(
            "state.tells_what_work_did",
            "restore.place_and_mount",
            "boot.recovers",
        ),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        if evidence.state is None:
            return not_checked("floor", evidence, "restored state")
        if len(evidence.floor) != evidence.writers:
            return not_checked("floor", evidence, "acknowledgement of every writer")
        findings: list[Finding] = []
        why = _why(evidence, evidence.state)
        for number, promised in sorted(evidence.floor.items()):
            state = evidence.state.writers.get(number)
            recovered = state.recovered if state else 0
            if recovered < promised:
                findings.append(
                    Finding(
                        code="floor.lost",
                        message=f"{promised - recovered} transactions that were acknowledged before the recovery "
                        f"point are lost{why}",
                        witness=f"writer {number}: transaction {recovered + 1} is missing, {promised} were promised",
                    )
                )
        return findings


def _why(evidence: Evidence, state: RestoredState) -> str:
    """What the whole of the state tells of the reason; empty if nothing."""
    if not state.recovered:
        return "; nothing of the load is there, as where databases are others, or in each other's place"
    if evidence.recovered is evidence.image:  # the image itself is judged, to which nothing was applied yet
        return ""
    image = evidence.image.state if evidence.image else None
    if evidence.rolled is not None and image is not None and _reached(image) == _reached(state):
        return "; the roll-forward brought nothing beyond what the image held"
    return ""


def _reached(state: RestoredState) -> dict[int, int]:
    return {number: writer.recovered for number, writer in state.writers.items()}
