"""The script takes 5 for failure or 3 for success."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchFate, BatchReading
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import Sense, ShellReading

RULE = Rule(
    id="meaning-inverted",
    level=Level.ERROR,
    faults=("F04",),
    summary="5 is treated as failure, or 3 as success",
    source=sources.CLASS_REFERENCE,
    remedy="5 means done, 3 means not done; every other status is a failure too.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """The first test of such a status."""
    for one in reading.statuses:
        if one.five and one.tested and one.sense is Sense.INVERTED:
            yield at(one.trace.tests[0], _swapped(one.what))


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each call after which the file ends with 0 for 3 and with another status for 5."""
    for one in reading.statuses:
        if one.fate is BatchFate.LOWER_FIRST and one.swapped:
            message = f"3, a failed {one.what}, is treated as success, and 5 as failure."
            yield at(one.tests[0], message)
        elif one.fate is BatchFate.INVERTED:
            yield at(one.node, _swapped(one.what))


def _swapped(what: str) -> str:
    return (
        f"The {what} ends with 5 when it is done and 3 when not; the script treats them the other way round."
    )
