"""`irisdb -s.` finds its instance by the current directory, which is not the manager's folder in a scheduled job."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint.engine import PlacedCall
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="engine-by-current-directory",
    level=Level.WARNING,
    faults=("F32",),
    summary="the instance is found by the current directory",
    source="InterSystems IRIS class reference, Backup.General, ExternalFreeze",
    remedy="Name the folder: irisdb -sC:\\InterSystems\\IRIS\\mgr.",
)


@RULE.call
def in_call(placed: PlacedCall) -> Iterator[Hit]:
    """Each `irisdb -s.`."""
    call = placed.call
    if call.program in ("irisdb", "cache") and any(re.fullmatch(r"-s\.[\\/]?", word) for word in call.words):
        yield at(placed.node, f"`{call.program} -s.` works only in the manager's folder.")
