"""The thaw does not wait for the snapshot, so the snapshot may hold what was written after the thaw."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.script import ShellScript
from harness.lint.shell.steps import Step

RULE = Rule(
    id="thaw-before-snapshot-complete",
    level=Level.WARNING,
    faults=("F11",),
    summary="the thaw does not wait for the snapshot",
    source=sources.DATA_INTEGRITY_GUIDE,
    remedy="Wait before the thaw until the snapshot's point in time is fixed.",
)
_WAIT = re.compile(r"^(kubectl\s+wait\b|aws\b.*\swait\s+snapshot-completed\b|az\b.*\swait\b)")


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each thaw after a snapshot that is waited for later, or that runs in the background."""
    waits = [step for step in reading.script.steps if _WAIT.search(step.line)]
    for turn in reading.snapshots:
        thaw, snapshot = turn.thaw, turn.snapshot
        if thaw is None or turn.too_late:
            continue
        later = [one for one in waits if one.index > thaw.index]
        between = [one for one in waits if snapshot.index < one.index < thaw.index]
        if later and not between:
            yield at(thaw.node, "The script waits for the snapshot only after this thaw.")
        elif _is_in_background(reading.script, snapshot, thaw):
            message = "The snapshot runs in the background; nothing waits for it before this thaw."
            yield at(thaw.node, message)


def _is_in_background(script: ShellScript, snapshot: Step, thaw: Step) -> bool:
    parent = snapshot.node.parent
    after = snapshot.node.next_sibling or (parent.next_sibling if parent else None)
    if after is None or after.type != "&":
        return False
    return not any(step.name == "wait" for step in script.steps[snapshot.index : thaw.index])
