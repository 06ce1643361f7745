"""What did not pass, said once: findings that several cases share are one block, and so are checks that could not
look.

A missing instance or a filesystem that cannot clone makes every check of every case UNKNOWN for one reason. A person
reads that reason once.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.model import Finding, Record, Verdict
from harness.report.base import not_passed, reasons

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


def blind(record: Record) -> list[Blind]:
    """The checks that could not look; cases that lack the same for the same reason are one."""
    by_case: dict[str, list[tuple[str, str]]] = {}
    for case, check in not_passed(record):
        for finding in check.findings:
            if is_blind(finding):
                by_case.setdefault(case.name, []).append((check.name, finding.witness or finding.message))
    alike: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for name, found in by_case.items():
        why = "; ".join(dict.fromkeys(reason for _, reason in found))
        alike.setdefault((tuple(check for check, _ in found), why), []).append(name)
    return [Blind(checks=checks, cases=tuple(cases), why=why) for (checks, why), cases in alike.items()]


def is_blind(finding: Finding) -> bool:
    """Whether it says only that there was nothing to look at."""
    return finding.code.endswith(_BLIND)
