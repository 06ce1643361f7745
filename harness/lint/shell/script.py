"""A shell script, parsed: its tree, its functions and variables, and the steps it takes.

tree-sitter's grammar for bash reads sh, bash and ksh.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from harness.lint.script_text import ScriptText
from harness.lint.shell.steps import StepTaker
from harness.lint.shell.tree import text, walk
from harness.lint.shell.values import Redirect, Values

_LANGUAGE = Language(tree_sitter_bash.language())
_STRAY_DOLLAR = re.compile(r"(?<=[ \t])\$(?=[ \t]*$)", re.MULTILINE)
_DOLLAR_TARGET = re.compile(r"(?P<target>>>?[ \t]*\$\w+)\$(?=[ \t]*$)", re.MULTILINE)


class ShellScript:
    """A shell script, parsed.

    A `$` that names nothing would confuse the grammar. It is masked by a blank: `masked` is the text that was parsed,
    `stray_dollars` are the places of the blanks in it. `calls` are the steps that call the engine.
    """

    def __init__(self, source: ScriptText) -> None:
        self.source = source
        self.masked = _DOLLAR_TARGET.sub(r"\g<target> ", _STRAY_DOLLAR.sub(" ", source.text))
        self.stray_dollars = tuple(
            at for at, (a, b) in enumerate(zip(source.text, self.masked, strict=True)) if a != b
        )
        self.root = _parsed(self.masked)
        self.functions = {
            text(node.child_by_field_name("name")): node
            for node in walk(self.root)
            if node.type == "function_definition"
        }
        self._values = Values(self.root)
        self.assignments = self._values.assignments
        self.steps = StepTaker(self.functions, self._values, self._commands_in).steps(self.root)
        self.calls = tuple(step for step in self.steps if step.call)

    def redirect(self, node: Node) -> Redirect:
        """A redirection as a typed value."""
        return self._values.redirect(node, {})

    def _commands_in(self, inner: str) -> Sequence[Sequence[str]]:
        """The commands of a text that another shell will read."""
        return [self._values.words(node, {}) for node in walk(_parsed(inner)) if node.type == "command"]


def _parsed(source: str) -> Node:
    return Parser(_LANGUAGE).parse(source.encode("utf-8", "surrogatepass")).root_node
