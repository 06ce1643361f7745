"""Which finding a person must look at first: the cause, not one of its symptoms.

A missing journal also leaves transactions lost, a thaw that came too early also leaves the databases torn. What lies
further up in a backup's life explains what lies further down, so findings are ranked in that order.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.model import CaseRecord, Finding, Verdict

_UPSTREAM_FIRST = (
    "marker.stale",
    "hold.early_thaw",
    "hold.incomplete",
    "marker.incomplete",
    "hold.released",
    "hold.changed",
    "marker.unreadable",
    "marker.other_freeze",
    "chain.missing",
    "chain.empty",
    "chain.foreign",
    "chain.damaged",
    "chain.short",
    "chain.gap",
    "chain.open",
    "marker.wrong_place",
    "marker.none",
    "integrity.refused",
    "integrity.damaged",
    "integrity.incomplete",
    "recovery_point.skipped",
    "recovery_point.broken_off",
    "ceiling.foreign",
    "atomicity.torn",
    "atomicity.hole",
    "atomicity.half",
    "ceiling.newer",
    "floor.lost",
    "consistent_cut.future",
    "recovery_point.missed",
    "atomicity.confirmation",
    "content.history",
    "content.accounts",
    "content.balance",
)
"""Codes that explain others; what is not here comes after, in the order of the checks."""


def cause(case: CaseRecord) -> Finding | None:
    """The first thing to look at in a case that did not pass; None if it left no finding."""
    found = [finding for check in case.checks for finding in check.findings]
    return min(found, key=_rank, default=None)


def cause_line(cases: Iterable[CaseRecord]) -> str:
    """The cause of the worst of some cases in a line, with its witness; empty if all passed."""
    found = [finding for case in cases if case.verdict is not Verdict.PASS and (finding := cause(case))]
    if not found:
        return ""
    finding = min(found, key=_rank)
    witness = f" ({finding.witness})" if finding.witness else ""
    return f"{finding.code}: {finding.message}{witness}"


def _rank(finding: Finding) -> tuple[int, int]:
    known = finding.code in _UPSTREAM_FIRST
    place = _UPSTREAM_FIRST.index(finding.code) if known else len(_UPSTREAM_FIRST)
    return (0 if finding.verdict is Verdict.FAIL else 1, place)
