"""A loop over the running instances does nothing if there is none, and the script ends with 0."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from harness.lint import sources
from harness.lint.batch.reading import BatchReading, statuses_of
from harness.lint.engine import Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.branches import chosen
from harness.lint.shell.failure import fails
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.script import ShellScript
from harness.lint.shell.tree import ancestors, changed_variables, contains, text, walk

RULE = Rule(
    id="no-instance-passes",
    level=Level.ERROR,
    faults=("F14",),
    summary="without a running instance nothing is frozen and the script succeeds",
    source=sources.CLASS_REFERENCE,
    remedy="Count the instances and fail if there is none.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each loop with a freeze over the engine's own list, if nothing tests whether the list was empty."""
    for one in reading.loops:
        source = _list_of(reading, one.loop)
        if source is not None and not _is_counted(reading.script, one.loop, source):
            message = "If no instance is running, this loop does nothing and the script succeeds."
            yield at(one.loop, message)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each loop with a freeze over the engine's own list, if the file ends with 0 without it."""
    script = reading.script
    for _, loop in reading.looped_freezes:
        listed = re.search(r"\b(qlist|qall|all)\b", script.text(loop).split(")")[0])
        if listed and 0 in statuses_of(script.ends_without_loops()):
            message = "If no instance is running, this loop does nothing and the file ends with 0."
            yield at(loop, message)


def _list_of(reading: ShellReading, loop: Node) -> Node | None:
    """Where a loop's instances come from, if that is the engine's own list."""
    places = [node for step in reading.steps_of(Verb.LIST) for node in (step.node, *step.stack)]
    body = loop.child_by_field_name("body")
    outer: Node = loop
    for parent in ancestors(loop):
        if parent.type not in ("redirected_statement", "pipeline"):
            break
        outer = parent
    for place in places:
        if contains(outer, place) and not (body is not None and contains(body, place)):
            return place
    head = text(outer).split("\ndo", 1)[0] + text(outer)[len(text(loop)) :]
    for name in re.findall(r"\$\{?(\w+)", head):
        for assigned in reading.script.assignments.get(name, ()):
            if any(contains(assigned, place) for place in places):
                return assigned
    return None


def _is_counted(script: ShellScript, loop: Node, source: Node) -> bool:
    """True if a test outside the loop's body fails when the list was empty."""
    listed = text(source.child_by_field_name("name")) if source.type == "variable_assignment" else ""
    body = loop.child_by_field_name("body")
    called = {text(node) for node in walk(loop) if node.type == "command_name"}
    inner = [body, *(script.functions[name] for name in called if name in script.functions)]
    changed = changed_variables([part for part in inner if part is not None])
    return any(
        _tests_for_none(script, loop, node, listed, changed)
        for node in walk(script.root)
        if not (body is not None and contains(body, node))
    )


def _tests_for_none(script: ShellScript, loop: Node, node: Node, listed: str, changed: set[str]) -> bool:
    """True if a node fails when the list is empty, or when a variable that the loop changes was not changed."""
    if node.type == "command":
        words = text(node).split() or [""]
        if words[0] in ("exit", "return"):
            return _exits_with_count(script, loop, words, changed)
        if words[0] != "test":
            return False
    elif node.type not in ("test_command", "compound_statement", "case_statement"):
        return False
    asked = text(node.child_by_field_name("value")) if node.type == "case_statement" else text(node)
    if node.type == "compound_statement" and not asked.startswith("(("):
        return False
    if "${#" in asked and node.type != "command":
        return True
    pairs = re.findall(r"\$\{?(\w+)|\b(\w+)\b(?=\s*[=<>!])", asked)
    names = {one for pair in pairs for one in pair if one}
    if listed in names and re.search(r"(^|\s)(-z|-n|=|!=|==)\s", asked):
        return True
    return any(
        _fails_unchanged(script, node, name, _initial(script, name, loop), asked) for name in names & changed
    )


def _exits_with_count(script: ShellScript, loop: Node, words: list[str], changed: set[str]) -> bool:
    """True for `exit $failed` of a variable that is not 0 before the loop and that the loop changes."""
    name = re.sub(r"[\"'${}]", "", words[1]) if len(words) == 2 else ""
    return name in changed and _initial(script, name, loop) not in ("", "0")


def _initial(script: ShellScript, name: str, loop: Node) -> str:
    """The value of a variable before a loop, as text; empty if it has none."""
    for assigned in script.assignments.get(name, ()):
        if assigned.start_byte < loop.start_byte and not contains(loop, assigned):
            return text(assigned.child_by_field_name("value")).strip("\"'")
    return ""


def _fails_unchanged(script: ShellScript, test: Node, name: str, value: str, asked: str) -> bool:
    """True if a test fails while a variable still has the value from before the loop."""
    decision = test
    for parent in ancestors(test):
        if parent.type in ("if_statement", "list"):
            decision = parent
        if parent.type in ("if_statement", "function_definition", "do_group", "case_item"):
            break
    if re.search(r"-z\s", asked) and value == "":
        return True
    if re.search(r"-n\s", asked) and value == "":
        return any(child.type == "else_clause" for child in decision.children) or "||" in text(decision)
    taken = chosen(decision, {name}, int(value) if value.isdigit() else 0)
    return fails(taken, script)
