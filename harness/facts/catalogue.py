"""What the harness takes for granted of the product, as data: each fact, and its source.

A check rests on a fact if its PASS could be wrong were the fact not true; it declares so itself (`harness.declared`).
On a fact whose failure would show by itself (as an error, a refusal, a FAIL) no check rests: it is worth knowing.

Each fact is declared once, in the module of its family. The probe that tries it names it as an object, by the
decorator `tries` in `harness.conform`. The two do not stand in one module, because they belong on different floors: a
recovery needs the facts to judge (`harness.facts.known`), while a probe makes backups and recovers from them. A fact
with `untried` has no probe, for the reason it gives.

`open_item` is the number of a question that the product's documentation leaves open; docs/conformance.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.facts import elsewhere, freezes, journals, lists, recoveries, sessions
from harness.facts.fact import Fact
from harness.model import RecoveryMode

__all__ = ["FACTS", "OPEN_ITEMS", "Fact", "fact_of", "resting"]
_FAMILIES = (sessions, freezes, journals, recoveries, lists, elsewhere)

FACTS: tuple[Fact, ...] = tuple(
    fact for family in _FAMILIES for fact in vars(family).values() if isinstance(fact, Fact)
)
"""In the order in which they are tried."""

OPEN_ITEMS = 22
"""How many questions the documentation leaves open (docs/conformance.md)."""


def fact_of(identifier: str) -> Fact | None:
    """The fact of an id; None if there is none."""
    return next((fact for fact in FACTS if fact.id == identifier), None)


def resting(facts: Iterable[str], mode: RecoveryMode | None = None) -> tuple[str, ...]:
    """Those of some facts, by their ids, that matter in one recovery mode or in any. One that is not in the catalogue
    matters in each.
    """
    return tuple(one for one in facts if _matters(fact_of(one), mode))


def _matters(fact: Fact | None, mode: RecoveryMode | None) -> bool:
    return fact is None or mode is None or not fact.modes or mode in fact.modes
