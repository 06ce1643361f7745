"""What becomes of a call's exit status in a shell script.

The shell keeps one status, `$?`, until the next command. `trace` follows it from the call to the statement that reads
or loses it. The result, a `StatusTrace`, says which statements then run for a given value.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from harness.lint.shell.branches import TEST_COMMANDS, chosen
from harness.lint.shell.script import ShellScript
from harness.lint.shell.steps import Step
from harness.lint.shell.tree import following, scope_of, statement_of, text, walk


class Fate(enum.Enum):
    """Where a status went."""

    PIPED = enum.auto()  # lost: the pipe has the status of its last command
    UNREAD = enum.auto()
    OVERWRITTEN = enum.auto()
    DISCARDED = enum.auto()  # || true, local x=$(…)
    BOOLEAN = enum.auto()  # tested only for zero
    TESTED = enum.auto()  # compared with numbers
    CALLER = enum.auto()  # it becomes the status of the script itself


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusTrace:
    """How a status ends: `place` is where it is read or lost, `variable` what it was kept in.

    `tests` are the statements that compare it, `logged` is true if it is only printed.
    """

    fate: Fate
    place: Node
    variable: str = ""
    tests: tuple[Node, ...] = ()
    logged: bool = False

    def regions(self, value: int) -> list[Node]:
        """The statements that the tests run for a value, in order."""
        names = {"?"} | ({self.variable} if self.variable else set())
        found: list[Node] = []
        for test in self.tests:
            found += chosen(test, names, value)
        return found


_READS = re.compile(r"\$\?|\$\{\?\}|\$\{?PIPESTATUS|\$\{?pipestatus")


def trace(script: ShellScript, step: Step) -> StatusTrace:
    """Follow the status of a step's command."""
    stack = list(step.stack)
    node = statement_of(step.node)
    while True:
        traced, node, returned = _climb(script, step, node)
        if traced is not None and traced.fate is not Fate.CALLER:
            return traced
        if traced is not None and not returned:
            return traced
        if not stack:
            return traced or StatusTrace(fate=Fate.CALLER, place=node)
        node = statement_of(stack.pop())


def _climb(script: ShellScript, step: Step, node: Node) -> tuple[StatusTrace | None, Node, bool]:
    """Go up from a statement until something reads its status, or its function or script ends."""
    while True:
        parent = node.parent
        if parent is None or parent.type == "function_definition":
            return None, node, True
        if parent.type == "redirected_statement":
            node = parent
            continue
        if parent.type == "pipeline":
            if parent.named_children[-1] != node and not pipefail(script, step):
                after = following(statement_of(parent))
                if after is None or not re.search("(?i)pipestatus", _head(after)):
                    return StatusTrace(fate=Fate.PIPED, place=node), node, False
                return _read(script, after)
            node = parent
            continue
        if parent.type == "list":
            traced = _in_list(script, parent, node)
            if traced is None:
                node = parent
                continue
            return traced
        if parent.type == "negated_command":
            return StatusTrace(fate=Fate.BOOLEAN, place=parent, tests=(_decision(parent),)), node, False
        if _is_condition(parent, node):
            return StatusTrace(fate=Fate.BOOLEAN, place=parent, tests=(parent,)), node, False
        after = following(node)
        if after is not None:
            return _read(script, after)
        if parent.type == "variable_assignment":
            holder = parent.parent
            if holder is not None and holder.type == "declaration_command":
                return StatusTrace(fate=Fate.DISCARDED, place=parent), node, False
            node = parent
            continue
        if parent.type in ("for_statement", "while_statement", "c_style_for_statement"):
            return StatusTrace(fate=Fate.UNREAD, place=node), node, False
        if parent.type == "process_substitution":
            return StatusTrace(fate=Fate.UNREAD, place=node), node, False
        node = parent


def _in_list(script: ShellScript, parent: Node, node: Node) -> tuple[StatusTrace | None, Node, bool] | None:
    """A status on the left of && or ||; None if it is the list's own."""
    left, operator, right = parent.children[0], text(parent.children[1]), parent.children[2]
    if left != node:
        return None
    if operator == "||":
        if _READS.search(_head(right)):
            return _read(script, right)
        if text(right).strip() in ("true", ":"):
            return StatusTrace(fate=Fate.DISCARDED, place=right), node, False
    if operator == "&&":
        # `call && status=0 || status=$?`: the right side of the outer list reads it
        outer = parent.parent
        if outer is not None and outer.type == "list" and outer.children[0] == parent:
            if _READS.search(_head(outer.children[2])):
                return _read(script, outer.children[2])
        elif _READS.search(text(following(parent) or right)) and right.type == "variable_assignment":
            return None
    return StatusTrace(fate=Fate.BOOLEAN, place=parent, tests=(parent,)), node, False


def _read(script: ShellScript, after: Node) -> tuple[StatusTrace, Node, bool]:
    """What the next statement does with `$?`."""
    head = _head(after)
    if not _READS.search(head):
        later: Node | None = after
        while later is not None and (later := following(later)) is not None:
            if _READS.search(_head(later)):
                return StatusTrace(fate=Fate.OVERWRITTEN, place=after), after, False
        return StatusTrace(fate=Fate.UNREAD, place=after), after, False
    variable = _kept_in(after)
    if variable:
        return _of_variable(script, after, variable)
    first = _first(after)
    if first.type == "command":
        name = text(first.child_by_field_name("name"))
        if name in ("exit", "return"):
            return StatusTrace(fate=Fate.CALLER, place=first), after, name == "return"
        if name in ("test", "["):
            return StatusTrace(fate=Fate.TESTED, place=after, tests=(after,)), after, False
        printed = _printed(script, after)
        if printed is not None:
            return printed
        return StatusTrace(fate=Fate.UNREAD, place=after, logged=True), after, False
    return StatusTrace(fate=Fate.TESTED, place=after, tests=(after,)), after, False


def _printed(script: ShellScript, after: Node) -> tuple[StatusTrace, Node, bool] | None:
    """A status that `$(call; echo $?)` hands to the statement around it."""
    around = after.parent
    if around is None or around.type != "command_substitution" or following(after) is not None:
        return None
    outer = around.parent
    while outer is not None and outer.type in ("string", "concatenation", "binary_expression"):
        outer = outer.parent
    if outer is not None and outer.type == "variable_assignment":
        return _of_variable(script, outer, text(outer.child_by_field_name("name")))
    tests = (outer,) if outer is not None and outer.type == "case_statement" else ()
    return StatusTrace(fate=Fate.TESTED, place=after, tests=tests), after, False


def _of_variable(script: ShellScript, kept: Node, variable: str) -> tuple[StatusTrace, Node, bool]:
    """The tests of the variable that keeps a status, up to where it is set again."""
    scope = scope_of(kept)
    ends = [
        node.start_byte
        for node in script.assignments.get(variable, ())
        if node.start_byte >= kept.end_byte and _READS.search(text(node.child_by_field_name("value")))
        if scope_of(node) == scope
    ]
    uses = [
        node for node in _uses(scope, variable) if kept.end_byte <= node.start_byte < min(ends, default=2**60)
    ]
    if not uses and scope.type == "function_definition":
        uses = [node for node in _uses(script.root, variable) if scope_of(node) != scope]
    tests: list[Node] = []
    out: Node | None = None
    for use in uses:
        test = _test_around(use)
        if test is not None:
            if test not in tests:
                tests.append(test)
            continue
        command = _command_around(use)
        if (
            command is not None
            and text(command.child_by_field_name("name")) in ("exit", "return")
            and out is None
        ):
            out = command
    if tests:
        return StatusTrace(fate=Fate.TESTED, place=kept, variable=variable, tests=tuple(tests)), kept, False
    if out is not None:
        returned = text(out.child_by_field_name("name")) == "return"
        return StatusTrace(fate=Fate.CALLER, place=out, variable=variable), out, returned
    return StatusTrace(fate=Fate.UNREAD, place=kept, variable=variable, logged=bool(uses)), kept, False


def _uses(scope: Node, variable: str) -> Iterator[Node]:
    for node in walk(scope):
        if node.type == "variable_name" and text(node) == variable:
            parent = node.parent
            if parent is None or parent.type != "variable_assignment":
                yield node


def _test_around(use: Node) -> Node | None:
    """The decision that depends on a use of a variable, or None if the use is another one."""
    node = use
    while (parent := node.parent) is not None:
        if parent.type == "case_statement":
            return parent if parent.child_by_field_name("value") == node else None
        if parent.type == "command" and text(parent.child_by_field_name("name")) not in TEST_COMMANDS:
            return None
        if parent.type in ("test_command",) or (
            parent.type == "command" and text(parent.child_by_field_name("name")) in TEST_COMMANDS
        ):
            return _decision(parent)
        if parent.type == "compound_statement" and text(parent).startswith("(("):
            return _decision(parent)
        if parent.type in ("variable_assignment", "function_definition", "program", "do_group"):
            return None
        node = parent
    return None


def _decision(test: Node) -> Node:
    """The statement that takes its branches by a test: an if, a list, or the test itself."""
    node = test
    while (parent := node.parent) is not None:
        if parent.type in ("negated_command", "redirected_statement", "subshell") or parent.type == "list":
            node = parent
        elif _is_condition(parent, node):
            node = parent
            if parent.type == "elif_clause":
                continue
            return node
        elif parent.type == "if_statement" and node.type == "elif_clause":
            return parent
        else:
            return node
    return node


def _is_condition(parent: Node, node: Node) -> bool:
    if parent.type in ("if_statement", "while_statement"):
        # in a condition of several statements the last one decides
        fields = [
            parent.field_name_for_child(at) for at, child in enumerate(parent.children) if child == node
        ]
        return fields == ["condition"] and _is_last_condition(parent, node)
    if parent.type == "elif_clause":
        then = next((child for child in parent.children if child.type == "then"), None)
        return then is not None and node.end_byte <= then.start_byte
    return False


def _is_last_condition(parent: Node, node: Node) -> bool:
    """True if no other part of the condition comes after this one."""
    conditions = [
        child
        for at, child in enumerate(parent.children)
        if parent.field_name_for_child(at) == "condition" and child.is_named
    ]
    return bool(conditions) and conditions[-1] == node


def _command_around(node: Node) -> Node | None:
    found: Node | None = node
    while found is not None and found.type != "command":
        found = found.parent
    return found


def _first(node: Node) -> Node:
    """The first simple command of a statement: the one that sees the status before it."""
    while node.type in (
        "list",
        "if_statement",
        "redirected_statement",
        "pipeline",
        "negated_command",
        "compound_statement",
        "subshell",
        "while_statement",
    ):
        if node.type == "compound_statement" and text(node).startswith("(("):
            return node
        children = [child for child in node.named_children if child.type != "comment"]
        if not children:
            return node
        node = children[0]
    return node


def _head(node: Node) -> str:
    """The part of a statement that is evaluated before anything can change `$?`."""
    first = _first(node)
    if first.type == "case_statement":
        return text(first.child_by_field_name("value"))
    if first.type == "for_statement":
        return text(first.child_by_field_name("value"))
    return text(first)


def _kept_in(node: Node) -> str:
    first = _first(node)
    for one in (
        (first, *first.named_children) if first.type in ("declaration_command", "command") else (first,)
    ):
        if one.type == "variable_assignment" and _READS.search(text(one.child_by_field_name("value"))):
            return text(one.child_by_field_name("name")).split("[")[0]
        if one.type == "variable_assignments":
            return next((_kept_in(child) for child in one.named_children if _kept_in(child)), "")
    if first.type == "variable_assignments":
        return next((_kept_in(child) for child in first.named_children if _kept_in(child)), "")
    return ""


def pipefail(script: ShellScript, step: Step) -> bool:
    """True if `set -o pipefail` is in force where this step stands."""
    on = False
    for other in script.steps[: step.index]:
        if other.name == "set" and "pipefail" in other.words and not other.trapped:
            on = not other.words[1].startswith("+")
    return on


def errexit(script: ShellScript, step: Step) -> bool:
    """True if `set -e` is in force where this step stands."""
    first = script.source.text.split("\n", 1)[0]
    on = bool(re.match(r"#!\S+\s+-\w*e", first))
    for other in script.steps[: step.index]:
        if other.name == "set":
            for word in other.words[1:]:
                if re.fullmatch(r"-[a-z]*e[a-z]*", word) or (word == "errexit" and "-o" in other.words):
                    on = True
                elif re.fullmatch(r"\+[a-z]*e[a-z]*", word):
                    on = False
    return on
