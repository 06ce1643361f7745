"""Runs sides in turn, so that whatever else the machine does falls upon all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

Measured = TypeVar("Measured")
Say = Callable[[str], None]
"""Told what is being done; nothing is printed where results are."""


def alternately(
    sides: Mapping[str, Callable[[int], Measured]], pairs: int, say: Say
) -> dict[str, list[Measured]]:
    """Measure every side once per pair, beginning with another one each time. Pairs are numbered from 1."""
    found: dict[str, list[Measured]] = {name: [] for name in sides}
    for number in range(1, pairs + 1):
        names = list(sides)[:: 1 if number % 2 else -1]
        for name in names:
            say(f"pair {number} of {pairs}: {name}")
            found[name].append(sides[name](number))
    return found
