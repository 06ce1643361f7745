"""The script ends with 0 whatever freeze and thaw ended with, so its caller never learns of a failure."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from harness.lint import sources
from harness.lint.batch.reading import BatchReading
from harness.lint.engine import Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.status import errexit
from harness.lint.shell.tree import ancestors, text

RULE = Rule(
    id="always-exits-zero",
    level=Level.ERROR,
    faults=("F06",),
    summary="the script ends with 0 whatever happened",
    source=sources.CLASS_REFERENCE,
    remedy="End with a status other than 0 when a freeze or thaw was not confirmed.",
)
_ZERO = {"echo", "printf", "logger", "date", "rm", ":", "true", "unset", "tee", "mkdir", "touch"}


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """The last statement, if it ends with 0 and nothing before it can end the script otherwise."""
    script = reading.script
    if not reading.statuses or any(errexit(script, step) for step in script.calls):
        return
    first = reading.steps_of(Verb.FREEZE, Verb.THAW)[0]
    exits = [step for step in script.steps[first.index :] if step.name in ("exit", "return", "false", "kill")]
    if any(step.words[1:] != ("0",) for step in exits):
        return
    other = ("comment", "function_definition", "ERROR")
    statements = [node for node in script.root.named_children if node.type not in other]
    if statements and _surely_zero(statements[-1]):
        yield at(statements[-1], "The script ends with 0 whatever freeze and thaw ended with.")


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """The last statement of a file that every simulated run ends with 0."""
    if reading.always_ends_with_zero:
        yield at(reading.script.statements[-1], "The file ends with 0 whatever freeze and thaw ended with.")


def _surely_zero(node: Node) -> bool:
    if node.type == "redirected_statement":
        return _surely_zero(node.named_children[0])
    if node.type == "command":
        words = [text(child) for child in node.named_children] or [""]
        return words[0] in _ZERO or words == ["exit", "0"]
    if node.type in ("for_statement", "while_statement"):
        body = node.child_by_field_name("body")
        inner = [child for child in body.named_children if child.type != "comment"] if body else []
        return bool(inner) and _surely_zero(inner[-1])
    if node.type == "case_statement":
        items = [child for child in node.named_children if child.type == "case_item"]
        return all(bool(item.named_children) and _surely_zero(item.named_children[-1]) for item in items)
    return node.type == "variable_assignment" and not any(
        parent.type == "command_substitution" for parent in ancestors(node)
    )
