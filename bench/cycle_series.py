"""A whole cycle, from nothing to the verdict, and what of it comes after the load.

Pair n uses seed n on both sides, so that both do the same transactions. The harness begins to freeze at a share of
the load that follows from the seed, and asks for the freeze some milliseconds later (it asks which journal is needed,
and makes the thaw ready); the floor asks for it at the same number of transactions. What each side did is measured
with it, and a pair in which they differ too much is refused (`work.py`).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

from figures import Row
from pairs import Comparable, Say, comparably
from sides import CycleTimes, floor_cycle, harness_cycle, scratch, share_of
from work import Work, difference

CYCLE_TARGET, AFTER_TARGET = 1.25, 2.0
TARGET_AT = 100_000
"""Transactions the targets speak of; other sizes show how it grows."""


class Aim:
    """Where the floor freezes: where the harness did, by its share and by how much later it asked the last time."""

    def __init__(self, transactions: int) -> None:
        self._transactions = transactions
        self._later = 0

    def learn(self, seed: int, work: Work) -> None:
        """The harness has run with this seed."""
        self._later = work.acknowledged - int(share_of(seed) * self._transactions)

    def at(self, seed: int) -> int:
        """Transactions after which the floor asks for its freeze."""
        return min(self._transactions, int(share_of(seed) * self._transactions) + self._later)


def measure(transactions: int, pairs: int, parent: Path, say: Say) -> list[Row]:
    """Whole cycle, after the load, load, window under load, and what was done."""
    aim = Aim(transactions)

    def floor(number: int) -> CycleTimes:
        with scratch(parent) as folder:
            return floor_cycle(folder, transactions, number, aim.at(number))

    def harness(number: int) -> CycleTimes:
        with scratch(parent) as folder:
            times = harness_cycle(folder, transactions, number)
        aim.learn(number, times.work)
        return times

    say(f"{transactions:,} transactions: once before, to see when the harness freezes")
    harness(0)
    measured = comparably({"floor": floor, "harness": harness}, pairs, lambda pair: _why_not(pair, say), say)
    for side, times in measured.found.items():
        for stage, seconds in _medians(times):
            say(f"  {side:8} {stage:20} {seconds:.3f} s")
    return list(_rows(transactions, measured))


def _why_not(pair: dict[str, CycleTimes], say: Say) -> str:
    for side, times in pair.items():
        say(f"  {side:8} {times.work}")
    return difference(pair["floor"].work, pair["harness"].work)


def _rows(transactions: int, measured: Comparable[CycleTimes]) -> Iterator[Row]:
    figures: list[tuple[str, str, Callable[[CycleTimes], float], float | None]] = [
        ("whole cycle", "s", lambda times: times.cycle_s, CYCLE_TARGET),
        ("after the load", "s", lambda times: times.after_s, AFTER_TARGET),
        ("the load itself", "s", lambda times: times.load_s, None),
        ("window under full load", "s", lambda times: times.window_s, None),
        ("acknowledged before the freeze", "tx", lambda times: times.work.acknowledged, None),
        ("committed after the marker, rolled forward", "tx", lambda times: times.work.rolled, None),
        ("journals rolled forward", "MB", lambda times: times.work.journal_bytes / 1e6, None),
    ]
    for what, unit, figure, target in figures:
        yield Row(
            what=f"{what}, {transactions:,} transactions",
            unit=unit,
            floor=tuple(map(figure, measured.found["floor"])),
            harness=tuple(map(figure, measured.found["harness"])),
            target=target if transactions == TARGET_AT else None,
            refused=len(measured.refused),
            comparable=measured.enough,
        )


def _medians(times: list[CycleTimes]) -> list[tuple[str, float]]:
    stages = times[0].stages if times else {}
    return [(stage, statistics.median(one.stages[stage] for one in times)) for stage in stages]
