"""A shell script with all that several rules need of it, each worked out once.

Where only one of several rules can be broken, all of them read one result. A `CallStatus` says what becomes of the
exit status of one freeze or thaw, a `SnapshotTurn` how a snapshot stands to its freeze and thaw.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from functools import cached_property

from tree_sitter import Node

from harness.lint.engine import PlacedCall, Status, Verb
from harness.lint.script_text import ScriptText
from harness.lint.shell.failure import is_rollback, meaning, sets_failure
from harness.lint.shell.script import ShellScript
from harness.lint.shell.status import Fate, StatusTrace, errexit, pipefail, trace
from harness.lint.shell.steps import Step, exclusive
from harness.lint.shell.tree import LOOPS, in_condition, statement_of, text

_SNAPSHOT = re.compile(
    r"""
    ^( lvcreate\b.*\s(-\w*s\b|--snapshot)
     | (zfs\s+snapshot | btrfs\s+subvolume\s+snapshot)\b
     | aws\b.*\screate-snapshots?\b
     | az\s+snapshot\s+create\b
     | gcloud\b.*\bsnapshots?\b
     | kubectl\s+(apply|create)\b.*(snap|Snap)
     | virsh\s+snapshot-create
     | acli\b.*\b(snapshot|clone)
     | vmware-cmd\b|govc\s+snapshot|vim-cmd\s+vmsvc/snapshot
     | cp\b.*--reflink
     | \S*snap\S*\b
    )
    """,
    re.VERBOSE,
)


class Sense(enum.Enum):
    """What the tests of a status take 5, 3 and other values for."""

    RIGHT = enum.auto()
    ZERO_IS_SUCCESS = enum.auto()  # 5 is treated as 3 and 255 are, and only 0 differs
    INVERTED = enum.auto()  # 5 counts as failure or 3 as success
    ONLY_THREE_FAILS = enum.auto()  # 255 is treated as 5 is


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatus:
    """What becomes of the exit status of one freeze or thaw.

    Attributes:
        step: The call.
        what: `freeze` or `thaw`.
        five: True if 5 is its success, false if 0 is.
        aborts: True if `set -e` ends the script when it succeeds with 5.
        rollback: True for a thaw that only undoes a failed freeze.
        trace: Where its status goes.
        tested_instead: A test after this thaw that compares the status of the freeze, while the status of the thaw
            is kept and never compared.
    """

    step: Step
    what: str
    five: bool
    aborts: bool
    rollback: bool
    trace: StatusTrace
    tested_instead: Node | None

    @property
    def judged(self) -> bool:
        """True if it matters what becomes of the status: the script continues, and is not failing already."""
        return not self.aborts and not self.rollback

    def is_judged(self, *fates: Fate) -> bool:
        """True if it matters and is one of some fates."""
        return self.judged and self.trace.fate in fates

    @property
    def tested(self) -> bool:
        """True if it matters and statements compare it."""
        return self.is_judged(Fate.TESTED) and bool(self.trace.tests)

    @property
    def sense(self) -> Sense:
        """What the tests take 5, 3 and other values for; of a call whose success is 5."""
        five, three, other, zero = (self.trace.regions(value) for value in (5, 3, 255, 0))
        if five == three == other != zero:
            return Sense.ZERO_IS_SUCCESS
        if meaning(three) == "success" or (meaning(five) == "failure" and meaning(three) != "failure"):
            return Sense.INVERTED
        if (other == five != three) or (not other and sets_failure(three) and three != five):
            return Sense.ONLY_THREE_FAILS
        return Sense.RIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTurn:
    """A snapshot, the freeze before it, and the thaw that follows this freeze, if there is one."""

    freeze: Step
    snapshot: Step
    thaw: Step | None

    @property
    def too_late(self) -> bool:
        """True if the thaw comes before the snapshot."""
        return self.thaw is not None and self.thaw.index < self.snapshot.index


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeLoop:
    """A freeze and the innermost loop around it."""

    freeze: Step
    loop: Node


class ShellReading:
    """A shell script, parsed and traced; what is asked for is worked out once."""

    def __init__(self, source: ScriptText) -> None:
        self.script = ShellScript(source)

    @cached_property
    def calls(self) -> tuple[PlacedCall, ...]:
        """Every call of the engine, in the order of the steps."""
        return tuple(
            PlacedCall(call=step.call, node=step.node, captured=_is_captured(step))
            for step in self.script.calls
            if step.call
        )

    def steps_of(self, *verbs: Verb) -> list[Step]:
        """The steps that ask the engine for one of some things."""
        return [step for step in self.script.calls if step.call and step.call.verb in verbs]

    @cached_property
    def freezes(self) -> list[Step]:
        """Every freeze."""
        return self.steps_of(Verb.FREEZE)

    @cached_property
    def thaws(self) -> list[Step]:
        """Every thaw that does not only undo a failed freeze."""
        return [step for step in self.steps_of(Verb.THAW) if not is_rollback(self.script, step)]

    @cached_property
    def statuses(self) -> tuple[CallStatus, ...]:
        """What becomes of the status of each freeze and thaw whose status is known and that no trap runs."""
        traced = [
            (step, trace(self.script, step))
            for step in self.steps_of(Verb.FREEZE, Verb.THAW)
            if step.call and step.call.status in (Status.FIVE, Status.ZERO) and not step.trapped
        ]
        of_freezes = [
            test
            for step, found in traced
            if step.call and step.call.verb is Verb.FREEZE and found.variable
            for test in found.tests
        ]
        return tuple(self._status(step, found, of_freezes) for step, found in traced)

    def _status(self, step: Step, traced: StatusTrace, of_freezes: list[Node]) -> CallStatus:
        call = step.call
        assert call is not None
        thaw, five = call.verb is Verb.THAW, call.status is Status.FIVE
        late = [test for test in of_freezes if test.start_byte > step.node.end_byte]
        return CallStatus(
            step=step,
            what="thaw" if thaw else "freeze",
            five=five,
            aborts=five and errexit(self.script, step) and not _is_exempt(self.script, step),
            rollback=thaw and is_rollback(self.script, step),
            trace=traced,
            tested_instead=late[0] if thaw and traced.variable and late else None,
        )

    @cached_property
    def snapshots(self) -> list[SnapshotTurn]:
        """The first snapshot after each freeze, up to the first that comes in time."""
        snapshots = [
            step
            for step in self.script.steps
            if _SNAPSHOT.search(step.line) and step.name not in self.script.functions and not step.call
        ]
        found: list[SnapshotTurn] = []
        for freeze in self.freezes:
            taken = [one for one in snapshots if one.index > freeze.index and not exclusive(one, freeze)]
            thawed = [one for one in self.thaws if one.index > freeze.index and not exclusive(one, freeze)]
            if not taken:
                continue
            turn = SnapshotTurn(freeze=freeze, snapshot=taken[0], thaw=thawed[0] if thawed else None)
            found.append(turn)
            if not turn.too_late:
                break
        return found

    @cached_property
    def loops(self) -> list[FreezeLoop]:
        """The freezes that are made in a loop."""
        pairs = [
            (freeze, next((node for node in freeze.around() if node.type in LOOPS), None))
            for freeze in self.freezes
        ]
        return [FreezeLoop(freeze=freeze, loop=loop) for freeze, loop in pairs if loop is not None]


def _is_captured(step: Step) -> bool:
    """True if the output of a call is kept: redirected, or taken by a substitution, a subshell or `tee`."""
    if any(redirect.writes for redirect in step.redirects):
        return True
    parent = step.node.parent
    while parent is not None and parent.type in (
        "redirected_statement",
        "pipeline",
        "list",
        "compound_statement",
    ):
        if parent.type == "pipeline":
            return "tee" in text(parent)
        parent = parent.parent
    return parent is not None and parent.type in ("command_substitution", "subshell")


def _is_exempt(script: ShellScript, step: Step) -> bool:
    """True where `set -e` disregards a command's status."""
    child = statement_of(step.node)
    for parent in step.around():
        if parent.type == "list" and parent.children[0] == child:
            return True
        if parent.type == "negated_command":
            return True
        if parent.type in ("if_statement", "while_statement", "elif_clause") and in_condition(parent, child):
            return True
        if parent.type == "pipeline" and parent.named_children[-1] != child and not pipefail(script, step):
            return True
        child = parent
    return False
