"""A batch file with all that several rules need of it, each worked out once.

A `BatchStatus` says what becomes of the exit status of one freeze or thaw. Its `fate` is exactly one of several, so
every rule about statuses reads the same result.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tree_sitter import Node

from harness.lint.batch.script import BatchScript, End, walk
from harness.lint.engine import PlacedCall, Status, Verb
from harness.lint.script_text import ScriptText

OTHER_STATUSES = (255, 1)
"""Statuses of a call that was never made: ssh could not connect, cmd could not find the program."""
_SIMULATED = (5, 3, 0, *OTHER_STATUSES)


class BatchFate(enum.Enum):
    """What a batch file makes of the status of a call whose success is 5."""

    RIGHT = enum.auto()
    PIPED = enum.auto()  # lost: the pipe has the status of its last command
    BOOLEAN = enum.auto()  # tested only for zero, by && or ||
    LOWER_FIRST = enum.auto()  # `if errorlevel 3` comes before `if errorlevel 5`
    UNREAD = enum.auto()
    RETURNED = enum.auto()  # after 5 the file ends with 5
    INVERTED = enum.auto()  # after 3 the file ends with 0, after 5 it does not
    FAILURE_PASSES = enum.auto()  # after 3 as after 5 the file can end with 0
    OTHERS_PASS = enum.auto()  # after 255 or 1 the file can end with 0
    SUCCESS_FAILS = enum.auto()  # after 5 the file ends as after 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """What becomes of the exit status of one freeze or thaw.

    Attributes:
        node: The call.
        what: `freeze` or `thaw`.
        fate: What the file makes of the status.
        early: An %ERRORLEVEL% in the same block, which cmd.exe replaces before the call is made.
        tests: The `if errorlevel N` right after the call.
        swapped: True if these end the file with 0 after 3 and with another status after 5.
        done: The statuses with which the file can end after 5.
    """

    node: Node
    what: str
    fate: BatchFate
    early: Node | None
    tests: tuple[Node, ...]
    swapped: bool
    done: frozenset[int]


class BatchReading:
    """A batch file, parsed and simulated; what is asked for is worked out once."""

    def __init__(self, source: ScriptText) -> None:
        self.script = BatchScript(source)

    @cached_property
    def calls(self) -> tuple[PlacedCall, ...]:
        """Every call of the engine, in the order of the text."""
        return tuple(
            PlacedCall(call=call, node=node, captured=_is_redirected(node))
            for node, call in self.script.calls
        )

    def nodes_of(self, *verbs: Verb) -> list[Node]:
        """Where the engine is asked for one of some things."""
        return [node for node, call in self.script.calls if call.verb in verbs]

    @cached_property
    def looped_freezes(self) -> list[tuple[Node, Node]]:
        """The freezes made in a loop, each with the innermost loop around it."""
        pairs = [(node, _loop_of(node)) for node in self.nodes_of(Verb.FREEZE)]
        return [(node, loop) for node, loop in pairs if loop is not None]

    @cached_property
    def _ends(self) -> dict[int, dict[int, list[End]]]:
        """By the id of a freeze or thaw and its status: how the file can end. A rollback is left out: the file comes
        to it only when another call has failed.
        """
        made = {
            node.id: {status: self.script.ends(node, status) for status in _SIMULATED}
            for node in self.nodes_of(Verb.FREEZE, Verb.THAW)
        }
        return {number: ends for number, ends in made.items() if ends[5]}

    @cached_property
    def statuses(self) -> tuple[BatchStatus, ...]:
        """What becomes of the status of each freeze and thaw whose success is 5, but for rollbacks."""
        return tuple(
            self._status(node, call.verb.value, self._ends[node.id])
            for node, call in self.script.calls
            if node.id in self._ends and call.status is Status.FIVE
        )

    @cached_property
    def always_ends_with_zero(self) -> bool:
        """True if the file ends with 0 whatever a freeze or thaw ends with."""
        if not self.nodes_of(Verb.FREEZE, Verb.THAW):
            return False
        return all(statuses_of(some) <= {0} for ends in self._ends.values() for some in ends.values())

    def _status(self, node: Node, what: str, ends: dict[int, list[End]]) -> BatchStatus:
        statement = node
        while statement.parent is not None and statement.parent.type == "redirect_stmt":
            statement = statement.parent
        fate = _fate_in_statement(statement)
        whole = fate is None
        tests = self._level_tests(statement)
        return BatchStatus(
            node=node,
            what=what,
            fate=fate or self._fate(tests, ends),
            early=self._early(node) if whole else None,
            tests=tests,
            swapped=self._are_swapped(tests),
            done=statuses_of(ends[5]),
        )

    def _fate(self, tests: Sequence[Node], ends: dict[int, list[End]]) -> BatchFate:
        done, failed = statuses_of(ends[5]), statuses_of(ends[3])
        if self._is_lower_first(tests):
            return BatchFate.LOWER_FIRST
        if not any(end.state.read for end in ends[3]) and 0 in failed:
            return BatchFate.UNREAD
        if done == {5}:
            return BatchFate.RETURNED
        if 0 not in done and failed == {0}:
            return BatchFate.INVERTED
        if 0 in done and 0 in failed:
            return BatchFate.FAILURE_PASSES
        if 0 in done and any(0 in statuses_of(ends[value]) for value in OTHER_STATUSES):
            return BatchFate.OTHERS_PASS
        if 0 not in done and done == failed:
            return BatchFate.SUCCESS_FAILS
        return BatchFate.RIGHT

    def _level_tests(self, statement: Node) -> tuple[Node, ...]:
        tests: list[Node] = []
        after = statement.next_named_sibling
        while after is not None and after.type in ("if_stmt", "comment"):
            if after.type == "if_stmt" and self.script.level_of(after):
                tests.append(after)
            after = after.next_named_sibling
        return tuple(tests)

    def _is_lower_first(self, tests: Sequence[Node]) -> bool:
        levels = [level for test in tests for level in [self.script.level_of(test)] if level]
        positive = [number for number, negated in levels if not negated]
        return 5 in positive and 3 in positive and positive.index(3) < positive.index(5)

    def _are_swapped(self, tests: Sequence[Node]) -> bool:
        ends: dict[int, frozenset[int]] = {}
        for test in tests:
            level, body = self.script.level_of(test), self.script.body_of(test)
            if level and body is not None:
                ends[level[0]] = statuses_of(self.script.ends_from(body))
        return ends.get(3, frozenset()) == {0} and bool(ends.get(5)) and 0 not in ends[5]

    def _early(self, node: Node) -> Node | None:
        block = None
        parent = node.parent
        while parent is not None:
            if parent.type in ("parenthesized", "command_sep"):
                block = parent
            parent = parent.parent
        if block is None:
            return None
        for other in walk(block):
            later = other.type == "variable_reference" and other.start_byte > node.end_byte
            if later and self.script.text(other).lower() == "%errorlevel%":
                return other
        return None


def statuses_of(ends: Sequence[End]) -> frozenset[int]:
    """The statuses of some ends."""
    return frozenset(end.status for end in ends)


def _fate_in_statement(statement: Node) -> BatchFate | None:
    """What the statement around a call makes of its status, or None if it passes it on."""
    parent = statement.parent
    if parent is not None and parent.type == "pipe_stmt" and parent.named_children[-1] != statement:
        return BatchFate.PIPED
    if parent is not None and parent.type == "cond_exec" and parent.named_children[0] == statement:
        return BatchFate.BOOLEAN
    return None


def _is_redirected(node: Node) -> bool:
    return node.parent is not None and node.parent.type == "redirect_stmt"


def _loop_of(node: Node) -> Node | None:
    parent = node.parent
    while parent is not None and parent.type != "for_stmt":
        parent = parent.parent
    return parent
