"""The script chooses between freeze and thaw by its argument, does nothing for an unknown one, and ends with 0."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from harness.lint import sources
from harness.lint.batch.reading import BatchReading
from harness.lint.batch.script import walk as walk_batch
from harness.lint.engine import Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.branches import patterns
from harness.lint.shell.failure import fails
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.script import ShellScript
from harness.lint.shell.tree import contains, text, walk

RULE = Rule(
    id="argument-matches-nothing",
    level=Level.ERROR,
    faults=("F34",),
    summary="the script does nothing for an unknown argument and succeeds",
    source=sources.SHELL,
    remedy="Add a last branch that ends with a status other than 0.",
)
_MESSAGE = "An argument that matches none of these ends with status 0."
_FIRST_ARGUMENT = re.compile(r"\$\{?1\b")


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """A case or an if about argument 1, with a freeze or thaw in it, that leaves other arguments out."""
    for node in walk(reading.script.root):
        if (node.type == "case_statement" and _case_leaves_out(reading, node)) or (
            node.type == "if_statement" and _if_leaves_out(reading, node)
        ):
            yield at(node, _MESSAGE)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """The first if about argument 1, if the file can end with 0 without a match."""
    script = reading.script
    tests = [
        node
        for node in walk_batch(script.root)
        if node.type == "if_stmt"
        and re.search(r"%~?1\b", script.condition_of(node))
        and '""' not in script.condition_of(node)
    ]
    if not tests or not reading.nodes_of(Verb.FREEZE, Verb.THAW):
        return
    if any(end.status == 0 for end in script.ends_without_argument()):
        yield at(tests[0], _MESSAGE)


def _case_leaves_out(reading: ShellReading, node: Node) -> bool:
    value = node.child_by_field_name("value")
    if value is None or not _FIRST_ARGUMENT.search(_with_values(reading.script, value)):
        return False
    items = [child for child in node.named_children if child.type == "case_item"]
    return _has_call(reading, node) and not any("*" in patterns(item) for item in items)


def _if_leaves_out(reading: ShellReading, node: Node) -> bool:
    condition = node.child_by_field_name("condition")
    if node.parent is None or node.parent.type != "program" or condition is None:
        return False
    if not _FIRST_ARGUMENT.search(_with_values(reading.script, condition)):
        return False
    if not re.search(r"=|-eq", text(condition)) or not _has_call(reading, node):
        return False
    if any(child.type == "else_clause" for child in node.children):
        return False
    after = [other for other in node.parent.named_children if other.start_byte >= node.end_byte]
    chain = [other for other in after if other.type == "if_statement" and "$" in text(other)]
    if any("1" in text(one.child_by_field_name("condition")) for one in chain):
        return False  # of several ifs in a row the last one is judged
    return not fails(after, reading.script)


def _with_values(script: ShellScript, condition: Node) -> str:
    """A condition, followed by the values of the variables in it."""
    made = text(condition)
    for name in re.findall(r"\$\{?(\w+)", made):
        made += " " + " ".join(
            text(one.child_by_field_name("value")) for one in script.assignments.get(name, ())
        )
    return made


def _has_call(reading: ShellReading, node: Node) -> bool:
    return any(
        contains(node, place)
        for step in reading.steps_of(Verb.FREEZE, Verb.THAW)
        for place in (step.node, *step.stack)
    )
