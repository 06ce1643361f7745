"""No false alarm: many clean cycles with random seeds, loads, writers, commits and recovery modes.

Every failure names the seed, from which the whole instance's cycles can be repeated.
"""

from __future__ import annotations

import os
import random

import pytest

from harness.cycle import back_up_and_recover
from harness.model import RecoveryMode, Verdict
from harness.plan.expand import expand
from harness.plan.model import Commit, Plan
from tests.conftest import Opener, small_plan

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CYCLES = int(os.environ.get("HARNESS_SOAK_CYCLES", "200"))
CYCLES_PER_INSTANCE = 8
# pytest-xdist's workers must agree on the seeds
CHANCE = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID") or os.urandom(8).hex())
SEEDS = CHANCE.sample(range(2**31), -(-CYCLES // CYCLES_PER_INSTANCE))


def _plan(seed: int) -> Plan:
    """A plan that is a function of its seed."""
    chosen = random.Random(seed)
    rate = chosen.choice([2000, 5000, 20000])
    return small_plan(
        writers=chosen.randint(1, 7),
        rate=rate,
        transactions=rate,
        commit=chosen.choice(list(Commit)),
        recovery=tuple(chosen.sample(list(RecoveryMode), 2)),
        cycles=CYCLES_PER_INSTANCE,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_clean_cycles_pass(open_setting: Opener, seed: int) -> None:
    """Eight cycles of one instance: every case passes, with nothing lost."""
    plan = _plan(seed)
    with open_setting(plan, seed) as setting:
        for cycle in range(1, plan.cycles + 1):
            cases = [case for case in expand(plan) if case.cycle == cycle]
            for record in back_up_and_recover(setting, f"cycle {cycle}", cases):
                found = [finding for check in record.checks for finding in check.findings]
                assert (Verdict.PASS, []) == (record.verdict, found), f"seed {seed}, {plan}, {record.name}"
