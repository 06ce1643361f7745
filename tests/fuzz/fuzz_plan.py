"""Plan file: a Plan, or mistakes with lines, or no text."""

from __future__ import annotations

import tempfile

import fuzzing

from tests.property.test_plan_documents import GOOD, ODD_SCALARS, outcome

SEEDS = [
    GOOD.encode(),
    *(f"plan: {odd}\n".encode("utf-8", "replace") for odd in ODD_SCALARS if len(odd) < 99),
]
FILE = fuzzing.Path(tempfile.mkdtemp(prefix="fuzz-")) / "plan.yaml"


def target(raw: bytes) -> None:
    outcome(FILE, raw)


if __name__ == "__main__":
    fuzzing.main(target, SEEDS, ["harness.plan.document", "harness.plan.load"])
