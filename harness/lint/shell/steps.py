"""The steps that a shell script takes: its simple commands at their turn, functions followed to their bodies.

Branches are not decided: the steps of all branches are listed, and `exclusive` says which two can never both be run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tree_sitter import Node

from harness.lint.engine import EngineCall, indirect, recognise
from harness.lint.shell.tree import ancestors, branch_of, text, walk
from harness.lint.shell.values import Known, Redirect, Values

_STEPS_MAX = 5000
_DEPTH_MAX = 8
_COMMANDS = ("command", "declaration_command", "unset_command", "test_command", "variable_assignment")
_PLAIN_WORDS = ("command_name", "word", "number", "raw_string")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One simple command at its turn.

    `stack` are the commands that called the functions it stands in, the outermost first. `trapped` is true if a trap
    runs it.
    """

    index: int
    node: Node
    words: tuple[str, ...]
    stack: tuple[Node, ...]
    redirects: tuple[Redirect, ...]
    call: EngineCall | None
    trapped: bool

    @property
    def name(self) -> str:
        """The command's name without its folder."""
        return self.words[0].rsplit("/", 1)[-1] if self.words else ""

    @property
    def line(self) -> str:
        """The command as one line."""
        return " ".join(self.words)

    @property
    def pattern(self) -> str:
        """What a grep searches for: the word after -e, or the first that is no option; empty if there is none."""
        words = iter(self.words[1:])
        for word in words:
            if word == "-e":
                return next(words, "")
            if not word.startswith("-"):
                return word
        return ""

    def around(self) -> Iterator[Node]:
        """The nodes around it, the nearest first, out through the functions that led to it."""
        yield from ancestors(self.node)
        for node in reversed(self.stack):
            yield node
            yield from ancestors(node)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the taker is: the calls that led there, the known variables, and whether a trap runs it."""

    stack: tuple[Node, ...] = ()
    known: Known = field(default_factory=dict)
    trapped: bool = False

    def inside(self, call: Node, known: Known | None = None, *, trapped: bool = False) -> _Place:
        """The body of a function that a command calls."""
        return _Place(
            stack=(*self.stack, call),
            known=self.known if known is None else known,
            trapped=self.trapped or trapped,
        )


class StepTaker:
    """Lists the steps of one script.

    Args:
        functions: The functions of the script by their names.
        values: Its variables.
        commands_in: Splits a text that another shell will read into commands.
    """

    def __init__(
        self,
        functions: Mapping[str, Node],
        values: Values,
        commands_in: Callable[[str], Sequence[Sequence[str]]],
    ) -> None:
        self._functions = functions
        self._values = values
        self._commands_in = commands_in
        self._steps: list[Step] = []
        self._called: set[str] = set()

    def steps(self, root: Node) -> tuple[Step, ...]:
        """The steps of the script; functions that nothing calls come last."""
        self._take(root, _Place())
        for name in self._functions:
            body = self._body(name)
            if name not in self._called and body is not None:
                self._take(body, _Place())
        return tuple(self._steps)

    def _take(self, node: Node, place: _Place) -> None:
        if len(self._steps) >= _STEPS_MAX or node.type in ("function_definition", "comment"):
            return
        if node.type not in _COMMANDS:
            for child in node.children:
                self._take(child, place)
            return
        for child in node.children:
            if child.type not in _PLAIN_WORDS:
                self._take_substitutions(child, place)
        words = self._values.words(node, place.known)
        at = len(self._steps)
        self._steps.append(
            Step(
                index=at,
                node=node,
                words=words,
                stack=place.stack,
                redirects=self._values.redirects(node, place.known),
                call=recognise(words, _typed(node), self._commands_in),
                trapped=place.trapped,
            )
        )
        self._follow(self._steps[at], place)

    def _take_substitutions(self, node: Node, place: _Place) -> None:
        """The steps in command and process substitutions within a word: they run before the command."""
        taken = node.type in ("command_substitution", "process_substitution")
        for child in node.children:
            if taken:
                self._take(child, place)
            else:
                self._take_substitutions(child, place)

    def _follow(self, step: Step, place: _Place) -> None:
        """Take the steps of a function that a step calls, or that it sets as a trap."""
        words, node, name = step.words, step.node, step.words[0] if step.words else ""
        if name in self._functions and len(place.stack) < _DEPTH_MAX and node.type == "command":
            self._enter(name, place.inside(node, self._arguments(name, words, place.known)))
            if not any(one.call for one in self._steps[step.index + 1 :]):
                self._steps[step.index] = replace(step, call=indirect(words))
        elif step.call is None and name.startswith("$"):
            self._steps[step.index] = replace(step, call=indirect(words))
        if name == "trap" and len(words) > 2 and words[1] in self._functions:
            self._enter(words[1], place.inside(node, trapped=True))

    def _enter(self, name: str, place: _Place) -> None:
        self._called.add(name)
        body = self._body(name)
        if body is not None:
            self._take(body, place)

    def _body(self, name: str) -> Node | None:
        return self._functions[name].child_by_field_name("body")

    def _arguments(self, name: str, words: Sequence[str], known: Known) -> Known:
        """The variables that are known in a function: its arguments, and locals that only name them."""
        inner = {**known, **{str(number): word for number, word in enumerate(words[1:], 1)}}
        inner["@"] = inner["*"] = " ".join(words[1:])
        body = self._body(name)
        return {**inner, **self._locals(body, inner)}

    def _locals(self, body: Node | None, known: Known) -> dict[str, str]:
        """Local variables of a function that only name its arguments: `local instance=$1`."""
        found: dict[str, str] = {}
        for node in walk(body) if body is not None else ():
            if node.type != "variable_assignment":
                continue
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if value is not None and re.fullmatch(r"\"?\$\{?[1-9@*]\}?\"?", text(value)):
                found[text(name)] = self._values.resolve(value, known)
        return found


def _typed(node: Node) -> str:
    """What the script itself feeds to a command: a here-document, a here-string, or the output of an echo."""
    parent = node.parent
    if parent is None:
        return ""
    if parent.type == "redirected_statement":
        for child in walk(parent):
            if child.type in ("heredoc_body", "herestring_redirect"):
                return text(child)
    place = parent if parent.type == "redirected_statement" else node
    pipe = place.parent
    if pipe is not None and pipe.type == "pipeline" and pipe.named_children[0] != place:
        first = pipe.named_children[0]
        if text(first).split(" ")[0] in ("echo", "printf"):
            return re.sub(r"\\(.)", r"\1", text(first))
    return ""


def exclusive(one: Step, other: Step) -> bool:
    """True if two steps stand in different branches of one decision, so that one run never takes both."""
    mine = [one.node, *one.around()]
    theirs = [other.node, *other.around()]
    for at, node in enumerate(mine):
        if node in theirs:
            return _apart(node, mine[at - 1] if at else node, theirs[max(theirs.index(node) - 1, 0)])
    return False


def _apart(decision: Node, mine: Node, theirs: Node) -> bool:
    if decision.type == "case_statement":
        return mine != theirs and mine.type == theirs.type == "case_item"
    if decision.type == "if_statement":
        return branch_of(decision, mine) != branch_of(decision, theirs) and "condition" not in (
            branch_of(decision, mine),
            branch_of(decision, theirs),
        )
    return False
