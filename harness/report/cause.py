"""Which finding a person must look at first: the cause, not one of its symptoms.

A missing journal also leaves transactions lost, a thaw that came too early also leaves the databases torn. What lies
further up in a backup's life explains what lies further down, so findings are ranked in that order: by the rank that
their code has in the guide. What has none comes after, in the order of the checks. What a check says of the image
comes before what it says of the recovered state, which was made from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial

from harness.model import IMAGE, CaseRecord, Finding, Upstream, Verdict
from harness.report.guide import Guide


def cause(case: CaseRecord, guide: Guide) -> Finding | None:
    """The first thing to look at in a case that did not pass; None if it left no finding."""
    found = [finding for check in case.checks for finding in check.findings]
    return min(found, key=partial(_rank, guide), default=None)


def cause_line(cases: Iterable[CaseRecord], guide: Guide) -> str:
    """The cause of the worst of some cases in a line, with its witness; empty if all passed."""
    found = [
        finding for case in cases if case.verdict is not Verdict.PASS and (finding := cause(case, guide))
    ]
    if not found:
        return ""
    finding = min(found, key=partial(_rank, guide))
    if finding.code.endswith(".not_checked") and finding.witness:
        return finding.witness  # why nothing could be looked at, said by the stage that failed
    witness = f" ({finding.witness})" if finding.witness else ""
    return f"{finding.code}: {finding.message}{witness}"


def next_step(cases: Iterable[CaseRecord], guide: Guide) -> str:
    """What to do about the cause of the worst of some cases; empty where nothing is wrong, or only unknown."""
    found = [finding for case in cases if case.verdict is Verdict.FAIL and (finding := cause(case, guide))]
    worst = min(found, key=partial(_rank, guide), default=None)
    if worst is None or worst.verdict is not Verdict.FAIL:
        return ""
    return guide.remedy(worst.code.removeprefix(IMAGE))


def _rank(guide: Guide, finding: Finding) -> tuple[bool, bool, float]:
    plain = finding.code.removeprefix(IMAGE)
    known = guide.rank(plain)
    place = math.inf if known is None else known
    of_recovered = place >= Upstream.DATA and plain == finding.code
    return (finding.verdict is not Verdict.FAIL, of_recovered, place)
