"""A wait without a limit, in a script that freezes: it can keep the instance frozen for hours."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.script import ShellScript
from harness.lint.shell.tree import changed_variables, text, walk

RULE = Rule(
    id="wait-without-limit",
    level=Level.WARNING,
    faults=("F30",),
    summary="a wait has no limit while an instance is frozen",
    source=sources.CLASS_REFERENCE,
    remedy="Count the tries or the seconds; when they are used up, thaw and fail.",
)
_LEAVES = {"break", "exit", "return", "read", "timeout"}


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each loop that sleeps, counts nothing and cannot be left."""
    for node in walk(reading.script.root) if reading.freezes else ():
        if node.type == "while_statement" and _has_no_limit(reading.script, node):
            condition = text(node.child_by_field_name("condition"))
            yield at(node, f"This loop has no limit: it ends only when {condition} becomes false.")


def _has_no_limit(script: ShellScript, loop: Node) -> bool:
    condition = text(loop.child_by_field_name("condition"))
    names = {text(one.child_by_field_name("name")) for one in walk(loop) if one.type == "command"}
    if "sleep" not in names or names & _LEAVES or loop.child_by_field_name("body") is None:
        return False
    called = [script.functions[name] for name in names if name in script.functions]
    counted = any(
        re.search(rf"\b{re.escape(name)}\b", condition) for name in changed_variables([loop, *called])
    )
    if counted or "SECONDS" in condition or "date" in condition:
        return False
    return not any(re.search(r"\bexit\b", text(function)) for function in called)
