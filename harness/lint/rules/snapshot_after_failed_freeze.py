"""Nothing ends the script between a freeze that failed and the snapshot, so a torn snapshot looks like a backup."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading, SnapshotTurn
from harness.lint.shell.script import ShellScript
from harness.lint.shell.steps import Step, exclusive
from harness.lint.shell.tree import text

RULE = Rule(
    id="snapshot-after-failed-freeze",
    level=Level.ERROR,
    faults=("F10",),
    summary="the snapshot is taken although the freeze failed",
    source=sources.DATA_INTEGRITY_GUIDE,
    remedy="End before the snapshot unless the freeze ended with 5.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each such snapshot."""
    for turn in reading.snapshots:
        if not turn.too_late and not _can_leave(reading.script, turn):
            line = turn.freeze.node.start_point[0] + 1
            message = f"Nothing keeps the script from this snapshot if the freeze (line {line}) fails."
            yield at(turn.snapshot.node, message)


def _can_leave(script: ShellScript, turn: SnapshotTurn) -> bool:
    """True if the script can end, or take another branch, between the freeze and the snapshot."""
    freeze, snapshot = turn.freeze, turn.snapshot
    for step in script.steps[freeze.index + 1 : snapshot.index]:
        if step.name in ("exit", "return", "break", "continue") and not exclusive(step, freeze):
            return True
    child = snapshot.node
    for parent in snapshot.around():
        decides = parent.type in ("if_statement", "case_item") and freeze.node.start_byte < child.start_byte
        if decides and (parent not in freeze.around() or _is_condition_of(parent, freeze)):
            return True
        if parent.type == "list" and parent.children[0] != child and text(parent.children[1]) == "&&":
            return True
        child = parent
    return False


def _is_condition_of(parent: Node, step: Step) -> bool:
    then = next((child for child in parent.children if child.type == "then"), None)
    nodes = (step.node, *step.stack)
    return then is not None and any(parent.start_byte <= one.start_byte < then.start_byte for one in nodes)
