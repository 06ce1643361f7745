"""The freeze writes no log of its own, so no file says at which journal and offset roll-forward begins."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.engine import PlacedCall
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="marker-not-kept",
    level=Level.WARNING,
    faults=("F24",),
    summary="the journal marker of the freeze is not kept in a file",
    source=sources.CLASS_REFERENCE,
    remedy="Give a LogFile as argument 1; the messages log lacks the offset.",
)


@RULE.call
def in_call(placed: PlacedCall) -> Iterator[Hit]:
    """Each ExternalFreeze without LogFile, or with 0 for standard output that is not kept."""
    if not placed.call.by_class:
        return
    log = placed.call.argument(1)
    if log in ("", '""'):
        message = "ExternalFreeze has no LogFile: no file holds journal and offset of this freeze."
        yield at(placed.node, message)
    elif log == "0" and not placed.captured:
        message = "LogFile is 0 and the output is not kept: no file holds the marker of this freeze."
        yield at(placed.node, message)
