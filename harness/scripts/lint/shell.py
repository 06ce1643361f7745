"""A shell script as a tree, and as the steps it takes.

tree-sitter's grammar for bash reads sh, bash and ksh. A `Step` is one simple command as it would be run: functions
are followed to their bodies, variables that have one known value are put in. What is not known stays as `$NAME`.
Branches are not decided: steps of all of them are there, and `exclusive` tells which can never both be taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from harness.scripts.lint.engine import Call, indirect, recognise
from harness.scripts.lint.source import Source

_LANGUAGE = Language(tree_sitter_bash.language())
_STEPS_MAX = 5000
_DEPTH_MAX = 8
_STRAY_DOLLAR = re.compile(r"(?<=[ \t])\$(?=[ \t]*$)", re.MULTILINE)
_DOLLAR_TARGET = re.compile(r"(?P<target>>>?[ \t]*\$\w+)\$(?=[ \t]*$)", re.MULTILINE)
LOOPS = ("for_statement", "while_statement", "c_style_for_statement")
_QUOTES = ("string", "raw_string", "comment", "heredoc_body", "ansi_c_string", "regex")
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

    `stack` are the commands that called the functions it stands in, the outermost first; `trapped` tells that it is
    run by a trap.
    """

    index: int
    node: Node
    words: tuple[str, ...]
    stack: tuple[Node, ...]
    redirects: tuple[Redirect, ...]
    call: Call | None
    trapped: bool

    @property
    def name(self) -> str:
        """The command's name without its folder."""
        return self.words[0].rsplit("/", 1)[-1] if self.words else ""

    @property
    def site(self) -> Node:
        """Where the script itself, outside of functions, comes to this step."""
        return self.stack[0] if self.stack else self.node

    def around(self) -> Iterator[Node]:
        """The nodes around it, the nearest first, through the functions it was called by."""
        yield from ancestors(self.node)
        for node in reversed(self.stack):
            yield node
            yield from ancestors(node)


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


class Script:
    """A shell script, read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        masked = _DOLLAR_TARGET.sub(r"\g<target> ", _STRAY_DOLLAR.sub(" ", source.text))
        self._changed = [at for at, (a, b) in enumerate(zip(source.text, masked, strict=True)) if a != b]
        self._masked = masked
        self.root = Parser(_LANGUAGE).parse(masked.encode("utf-8", "surrogatepass")).root_node
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
        """Names that get values in other ways than by an assignment, or by adding to what they hold."""
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
        """A word with its quotes taken off and what is known put in."""
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
        # The grammar leaves out of `children` blanks at the edges of expansions, so the text between them is taken.
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
        """A redirection as typed value."""
        target = node.child_by_field_name("destination")
        descriptor = node.child_by_field_name("descriptor")
        operator = next((text(child) for child in node.children if not child.is_named), "")
        return Redirect(
            operator=operator,
            target=self.resolve(target, known) if target is not None else "",
            descriptor=text(descriptor) if descriptor is not None else "",
        )

    def _typed(self, node: Node) -> str:
        """What the script itself feeds to a command: a here-document, a here-string, the output of echo in front."""
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

    # --- mistakes of the text

    def mistakes(self) -> Iterator[tuple[int, int, str]]:
        """Line, column and description of each place that the shell could not read as meant."""
        for at in self._changed:
            offset = len(self._masked[:at].encode("utf-8", "surrogatepass"))
            node = self.root.descendant_for_byte_range(offset, offset)
            if node is None or not any(one.type in _QUOTES for one in (node, *ancestors(node))):
                line = self._masked.count("\n", 0, at)
                yield (
                    line,
                    at - self._masked.rfind("\n", 0, at) - 1,
                    "a `$` that names nothing: the line is cut short",
                )
        for node in walk(self.root):
            if node.is_missing:
                yield *node.start_point, f"`{node.type}` is missing"
            elif node.type == "ERROR":
                unclosed = list(_unclosed(node))
                yield from unclosed
                shown = text(node).strip().split("\n")[0][:40]
                if shown == ")":
                    yield *node.start_point, "a `)` that nothing opened: is a `;;` missing before it?"
                elif not unclosed:
                    yield *node.start_point, f"cannot be read from here: {shown!r}"


_CLOSERS = {"if": "fi", "case": "esac", "do": "done", "{": "}", "(": ")"}


def _unclosed(error: Node) -> Iterator[tuple[int, int, str]]:
    """The words in a part that cannot be read which open a block that nothing closes."""
    pending: list[Node] = []
    for child in error.children:
        if child.type in _CLOSERS:
            pending.append(child)
        elif pending and child.type == _CLOSERS[pending[-1].type]:
            pending.pop()
    for opener in pending:
        yield *opener.start_point, f"`{opener.type}` without its `{_CLOSERS[opener.type]}`"


def _unescaped(inside: str) -> str:
    return re.sub(r"\\([\\\"$`])|\\\n", lambda found: found[1] or "", inside)


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


def exclusive(one: Step, other: Step) -> bool:
    """True if they stand in different branches of one decision, so that never both are taken by one pass."""
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


def branch_of(decision: Node, child: Node) -> str:
    """Which part of an if statement a direct child belongs to: condition, then, or the text of another branch."""
    if child.type in ("elif_clause", "else_clause"):
        return f"other {child.start_byte}"
    for at, node in enumerate(decision.children):
        if node == child:
            return "condition" if decision.field_name_for_child(at) == "condition" else "then"
    return "then"
