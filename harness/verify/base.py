"""The port for checks, and the evidence they judge.

A checker looks at evidence and states findings; it runs nothing and changes nothing. What could not be
obtained is None in the evidence, and the check that needs it says UNKNOWN: not checked is never passed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.freeze import FileStatus, Window
from harness.freeze_log import FreezeEntry
from harness.instance.iris import Committed, IntegrityReport, JournalFile, MarkerReading, RollforwardAnswer
from harness.model import Check, Finding, Position, RecoveryMode, Verdict
from harness.rollforward import JournalSet
from harness.verify.state import RestoredState
from harness.workload.ledger import Vector

_FACTS_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of one case when it is judged; a part that could not be had is None.

    Attributes:
        seed, writers: What the workload was a function of.
        floor: Acknowledged before the recovery point; must be there.
        ceiling: Issued before the recovery point; nothing beyond may be there.
        window: The freeze window the snapshot was taken in.
        image, image_now: Status of the snapshot's files just after the thaw, and before the recovery.
        entry: The one freeze that the engine logged in that window.
        entry_problem: Why there is no `entry`; `entry_stale`: because nothing was logged.
        marker: What stands at the logged position in the copied journals.
        journals: The copied set, with what the live instance had.
        copied: The journals of the set as the restored instance reads them.
        until: Recovery point inside the journals; None is their end.
        rolled: What roll-forward answered; None where none was asked for.
        rolled_problem: Why roll-forward broke off.
        committed: Last committed sequence numbers in the journals up to the recovery point.
        databases: How many there must be.
        refusal: Why the engine would not take, or not start from, the restored files.
        integrity: The engine's structure check of the restored databases.
        state: What the restored databases hold.
        problems: Stage → why it could not be done.
        unconfirmed: Check → facts about the product that it rests on and that nobody saw to hold for this engine
            (`harness.facts.known.unconfirmed`); empty means that all were.
    """

    mode: RecoveryMode
    seed: int
    writers: int
    floor: Vector
    ceiling: Vector
    window: Window | None = None
    image: tuple[FileStatus, ...] = ()
    image_now: tuple[FileStatus, ...] = ()
    entry: FreezeEntry | None = None
    entry_problem: str = ""
    entry_stale: bool = False
    marker: MarkerReading | None = None
    journals: JournalSet | None = None
    copied: tuple[JournalFile, ...] | None = None
    until: Position | None = None
    rolled: RollforwardAnswer | None = None
    rolled_problem: str = ""
    committed: tuple[Committed, ...] | None = None
    databases: int = 2
    refusal: str = ""
    integrity: IntegrityReport | None = None
    state: RestoredState | None = None
    problems: tuple[tuple[str, str], ...] = ()
    unconfirmed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Checker(Protocol):
    """One row of the table in the README: looks at evidence, returns findings; none is a pass."""

    def check(self, evidence: Evidence) -> Sequence[Finding]: ...


def judge(name: str, checker: Checker, evidence: Evidence) -> Check:
    """Run one checker. Its verdict is the worst of its findings; PASS needs that it looked and found none, and that
    every fact about the product that it rests on was confirmed."""
    began = time.monotonic()
    findings = (*checker.check(evidence), *_unconfirmed(name, evidence))
    return Check(
        name=name,
        verdict=Verdict.worst([Verdict.PASS, *(finding.verdict for finding in findings)]),
        duration_s=time.monotonic() - began,
        findings=findings,
    )


def _unconfirmed(check: str, evidence: Evidence) -> list[Finding]:
    facts = evidence.unconfirmed.get(check, ())
    if not facts:
        return []
    shown = ", ".join(facts[:_FACTS_SHOWN])
    more = f" and {len(facts) - _FACTS_SHOWN} more" if len(facts) > _FACTS_SHOWN else ""
    return [
        Finding(
            code=f"{check}.unconfirmed",
            message=f"it rests on facts that nobody confirmed for this engine: {shown}{more}",
            witness="confirm them: harness conform --image IMAGE, or --instance NAME",
            verdict=Verdict.UNKNOWN,
        )
    ]


def not_checked(check: str, evidence: Evidence, what: str) -> list[Finding]:
    """The finding of a check whose evidence is missing, with the reason if a stage left one."""
    reasons = "; ".join(f"{stage}: {why}" for stage, why in evidence.problems)
    message = f"not checked: there is no {what}"
    return [Finding(code=f"{check}.not_checked", message=message, witness=reasons, verdict=Verdict.UNKNOWN)]
