"""What the harness takes for granted of the product, as data: each fact, its source, and the checks that rest on it.

A check rests on a fact if its PASS could be wrong were the fact not true. A fact whose failure would show by itself
(as an error, a refusal, a FAIL) has no checks: it is worth knowing, and nothing rests on it.

Each fact is declared once, in the module of its family. The probe that tries it names it as an object, by the
decorator `tries` in `harness.conform`. The two do not stand in one module, because they belong on different floors: a
recovery needs the facts to judge (`harness.facts.known`), while a probe makes backups and recovers from them. A fact
with `untried` has no probe, for the reason it gives.

`open_item` is the number of a question that the product's documentation leaves open; docs/conformance.md lists them.
"""

from __future__ import annotations

from harness.facts import elsewhere, freezes, journals, lists, recoveries, sessions
from harness.facts.fact import Fact
from harness.model import RecoveryMode

__all__ = ["FACTS", "OPEN_ITEMS", "Fact", "resting"]
_FAMILIES = (sessions, freezes, journals, recoveries, lists, elsewhere)

FACTS: tuple[Fact, ...] = tuple(
    fact for family in _FAMILIES for fact in vars(family).values() if isinstance(fact, Fact)
)
"""In the order in which they are tried."""

OPEN_ITEMS = 22
"""How many questions the documentation leaves open (docs/conformance.md)."""


def resting(check: str, mode: RecoveryMode | None = None) -> tuple[Fact, ...]:
    """The facts that a check rests on, in one recovery mode or in any."""
    return tuple(
        fact
        for fact in FACTS
        if check in fact.checks and (mode is None or not fact.modes or mode in fact.modes)
    )
