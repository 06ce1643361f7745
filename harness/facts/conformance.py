"""What one engine was seen to do, fact by fact, and how that is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from annotated_types import Ge, MinLen

from harness.codec import Stored
from harness.model import Verdict

SCHEMA = "harness.conformance/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactResult:
    """One fact as it was tried."""

    id: str
    """Stable name."""
    statement: str
    """What is taken for granted."""
    source: str
    """Where it is documented, or that it is not."""
    expected: str
    """What had to be observed."""
    observed: str
    """What was observed, or why it was not tried."""
    verdict: Verdict
    """PASS: observed as expected. FAIL: observed otherwise. UNKNOWN: inconclusive. SKIPPED: it was not tried."""
    checks: tuple[str, ...]
    """Checks whose PASS rests on it."""
    duration_s: Annotated[float, Ge(0)] = 0.0
    """Seconds the probe took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformance:
    """All facts, tried on one instance."""

    product: Annotated[str, MinLen(1)]
    """Product that answered, such as IRIS."""
    version: Annotated[str, MinLen(1)]
    """Its version, as it says itself."""
    stand_in: bool
    """True if it was not IRIS: then nothing here speaks of IRIS."""
    image: str
    """Image that was started, or the name of the installed instance."""
    harness: str
    """Version of the harness that asked."""
    made_utc: datetime | None
    """When it asked; null in a record that ships with the harness."""
    facts: Annotated[tuple[FactResult, ...], MinLen(1)]
    """Every fact that the harness takes for granted, in the order they were tried."""
    host: str = ""
    """The host of the plan that ran the instance; empty in records of versions that did not keep it."""
    schema: str = SCHEMA
    """Name and version of this form."""

    @property
    def engine(self) -> str:
        """The product that answered, as a report names it."""
        name = f"{self.product} {self.version}"
        return f"stand-in ({name})" if self.stand_in else name


def timeless(conformance: Conformance) -> Conformance:
    """The same without times: what ships with the harness, and what two runs can be compared by."""
    facts = tuple(replace(fact, duration_s=0.0) for fact in conformance.facts)
    return replace(conformance, made_utc=None, facts=facts)


CONFORMANCES = Stored(Conformance, SCHEMA, complete=lambda raw: {"host": "", **raw})


def loads(text: str) -> Conformance:
    """The conformance in a JSON text. Raises ValueError: not JSON, not a conformance, or of another version."""
    found = CONFORMANCES.loads(text)
    ids = [one.id for one in found.facts]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise ValueError(f"a fact is there twice: {twice[0]}")
    return found
