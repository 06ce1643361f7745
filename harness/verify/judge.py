"""Runs every registered check over the evidence of a case, some of them twice: on the image as it was restored, and
on what was recovered from it.

A roll-forward writes every node that the load wrote, so it heals an image that is stale, late or damaged where the
load was. So those checks that look at restored data judge the image first, as of the freeze; their names then begin
with `image.`, and so do their codes.
"""

from __future__ import annotations

from dataclasses import replace

from harness.declared import Judgement, Profile, judgements
from harness.evidence.case import Evidence
from harness.model import IMAGE, Check, Finding
from harness.verify.base import Checker, NotApplicable, broken, checked, judge


def judge_all(evidence: Evidence, profile: Profile) -> list[Check]:
    """Every check of a profile that applies to the case, in the order of a report. One that cannot be loaded, or
    raises, is UNKNOWN.
    """
    of_image = evidence.of_image()
    found = [_judged(one, of_image if one.image else evidence) for one in judgements(profile)]
    return [check for check in found if not isinstance(check, NotApplicable)]


def _judged(judgement: Judgement, evidence: Evidence) -> Check | NotApplicable:
    check = _check(judgement, evidence)
    if isinstance(check, NotApplicable) or not judgement.image:
        return check
    return replace(check, name=judgement.name, findings=tuple(map(_in_image, check.findings)))


def _check(judgement: Judgement, evidence: Evidence) -> Check | NotApplicable:
    name, made = judgement.check.declaration.name, judgement.check.checker
    if isinstance(made, BaseException):
        return checked(name, (broken(name, made),))
    try:
        checker: Checker = made()
    except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever a plug-in does when it is made
        return checked(name, (broken(name, error),))
    return judge(checker, evidence)


def _in_image(finding: Finding) -> Finding:
    return replace(
        finding,
        code=f"{IMAGE}{finding.code}",
        message=f"the image, before any journal was applied: {finding.message}",
    )
