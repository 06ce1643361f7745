"""What a plan says, as typed values: durations in seconds, defaults filled in."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.model import RecoveryMode


class Commit(enum.Enum):
    """DURABLE: acknowledged means hardened in the journal. BUFFERED: acknowledged before that."""

    DURABLE = "durable"
    BUFFERED = "buffered"


class Storage(enum.Enum):
    """Where a container keeps its data: in a folder of this machine, or in a volume of the engine."""

    FOLDER = "folder"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpec:
    """Which instance: an image on a host, or with `name` one that is installed on this machine.

    `image` is `stand-in` or a container image reference; `storage` matters for containers only. `credentials`
    is a file with a line for the user's name and one for the password, for `iris session`.
    """

    image: str = "stand-in"
    host: str = "local"
    name: str | None = None
    storage: Storage = Storage.FOLDER
    credentials: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSpec:
    """Load of one cycle: each writer ends after `duration_s`, or after its share of `transactions`;
    `rate` is the most transactions per second over all writers."""

    writers: int = 4
    duration_s: float = 2.0
    transactions: int | None = None
    rate: int | None = None
    commit: Commit = Commit.BUFFERED


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSpec:
    """A provider by name and its own options; `timeout_s` is how long after the freeze it may take, None for as long
    as the freeze has.
    """

    provider: str
    options: Mapping[str, object]
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSpec:
    """Arguments of the freeze, under the names the engine gives them. `wd_suspend_limit_s` 0 is no limit."""

    external_freeze_timeout_s: int = 600
    wd_suspend_limit_s: int = 300
    switch_journal: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Past a limit is FAIL; None is no limit."""

    window_s: float | None = None
    rpo_s: float | None = None
    rto_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole plan: each recovery mode of each snapshot in each cycle is one case."""

    name: str
    instance: InstanceSpec
    workload: WorkloadSpec
    cycles: int
    snapshots: tuple[SnapshotSpec, ...]
    recovery: tuple[RecoveryMode, ...]
    freeze: FreezeSpec
    limits: Limits
    target: InstanceSpec | None = None
    """What is restored into, where that is not another `instance`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One combination of a plan. `cycle` counts from 1; `backup` names the backup, one for all recovery modes."""

    backup: str
    cycle: int
    snapshot: SnapshotSpec
    recovery: RecoveryMode

    @property
    def name(self) -> str:
        """Unique in its plan."""
        return f"{self.backup} · {self.recovery.value}"
