"""Whether statements of a shell script report a failure, and which thaws only undo a freeze that failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tree_sitter import Node

from harness.lint.shell.script import ShellScript
from harness.lint.shell.steps import Step
from harness.lint.shell.tree import contains, in_condition, text, walk

_DEPTH_MAX = 4
_FAILURE = re.compile(r"fail|error|\bnot\b|n't\b|refused|cannot|abort", re.IGNORECASE)
_FLAG = re.compile(r"fail|err|exit|code|status|bad|void|^rc$|^ret", re.IGNORECASE)
_SUCCESS = re.compile(r"\b(ok|success\w*|is frozen|frozen|is thawed|thawed)\b", re.IGNORECASE)


def fails(nodes: Sequence[Node], script: ShellScript) -> bool:
    """True if statements end with a status other than 0, or set a flag for it, or call a function that does."""
    return sets_failure(nodes) or any(
        _is_failing_exit(inner, script) for node in nodes for inner in walk(node)
    )


def sets_failure(nodes: Sequence[Node]) -> bool:
    """True if statements end with a status other than 0, or set a flag for it."""
    for node in (inner for one in nodes for inner in walk(one)):
        if node.type == "command" and text(node.child_by_field_name("name")) in ("exit", "return"):
            words = [text(child) for child in node.named_children[1:]]
            if words and words[0] != "0":
                return True
        if node.type == "variable_assignment":
            name, value = (text(node.child_by_field_name(field)) for field in ("name", "value"))
            if _FLAG.search(name) and re.fullmatch(r"[1-9]\d*|yes|true|\$\(\(.*\)\)", value.strip("\"'")):
                return True
    return False


def meaning(nodes: Sequence[Node]) -> str:
    """`success` or `failure`, as statements say by status or in words; empty if they do not."""
    words = ""
    for node in (inner for one in nodes for inner in walk(one)):
        if node.type == "variable_assignment" and sets_failure([node]):
            words += " failed"
        if node.type != "command":
            continue
        name = text(node.child_by_field_name("name"))
        if name in ("exit", "return"):
            status = " ".join(text(child) for child in node.named_children[1:])
            if status == "0":
                return "success"
            if status.isdigit():
                return "failure"
        if name in ("echo", "printf", "logger", "log", "say", "fail", "die"):
            words += " " + text(node)
    if _FAILURE.search(words):
        return "failure"
    return "success" if _SUCCESS.search(words) else ""


def is_rollback(script: ShellScript, step: Step) -> bool:
    """True for a thaw on the way to a failure: its branch ends with a status other than 0."""
    if step.trapped:
        return True
    child = step.node
    for parent in step.around():
        if (
            parent.type in ("if_statement", "elif_clause", "else_clause", "case_item")
            or (parent.type == "list" and parent.children[0] != child and text(parent.children[1]) == "||")
        ) and not (parent.type in ("if_statement", "elif_clause") and in_condition(parent, child)):
            later = [node for node in walk(parent) if node.start_byte >= child.start_byte]
            if parent.type == "if_statement":
                later = [node for node in later if not _in_other_branch(parent, node)]
            if any(_is_failing_exit(node, script) for node in later) and _depends_on_failure(parent):
                return True
        child = parent
    return False


def _depends_on_failure(branch: Node) -> bool:
    """False for a branch that depends on an argument of the script."""
    decision = branch if branch.type == "if_statement" else branch.parent
    while decision is not None and decision.type not in ("if_statement", "case_statement", "list"):
        decision = decision.parent
    if decision is None:
        return False
    asked = text(decision.child_by_field_name("value")) or text(decision.child_by_field_name("condition"))
    return not re.search(r"\$\{?(1\b|mode\b|MODE\b|action\b|ACTION\b)", asked)


def _in_other_branch(decision: Node, node: Node) -> bool:
    return any(
        other.type in ("elif_clause", "else_clause") and contains(other, node) for other in decision.children
    )


def _is_failing_exit(node: Node, script: ShellScript, depth: int = 0) -> bool:
    if node.type != "command":
        return False
    name = text(node.child_by_field_name("name"))
    words = [text(child).strip("\"'") for child in node.named_children[1:] if child.type != "file_redirect"]
    if name in ("exit", "return"):
        return bool(words) and words[0] != "0"
    body = script.functions.get(name)
    return (
        body is not None
        and depth < _DEPTH_MAX
        and any(_is_failing_exit(inner, script, depth + 1) for inner in walk(body))
    )
