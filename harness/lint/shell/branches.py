"""Which statements of a decision run for a given value of an exit status: `case`, `if`, `&&` and `||`."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from tree_sitter import Node

from harness.lint.shell.tree import text

TEST_COMMANDS = ("[", "test")


def chosen(test: Node, names: set[str], value: int) -> list[Node]:
    """The statements that a decision runs if variables of some names have a value; none if it depends on others."""
    if test.type == "case_statement":
        for item in test.named_children:
            if item.type == "case_item" and _matches(item, value):
                return _body(item)
        return []
    if test.type == "if_statement":
        return _of_if(test, names, value)
    if test.type == "list":
        left, operator, right = test.children[0], text(test.children[1]), test.children[2]
        holds = _holds(left, names, value)
        found = chosen(left, names, value) if left.type == "list" else []
        return found + ([right] if holds is None or holds is (operator == "&&") else [])
    if test.type in ("while_statement",):
        return []
    return []


def _of_if(node: Node, names: set[str], value: int) -> list[Node]:
    branches: list[tuple[Node | None, list[Node]]] = []
    then: list[Node] = []
    condition: Node | None = None
    seen_then = False
    for at, child in enumerate(node.children):
        if node.field_name_for_child(at) == "condition" and child.is_named:
            condition = child
        elif child.type == "then":
            seen_then = True
        elif child.type == "elif_clause":
            inner = [one for one in child.named_children if one.type != "comment"]
            branches.append((inner[0] if inner else None, inner[1:]))
        elif child.type == "else_clause":
            branches.append((None, list(child.named_children)))
        elif child.is_named and seen_then and child.type != "comment":
            then.append(child)
    for test, body in [(condition, then), *branches]:
        holds = True if test is None else _holds(test, names, value)
        if holds is None:
            return []
        if holds:
            return body
    return []


def _body(item: Node) -> list[Node]:
    return [
        child
        for at, child in enumerate(item.children)
        if child.is_named and item.field_name_for_child(at) not in ("value", "termination")
    ]


def patterns(item: Node) -> list[str]:
    """The patterns of a case item, without quotes."""
    return [
        text(child).strip("\"'")
        for at, child in enumerate(item.children)
        if item.field_name_for_child(at) == "value"
    ]


def _matches(item: Node, value: int) -> bool:
    return any(fnmatchcase(str(value), pattern) for pattern in patterns(item))


def _holds(node: Node, names: set[str], value: int) -> bool | None:
    """Whether a condition holds for a value of a status; None if it depends on something else."""
    kind = node.type
    if kind == "negated_command":
        inner = _holds(node.named_children[-1], names, value)
        return None if inner is None else not inner
    if kind == "list":
        left, right = _holds(node.children[0], names, value), _holds(node.children[2], names, value)
        if text(node.children[1]) == "&&":
            return _and(left, right)
        return _or(left, right)
    if kind in ("test_command", "compound_statement", "parenthesized_expression", "redirected_statement"):
        inner_nodes = [child for child in node.named_children]
        return _holds(inner_nodes[0], names, value) if inner_nodes else None
    if kind == "unary_expression" and text(node).startswith("!"):
        inner = _holds(node.named_children[-1], names, value)
        return None if inner is None else not inner
    if kind == "binary_expression":
        return _binary(node, names, value)
    if kind == "command":
        words = [text(child) for child in node.named_children]
        if words and words[0] in TEST_COMMANDS and len(words) >= 4:
            return _compared(words[1], words[2], words[3], names, value)
    return None


def _binary(node: Node, names: set[str], value: int) -> bool | None:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = text(node.child_by_field_name("operator"))
    if left is None or right is None:
        return None
    if operator in ("&&", "-a"):
        return _and(_holds(left, names, value), _holds(right, names, value))
    if operator in ("||", "-o"):
        return _or(_holds(left, names, value), _holds(right, names, value))
    return _compared(text(left), operator, text(right), names, value)


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return True if left and right else None


def _or(left: bool | None, right: bool | None) -> bool | None:
    if left or right:
        return True
    return False if left is False and right is False else None


def _compared(left: str, operator: str, right: str, names: set[str], value: int) -> bool | None:
    left_name = re.sub(r"[\"'${}]|\[.*\]|x(?=\$)", "", left).strip()
    right_word = right.strip("\"'x ")
    if left_name not in names and "PIPESTATUS" not in left:
        return None
    if not re.fullmatch(r"\d+", right_word):
        return None
    number = int(right_word)
    return {
        "-eq": value == number,
        "=": value == number,
        "==": value == number,
        "-ne": value != number,
        "!=": value != number,
        "-gt": value > number,
        ">": value > number,
        "-ge": value >= number,
        ">=": value >= number,
        "-lt": value < number,
        "<": value < number,
        "-le": value <= number,
        "<=": value <= number,
    }.get(operator)
