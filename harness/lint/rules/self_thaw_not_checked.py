"""A thaw succeeds on an instance that has thawed itself, so the instance must be asked before the thaw."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint.batch.reading import BatchReading, statuses_of
from harness.lint.engine import Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="self-thaw-not-checked",
    level=Level.WARNING,
    faults=("F18",),
    summary="the thaw is made without checking that the instance is still frozen",
    source="InterSystems IRIS class reference, Backup.General, IsWDSuspendedExt",
    remedy="Call IsWDSuspendedExt before the thaw; if it does not end with 5, the backup is void.",
)
_MESSAGE = "If the engine has thawed itself before, this thaw succeeds and a torn snapshot passes."


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """The first thaw, if no IsWDSuspendedExt comes before it."""
    if not reading.thaws:
        return
    thaw = reading.thaws[0]
    asked = reading.steps_of(Verb.SUSPENDED)
    if not any(one.index < thaw.index or one.node.start_byte < thaw.node.start_byte for one in asked):
        yield at(thaw.node, _MESSAGE)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """The first thaw after which the file can end with 0, if no IsWDSuspendedExt comes before it."""
    thaws = [node for node in reading.nodes_of(Verb.THAW) if 0 in statuses_of(reading.script.ends(node, 5))]
    asked = reading.nodes_of(Verb.SUSPENDED)
    if thaws and not any(node.start_byte < thaws[0].start_byte for node in asked):
        yield at(thaws[0], _MESSAGE)
