"""What did not pass, said once: findings that several cases share are one block, and so are checks that could not
look.

A missing instance or a filesystem that cannot clone makes every check of every case UNKNOWN for one reason. A person
reads that reason once.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.model import CaseRecord, Finding, Record, Verdict
from harness.report.base import not_passed, reasons
from harness.report.cause import cause
from harness.report.guide import Guide

_BLIND = ".not_checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Findings that one or several checks state alike; `where` is `case · check` for each."""

    verdict: Verdict
    where: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """Checks that could not look, in one or several cases, and why as far as a stage said so."""

    checks: tuple[str, ...]
    cases: tuple[str, ...]
    why: str


def blocks(record: Record) -> list[Block]:
    """Everything that was looked at and did not pass, in the order of the record."""
    found: dict[tuple[Verdict, tuple[Finding, ...]], list[str]] = {}
    for case, check in not_passed(record):
        seen = tuple(finding for finding in reasons(check) if not is_blind(finding))
        if seen:
            found.setdefault((check.verdict, seen), []).append(f"{case.name} · {check.name}")
    return [
        Block(verdict=verdict, where=tuple(where), findings=seen) for (verdict, seen), where in found.items()
    ]


def blind(record: Record, guide: Guide) -> list[Blind]:
    """The checks that could not look; cases that lack the same for the same reason are one."""
    alike: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for case in record.cases:
        found = [(check.name, f) for check in case.checks for f in check.findings if is_blind(f)]
        if found:
            names = tuple(name for name, _ in found)
            alike.setdefault((names, _why(case, [f for _, f in found], guide)), []).append(case.name)
    return [Blind(checks=checks, cases=tuple(cases), why=why) for (checks, why), cases in alike.items()]


def _why(case: CaseRecord, found: list[Finding], guide: Guide) -> str:
    """What a stage said; else the cause that the case has; else what was missing."""
    if said := "; ".join(dict.fromkeys(finding.witness for finding in found if finding.witness)):
        return said
    first = cause(case, guide)
    if first and not is_blind(first):
        return f"of {first.code}"
    return "; ".join(dict.fromkeys(finding.message for finding in found))


def is_blind(finding: Finding) -> bool:
    """Whether it says only that there was nothing to look at."""
    return finding.code.endswith(_BLIND)
