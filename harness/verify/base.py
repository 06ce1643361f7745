"""The port for checks, and the evidence they judge.

A checker looks at evidence and states findings; it runs nothing and changes nothing. What could not be
obtained is None in the evidence, and the check that needs it says UNKNOWN: not checked is never passed.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from harness import registry
from harness.freeze import FileStatus, Window
from harness.freeze_log import FreezeEntry
from harness.instance.iris import Committed, IntegrityReport, JournalFile, MarkerReading, RollforwardAnswer
from harness.model import Check, Finding, Position, RecoveryMode, Verdict
from harness.rollforward import JournalSet
from harness.verify.state import RestoredState
from harness.workload.ledger import Vector

_FACTS_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at restored databases found; a part that could not be had is None.

    Attributes:
        floor, ceiling: What must be there at least, and can be there at most.
        refusal: Why the engine would not take, or not start from, the restored files; None if it did, or was
            not asked.
        integrity: The engine's structure check of the restored databases.
        state: What the restored databases hold.
        unconfirmed: Check → facts about the product that it rests on and that nobody saw to hold for this engine
            (`harness.facts.known.unconfirmed`); empty means that all were, None that nobody looked.
    """

    floor: Vector
    ceiling: Vector
    refusal: str | None = None
    integrity: IntegrityReport | None = None
    state: RestoredState | None = None
    unconfirmed: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of one case when it is judged; a part that could not be had is None.

    Attributes:
        seed, writers: What the workload was a function of.
        databases: How many there must be.
        recovered: The look at what was recovered; its `floor` was acknowledged before the recovery point and must be
            there, nothing beyond its `ceiling` was issued before it.
        image: The look at the restored image before anything was applied to it, as of the freeze.
        window: The freeze window the snapshot was taken in.
        incomplete: Why the snapshot, which its provider called finished, is none; None if nothing says so.
        late: Why the snapshot was ended because its time was over; None if it was not.
        files, digests: Size of each file in the image as it was given out, and content where it was read.
        watched, watched_now: Status of the snapshot's files just after the thaw, and before the recovery; None if
            nobody could watch them.
        issued_later: How many transactions were issued after the freeze: by these an image that is late is told.
        entry: The one freeze that the engine logged in that window.
        entry_problem: Why there is no `entry`; `entry_stale`: because nothing was logged.
        marker: What stands at the logged position in the journals.
        journals: The copied set, with what the live instance had.
        journals_gone: Why there is no set, if the live instance no longer had a journal that is needed; else None.
        copied: The journals as the restored instance reads them: those of the set; for `boot` those in the image.
        until: Recovery point inside the journals; None is their end.
        rolled: What roll-forward answered; None where none was asked for.
        rolled_problem: Why roll-forward broke off; None if it did not, or was not asked for.
        committed: Last committed sequence numbers in the journals up to the recovery point.
        problems: Stage → why it could not be done.
    """

    mode: RecoveryMode
    seed: int
    writers: int
    databases: int
    recovered: Look
    image: Look | None = None
    window: Window | None = None
    incomplete: str | None = None
    late: str | None = None
    files: Mapping[Path, int] | None = None
    digests: Mapping[Path, str] | None = None
    watched: tuple[FileStatus, ...] | None = None
    watched_now: tuple[FileStatus, ...] | None = None
    issued_later: int | None = None
    entry: FreezeEntry | None = None
    entry_problem: str = ""
    entry_stale: bool = False
    marker: MarkerReading | None = None
    journals: JournalSet | None = None
    journals_gone: str | None = None
    copied: tuple[JournalFile, ...] | None = None
    until: Position | None = None
    rolled: RollforwardAnswer | None = None
    rolled_problem: str | None = None
    committed: tuple[Committed, ...] | None = None
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def floor(self) -> Vector:
        return self.recovered.floor

    @property
    def ceiling(self) -> Vector:
        return self.recovered.ceiling

    @property
    def refusal(self) -> str | None:
        return self.recovered.refusal

    @property
    def integrity(self) -> IntegrityReport | None:
        return self.recovered.integrity

    @property
    def state(self) -> RestoredState | None:
        return self.recovered.state

    def of_image(self) -> Evidence:
        """The same with the look at the image in the place of the other one; what was not looked at is None."""
        looked = self.image or Look(floor={}, ceiling={})
        return replace(self, mode=RecoveryMode.AS_OF_FREEZE, recovered=looked)


class Checker(Protocol):
    """One row of the table in the README: looks at evidence, returns findings; none is a pass."""

    def check(self, evidence: Evidence) -> Sequence[Finding]: ...


def judge(name: str, checker: Checker, evidence: Evidence) -> Check:
    """Run one checker. Its verdict is the worst of its findings; PASS needs that it looked and found none, and that
    every fact about the product that it rests on was confirmed. Whatever it raises becomes UNKNOWN: the other checks
    go on.
    """
    began = time.monotonic()
    try:
        findings = tuple(checker.check(evidence))
        if not all(isinstance(finding, Finding) for finding in findings):
            raise TypeError("a check gives findings, and nothing else")
    except Exception as error:  # noqa: BLE001 # whatever a check raises, it says nothing of the backup
        findings = (broken(name, error),)
    return checked(name, (*findings, *_unconfirmed(name, evidence)), time.monotonic() - began)


def checked(name: str, findings: tuple[Finding, ...], duration_s: float = 0.0) -> Check:
    """A check from its findings: its verdict is the worst of them, PASS if there is none."""
    verdict = Verdict.worst([Verdict.PASS, *(finding.verdict for finding in findings)])
    return Check(name=name, verdict=verdict, duration_s=duration_s, findings=findings)


def broken(name: str, error: Exception) -> Finding:
    """The finding of a check that could not be loaded, or raised."""
    return Finding(
        code=f"{name}.broken",
        message=f"the check {name} of {registry.origin('harness.checkers', name)} broke off, so it says nothing. Its "
        "author must mend it",
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
