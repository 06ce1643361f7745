"""Runs sides in turn, so that whatever else the machine does falls upon all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Measured = TypeVar("Measured")
REFUSED_MOST = 3
Say = Callable[[str], None]
"""Told what is being done; nothing is printed where results are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparable(Generic[Measured]):
    """Pairs whose sides did the same, and why others were left out; `enough` if they are as many as was asked for."""

    found: dict[str, list[Measured]]
    refused: tuple[str, ...]
    enough: bool


def alternately(
    sides: Mapping[str, Callable[[int], Measured]], pairs: int, say: Say
) -> dict[str, list[Measured]]:
    """Measure every side once per pair, beginning with another one each time. Pairs are numbered from 1."""
    found: dict[str, list[Measured]] = {name: [] for name in sides}
    for number in range(1, pairs + 1):
        say(f"pair {number} of {pairs}")
        for name, one in _pair(sides, number, say).items():
            found[name].append(one)
    return found


def comparably(
    sides: Mapping[str, Callable[[int], Measured]],
    pairs: int,
    why_not: Callable[[dict[str, Measured]], str],
    say: Say,
) -> Comparable[Measured]:
    """As `alternately`, but a pair of which `why_not` says something is refused, and another one is measured in its
    place: at most REFUSED_MOST times as many as were asked for.
    """
    found: dict[str, list[Measured]] = {name: [] for name in sides}
    refused: list[str] = []
    accepted = 0
    while accepted < pairs and len(refused) < REFUSED_MOST * pairs:
        number = accepted + len(refused) + 1
        say(f"pair {number}, {accepted} of {pairs} accepted")
        pair = _pair(sides, number, say)
        if reason := why_not(pair):
            say(f"pair {number} is refused: {reason}")
            refused.append(reason)
            continue
        accepted += 1
        for name, one in pair.items():
            found[name].append(one)
    return Comparable(found=found, refused=tuple(refused), enough=accepted == pairs)


def _pair(sides: Mapping[str, Callable[[int], Measured]], number: int, say: Say) -> dict[str, Measured]:
    names = list(sides)[:: 1 if number % 2 else -1]
    found = {}
    for name in names:
        say(f"pair {number}: {name}")
        found[name] = sides[name](number)
    return found
