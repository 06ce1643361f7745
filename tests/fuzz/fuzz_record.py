"""record.json and records of conformance: a Record or Conformance, or a ValueError; reports of it are honest."""

from __future__ import annotations

import json

import fuzzing

from tests.property.test_stored_records import FACTS_SAMPLE, SAMPLE, facts, loaded, require_honest

SMALL = {**SAMPLE, "cases": SAMPLE["cases"][:1]}
SEEDS = [
    json.dumps(SMALL).encode(),
    json.dumps({**SMALL, "cases": [], "instance": None}).encode(),
    json.dumps({**FACTS_SAMPLE, "facts": FACTS_SAMPLE["facts"][:2]}).encode(),
]


def target(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")
    facts(text)
    record = loaded(text)
    if record:
        require_honest(record)


if __name__ == "__main__":
    fuzzing.main(
        target, SEEDS, ["harness.record_json", "harness.facts.conformance", "harness.report.base"], most=8192
    )
