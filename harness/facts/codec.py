"""What one engine was seen to do, fact by fact, and its stored form: JSON that `conformance.schema.json` describes.

Whoever reads a text gets a `Conformance` or a ValueError that says what is wrong, never something in between.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from harness.model import Verdict
from harness.record_json import finite

SCHEMA = "harness.conformance/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactResult:
    """One fact as it was tried; `observed` is why, if it was not."""

    id: str
    statement: str
    source: str
    expected: str
    observed: str
    verdict: Verdict
    checks: tuple[str, ...]
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformance:
    """All facts, tried on one instance. `made_utc` is None in a record that ships with the harness.

    `image` and `host` say where the instance came from, `harness` is the version of the harness that tried it. `host`
    is empty in records of versions that did not keep it.
    """

    product: str
    version: str
    stand_in: bool
    image: str
    harness: str
    made_utc: datetime | None
    facts: tuple[FactResult, ...]
    host: str = ""

    @property
    def engine(self) -> str:
        """The product that answered, as a report names it."""
        name = f"{self.product} {self.version}"
        return f"stand-in ({name})" if self.stand_in else name


def timeless(conformance: Conformance) -> Conformance:
    """The same without times: what ships with the harness, and what two runs can be compared by."""
    facts = tuple(replace(fact, duration_s=0.0) for fact in conformance.facts)
    return replace(conformance, made_utc=None, facts=facts)


def dumps(conformance: Conformance) -> str:
    """Readable JSON that ends with a newline."""
    body = asdict(conformance)
    body["made_utc"] = (
        conformance.made_utc.isoformat().replace("+00:00", "Z") if conformance.made_utc else None
    )
    body["facts"] = [{**asdict(fact), "verdict": fact.verdict.value} for fact in conformance.facts]
    return json.dumps({"schema": SCHEMA, **body}, indent=2, ensure_ascii=False) + "\n"


def loads(text: str) -> Conformance:
    """The conformance in a JSON text. Raises ValueError: not JSON, not a conformance, or of another version."""
    try:
        raw = json.loads(text, parse_float=finite, parse_constant=finite)
        mistake = next(iter(_validator().iter_errors(raw)), None)
        if mistake:
            raise ValueError(f"{mistake.json_path}: {mistake.message[:200]}")
    except RecursionError as error:
        raise ValueError("nested too deeply to be a conformance") from error
    ids = [one["id"] for one in raw["facts"]]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise ValueError(f"a fact is there twice: {twice[0]}")
    made = raw["made_utc"]
    return Conformance(
        product=raw["product"],
        version=raw["version"],
        stand_in=raw["stand_in"],
        image=raw["image"],
        host=raw.get("host", ""),
        harness=raw["harness"],
        made_utc=datetime.fromisoformat(made).astimezone(UTC) if made else None,
        facts=tuple(_fact(one) for one in raw["facts"]),
    )


def _fact(raw: dict[str, Any]) -> FactResult:
    return FactResult(**{**raw, "verdict": Verdict(raw["verdict"]), "checks": tuple(raw["checks"])})


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads((Path(__file__).parent / "conformance.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema)
