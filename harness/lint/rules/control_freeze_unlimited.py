"""`iris freeze` has no argument like WDSuspendLimit: if the script dies the instance stays frozen."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint.engine import PlacedCall
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="control-freeze-unlimited",
    level=Level.NOTE,
    faults=("F17",),
    summary="`iris freeze` takes no limit after which the instance thaws itself",
    source="InterSystems IRIS class reference, Backup.General, CommandLineFreeze",
    remedy="Call ExternalFreeze with WDSuspendLimit, or let a watchdog thaw.",
)


@RULE.call
def in_call(placed: PlacedCall) -> Iterator[Hit]:
    """Each `iris freeze`."""
    if placed.call.by_control:
        yield at(placed.node, "`iris freeze` takes no WDSuspendLimit: only a thaw ends this freeze.")
