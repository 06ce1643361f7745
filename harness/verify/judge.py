"""Runs every registered check over the evidence of a case, some of them twice: on the image as it was restored, and
on what was recovered from it.

A roll-forward writes every node that the load wrote, so it heals an image that is stale, late or damaged where the
load was. So those checks that look at restored data judge the image first, as of the freeze; their names then begin
with `image.`, and so do their codes.
"""

from __future__ import annotations

from dataclasses import replace

from harness import plugins
from harness.evidence.case import Evidence
from harness.model import CHECKS, IMAGE, Check, Finding
from harness.verify.base import (
    Checker,
    broken,
    checked,
    judge,
)


def judge_all(evidence: Evidence) -> list[Check]:
    """Every registered check, those of `CHECKS` first. One that cannot be loaded, or raises, is UNKNOWN."""
    registered = plugins.names("harness.checkers")
    of_image = evidence.of_image()
    return [
        *(_judged(name, of_image if name.startswith(IMAGE) else evidence) for name in CHECKS),
        *(_judged(name, evidence) for name in registered if name not in CHECKS),
    ]


def _judged(name: str, evidence: Evidence) -> Check:
    plain = name.removeprefix(IMAGE)
    try:
        checker: Checker = plugins.load("harness.checkers", plain, ("check",))()
    except Exception as error:  # noqa: BLE001 # whatever a plug-in does when it is loaded
        return checked(name, (broken(plain, error),))
    check = judge(plain, checker, evidence)
    if name == plain:
        return check
    return replace(check, name=name, findings=tuple(map(_in_image, check.findings)))


def _in_image(finding: Finding) -> Finding:
    return replace(
        finding,
        code=f"{IMAGE}{finding.code}",
        message=f"the image, before any journal was applied: {finding.message}",
    )
