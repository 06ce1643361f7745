"""Answers of the agent: of every method a typed value or a HarnessError; integrity passes only what is clean."""

from __future__ import annotations

import fuzzing

from harness.model import Verdict
from tests.property.answers import ASKED, GOOD, METHODS, lines
from tests.property.test_agent_answers import json_or_none, judged, outcome

NAMES = sorted(METHODS)
STATUSES = (5, 3, 0, 1)
SEEDS = [bytes([number, 0]) + lines(GOOD[name]).encode() for number, name in enumerate(NAMES)]


def target(raw: bytes) -> None:
    if len(raw) < 2:
        return
    text = raw[2:].decode("utf-8", "replace")
    outcome(NAMES[raw[0] % len(NAMES)], (STATUSES[raw[1] % len(STATUSES)], text))
    if "complete" in text and judged(text) is Verdict.PASS:
        objects = [json_or_none(line) for line in text.removesuffix("\n").split("\n")]
        assert len(objects) == len(ASKED) + 1
        assert all(isinstance(one, dict) and one["clean"] is True for one in objects[:-1])


if __name__ == "__main__":
    fuzzing.main(target, SEEDS, ["harness.instance.answer", "harness.instance.iris"])
