"""Records of conformance, made up for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from harness.declared import resting_on
from harness.facts.catalogue import FACTS
from harness.facts.conformance import Conformance, FactResult
from harness.model import Verdict

MADE_UTC = datetime(2026, 11, 22, 13, 0, 34, 120000, tzinfo=UTC)


def conformance(
    verdicts: dict[str, Verdict] | None = None, *, product: str = "IRIS", version: str = "2024.1.0.263.0"
) -> Conformance:
    """Every fact PASS, but for those given; untried ones SKIPPED."""
    given = verdicts or {}
    return Conformance(
        product=product,
        version=version,
        stand_in=False,
        image="example/iris:2024.1",
        host="docker",
        harness="0.1.0",
        made_utc=MADE_UTC,
        facts=tuple(
            FactResult(
                id=fact.id,
                statement=fact.statement,
                source=fact.source,
                expected=fact.expected,
                observed=fact.untried or fact.expected,
                verdict=given.get(fact.id, Verdict.SKIPPED if fact.untried else Verdict.PASS),
                checks=resting_on(fact.id),
                duration_s=0.25,
            )
            for fact in FACTS
        ),
    )
