"""The port for checks, and the evidence they judge.

A checker looks at evidence and states findings; it runs nothing and changes nothing. What could not be
obtained is None in the evidence, and the check that needs it says UNKNOWN: not checked is never passed.
"""

from __future__ import annotations

import enum
import time
import traceback
from collections.abc import Sequence
from typing import Protocol

from harness import plugins
from harness.declared import GROUP, Declaration
from harness.evidence.case import Evidence
from harness.model import Check, Finding, Verdict

ONE_INSTANT = (
    "do not count on this backup: its files are not of the one instant of the freeze. See that every file is copied "
    "between freeze and thaw, by one snapshot"
)
"""The remedy of several checks: what was restored was not copied in one instant."""
_FACTS_SHOWN = 4


class NotApplicable(enum.Enum):
    """What a check says of a case in which there is nothing for it to judge. It is no pass: the case has no such
    row.
    """

    DOES_NOT_APPLY = "does not apply"


DOES_NOT_APPLY = NotApplicable.DOES_NOT_APPLY


class Checker(Protocol):
    """One row of the table in the README: looks at evidence, returns findings; none is a pass. Constructed without
    arguments. A check that declares that it judges every case may not say that it does not apply.
    """

    @property
    def declared(self) -> Declaration: ...

    def check(self, evidence: Evidence) -> Sequence[Finding] | NotApplicable: ...


def judge(checker: Checker, evidence: Evidence) -> Check | NotApplicable:
    """Run one checker. Its verdict is the worst of its findings; PASS needs that it looked and found none, that all
    it needs was there, and that every fact about the product that it rests on was confirmed. Whatever it raises
    becomes UNKNOWN: the other checks go on.
    """
    name = checker.declared.name
    began = time.monotonic()
    try:
        found = _found(checker, evidence)
    except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever a check raises, it says nothing of the backup
        found = (broken(name, error),)
    if isinstance(found, NotApplicable):
        return found
    return checked(name, (*found, *_unconfirmed(name, evidence)), time.monotonic() - began)


def _found(checker: Checker, evidence: Evidence) -> tuple[Finding, ...] | NotApplicable:
    said = checker.check(evidence)
    if isinstance(said, NotApplicable):
        if checker.declared.always:
            raise TypeError(
                "it declares that it judges every case, and says that it does not apply to this one"
            )
        return said
    if not isinstance(said, list | tuple):
        raise TypeError(f"a check gives a list or tuple of findings, and not {said!r}")
    findings = tuple(said)
    for finding in findings:
        _require_sound(checker.declared.name, finding)
    return findings or tuple(_lacking(checker.declared, evidence))


def _require_sound(name: str, finding: object) -> None:
    """Raises TypeError if it could not be recorded, or speaks for another check."""
    if not isinstance(finding, Finding):
        raise TypeError("a check gives findings, and nothing else")
    if not all(isinstance(text, str) for text in (finding.code, finding.message, finding.witness)):
        raise TypeError("code, message and witness of a finding are text")
    if finding.verdict not in (Verdict.FAIL, Verdict.UNKNOWN):
        raise TypeError(f"a finding is FAIL or UNKNOWN, and not {finding.verdict!r}")
    if not finding.code.startswith(f"{name}."):
        raise TypeError(f"{finding.code} is no code of the check {name}")


def _lacking(declared: Declaration, evidence: Evidence) -> list[Finding]:
    """A check that found nothing where something that it needs is missing has not looked."""
    return [
        finding
        for need in declared.needs
        if getattr(evidence, need) is None
        for finding in not_checked(declared.name, evidence, need)
    ]


def checked(name: str, findings: tuple[Finding, ...], duration_s: float = 0.0) -> Check:
    """A check from its findings: its verdict is the worst of them, PASS if there is none."""
    verdict = Verdict.worst([Verdict.PASS, *(finding.verdict for finding in findings)])
    return Check(name=name, verdict=verdict, duration_s=duration_s, findings=findings)


def broken(name: str, error: BaseException) -> Finding:
    """The finding of a check that could not be loaded, or raised."""
    return Finding(
        code=f"{name}.broken",
        message=f"the check {name} of {plugins.origin(GROUP, name)} failed, so it says nothing about the backup. "
        "Report it to its author",
        witness="".join(traceback.format_exception_only(error)).strip(),
        verdict=Verdict.UNKNOWN,
    )


def _unconfirmed(check: str, evidence: Evidence) -> list[Finding]:
    known = evidence.recovered.unconfirmed
    facts = ("nobody looked",) if known is None else known.get(check, ())
    if not facts:
        return []
    shown = ", ".join(facts[:_FACTS_SHOWN])
    more = f" and {len(facts) - _FACTS_SHOWN} more" if len(facts) > _FACTS_SHOWN else ""
    return [
        Finding(
            code=f"{check}.unconfirmed",
            message=f"it depends on facts that are not confirmed for this engine: {shown}{more}",
            witness="confirm them: harness conform --image IMAGE, or --instance NAME",
            verdict=Verdict.UNKNOWN,
        )
    ]


def not_checked(check: str, evidence: Evidence, what: str) -> list[Finding]:
    """The finding of a check whose evidence is missing, with the reason if a stage left one."""
    reasons = "; ".join(f"{stage}: {why}" for stage, why in evidence.problems)
    message = f"not checked: there is no {what}"
    return [Finding(code=f"{check}.not_checked", message=message, witness=reasons, verdict=Verdict.UNKNOWN)]
