"""The nouns that stages, checks and reports share, and the arithmetic of verdicts.

Everything here is frozen data. A `Record` is what one run leaves behind; every report is a function of it.
Times are aware UTC, durations seconds from a monotonic clock, sizes and offsets bytes.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from annotated_types import Ge, Le

SCHEMA = "harness.record/2"

Count = Annotated[int, Ge(0), Le(2**63 - 1)]
"""A number of things, or of bytes."""
Int64 = Annotated[int, Ge(-(2**63)), Le(2**63 - 1)]

IMAGE = "image."
"""Begins the name of a check of the image as it was restored, before anything was applied to it."""
LOOKS = ("integrity", "atomicity", "content", "consistent_cut", "floor", "ceiling")
"""The checks in which a damaged image may show: those that declare `of_image`."""
PRODUCTS = ("IRIS", "Cache")
STAND_IN = "stand-in"
"""What a plan calls the image of the stand-in."""


class Verdict(enum.Enum):
    """An answer about a backup. Not checked is UNKNOWN, never PASS."""

    PASS = "PASS"
    SKIPPED = "SKIPPED"
    UNKNOWN = "UNKNOWN"
    FAIL = "FAIL"

    @staticmethod
    def worst(verdicts: Iterable[Verdict]) -> Verdict:
        """FAIL > UNKNOWN > SKIPPED > PASS; of nothing at all: UNKNOWN."""
        return max(verdicts, key=_SEVERITY.index, default=Verdict.UNKNOWN)


_SEVERITY = [Verdict.PASS, Verdict.SKIPPED, Verdict.UNKNOWN, Verdict.FAIL]


class RecoveryMode(enum.Enum):
    """How far a restored snapshot is taken."""

    AS_OF_FREEZE = "as-of-freeze"
    ROLLFORWARD = "rollforward"
    POINT_IN_TIME = "point-in-time"
    BOOT = "boot"

    @property
    def rolls(self) -> bool:
        """Whether journals are applied: then the end is known to a transaction."""
        return self in (RecoveryMode.ROLLFORWARD, RecoveryMode.POINT_IN_TIME)

    @property
    def boots(self) -> bool:
        """Whether an instance is started from the image as a whole, and recovers itself from it."""
        return self is RecoveryMode.BOOT


class Upstream(enum.IntEnum):
    """How early in the life of a backup a cause lies: what went wrong earlier explains what shows later."""

    WINDOW = 0
    """The freeze, and whether everything was copied while it lasted."""
    JOURNALS = 1000
    """The marker, and the journals from there."""
    IMAGE = 2000
    """The files that were copied."""
    DATA = 3000
    """What is in the restored databases. From here on whatever is wrong in the image comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a check can say, declared: `name` is the code of its finding.

    `rank` is its place among the causes, one of `Upstream` and a number that leaves room for others; None comes after
    them all. `remedy` is what to do about it; empty if that is what its check says.
    """

    name: str
    rank: int | None = None
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact a checker states."""

    code: str
    """Stable dotted name of what was found, such as chain.missing."""
    message: str
    """The cause a person must look at."""
    witness: str = ""
    """First transaction, node, block, journal record or line that shows it; may be empty."""
    verdict: Verdict = Verdict.FAIL
    """FAIL: the backup is bad. UNKNOWN: could not be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one checker found in one case."""

    name: str
    """Name of the checker."""
    verdict: Verdict
    """PASS only if the checker looked and found nothing."""
    duration_s: float
    """Seconds the checker took."""
    findings: tuple[Finding, ...] = ()
    """What it found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in an instance's journal: file name without folder, byte offset from the file's start."""

    journal_file: str
    offset_bytes: int

    def __str__(self) -> str:
        return f"{self.journal_file} @ {self.offset_bytes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stun:
    """A time in which nothing of an instance ran, as when a hypervisor stops its machine for a snapshot."""

    started_utc: datetime
    """When it began."""
    duration_s: float
    """How long it took, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One moment by two clocks, by which monotonic times can be laid beside those of a log."""

    utc: datetime
    """The moment by the machine's clock."""
    monotonic_s: float
    """The same in seconds of the monotonic clock, as the ledger has them. Times that end in _s count from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSeries:
    """The load around a freeze, in slices of equal length."""

    started_s: float
    """When the first slice begins, in seconds from the start of the run."""
    slice_s: float
    """Length of a slice in seconds."""
    acknowledged: tuple[Count, ...]
    """Transactions acknowledged in each slice, all writers together."""
    longest_wait_s: tuple[float, ...]
    """For each slice the longest time that a writer then waited for an acknowledgement, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseKey:
    """What tells a case from the others of a run."""

    cycle: Count
    """Which cycle of the load, from 1 on."""
    provider: str
    """Name of the snapshot provider."""
    options: dict[str, Any]
    """The provider's options, as the plan gives them."""
    mode: RecoveryMode
    """How far the snapshot was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSummary:
    """One freeze window."""

    journal_file: str | None
    """Journal that the marker names, without folder."""
    offset_bytes: Count | None
    """Offset of the marker from the start of that journal."""
    frozen_utc: datetime
    """When the freeze was confirmed."""
    thawed_utc: datetime
    """When the thaw was confirmed."""
    window_s: float
    """Seconds from the freeze to the thaw."""
    held: bool
    """False if the instance was found running before our thaw, or a database file was written in the window."""
    stuns: tuple[Stun, ...] | None = None
    """Times during the backup in which nothing of the instance ran; null where its host cannot notice them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSummary:
    """The copy taken in the window."""

    provider: str
    """Name of the snapshot provider."""
    duration_s: float
    """Seconds the capture took."""
    bytes: Count
    """Size of the snapshot in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSummary:
    """What was restored, and into what."""

    duration_s: float
    """Seconds it took."""
    bytes: Count
    """Bytes put there."""
    into: str = ""
    """The surroundings of the restored instance: its container, or namespaces of its own."""
    interfaces: tuple[str, ...] = ()
    """Network interfaces seen from inside of them; lo alone reaches nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollforwardSummary:
    """What was applied."""

    from_file: str
    """First journal applied."""
    from_offset_bytes: Count
    """Offset in it where the work began."""
    to_file: str
    """Last journal applied."""
    files: tuple[str, ...]
    """All journals applied, in order."""
    records: Count | None
    """The engine's own count of records applied; null where it gives none."""
    duration_s: float
    """Seconds it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySummary:
    """What came back, relative to the recovery point."""

    mode: RecoveryMode
    """How far the snapshot was taken."""
    acknowledged: Count
    """Transactions acknowledged before the recovery point."""
    recovered: Count | None
    """Transactions that are there; null if not found out."""
    lost_acknowledged: Count | None
    """Acknowledged transactions that are not there; null if not found out."""
    rpo_s: float | None
    """Seconds of acknowledged work lost; null if not found out."""
    rto_s: float | None
    """Seconds for restore, roll-forward and checks; null if not finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a case."""

    name: str
    """Name of the step."""
    started_s: float
    """Seconds from the start of the run."""
    duration_s: float
    """Seconds it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRecord:
    """One combination of cycle, snapshot provider and recovery mode. A part that was not reached is None."""

    name: str
    """Unique in the run, such as 'cycle 1 · copy · rollforward'."""
    verdict: Verdict
    """The worst of its checks and limits."""
    freeze: FreezeSummary | None
    """The freeze window."""
    snapshot: SnapshotSummary | None
    """The copy taken in the window."""
    restore: RestoreSummary | None
    """Putting the snapshot's files under a fresh instance."""
    rollforward: RollforwardSummary | None
    """Journals applied to the restored files."""
    recovery: RecoverySummary | None
    """What came back."""
    checks: tuple[Check, ...]
    """What each checker found."""
    stages: tuple[Stage, ...]
    """The steps of the case, in order."""
    key: CaseKey | None = None
    """The same in parts; null for what is no case of a plan."""
    load: LoadSeries | None = None
    """The load while the backup was made; null if there was none, or that was not kept."""

    @property
    def backup(self) -> str:
        """What the cases of one backup have in common in their names."""
        return self.name.removesuffix(f" · {self.key.mode.value}") if self.key else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSummary:
    """Which product answered."""

    product: str
    """Name of the product."""
    version: str
    """Its version, as it says itself."""
    stand_in: bool
    """True if it was not IRIS: then nothing here speaks of IRIS."""
    host: str
    """Where it ran."""
    image_digest: str = ""
    """What identifies the container image it was made from; empty where there was none."""
    notes: tuple[str, ...] = ()
    """Where the run differs from its plan because of the instance."""
    image: str = ""
    """What the plan calls the image; empty for an installed instance."""

    def __str__(self) -> str:
        name = f"{self.product} {self.version}"
        return f"stand-in ({name})" if self.stand_in else name


def impossible(product: str, version: str, stand_in: bool, image: str) -> str:
    """Why no engine can be what is said here; empty if one can.

    Source: IRIS and Caché number their versions by the year ($ZVERSION); the stand-in names the engine below it.
    """
    if (product in PRODUCTS) is stand_in:
        return f"{'the stand-in' if stand_in else 'no product of InterSystems'} answers as {product}"
    if image == STAND_IN and not stand_in:
        return f"an image of the stand-in holds no {product}"
    if not stand_in and not re.match(r"(19|20)\d\d\.\d", version):
        return f"{product} has no version {version}"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run."""

    plan: str
    """Name of the plan."""
    seed: Int64
    """Seed of the workload; the same seed gives the same transactions."""
    started_utc: datetime
    """When the run began."""
    finished: bool
    """False while the run goes on, and for ever if it was cut short: then the verdict is not PASS."""
    verdict: Verdict
    """The worst of the cases."""
    instance: InstanceSummary | None
    """Which product answered; null if none did."""
    cases: tuple[CaseRecord, ...]
    """The cases, in the order in which they ran."""
    versions: dict[str, str]
    """Versions of the harness and of the tools it used, by name."""
    argv: tuple[str, ...]
    """The command line of the run."""
    error: str = ""
    """What ended the run early; empty if nothing did."""
    planned: Count | None = None
    """How many cases the plan has; null where that was not kept."""
    clock: Clock | None = None
    """The moment from which the times of the run count; null where that was not kept."""
    schema: str = field(default=SCHEMA)
    """Name and version of this form."""
