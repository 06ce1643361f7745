"""From a plan to its cases: each recovery mode of each snapshot in each cycle is one.

The order is the order of work: all cases of one cycle lie together, since they share its load and freeze,
and within it all recovery modes of one snapshot. Names are unique, because reports refer to cases by name;
a provider that is listed twice with different options is numbered.
"""

from __future__ import annotations

from harness.plan.model import Case, Plan, SnapshotSpec


def expand(plan: Plan) -> tuple[Case, ...]:
    """The cases of a plan, in the order in which they are run."""
    labelled = tuple(zip(plan.snapshots, _labels(plan.snapshots), strict=True))
    return tuple(
        Case(
            backup=f"cycle {cycle} · {label}",
            cycle=cycle,
            snapshot=snapshot,
            recovery=mode,
        )
        for cycle in range(1, plan.cycles + 1)
        for snapshot, label in labelled
        for mode in plan.recovery
    )


def _labels(snapshots: tuple[SnapshotSpec, ...]) -> tuple[str, ...]:
    """The provider's name; numbered from the second snapshot of the same provider on."""
    providers = [snapshot.provider for snapshot in snapshots]
    counts = [providers[: place + 1].count(provider) for place, provider in enumerate(providers)]
    return tuple(
        f"{provider} #{count}" if count > 1 else provider
        for provider, count in zip(providers, counts, strict=True)
    )
