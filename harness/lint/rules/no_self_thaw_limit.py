"""Without WDSuspendLimit nothing thaws the instance if the script dies."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.engine import PlacedCall
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="no-self-thaw-limit",
    level=Level.WARNING,
    faults=("F17",),
    summary="nothing thaws the instance if this script dies",
    source=sources.CLASS_REFERENCE,
    remedy="Give WDSuspendLimit as argument 10; ExternalFreezeTimeOut thaws nothing, it only blocks users.",
)


@RULE.call
def in_call(placed: PlacedCall) -> Iterator[Hit]:
    """Each ExternalFreeze without it."""
    if placed.call.by_class and placed.call.argument(10) in ("", "0"):
        message = "WDSuspendLimit (argument 10) is not given: only a thaw ends this freeze."
        yield at(placed.node, message)
