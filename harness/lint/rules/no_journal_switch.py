"""With SwitchJournalFile=0 the freeze writes no journal marker, so roll-forward has no place to begin."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.engine import PlacedCall
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="no-journal-switch",
    level=Level.WARNING,
    faults=("F24",),
    summary="SwitchJournalFile=0: no journal marker is written",
    source=sources.CLASS_REFERENCE,
    remedy="Omit argument 3, or give 1.",
)


@RULE.call
def in_call(placed: PlacedCall) -> Iterator[Hit]:
    """Each ExternalFreeze with it."""
    if placed.call.by_class and placed.call.argument(3) == "0":
        message = "Argument 3, SwitchJournalFile, is 0: roll-forward has no marker to begin at."
        yield at(placed.node, message)
