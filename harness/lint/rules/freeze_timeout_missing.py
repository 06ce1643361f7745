"""Without ExternalFreezeTimeOut users are blocked after a default that the script does not show."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.engine import FREEZE_S_DEFAULT, PlacedCall, Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="freeze-timeout-missing",
    level=Level.NOTE,
    faults=("F16",),
    summary="ExternalFreezeTimeOut is not given: 600 s",
    source=sources.CLASS_REFERENCE,
    remedy="Give it as argument 7, from 1 to 1200, so that a reader knows it.",
)


@RULE.call
def in_call(placed: PlacedCall) -> Iterator[Hit]:
    """Each freeze without it."""
    if placed.call.verb is Verb.FREEZE and placed.call.freeze_timeout in ("", "0"):
        yield at(placed.node, f"Users are blocked after {FREEZE_S_DEFAULT} s, the default.")
