"""Mutants that change nothing that a user or a caller can see: listed by their content, each with its reason.

`equivalent.toml` beside this file. An entry names the file, the function, the lines before and after the change; so
it outlives every change elsewhere, and a change of that very line makes it stale, which is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.operators import Mutant

FILE = Path(__file__).with_name("equivalent.toml")
_KEYS = {"file", "function", "was", "becomes", "why"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line and what it may become without a difference; one reason for all of these."""

    file: str
    function: str
    was: str
    becomes: tuple[str, ...]
    why: str

    def matches(self, mutant: Mutant) -> bool:
        place = (self.file, self.function, self.was)
        return place == (mutant.file, mutant.function, mutant.was) and mutant.becomes in self.becomes


def entries(text: str) -> list[Entry]:
    """Raises ValueError if an entry lacks something, or a reason."""
    found = []
    for raw in tomllib.loads(text).get("equivalent", []):
        if set(raw) != _KEYS or not raw["why"].strip():
            raise ValueError(f"an equivalent mutant needs {', '.join(sorted(_KEYS))}: {raw}")
        found.append(Entry(**{**raw, "becomes": tuple(raw["becomes"])}))
    return found


def stale(known: Sequence[Entry], mutants: Iterable[Mutant], files: Iterable[str]) -> list[str]:
    """Changes of some files that are listed, and are no mutants any more."""
    there = {(one.file, one.function, one.was, one.becomes) for one in mutants}
    of = set(files)
    return [
        f"{entry.file} {entry.function}: {entry.was} → {new}"
        for entry in known
        if entry.file in of
        for new in entry.becomes
        if (entry.file, entry.function, entry.was, new) not in there
    ]
