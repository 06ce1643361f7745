"""A Windows batch file as a tree, and the statuses with which it can end.

tree-sitter's grammar for batch files reads statements, blocks and redirections well. It does not know commands that
begin with `..\\`, which are masked before parsing, the conditions of `if`, and the words of a command line, since a
quote means different things to different programs on Windows. Those are read here.

`ends` simulates the file: every engine call succeeds but one, which ends with a given status. Where a condition
depends on something unknown, both ways are followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import tree_sitter_batch
from tree_sitter import Language, Node, Parser

from harness.lint.engine import Verb, recognise
from harness.lint.script_text import ScriptText

_LANGUAGE = Language(tree_sitter_batch.language())
_RELATIVE = re.compile(r"(?<![\w\"%\\/:.])\.{1,2}\\[\w\\.]+")
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_CONDITION = re.compile(
    r"""
    ^if \s+ (?:/i\s+)? (?P<negated>not\s+)?
    (?: errorlevel \s+ (?P<level>\d+)
      | exist \s+ (?P<file>"[^"]*"|\S+)
      | defined \s+ (?P<name>\w+)
      | (?P<left>"[^"]*"|[^\s=]+) \s* (?P<operator>==|\bequ\b|\bneq\b|\blss\b|\bleq\b|\bgtr\b|\bgeq\b) \s*
        (?P<right>"[^"]*"|[^\s(]+)
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_QUIET = {
    "echo",
    "rem",
    "title",
    "cls",
    "color",
    "type",
    "ver",
    "prompt",
    "cd",
    "chdir",
    "pushd",
    "popd",
    "mkdir",
    "md",
}
_STEPS_MAX = 3000
_DEPTH_MAX = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A moment of a simulated run.

    `level` is ERRORLEVEL and `fresh` is true as long as it is the status of the call in question. `reached` is true
    once that call was made, `read` once its status was looked at, `engine` once any call of the engine was made.
    """

    level: int = 0
    values: tuple[tuple[str, str], ...] = ()
    reached: bool = False
    fresh: bool = False
    read: bool = False
    engine: bool = False

    def value(self, name: str) -> str | None:
        """A variable's value, or None if nothing has set it."""
        return next((text_ for known, text_ in reversed(self.values) if known == name.upper()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How one simulated run ended."""

    status: int
    state: State


@dataclass(slots=True, kw_only=True)
class _Question:
    """What the runs of one simulation assume."""

    call: Node | None = None
    status: int = 0
    argument_matches: bool | None = None
    loops: bool = True
    steps: int = 0
    ends: list[End] = field(default_factory=list)


def walk(node: Node) -> Iterator[Node]:
    """A node and everything in it, in the order of the text."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(current.children))


class BatchScript:
    """A batch file, parsed."""

    def __init__(self, source: ScriptText) -> None:
        self.source = source
        self._data = source.text.encode("utf-8", "surrogatepass")
        masked = _RELATIVE.sub(lambda found: re.sub(r"[\\.]", "_", found[0]), source.text)
        self.root = Parser(_LANGUAGE).parse(masked.encode("utf-8", "surrogatepass")).root_node
        self.statements = tuple(child for child in self.root.named_children if child.type != "comment")
        self.labels = {
            self.text(node).strip(": \t").split()[0].upper(): at
            for at, node in enumerate(self.statements)
            if node.type == "label" and self.text(node).strip(": \t")
        }
        self._set = self._constants()
        self.calls = tuple(
            (node, call)
            for node in walk(self.root)
            if node.type == "cmd"
            for call in [recognise(self.words(node))]
            if call is not None
        )
        self._by_node = {node.id: call for node, call in self.calls}

    def text(self, node: Node) -> str:
        """The text of a node as it stands in the file, before masking."""
        return self._data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def _constants(self) -> dict[str, str]:
        found: dict[str, list[str]] = {}
        for node in walk(self.root):
            if node.type == "variable_assignment":
                name, value = self.assigned(node)
                if name:
                    found.setdefault(name, []).append(value)
        return {name: values[0] for name, values in found.items() if len(set(values)) == 1}

    def assigned(self, node: Node) -> tuple[str, str]:
        """Name and value of a `set`; an empty name for arithmetic."""
        name = next((self.text(child) for child in node.named_children if child.type == "variable_name"), "")
        value = next(
            (self.text(child) for child in node.named_children if child.type.endswith("assignment_value")), ""
        )
        return name.strip().upper(), value.strip()

    def words(self, node: Node) -> tuple[str, ...]:
        """The words of a command as the program gets them, with known variables replaced by their values."""
        line = re.sub(
            r"%(\w+)%", lambda found: self._set.get(found[1].upper(), found[0]), self.text(node).lstrip("@ ")
        )
        line = line.replace('"""', "\0").replace('\\"', "\0")
        return tuple(word.replace('"', "").replace("\0", '"') for word in _WORD.findall(line))

    # --- the simulation

    def ends(self, call: Node, status: int) -> list[End]:
        """How the file ends if a call ends with a status; only runs that make this call."""
        return [end for end in self._run(_Question(call=call, status=status)) if end.state.reached]

    def ends_without_argument(self) -> list[End]:
        """How the file ends if it does not know its first argument; only runs without a call of the engine."""
        return [end for end in self._run(_Question(argument_matches=False)) if not end.state.engine]

    def ends_without_loops(self) -> list[End]:
        """How the file ends if its loops find nothing."""
        return self._run(_Question(loops=False))

    def ends_from(self, statement: Node) -> list[End]:
        """How the file ends from a statement of an `if` on."""
        question = _Question()
        for state, action in self._one(statement, State(), question, 0):
            self._finish(state, action, len(self.statements), question, 0)
        return question.ends

    def _run(self, question: _Question) -> list[End]:
        self._finish(State(), None, 0, question, 0)
        return question.ends

    def _finish(self, state: State, action: str | None, at: int, question: _Question, depth: int) -> None:
        """Run from a statement of the file to its end."""
        if depth > _DEPTH_MAX or question.steps > _STEPS_MAX:
            return
        if action is not None and action.startswith("goto "):
            label = action[5:]
            if label == "EOF" or label not in self.labels:
                question.ends.append(End(status=state.level, state=state))
                return
            at, action = self.labels[label] + 1, None
        if action is not None:
            question.ends.append(End(status=state.level, state=state))
            return
        if at >= len(self.statements):
            question.ends.append(End(status=state.level, state=state))
            return
        for after, what in self._one(self.statements[at], state, question, depth):
            self._finish(after, what, at + 1, question, depth + (1 if what else 0))

    def _all(
        self, nodes: Sequence[Node], state: State, question: _Question, depth: int
    ) -> list[tuple[State, str | None]]:
        ways: list[tuple[State, str | None]] = [(state, None)]
        for node in nodes:
            if node.type == "comment":
                continue
            ways = [
                way
                for before, action in ways
                for way in (
                    self._one(node, before, question, depth) if action is None else [(before, action)]
                )
            ]
        return ways

    def _one(
        self, node: Node, state: State, question: _Question, depth: int
    ) -> list[tuple[State, str | None]]:
        """The states after one statement, each with the jump or the end that it makes, if any."""
        question.steps += 1
        if question.steps > _STEPS_MAX:
            return [(state, "exit")]
        kind = node.type
        if kind in ("cmd", "call_stmt"):
            return self._command(node, state, question, depth)
        if kind == "if_stmt":
            return self._if(node, state, question, depth)
        if kind == "goto_stmt":
            return [(state, "goto " + self.text(node).split(None, 1)[-1].strip(": \t").upper())]
        if kind == "exit_stmt":
            return [(self._exit(node, state), "exit")]
        if kind == "variable_assignment":
            name, value = self.assigned(node)
            known = self._expanded(value, state)
            read = state.read or (state.fresh and "errorlevel" in value.lower())
            return [(replace(state, values=(*state.values, (name, known)), read=read), None)]
        if kind == "for_stmt":
            body = node.named_children[-1]
            return self._one(body, state, question, depth) if question.loops else [(state, None)]
        if kind == "cond_exec":
            return self._chain(node, state, question, depth)
        if kind in ("parenthesized", "command_sep", "redirect_stmt", "pipe_stmt", "else_clause"):
            inner = [child for child in node.named_children if child.type not in ("redirection", "comment")]
            return self._all(inner, state, question, depth)
        return [(state, None)]

    def _chain(
        self, node: Node, state: State, question: _Question, depth: int
    ) -> list[tuple[State, str | None]]:
        left, right = node.named_children[0], node.named_children[-1]
        operator = next((child.type for child in node.children if child.type in ("&&", "||")), "&&")
        ways: list[tuple[State, str | None]] = []
        for after, action in self._one(left, state, question, depth):
            if action is not None or (after.level == 0) is not (operator == "&&"):
                ways.append((after, action))
            else:
                ways += self._one(right, replace(after, read=after.read or after.fresh), question, depth)
        return ways

    def _command(
        self, node: Node, state: State, question: _Question, depth: int
    ) -> list[tuple[State, str | None]]:
        call = self._by_node.get(node.id)
        if question.call is not None and node == question.call:
            return [(replace(state, level=question.status, reached=True, fresh=True, engine=True), None)]
        if call is not None and call.verb is not Verb.LIST:
            return [(replace(state, level=5, fresh=False, engine=True), None)]
        if node.type == "call_stmt":
            found = re.match(r"@?call\s+:(\w+)", self.text(node), re.IGNORECASE)
            if found and found[1].upper() in self.labels and depth < _DEPTH_MAX:
                inner = _Question(
                    call=question.call,
                    status=question.status,
                    argument_matches=None,
                    loops=question.loops,
                    steps=question.steps,
                )
                self._finish(state, None, self.labels[found[1].upper()] + 1, inner, depth + 1)
                question.steps = inner.steps
                return [(end.state, None) for end in inner.ends]
        name = (self.words(node) or ("",))[0].lower()
        if name in _QUIET:
            return [(state, None)]
        return [(replace(state, level=0, fresh=False), None)]

    def _exit(self, node: Node, state: State) -> State:
        words = self.text(node).split()[1:]
        code = next((word for word in words if word.lower() != "/b"), "")
        known = self._expanded(code, state)
        if known.isdigit():
            read = state.read or (state.fresh and "errorlevel" in code.lower())
            return replace(state, level=int(known), read=read)
        return state

    def _expanded(self, text_: str, state: State) -> str:
        def known(found: re.Match[str]) -> str:
            name = found[1].upper()
            if name == "ERRORLEVEL":
                return str(state.level)
            value = state.value(name)
            return value if value is not None else found[0]

        return re.sub(r"[%!](\w+)[%!]", known, text_).strip('"')

    # --- if

    def condition_of(self, node: Node) -> str:
        """The text of an `if` up to its statement."""
        body = self.body_of(node)
        end = body.start_byte if body is not None else node.end_byte
        return self._data[node.start_byte : end].decode("utf-8", "replace").lstrip("@ ")

    def body_of(self, node: Node) -> Node | None:
        """The statement that an `if` runs when its condition holds."""
        inner = [child for child in node.named_children if child.type not in ("else_clause", "comment")]
        return inner[-1] if inner else None

    def level_of(self, node: Node) -> tuple[int, bool] | None:
        """N and whether it is negated, for `if [not] errorlevel N`."""
        found = _CONDITION.match(self.condition_of(node))
        return (int(found["level"]), bool(found["negated"])) if found and found["level"] else None

    def _if(
        self, node: Node, state: State, question: _Question, depth: int
    ) -> list[tuple[State, str | None]]:
        condition = self.condition_of(node)
        if state.fresh and "errorlevel" in condition.lower():
            state = replace(state, read=True)
        body = self.body_of(node)
        other = next((child for child in node.named_children if child.type == "else_clause"), None)
        holds = self._holds(condition, state, question)
        ways: list[tuple[State, str | None]] = []
        if holds is not False and body is not None:
            ways += self._one(body, state, question, depth)
        if holds is not True:
            ways += self._one(other, state, question, depth) if other is not None else [(state, None)]
        return ways

    def _holds(self, condition: str, state: State, question: _Question) -> bool | None:
        found = _CONDITION.match(condition)
        if not found:
            return None
        holds: bool | None = None
        if found["level"]:
            holds = state.level >= int(found["level"])
        elif found["name"]:
            holds = bool(state.value(found["name"])) if state.value(found["name"]) is not None else None
            if holds is None and any(name == found["name"].upper() for name in self._assigned_names()):
                holds = False
        elif found["left"]:
            holds = self._compared(found, state, question)
        return (not holds) if holds is not None and found["negated"] else holds

    def _assigned_names(self) -> set[str]:
        return {self.assigned(node)[0] for node in walk(self.root) if node.type == "variable_assignment"}

    def _compared(self, found: re.Match[str], state: State, question: _Question) -> bool | None:
        left, right = (self._expanded(found[side], state) for side in ("left", "right"))
        if re.search(r"%~?1", left + right):
            equal = question.argument_matches
            operator = found["operator"].lower()
            return equal if operator in ("==", "equ") or equal is None else not equal
        if "%" in left + right or "!" in left + right:
            return None
        operator = found["operator"].lower()
        if left.isdigit() and right.isdigit():
            a, b = int(left), int(right)
            return {
                "==": a == b,
                "equ": a == b,
                "neq": a != b,
                "lss": a < b,
                "leq": a <= b,
                "gtr": a > b,
                "geq": a >= b,
            }[operator]
        same = left.lower() == right.lower()
        return same if operator in ("==", "equ") else (not same if operator == "neq" else None)
