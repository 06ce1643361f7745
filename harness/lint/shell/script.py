"""A shell script as a tree, and as the steps it takes.

tree-sitter's grammar for bash reads sh, bash and ksh. A `Step` is one simple command as it would be run: functions
are followed to their bodies, and a variable with one known value is replaced by it. An unknown one stays as `$NAME`.
Branches are not decided: the steps of all branches are listed, and `exclusive` says which two can never both be run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from harness.lint.engine import EngineCall, indirect, recognise
from harness.lint.script_text import ScriptText
from harness.lint.shell.tree import ancestors, branch_of, text, walk

_LANGUAGE = Language(tree_sitter_bash.language())
_STEPS_MAX = 5000
_DEPTH_MAX = 8
_STRAY_DOLLAR = re.compile(r"(?<=[ \t])\$(?=[ \t]*$)", re.MULTILINE)
_DOLLAR_TARGET = re.compile(r"(?P<target>>>?[ \t]*\$\w+)\$(?=[ \t]*$)", re.MULTILINE)
_SETTERS = ("read", "getopts", "mapfile", "readarray", "printf", "let")
_COMMANDS = ("command", "declaration_command", "unset_command", "test_command", "variable_assignment")


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
    def site(self) -> Node:
        """The command outside of all functions through which the script comes to this step."""
        return self.stack[0] if self.stack else self.node

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


class ShellScript:
    """A shell script, parsed.

    A `$` that names nothing would confuse the grammar. It is masked by a blank: `masked` is the text that was parsed,
    `stray_dollars` are the places of the blanks in it.
    """

    def __init__(self, source: ScriptText) -> None:
        self.source = source
        self.masked = _DOLLAR_TARGET.sub(r"\g<target> ", _STRAY_DOLLAR.sub(" ", source.text))
        self.stray_dollars = tuple(
            at for at, (a, b) in enumerate(zip(source.text, self.masked, strict=True)) if a != b
        )
        self.root = Parser(_LANGUAGE).parse(self.masked.encode("utf-8", "surrogatepass")).root_node
        self.functions = {
            text(node.child_by_field_name("name")): node
            for node in walk(self.root)
            if node.type == "function_definition"
        }
        self.assignments = self._assignments()
        self._otherwise_set = set(self._set_by_commands())
        self.steps = self._steps()
        self.calls = tuple(step for step in self.steps if step.call)

    # --- values

    def _assignments(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for node in walk(self.root):
            if node.type == "variable_assignment":
                found.setdefault(text(node.child_by_field_name("name")), []).append(node)
        return found

    def _set_by_commands(self) -> Iterator[str]:
        """Names of variables that a command sets, or that are added to."""
        for node in walk(self.root):
            if node.type == "for_statement":
                yield text(node.child_by_field_name("variable"))
            elif node.type == "command" and text(node.child_by_field_name("name")) in _SETTERS:
                yield from (text(child) for child in node.named_children[1:])
            elif node.type == "variable_assignment" and "+=" in [child.type for child in node.children]:
                yield text(node.child_by_field_name("name"))

    def value_of(self, name: str, known: Mapping[str, str], depth: int = 0) -> str | None:
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

    def resolve(self, node: Node, known: Mapping[str, str], depth: int = 0) -> str:
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

    def _string(self, node: Node, known: Mapping[str, str], depth: int) -> str:
        # The grammar leaves blanks at the edges of expansions out of `children`, so the text between them is read.
        data = text(node).encode()
        made, at = "", 1
        for child in node.children:
            if child.type in (
                "simple_expansion",
                "expansion",
                "command_substitution",
                "arithmetic_expansion",
            ):
                start = child.start_byte - node.start_byte
                made += _unescaped(data[at:start].decode("utf-8", "replace"))
                made += self.resolve(child, known, depth)
                at = child.end_byte - node.start_byte
        return made + _unescaped(data[at:-1].decode("utf-8", "replace"))

    def _expansion(self, node: Node, known: Mapping[str, str], depth: int) -> str:
        names = [child for child in node.named_children if child.type.endswith("variable_name")]
        if not names or any(child.type == "subscript" for child in node.children):
            return text(node)
        name = text(names[0])
        value = self.value_of(name, known, depth)
        operators = [text(child) for child in node.children if not child.is_named]
        if value is None and node.type == "expansion" and (":-" in operators or "-" in operators):
            rest = [child for child in node.named_children if child is not names[0]]
            return "".join(self.resolve(child, known, depth) for child in rest if child != names[0])
        if (
            node.type == "expansion"
            and len(node.children) > 3
            and ":-" not in operators
            and ":?" not in operators
        ):
            return text(node)
        return value if value is not None else f"${name}"

    # --- steps

    def _steps(self) -> tuple[Step, ...]:
        steps: list[Step] = []
        called: set[str] = set()
        self._take(self.root, (), {}, steps, called, trapped=False)
        for name, definition in self.functions.items():
            if name not in called:
                body = definition.child_by_field_name("body")
                if body is not None:
                    self._take(body, (), {}, steps, called, trapped=False)
        return tuple(steps)

    def _take(
        self,
        node: Node,
        stack: tuple[Node, ...],
        known: Mapping[str, str],
        steps: list[Step],
        called: set[str],
        *,
        trapped: bool,
    ) -> None:
        if len(steps) >= _STEPS_MAX or node.type in ("function_definition", "comment"):
            return
        if node.type not in _COMMANDS:
            for child in node.children:
                self._take(child, stack, known, steps, called, trapped=trapped)
            return
        for child in node.children:
            if child.type not in ("command_name", "word", "number", "raw_string"):
                self._take_substitutions(child, stack, known, steps, called, trapped=trapped)
        words = self._words(node, known)
        typed = self._typed(node)
        call = recognise(words, typed, self.commands_in)
        at = len(steps)
        steps.append(
            Step(
                index=len(steps),
                node=node,
                words=words,
                stack=stack,
                redirects=self._redirects(node, known),
                call=call,
                trapped=trapped,
            )
        )
        if words and words[0] in self.functions and len(stack) < _DEPTH_MAX and node.type == "command":
            called.add(words[0])
            body = self.functions[words[0]].child_by_field_name("body")
            inner = {**known, **{str(number): word for number, word in enumerate(words[1:], 1)}}
            inner["@"] = inner["*"] = " ".join(words[1:])
            inner |= self._locals(body, inner)
            if body is not None:
                self._take(body, (*stack, node), inner, steps, called, trapped=trapped)
            followed = any(step.call for step in steps[at + 1 :])
            if not followed:
                steps[at] = replace(steps[at], call=indirect(words))
        elif call is None and words and words[0].startswith("$"):
            steps[at] = replace(steps[at], call=indirect(words))
        if words and words[0] == "trap" and len(words) > 2 and words[1] in self.functions:
            called.add(words[1])
            body = self.functions[words[1]].child_by_field_name("body")
            if body is not None:
                self._take(body, (*stack, node), known, steps, called, trapped=True)

    def _locals(self, body: Node | None, known: Mapping[str, str]) -> dict[str, str]:
        """Local variables of a function that only name its arguments: `local instance=$1`."""
        found: dict[str, str] = {}
        for node in walk(body) if body is not None else ():
            if node.type != "variable_assignment":
                continue
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if value is not None and re.fullmatch(r"\"?\$\{?[1-9@*]\}?\"?", text(value)):
                found[text(name)] = self.resolve(value, known)
        return found

    def _take_substitutions(
        self,
        node: Node,
        stack: tuple[Node, ...],
        known: Mapping[str, str],
        steps: list[Step],
        called: set[str],
        *,
        trapped: bool,
    ) -> None:
        if node.type in ("command_substitution", "process_substitution"):
            for child in node.children:
                self._take(child, stack, known, steps, called, trapped=trapped)
        else:
            for child in node.children:
                self._take_substitutions(child, stack, known, steps, called, trapped=trapped)

    def _words(self, node: Node, known: Mapping[str, str]) -> tuple[str, ...]:
        if node.type == "variable_assignment":
            return ()
        if node.type == "test_command":
            return tuple(["[", *text(node).strip("[]() ").split()])
        words: list[str] = []
        for child in node.children:
            if child.type in (
                "variable_assignment",
                "file_redirect",
                "heredoc_redirect",
                "herestring_redirect",
            ):
                if node.type == "declaration_command":
                    words.append(text(child))
                continue
            value = self.resolve(child, known)
            bare = child.children[0] if child.type == "command_name" and child.children else child
            if bare.type in ("simple_expansion", "expansion") and not value.startswith("$"):
                words.extend(value.split())  # unquoted: the shell splits it
            elif text(child) in ('"$@"', '"${@}"') and "@" in known:
                words.extend(str(known[str(at)]) for at in range(1, 20) if str(at) in known)
            else:
                words.append(value)
        return tuple(words)

    def _redirects(self, node: Node, known: Mapping[str, str]) -> tuple[Redirect, ...]:
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

    def redirect(self, node: Node, known: Mapping[str, str]) -> Redirect:
        """A redirection as a typed value."""
        target = node.child_by_field_name("destination")
        descriptor = node.child_by_field_name("descriptor")
        operator = next((text(child) for child in node.children if not child.is_named), "")
        return Redirect(
            operator=operator,
            target=self.resolve(target, known) if target is not None else "",
            descriptor=text(descriptor) if descriptor is not None else "",
        )

    def _typed(self, node: Node) -> str:
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

    def commands_in(self, inner: str) -> Sequence[Sequence[str]]:
        """The commands of a text that another shell will read."""
        tree = Parser(_LANGUAGE).parse(inner.encode("utf-8", "surrogatepass"))
        return [self._words(node, {}) for node in walk(tree.root_node) if node.type == "command"]


def _unescaped(inside: str) -> str:
    return re.sub(r"\\([\\\"$`])|\\\n", lambda found: found[1] or "", inside)


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
