"""The limits that the plan sets: how long the window may last, how much may be lost, how long a recovery may take.

Does not apply where the plan sets none. A limit of what could not be measured is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.declared import Declaration
from harness.evidence.case import Evidence, Limit
from harness.model import Code, Finding, Verdict
from harness.verify.base import DOES_NOT_APPLY, NotApplicable


class LimitsChecker:
    """Window, RPO and RTO are within what the plan allows."""

    declared = Declaration(
        name="limits",
        order=1000,
        always=False,
        codes=(Code(name="limits.window"), Code(name="limits.rpo"), Code(name="limits.rto")),
        remedy="the backup is good and too slow or too old for the plan; see the limits in it",
    )

    def check(self, evidence: Evidence) -> Sequence[Finding] | NotApplicable:
        if not evidence.limits:
            return DOES_NOT_APPLY
        return [finding for limit in evidence.limits for finding in _past(limit)]


def _past(limit: Limit) -> Iterator[Finding]:
    code = f"limits.{limit.name}"
    if limit.measured_s is None:
        message = f"the limit of {limit.limit_s} s could not be judged: {limit.name} was not measured"
        yield Finding(code=code, message=message, verdict=Verdict.UNKNOWN)
    elif limit.measured_s > limit.limit_s:
        message = f"{limit.name} is {limit.measured_s:.3f} s, the limit is {limit.limit_s} s"
        yield Finding(code=code, message=message)
