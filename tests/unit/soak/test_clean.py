"""What a soak says of itself: a load that was over before the freeze tries nothing, and must not count as clean."""

from __future__ import annotations

import pytest

from tests.soak.clean import Outcome, Tally
from tests.soak.draw import draw

CYCLE = draw(1)


def outcome(*around: tuple[int, int], alarms: tuple[str, ...] = ()) -> Outcome:
    return Outcome(cycle=CYCLE, around=around, alarms=alarms, recoveries=1)


@pytest.mark.parametrize(
    ("around", "idle"),
    [
        ([(10, 10)], False),
        ([(1, 1), (1, 1)], False),
        ([], True),
        ([(10, 0)], True),
        ([(0, 10)], True),
        ([(10, 10), (10, 0)], True),
    ],
)
def test_a_cycle_needs_load_on_both_sides_of_every_freeze(around: list[tuple[int, int]], idle: bool) -> None:
    assert outcome(*around).idle is idle


def test_a_soak_of_which_nothing_ran_or_much_was_idle_proves_nothing() -> None:
    busy, idle = outcome((5, 5)), outcome((5, 0))
    assert not Tally().proves
    assert Tally(outcomes=[busy] * 100).proves
    assert Tally(outcomes=[busy] * 95 + [idle] * 5).proves
    assert not Tally(outcomes=[busy] * 94 + [idle] * 6).proves


def test_of_few_cycles_on_a_busy_machine_up_to_half_may_be_idle() -> None:
    busy, idle = outcome((5, 5)), outcome((5, 0))
    assert Tally(outcomes=[busy] * 22 + [idle] * 3).proves
    assert not Tally(outcomes=[busy] * 12 + [idle] * 13).proves


def test_the_table_counts_both_sides() -> None:
    table = Tally(outcomes=[outcome((5, 7), (11, 13)), outcome((3, 0))]).table()
    assert "all" in table
    *_, before, after, idle, alarms = next(
        line.split() for line in table.split("\n") if line.startswith("all")
    )
    assert (before, after, idle, alarms) == ("19", "20", "1", "0")
