"""One clean cycle as a function of its seed: its load, snapshot and recoveries, and what makes it simpler.

Every load lasts well past the freeze, so that a roll-forward has something to prove. A seed that ends in 00 is a
cycle in containers, so that whoever hands out seeds decides how many there are, and a replay needs the seed alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from harness.model import RecoveryMode
from harness.plan.model import Commit, FreezeSpec, InstanceSpec, Limits, Plan, SnapshotSpec, WorkloadSpec

CONTAINER_EVERY = 100
"""Seeds that this divides are cycles in containers."""
_SEEDS = 2**31
_RESTS_PER_S = 100
"""A paced writer rests so often (RVWORK.m)."""
_LOAD_S = {"local": 0.75, "docker": 3.0}
"""How long a load takes at least; a freeze in a container is a while in coming."""
_TRANSACTIONS = (500, 20_000)
_DURABLE_MAX = 1500
_COPY_COMMAND = {"run": ["cp", "-a", "{source}/.", "{target}"]}
_PROVIDERS = {"copy": "plain", "command": "plain", "reflink": "xfs", "btrfs": "btrfs"}
"""Provider → the volume it is tried on; reflink is tried on btrfs too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where an instance lies: cycles with the same home can share one."""

    host: str
    volume: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One to two backups under one load, and the recoveries from each. Without `transactions` the load lasts
    `duration_s`, and without `rate` it is as fast as it can be."""

    seed: int
    host: str
    volume: str
    provider: str
    writers: int
    transactions: int | None
    duration_s: float
    rate: int | None
    commit: Commit
    modes: tuple[RecoveryMode, ...]
    backups: int

    @property
    def home(self) -> Home:
        return Home(host=self.host, volume=self.volume)

    def plan(self) -> Plan:
        options = _COPY_COMMAND if self.provider == "command" else {}
        return Plan(
            name="soak",
            instance=InstanceSpec(host=self.host),
            workload=WorkloadSpec(
                writers=self.writers,
                duration_s=self.duration_s,
                transactions=self.transactions,
                rate=self.rate,
                commit=self.commit,
            ),
            cycles=self.backups,
            snapshots=(SnapshotSpec(provider=self.provider, options=options),),
            recovery=self.modes,
            freeze=FreezeSpec(),
            limits=Limits(),
        )

    def __str__(self) -> str:
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        shown |= {"commit": self.commit.value, "modes": "+".join(mode.value for mode in self.modes)}
        return " ".join(f"{name}={value}" for name, value in shown.items() if value is not None)


def seeds(chance: random.Random, count: int, container_share: float) -> list[int]:
    """Seeds of distinct cycles, that share of them in containers."""
    found: dict[int, None] = {}
    while len(found) < count:
        seed = chance.randrange(CONTAINER_EVERY, _SEEDS) // CONTAINER_EVERY * CONTAINER_EVERY
        in_container = chance.random() < container_share
        found[seed if in_container else seed + chance.randrange(1, CONTAINER_EVERY)] = None
    return list(found)


def draw(seed: int) -> Cycle:
    """The cycle of a seed; the same on every machine."""
    chosen = random.Random(seed)
    host = "local" if seed % CONTAINER_EVERY else "docker"
    provider = chosen.choice(list(_PROVIDERS) if host == "local" else ["copy", "command"])
    volume = _PROVIDERS[provider]
    if provider == "reflink" and chosen.random() < 0.3:
        volume = "btrfs"
    writers = chosen.randint(1, 6)
    commit = chosen.choice(list(Commit))
    transactions, duration_s, rate = _load(chosen, writers, commit, _LOAD_S[host])
    return Cycle(
        seed=seed,
        host=host,
        volume=volume,
        provider=provider,
        writers=writers,
        transactions=transactions,
        duration_s=duration_s,
        rate=rate,
        commit=commit,
        modes=tuple(chosen.sample(list(RecoveryMode), chosen.randint(1, 2))),
        backups=2 if chosen.random() < 0.15 else 1,
    )


def _load(
    chosen: random.Random, writers: int, commit: Commit, at_least_s: float
) -> tuple[int | None, float, int | None]:
    """Transactions, duration and rate of a load that outlasts the freeze."""
    if chosen.random() < 0.3:
        rate = chosen.choice([None, 1000, 5000])
        return None, round(chosen.uniform(0.4, 0.8), 2), rate
    most = _DURABLE_MAX if commit is Commit.DURABLE else _TRANSACTIONS[1]
    transactions = int(math.exp(chosen.uniform(*map(math.log, (_TRANSACTIONS[0], most)))))
    return transactions, 30.0, rate_for(transactions, writers, at_least_s)


def rate_for(transactions: int, writers: int, seconds: float) -> int:
    """The rate at which so many take about so long; a writer does at least one between two rests."""
    return max(1, int(transactions / seconds / writers / _RESTS_PER_S)) * writers * _RESTS_PER_S


def simpler(cycle: Cycle) -> Iterator[Cycle]:
    """Cycles with one thing less, the most telling first."""
    if cycle.host != "local":
        yield replace(cycle, host="local")
    if cycle.volume != "plain":
        yield replace(cycle, volume="plain", provider="copy")
    elif cycle.provider != "copy":
        yield replace(cycle, provider="copy")
    if cycle.backups > 1:
        yield replace(cycle, backups=1)
    if len(cycle.modes) > 1:
        yield from (replace(cycle, modes=(mode,)) for mode in cycle.modes)
    if cycle.writers > 1:
        yield replace(cycle, writers=cycle.writers // 2)
    if cycle.transactions is not None and cycle.transactions > 100:
        yield replace(cycle, transactions=cycle.transactions // 2, rate=(cycle.rate or 0) // 2 or None)


def changed(cycle: Cycle, changes: list[str]) -> Cycle:
    """The cycle with fields set by texts like `writers=1`. Raises ValueError."""
    for change in changes:
        name, _, text = change.partition("=")
        cycle = replace(cycle, **{name: _value(name, text)})  # type: ignore[arg-type]
    return cycle


def difference(cycle: Cycle, from_: Cycle) -> list[str]:
    """The texts that make `changed` give the one from the other."""
    both = [dict(word.split("=", 1) for word in str(one).split()) for one in (cycle, from_)]
    return [f"{name}={value}" for name, value in both[0].items() if both[1].get(name) != value]


def _value(name: str, text: str) -> object:
    if name in ("host", "volume", "provider"):
        return text
    if name == "modes":
        return tuple(map(RecoveryMode, text.split("+")))
    if name == "commit":
        return Commit(text)
    if name == "duration_s":
        return float(text)
    if name in ("writers", "transactions", "rate", "backups"):
        return int(text)
    raise ValueError(f"a cycle has no {name!r}")
