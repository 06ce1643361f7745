"""One small pair of the bench: floor and harness freeze at the same share of the load and roll the same forward."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.stages.backup import load_provider
from tests.bench_modules import bench_module
from tests.conftest import Opener, small_plan

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

cycle_series, sides, window_series, work = map(
    bench_module, ("cycle_series", "sides", "window_series", "work")
)

TRANSACTIONS, SEED = 20_000, 4
MOST = 5
"""Pairs that are measured at most: another process of the machine may hold up either side just as it freezes."""


def test_floor_and_harness_do_the_same_work(tmp_path: Path) -> None:
    """Everything comes back on both sides."""
    reasons = []
    for number in range(MOST):
        floor, harness = pair(tmp_path, number)
        assert TRANSACTIONS == floor.transactions == harness.transactions
        assert 0 < floor.acknowledged <= TRANSACTIONS and 0 < floor.journal_bytes
        alike = replace(floor, load_s=harness.load_s)  # nothing is asserted of times
        reasons.append(work.difference(alike, harness))
        if not reasons[-1]:
            most = work.tolerance(TRANSACTIONS)
            assert abs(floor.acknowledged - harness.acknowledged) <= most
            assert abs(floor.rolled - harness.rolled) <= most
            return
    pytest.fail(f"in {MOST} pairs the sides never did the same: {reasons}")


def test_a_window_is_measured_as_the_harness_holds_one(open_session: Opener) -> None:
    """With its limit and its watchdog."""
    plan = small_plan()
    with open_session(plan) as session:
        provider = load_provider(session, plan.snapshots[0])
        assert 0 < window_series.harness_window(session, provider, 1) < 60


def pair(folder: Path, number: int) -> tuple[sides.Work, sides.Work]:  # type: ignore[name-defined]
    """The harness first, as the floor freezes where it did. Both raise unless every transaction comes back."""
    aim = cycle_series.Aim(TRANSACTIONS)
    with sides.scratch(folder) as place:
        harness = sides.harness_cycle(place, TRANSACTIONS, SEED + number).work
    aim.learn(SEED + number, harness)
    with sides.scratch(folder) as place:
        floor = sides.floor_cycle(place, TRANSACTIONS, SEED + number, aim.at(SEED + number)).work
    return floor, harness
