"""A whole cycle, from nothing to the verdict, and what of it comes after the load.

Pair n uses seed n on both sides, so that both do the same transactions and freeze at the same share of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

from figures import Row
from pairs import Say, alternately
from sides import CycleTimes, floor_cycle, harness_cycle, scratch

CYCLE_TARGET, AFTER_TARGET = 1.15, 2.0
TARGET_AT = 100_000
"""Transactions the targets speak of; other sizes show how it grows."""


def measure(transactions: int, pairs: int, parent: Path, say: Say) -> list[Row]:
    """Whole cycle, after the load, load, window under load."""
    sides = {
        "floor": lambda number: _in_scratch(floor_cycle, parent, transactions, number),
        "harness": lambda number: _in_scratch(harness_cycle, parent, transactions, number),
    }
    found = alternately(sides, pairs, say)
    for side, times in found.items():
        for stage, seconds in _medians(times):
            say(f"  {side:8} {stage:20} {seconds:.3f} s")
    return list(_rows(transactions, found))


def _in_scratch(
    side: Callable[[Path, int, int], CycleTimes], parent: Path, transactions: int, number: int
) -> CycleTimes:
    with scratch(parent) as folder:
        return side(folder, transactions, number)


def _rows(transactions: int, found: dict[str, list[CycleTimes]]) -> Iterator[Row]:
    figures: list[tuple[str, Callable[[CycleTimes], float], float | None]] = [
        ("whole cycle", lambda times: times.cycle_s, CYCLE_TARGET),
        ("after the load", lambda times: times.after_s, AFTER_TARGET),
        ("the load itself", lambda times: times.load_s, None),
        ("window under full load", lambda times: times.window_s, None),
    ]
    for what, figure, target in figures:
        yield Row(
            what=f"{what}, {transactions:,} transactions",
            unit="s",
            floor=tuple(map(figure, found["floor"])),
            harness=tuple(map(figure, found["harness"])),
            target=target if transactions == TARGET_AT else None,
        )


def _medians(times: list[CycleTimes]) -> list[tuple[str, float]]:
    return [(stage, statistics.median(one.stages[stage] for one in times)) for stage in times[0].stages]
