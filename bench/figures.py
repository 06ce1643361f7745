"""Series of measured pairs, their medians, quartiles and ratios, and the targets beside them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result.

    Attributes:
        what: Name of the figure, with its load.
        unit: Of every number but the ratio.
        floor, harness: One number a run, in the order they were measured; `floor` is empty if there is none.
        target: Highest ratio allowed, or with `at_least` the lowest median of the harness, or with neither
            the highest; None if nothing was promised.
        refused: Pairs that were measured and left out, as their sides did not do the same.
        comparable: False if too many were; then there is no ratio, and nothing is met.
    """

    what: str
    unit: str
    harness: tuple[float, ...]
    floor: tuple[float, ...] = ()
    target: float | None = None
    at_least: bool = False
    refused: int = 0
    comparable: bool = True

    @property
    def ratio(self) -> float | None:
        """Median of the harness over median of the floor."""
        if not self.floor or not self.comparable:
            return None
        floor = statistics.median(self.floor)
        return statistics.median(self.harness) / floor if floor else None

    @property
    def met(self) -> bool | None:
        if self.target is None or not self.comparable:
            return None
        if self.ratio is not None:
            return self.ratio <= self.target
        median = statistics.median(self.harness)
        return median >= self.target if self.at_least else median <= self.target

    def cells(self) -> list[str]:
        """Text of one table line, as `HEADERS` names it."""
        sign = "x" if self.floor else f" {self.unit}"
        word = "≥" if self.at_least else "≤"
        target = "" if self.target is None else f"{word} {_text(self.target)}{sign}"
        verdict = {None: "", True: "met", False: "NOT MET"}[self.met] if self.comparable else "NOT COMPARABLE"
        runs = f"{len(self.harness)}" + (f" of {len(self.harness) + self.refused}" if self.refused else "")
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}x"
        spread = [_spread(numbers) for numbers in (self.floor, self.harness)]
        return [self.what, self.unit, *spread, runs, ratio, target, verdict]


HEADERS = ["figure", "unit", "floor", "harness", "n", "ratio", "target", "verdict"]


def _spread(numbers: Sequence[float]) -> str:
    """Median, and the quartiles where there are enough runs to speak of them."""
    if not numbers:
        return ""
    median = _text(statistics.median(numbers))
    if len(numbers) < 4:
        return median
    low, _, high = statistics.quantiles(numbers, n=4)
    return f"{median} ({_text(low)}-{_text(high)})"


def _text(number: float) -> str:
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}"
