"""What the words of a shell script are worth: quotes, known variables, redirections.

A variable counts as known if the script gives it one value only, or if it is an argument of the function at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tree_sitter import Node

from harness.lint.shell.tree import ancestors, text, walk

Known = Mapping[str, str]
"""Variables with a known value: of a function, the arguments of its call."""
_DEPTH_MAX = 8
_ARGUMENTS_MAX = 20
_SETTERS = ("read", "getopts", "mapfile", "readarray", "printf", "let")
_EXPANSIONS = ("simple_expansion", "expansion", "command_substitution", "arithmetic_expansion")
_NO_WORDS = ("variable_assignment", "file_redirect", "heredoc_redirect", "herestring_redirect")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """A redirection: its operator, its target as known, and the descriptor in front, if any."""

    operator: str
    target: str
    descriptor: str

    @property
    def truncates(self) -> bool:
        """True if standard output replaces what the target held."""
        return self.operator in (">", ">|", "&>", ">&") and self.descriptor in ("", "1")

    @property
    def writes(self) -> bool:
        """True if standard output goes to the target."""
        return self.truncates or (self.operator in (">>", "&>>") and self.descriptor in ("", "1"))


class Values:
    """The variables of a script, and what words are worth in it."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self.assignments = self._assignments()
        self._otherwise_set = set(self._set_by_commands())

    def _assignments(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for node in walk(self._root):
            if node.type == "variable_assignment":
                found.setdefault(text(node.child_by_field_name("name")), []).append(node)
        return found

    def _set_by_commands(self) -> Iterator[str]:
        """Names of variables that a command sets, or that are added to."""
        for node in walk(self._root):
            if node.type == "for_statement":
                yield text(node.child_by_field_name("variable"))
            elif node.type == "command" and text(node.child_by_field_name("name")) in _SETTERS:
                yield from (text(child) for child in node.named_children[1:])
            elif node.type == "variable_assignment" and "+=" in [child.type for child in node.children]:
                yield text(node.child_by_field_name("name"))

    def value_of(self, name: str, known: Known, depth: int = 0) -> str | None:
        """The one value a variable has in this script, or None."""
        if name in known:
            return known[name]
        assigned = self.assignments.get(name, [])
        if len(assigned) != 1 or depth > _DEPTH_MAX or name in self._otherwise_set:
            return None
        value = assigned[0].child_by_field_name("value")
        if value is None:
            return ""
        return self.resolve(value, known, depth + 1)

    def resolve(self, node: Node, known: Known, depth: int = 0) -> str:
        """A word without its quotes, with known variables replaced by their values."""
        kind = node.type
        if kind == "raw_string":
            return text(node)[1:-1]
        if kind == "string":
            return self._string(node, known, depth)
        if kind == "ansi_c_string":
            return text(node)[2:-1]
        if kind in ("simple_expansion", "expansion"):
            return self._expansion(node, known, depth)
        if kind == "concatenation":
            return "".join(self.resolve(child, known, depth) for child in node.children)
        if kind == "command_substitution":
            return "$(" + text(node).strip("`$()") + ")"
        if kind == "command_name":
            return "".join(self.resolve(child, known, depth) for child in node.children)
        return re.sub(r"\\(.)", r"\1", text(node), flags=re.DOTALL)

    def _string(self, node: Node, known: Known, depth: int) -> str:
        # The grammar leaves blanks at the edges of expansions out of `children`, so the text between them is read.
        data = text(node).encode()
        made, at = "", 1
        for child in node.children:
            if child.type in _EXPANSIONS:
                start = child.start_byte - node.start_byte
                made += _unescaped(data[at:start].decode("utf-8", "replace"))
                made += self.resolve(child, known, depth)
                at = child.end_byte - node.start_byte
        return made + _unescaped(data[at:-1].decode("utf-8", "replace"))

    def _expansion(self, node: Node, known: Known, depth: int) -> str:
        names = [child for child in node.named_children if child.type.endswith("variable_name")]
        if not names or any(child.type == "subscript" for child in node.children):
            return text(node)
        name = text(names[0])
        value = self.value_of(name, known, depth)
        operators = [text(child) for child in node.children if not child.is_named]
        if value is None and node.type == "expansion" and (":-" in operators or "-" in operators):
            rest = [child for child in node.named_children if child != names[0]]
            return "".join(self.resolve(child, known, depth) for child in rest)
        cut = node.type == "expansion" and len(node.children) > 3
        if cut and ":-" not in operators and ":?" not in operators:
            return text(node)  # ${name%pattern} and its like
        return value if value is not None else f"${name}"

    def words(self, node: Node, known: Known) -> tuple[str, ...]:
        """The words of a command as it would get them."""
        if node.type == "variable_assignment":
            return ()
        if node.type == "test_command":
            return tuple(["[", *text(node).strip("[]() ").split()])
        words: list[str] = []
        for child in node.children:
            if child.type in _NO_WORDS:
                if node.type == "declaration_command":
                    words.append(text(child))
                continue
            value = self.resolve(child, known)
            bare = child.children[0] if child.type == "command_name" and child.children else child
            if bare.type in ("simple_expansion", "expansion") and not value.startswith("$"):
                words.extend(value.split())  # unquoted: the shell splits it
            elif text(child) in ('"$@"', '"${@}"') and "@" in known:
                words.extend(str(known[str(at)]) for at in range(1, _ARGUMENTS_MAX) if str(at) in known)
            else:
                words.append(value)
        return tuple(words)

    def redirects(self, node: Node, known: Known) -> tuple[Redirect, ...]:
        """Its own redirections and those of the blocks around it, its own first."""
        found: list[Redirect] = []
        for parent in (node, *ancestors(node)):
            if parent.type == "function_definition":
                break
            if parent.type == "redirected_statement" or parent is node:
                for child in parent.children:
                    if child.type == "file_redirect":
                        found.append(self.redirect(child, known))
            elif parent.type in ("pipeline", "command_substitution"):
                break
        return tuple(found)

    def redirect(self, node: Node, known: Known) -> Redirect:
        """A redirection as a typed value."""
        target = node.child_by_field_name("destination")
        descriptor = node.child_by_field_name("descriptor")
        operator = next((text(child) for child in node.children if not child.is_named), "")
        return Redirect(
            operator=operator,
            target=self.resolve(target, known) if target is not None else "",
            descriptor=text(descriptor) if descriptor is not None else "",
        )


def _unescaped(inside: str) -> str:
    return re.sub(r"\\([\\\"$`])|\\\n", lambda found: found[1] or "", inside)
