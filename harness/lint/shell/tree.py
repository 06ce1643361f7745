"""How to get about in the syntax tree that tree-sitter makes of a shell script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tree_sitter import Node

LOOPS = ("for_statement", "while_statement", "c_style_for_statement")


def ancestors(node: Node) -> Iterator[Node]:
    """Parents of a node, the nearest first."""
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def walk(node: Node) -> Iterator[Node]:
    """A node and everything in it, in the order of the text."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(current.children))


def text(node: Node | None) -> str:
    """What stands in the script."""
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def scope_of(node: Node) -> Node:
    """The function or the script a node stands in."""
    last = node
    for parent in ancestors(node):
        last = parent
        if parent.type == "function_definition":
            return parent
    return last


def statement_of(node: Node) -> Node:
    """A command with its redirections."""
    parent = node.parent
    return statement_of(parent) if parent is not None and parent.type == "redirected_statement" else node


def following(node: Node) -> Node | None:
    """The next statement in the same sequence, or None."""
    after = node.next_named_sibling
    while after is not None and after.type == "comment":
        after = after.next_named_sibling
    parent = node.parent
    if after is None or parent is None:
        return None
    if parent.type in ("if_statement", "elif_clause") and after.type in ("elif_clause", "else_clause"):
        return None
    return after


def contains(outer: Node, inner: Node) -> bool:
    """True if one node stands within another, or is it."""
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte


def in_condition(parent: Node, child: Node) -> bool:
    """True if a part of an if or a loop stands before its `then` or `do`."""
    word = next((one for one in parent.children if one.type in ("then", "do_group")), None)
    return word is not None and child.end_byte <= word.start_byte


def branch_of(decision: Node, child: Node) -> str:
    """Which part of an if statement a direct child belongs to: condition, then, or the place of another branch."""
    if child.type in ("elif_clause", "else_clause"):
        return f"other {child.start_byte}"
    for at, node in enumerate(decision.children):
        if node == child:
            return "condition" if decision.field_name_for_child(at) == "condition" else "then"
    return "then"


def changed_variables(parts: Sequence[Node]) -> set[str]:
    """Names of the variables that some parts of a script set, count or read."""
    inside = [node for part in parts for node in walk(part)]
    assigned = {
        text(node.child_by_field_name("name")) for node in inside if node.type == "variable_assignment"
    }
    counted = [node for node in inside if node.type == "postfix_expression" and node.named_children]
    read = {
        text(child)
        for node in inside
        if node.type == "command" and text(node.child_by_field_name("name")) == "read"
        for child in node.named_children[1:]
    }
    return assigned | read | {text(node.named_children[0]) for node in counted}
