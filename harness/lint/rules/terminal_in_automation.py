"""A container command asks for a terminal, and a scheduled job has none: the call fails before it begins."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint.engine import CONTAINERS, PlacedCall
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="terminal-in-automation",
    level=Level.ERROR,
    faults=("F13",),
    summary="a terminal is requested where there is none",
    source="kubectl exec and docker exec reference, --tty",
    remedy="Omit -t (and -i).",
)
_TERMINAL = re.compile(r"-[ie]*t[ie]*|--tty(=true)?")


@RULE.call
def in_call(placed: PlacedCall) -> Iterator[Hit]:
    """Each call in a container with such an option."""
    call = placed.call
    if CONTAINERS & set(call.wrappers):
        option = next((word for word in call.wrapper_words if _TERMINAL.fullmatch(word)), "")
        if option:
            yield at(placed.node, f"`{option}` requests a terminal; a scheduled job has none.")
