"""A plan expands to its cases in the order of work, each with a name of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model import RecoveryMode
from harness.plan.expand import expand
from harness.plan.load import load
from harness.plan.model import Case, FreezeSpec, InstanceSpec, Limits, Plan, SnapshotSpec, WorkloadSpec

COPY = SnapshotSpec(provider="copy", options={})
PLANS = Path(__file__).parents[3] / "testplans"


def plan(cycles: int, snapshots: tuple[SnapshotSpec, ...], recovery: tuple[RecoveryMode, ...]) -> Plan:
    return Plan(
        name="p",
        instance=InstanceSpec(),
        workload=WorkloadSpec(),
        cycles=cycles,
        snapshots=snapshots,
        recovery=recovery,
        freeze=FreezeSpec(),
        limits=Limits(),
    )


def test_cases_of_one_cycle_lie_together() -> None:
    """Cycle is the outermost, recovery mode the innermost."""
    modes = (RecoveryMode.ROLLFORWARD, RecoveryMode.BOOT)
    expected = (
        Case(backup="cycle 1 · copy", cycle=1, snapshot=COPY, recovery=modes[0]),
        Case(backup="cycle 1 · copy", cycle=1, snapshot=COPY, recovery=modes[1]),
        Case(backup="cycle 2 · copy", cycle=2, snapshot=COPY, recovery=modes[0]),
        Case(backup="cycle 2 · copy", cycle=2, snapshot=COPY, recovery=modes[1]),
    )
    assert expected == expand(plan(2, (COPY,), modes))


def test_the_same_provider_twice_is_numbered() -> None:
    """Two sets of options of one provider are two cases that can be told apart."""
    one, two = (SnapshotSpec(provider="command", options={"run": run}) for run in ("a", "b"))
    names = [case.name for case in expand(plan(1, (one, COPY, two), (RecoveryMode.BOOT,)))]
    assert names == ["cycle 1 · command · boot", "cycle 1 · copy · boot", "cycle 1 · command #2 · boot"]


@given(
    cycles=st.integers(1, 5),
    providers=st.lists(st.sampled_from(["copy", "command", "btrfs"]), min_size=1, max_size=6),
    modes=st.lists(st.sampled_from(RecoveryMode), min_size=1, unique=True),
)
def test_every_combination_is_there_once(
    cycles: int, providers: list[str], modes: list[RecoveryMode]
) -> None:
    """The number of cases is the product of the parts, and no name occurs twice."""
    snapshots = tuple(SnapshotSpec(provider=name, options={"n": str(n)}) for n, name in enumerate(providers))
    cases = expand(plan(cycles, snapshots, tuple(modes)))
    assert cycles * len(providers) * len(modes) == len({case.name for case in cases}) == len(cases)


@pytest.mark.parametrize("name", ["quick", "soak", "durable"])
def test_the_plans_that_come_with_the_harness_load(name: str) -> None:
    """A plan in testplans/ carries its file's name and has cases."""
    loaded = load(PLANS / f"{name}.yaml")
    assert name == loaded.name
    assert expand(loaded)
