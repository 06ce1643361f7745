"""The exit status of a freeze or thaw is never checked, so a failure passes as success."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchFate, BatchReading
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.status import Fate

RULE = Rule(
    id="status-never-read",
    level=Level.ERROR,
    faults=("F01", "F06"),
    summary="the exit status of the freeze or thaw is never checked",
    source=sources.CLASS_REFERENCE,
    remedy="Keep the status at once (`call || status=$?`) and treat all but 5 as failure.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each freeze or thaw whose status is discarded, not read, or only logged."""
    for one in reading.statuses:
        if one.is_judged(Fate.UNREAD, Fate.DISCARDED) and one.tested_instead is None:
            how = "only written to a log" if one.trace.logged else "never checked"
            yield at(one.step.node, f"The exit status of the {one.what} is {how}.")


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each freeze or thaw whose status is not read before the file ends with 0."""
    for one in reading.statuses:
        if one.fate is BatchFate.UNREAD:
            yield at(one.node, f"The exit status of the {one.what} is never checked.")
