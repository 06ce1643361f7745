"""A pipe ends with the status of its last command, so the status of a call in front of it is lost."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchFate, BatchReading
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.status import Fate

RULE = Rule(
    id="status-lost-in-pipe",
    level=Level.ERROR,
    faults=("F01",),
    summary="a pipe ends with the status of its last command",
    source=sources.SHELL,
    remedy="Use `set -o pipefail`, or read ${PIPESTATUS[0]}, or write to a file instead of a pipe.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each freeze or thaw in front of a pipe."""
    for one in reading.statuses:
        if one.is_judged(Fate.PIPED):
            yield at(one.step.node, _message(one.what))


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each freeze or thaw in front of a pipe."""
    for one in reading.statuses:
        if one.fate is BatchFate.PIPED:
            yield at(one.node, _message(one.what))


def _message(what: str) -> str:
    return f"The status of the {what} is lost: the pipe has the status of its last command."
