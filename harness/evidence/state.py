"""What restored databases hold, in sums and first differences; `harness.stages.walk` reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness.workload import oracle
from harness.workload.oracle import Ints


@dataclass(slots=True)
class Trail:
    """What the trail in database one says of a writer: a node for every eighth transaction, written once.

    `last`, `missing` and `altered` are as in History.
    """

    last: int = 0
    missing: int = 0
    altered: tuple[int, str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """What a database holds of the data that was written before the load and never again.

    `differs` is the first node that is not as it was written: (node, what is there, what belongs there); "absent" on
    either side. None: every node was compared, and all are right.
    """

    nodes: int
    differs: tuple[str, str, str] | None


@dataclass(slots=True)
class History:
    """What the history nodes of one writer say.

    Attributes:
        last: Highest sequence number found, 0 if none.
        missing: First number below `last` that is not there, 0 if none.
        altered: First (sequence, what is there, what belongs there) that differs from the oracle.
        unreadable: First (subscript, value) that has not the shape of a history value.
        flow: Net amount moved into each account by the nodes found.
        reads: Other writer → (highest number read from it, by which transaction).
        counters: Counter values taken, in order.
        trail: What database one keeps of it.
    """

    last: int = 0
    missing: int = 0
    altered: tuple[int, str, str] | None = None
    unreadable: tuple[str, str] | None = None
    flow: Ints = field(default_factory=lambda: np.zeros(oracle.ACCOUNTS, dtype=np.int64))
    reads: dict[int, tuple[int, int]] = field(default_factory=dict)
    counters: list[Ints] = field(default_factory=list)
    trail: Trail = field(default_factory=Trail)


@dataclass(slots=True)
class WriterState:
    """All nodes of one writer; sequence numbers are None if the node is not there."""

    writer: int
    one: int | None = None
    two: int | None = None
    confirmed: int | None = None
    balances: dict[int, int] = field(default_factory=dict)
    temporaries: dict[int, tuple[str, str]] = field(default_factory=dict)
    large: dict[int, str] = field(default_factory=dict)
    history: History = field(default_factory=History)

    @property
    def recovered(self) -> int:
        """Every transaction up to here left its traces in both databases."""
        whole = self.history.missing - 1 if self.history.missing else self.history.last
        return min(self.one or 0, self.two or 0, whole)

    @property
    def highest(self) -> int:
        """The last transaction that left any trace."""
        return max(self.one or 0, self.two or 0, self.history.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredState:
    """What the restored databases hold; `cold` by the number of the database, 1 and 2. `foreign` are nodes of kinds
    that no workload writes.
    """

    writers: dict[int, WriterState]
    counter: int | None
    cold: dict[int, Cold]
    foreign: tuple[str, ...]

    @property
    def recovered(self) -> int:
        """Transactions recovered, over all writers."""
        return sum(writer.recovered for writer in self.writers.values())
