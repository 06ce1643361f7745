"""All that is known of one case when it is judged. What could not be had is None: not looked is not nothing found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.evidence.answers import Committed, IntegrityReport, JournalFile, MarkerReading, RollforwardAnswer
from harness.evidence.files import FileStatus
from harness.evidence.journals import JournalSet
from harness.evidence.state import RestoredState
from harness.evidence.window import Window
from harness.freeze_log import FreezeEntry
from harness.model import Position, RecoveryMode
from harness.workload.ledger import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at restored databases found; a part that could not be had is None.

    Attributes:
        floor, ceiling: What must be there at least, and can be there at most.
        refusal: Why the engine would not take, or not start from, the restored files; None if it did, or was
            not asked.
        integrity: The engine's structure check of the restored databases.
        state: What the restored databases hold.
        unconfirmed: Check → facts about the product that it depends on and that are not confirmed for this engine
            (`harness.facts.known.unconfirmed`); empty means that all are, None that they were not looked up.
    """

    floor: Vector
    ceiling: Vector
    refusal: str | None = None
    integrity: IntegrityReport | None = None
    state: RestoredState | None = None
    unconfirmed: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit that the plan sets, of `window`, `rpo` or `rto`, and what was measured; None if it could not be."""

    name: str
    limit_s: float
    measured_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of one case when it is judged; a part that could not be had is None.

    Attributes:
        seed, writers: What the workload was a function of; None if nothing is known of it.
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
        limits: Those that the plan sets, with what was measured; empty: it sets none.
        problems: Stage → why it could not be done.
    """

    mode: RecoveryMode
    seed: int | None
    writers: int | None
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
    limits: tuple[Limit, ...] = ()
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
