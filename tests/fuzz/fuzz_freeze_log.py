"""Freeze log: entries or a ParseError; a complete entry's marker stands in its own window of the text."""

from __future__ import annotations

import fuzzing

from harness.errors import ParseError
from harness.freeze_log import find, parse
from tests.property.test_freeze_log_grammar import require_literal

DATA = fuzzing.Path(__file__).parents[1] / "data" / "freeze_log"
SEEDS = [file.read_bytes() for file in sorted(DATA.glob("*.log"))]
SEEDS.append(b"".join(SEEDS))


def target(raw: bytes) -> None:
    text = raw.decode("utf-8", "backslashreplace")
    try:
        entries = parse(text, "freeze.log")
        find(entries, "freeze.log", entries[-1].started)
    except ParseError:
        return
    for entry in entries:
        if entry.complete:
            require_literal(text, entry)


if __name__ == "__main__":
    fuzzing.main(target, SEEDS, ["harness.freeze_log"])
