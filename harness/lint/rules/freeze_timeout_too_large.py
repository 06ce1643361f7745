"""An ExternalFreezeTimeOut above the maximum: users are blocked earlier than the script expects."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint.engine import FREEZE_S_MAX, PlacedCall, Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="freeze-timeout-too-large",
    level=Level.WARNING,
    faults=("F16",),
    summary="ExternalFreezeTimeOut above 1200 counts as 1200",
    source="external backup tutorial of InterSystems Japan for IRIS 2024.1",
    remedy="Plan with at most 1200 s.",
)


@RULE.call
def in_call(placed: PlacedCall) -> Iterator[Hit]:
    """Each freeze with more than the maximum."""
    call = placed.call
    timeout = call.freeze_timeout
    if call.verb is Verb.FREEZE and timeout.isdigit() and int(timeout) > FREEZE_S_MAX:
        name = "ExternalFreezeTimeOut " if call.by_class else "timeout="
        yield at(placed.node, f"{name}{timeout} is more than {FREEZE_S_MAX}.")
