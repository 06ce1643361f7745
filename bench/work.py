"""What a side of a pair did, and whether two sides did the same: only then is a ratio of their times a ratio.

Both sides freeze a load that goes on, so neither can freeze at a number that was set before; they can come close.
"""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 0.04
"""Highest difference between the sides, as a share of the load, in transactions before the freeze and after it."""
TOLERANCE_LEAST = 1_500
"""Below 37,500 transactions the tolerance is so many transactions: what a load does in some 15 ms, which is how
punctual a freeze is on either side.
"""
LOAD_TOLERANCE = 0.25
"""Highest difference between the times of the loads, as a share of the shorter one: a load is no backup, and a
small one sometimes takes two seconds longer, on either side (why was not established).
"""
LOAD_TOLERANCE_LEAST_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One cycle.

    Attributes:
        transactions: Of the whole load; so many came back.
        acknowledged: Those before the freeze was asked for.
        rolled: Those that were committed after the marker, so that the roll-forward had to bring them.
        journal_bytes: Size of the journals that it read.
        load_s: How long the load took.
    """

    transactions: int
    acknowledged: int
    rolled: int
    journal_bytes: int
    load_s: float

    def __str__(self) -> str:
        return (
            f"{self.acknowledged:,} of {self.transactions:,} before the freeze, {self.rolled:,} rolled forward, "
            f"{self.journal_bytes / 1e6:.1f} MB of journals, load {self.load_s:.2f} s"
        )


def tolerance(transactions: int) -> int:
    """By how many transactions two sides of such a load may differ."""
    return max(TOLERANCE_LEAST, round(transactions * TOLERANCE))


def difference(floor: Work, harness: Work) -> str:
    """Why the two cannot be compared; empty if they can."""
    if floor.transactions != harness.transactions:
        return f"loads of {floor.transactions:,} and {harness.transactions:,} transactions"
    most = tolerance(floor.transactions)
    numbers = {
        "transactions before the freeze": (floor.acknowledged, harness.acknowledged),
        "transactions rolled forward": (floor.rolled, harness.rolled),
    }
    wrong = [
        f"{what}: floor {ours:,}, harness {theirs:,}, allowed are {most:,} of difference"
        for what, (ours, theirs) in numbers.items()
        if abs(ours - theirs) > most
    ]
    shorter, longer = sorted((floor.load_s, harness.load_s))
    if longer - shorter > max(LOAD_TOLERANCE_LEAST_S, LOAD_TOLERANCE * shorter):
        wrong.append(f"time of the load: floor {floor.load_s:.2f} s, harness {harness.load_s:.2f} s")
    return "; ".join(wrong)
