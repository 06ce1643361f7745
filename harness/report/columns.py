"""One case as a row of a table: which numbers a person sees, in which order, and with how many places."""

from __future__ import annotations

from harness.model import CaseRecord, FreezeSummary, Position, RecoverySummary, Verdict
from harness.report.base import case_verdict, printable
from harness.report.guide import Guide

HEADERS = (
    "case",
    "verdict",
    "marker",
    "window ms",
    "size MB",
    "acknowledged",
    "recovered",
    "lost",
    "RPO s",
    "RTO s",
    "checks passed",
)
ALIGN = ("left", "left", "left", *["right"] * 8)


def cells(case: CaseRecord, guide: Guide) -> list[str]:
    """The cells of a case under `HEADERS`; what was not reached or not found out is `-`."""
    return [
        printable(case.name),
        case_verdict(case, guide).value,
        _marker(case.freeze),
        f"{case.freeze.window_s * 1000:.1f}" if case.freeze else "-",
        f"{case.snapshot.bytes / 1e6:.1f}" if case.snapshot else "-",
        *_recovery(case.recovery),
        _passed(case),
    ]


def _marker(freeze: FreezeSummary | None) -> str:
    if freeze is None or freeze.journal_file is None or freeze.offset_bytes is None:
        return "-"
    return printable(str(Position(journal_file=freeze.journal_file, offset_bytes=freeze.offset_bytes)))


def _recovery(recovery: RecoverySummary | None) -> list[str]:
    if recovery is None:
        return ["-"] * 5
    counts = (recovery.acknowledged, recovery.recovered, recovery.lost_acknowledged)
    seconds = (recovery.rpo_s, recovery.rto_s)
    return [
        *("-" if count is None else str(count) for count in counts),
        *("-" if number is None else f"{number:.2f}" for number in seconds),
    ]


def _passed(case: CaseRecord) -> str:
    """Checks passed of checks made, such as `10/10`; skipped ones were not made."""
    verdicts = [check.verdict for check in case.checks]
    return f"{verdicts.count(Verdict.PASS)}/{len(verdicts) - verdicts.count(Verdict.SKIPPED)}"
