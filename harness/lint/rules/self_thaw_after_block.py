"""WDSuspendLimit is not smaller than ExternalFreezeTimeOut, so users are blocked before the instance thaws itself."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.engine import FREEZE_S_DEFAULT, FREEZE_S_MAX, PlacedCall
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="self-thaw-after-block",
    level=Level.NOTE,
    faults=("F17",),
    summary="users are blocked before the instance thaws itself",
    source=sources.CLASS_REFERENCE,
    remedy="Make WDSuspendLimit smaller than ExternalFreezeTimeOut.",
)


@RULE.call
def in_call(placed: PlacedCall) -> Iterator[Hit]:
    """Each ExternalFreeze with such numbers."""
    if not placed.call.by_class:
        return
    timeout, limit = placed.call.freeze_timeout, placed.call.argument(10)
    if limit in ("", "0") or not limit.isdigit() or not (timeout == "" or timeout.isdigit()):
        return
    blocked = FREEZE_S_DEFAULT if timeout in ("", "0") else int(timeout)
    if int(limit) >= min(blocked, FREEZE_S_MAX):
        message = f"WDSuspendLimit {limit} is not smaller than ExternalFreezeTimeOut {blocked}."
        yield at(placed.node, message)
