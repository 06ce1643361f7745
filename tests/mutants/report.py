"""What came of it, by module: a table, the survivors so that a person can act, and whether it is good enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from tests.mutants.floors import floor_of
from tests.mutants.operators import Mutant

KILLED, TIMEOUT, SURVIVED, NOT_RUN, EQUIVALENT = "killed", "timeout", "survived", "not run", "equivalent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a mutant. `by` is the test that noticed it; NOT_RUN: no test runs its line."""

    mutant: Mutant
    status: str
    by: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One module. A mutant that hangs is killed; one whose line no test runs has survived."""

    file: str
    tried: int
    killed: int
    survived: int
    not_run: int
    equivalent: int
    is_part: bool = False

    @property
    def percent(self) -> float | None:
        """None if no mutant was tried that could tell."""
        counted = self.killed + self.survived
        return 100.0 * self.killed / counted if counted else None

    @property
    def floor(self) -> float:
        return floor_of(self.file) or 0.0

    @property
    def is_enough(self) -> bool:
        """Of a part of a module, some changed lines or a sample, one may survive whatever the floor says."""
        if self.percent is None:
            return True
        return self.percent >= self.floor or (self.is_part and self.survived <= 1)


def score(file: str, fates: Iterable[Fate], *, is_part: bool = False) -> Score:
    """The score of one file from what became of its mutants."""
    found = [fate.status for fate in fates if fate.mutant.file == file]
    killed = found.count(KILLED) + found.count(TIMEOUT)
    not_run = found.count(NOT_RUN)
    return Score(
        file=file,
        tried=len(found),
        killed=killed,
        survived=found.count(SURVIVED) + not_run,
        not_run=not_run,
        equivalent=found.count(EQUIVALENT),
        is_part=is_part,
    )


def table(scores: Sequence[Score]) -> str:
    """One row a module; a module below its floor is marked."""
    rows = [
        (
            one.file,
            one.tried,
            one.killed,
            one.survived,
            one.not_run,
            one.equivalent,
            "-" if one.percent is None else f"{one.percent:.1f} %",
            f"{one.floor:.0f} %" if one.is_enough else f"{one.floor:.0f} % BELOW",
        )
        for one in scores
    ]
    headers = ("module", "tried", "killed", "survived", "of these not run", "equivalent", "score", "floor")
    align = ("left", *["right"] * 6, "left")
    return tabulate(rows, headers=headers, tablefmt="pipe", colalign=align, disable_numparse=True)


def survivor(fate: Fate) -> str:
    """Where, and what was changed."""
    one = fate.mutant
    place = f"{one.file}:{one.line}: {one.function or '(module)'}"
    odd = "   (no test runs it)" if fate.status == NOT_RUN else ""
    return f"{place}{odd}\n    - {one.was}\n    + {one.becomes}"
