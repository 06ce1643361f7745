"""The 5 of a good call becomes the status of the script, and a backup product takes it for a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from harness.lint import sources
from harness.lint.batch.reading import BatchFate, BatchReading
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import CallStatus, Sense, ShellReading
from harness.lint.shell.status import Fate
from harness.lint.shell.tree import contains, scope_of, text, walk

RULE = Rule(
    id="five-returned-to-caller",
    level=Level.ERROR,
    faults=("F05",),
    summary="the caller gets 5, which is success, and takes it for failure",
    source=sources.CLASS_REFERENCE,
    remedy="Map it: end with 0 after 5, with 1 after anything else.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Where the 5 becomes the status of the script: at once, or by `exit $status` after a test."""
    for one in reading.statuses:
        if one.five and one.is_judged(Fate.CALLER):
            yield at(one.trace.place, f"The {one.what}'s 5 becomes the status of the script.")
        elif one.five and one.tested and one.trace.variable and one.sense is not Sense.ZERO_IS_SUCCESS:
            for node in _exits_with_five(one):
                yield at(node, f"After a good {one.what} the script ends with 5 here.")


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each call after whose 5 the file ends with 5."""
    for one in reading.statuses:
        if one.fate is BatchFate.RETURNED:
            yield at(one.node, f"After a good {one.what} the file ends with 5.")


def _exits_with_five(one: CallStatus) -> Iterator[Node]:
    """Each `exit $status` where the variable can still be 5."""
    variable, place = one.trace.variable, one.trace.place
    five = one.trace.regions(5)
    others = [node for value in (3, 255, 0, 1) for node in one.trace.regions(value)]
    settled = any(_leaves(node) or _assigns(node, variable) for node in five)
    for node in walk(scope_of(place)):
        if node.type != "command" or text(node.child_by_field_name("name")) != "exit":
            continue
        if node.start_byte < place.start_byte or not re.search(rf"\$\{{?{variable}\b", text(node)):
            continue
        in_five = any(contains(region, node) for region in five)
        in_other = any(contains(region, node) for region in others)
        if in_five or (not in_other and not settled):
            yield node


def _leaves(node: Node) -> bool:
    return any(
        inner.type == "command" and text(inner.child_by_field_name("name")) in ("exit", "return")
        for inner in walk(node)
    )


def _assigns(node: Node, variable: str) -> bool:
    return any(
        inner.type == "variable_assignment" and text(inner.child_by_field_name("name")) == variable
        for inner in walk(node)
    )
