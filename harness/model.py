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

SCHEMA = "harness.record/1"

LOOKS = ("integrity", "atomicity", "content", "consistent_cut", "floor", "ceiling")
"""The checks of restored data: they judge the image first, then what was recovered from it."""
IMAGE = "image."
"""Begins the name of a check of the image as it was restored, before anything was applied to it."""
CHECKS = (
    "snapshot",
    *(f"{IMAGE}{name}" for name in LOOKS),
    *LOOKS,
    "marker",
    "chain",
    "hold",
    "recovery_point",
)
"""The checks of every case, in the order of the report."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact a checker states. `verdict` is FAIL (the backup is bad) or UNKNOWN (could not be told).

    `code` is stable and dotted (`chain.missing`); `message` names the cause a person must look at;
    `witness` is the first transaction, node, block, journal record or line that shows it.
    """

    code: str
    message: str
    witness: str = ""
    verdict: Verdict = Verdict.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one checker found in one case; `verdict` is PASS only if it looked and found nothing."""

    name: str
    verdict: Verdict
    duration_s: float
    findings: tuple[Finding, ...] = ()


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
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSummary:
    """One freeze window. `held` is False if the instance was found running before our thaw, or files changed in it;
    `stuns` are those of the whole backup, None where the host cannot notice them.
    """

    journal_file: str | None
    offset_bytes: int | None
    frozen_utc: datetime
    thawed_utc: datetime
    window_s: float
    held: bool
    stuns: tuple[Stun, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSummary:
    provider: str
    duration_s: float
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSummary:
    """What was restored, into which surroundings, and the network interfaces seen from inside of them."""

    duration_s: float
    bytes: int
    into: str = ""
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RollforwardSummary:
    """What was applied. `records` is the engine's own count, None where it gives none."""

    from_file: str
    from_offset_bytes: int
    to_file: str
    files: tuple[str, ...]
    records: int | None
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySummary:
    """What came back. Counts are transactions; `lost_acknowledged` and `rpo_s` are relative to the recovery
    point, `rto_s` is restore + roll-forward + checks.
    """

    mode: RecoveryMode
    acknowledged: int
    recovered: int | None
    lost_acknowledged: int | None
    rpo_s: float | None
    rto_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a case; `started_s` counts from the start of the run."""

    name: str
    started_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRecord:
    """One combination of cycle, snapshot provider and recovery mode. A part that was not reached is None."""

    name: str
    verdict: Verdict
    freeze: FreezeSummary | None
    snapshot: SnapshotSummary | None
    restore: RestoreSummary | None
    rollforward: RollforwardSummary | None
    recovery: RecoverySummary | None
    checks: tuple[Check, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSummary:
    """Which product answered. `stand_in` is True if it was not IRIS: then nothing here speaks of IRIS.

    `image` is what the plan calls the image, `image_digest` what identifies it; both are empty where there was none.
    `notes` say where the run differs from its plan because of the instance.
    """

    product: str
    version: str
    stand_in: bool
    host: str
    image_digest: str = ""
    notes: tuple[str, ...] = ()
    image: str = ""

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
    """One run. `finished` is False while it goes on, and stays so if it was cut short: then no PASS. `planned` is
    how many cases the plan has; None in records that do not tell.
    """

    plan: str
    seed: int
    started_utc: datetime
    finished: bool
    verdict: Verdict
    instance: InstanceSummary | None
    cases: tuple[CaseRecord, ...]
    versions: dict[str, str]
    argv: tuple[str, ...]
    error: str = ""
    planned: int | None = None
    schema: str = field(default=SCHEMA)
