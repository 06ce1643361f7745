"""Only 3 counts as failure, but a call that was never made ends with 255, 127 or 1."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchFate, BatchReading
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import Sense, ShellReading

RULE = Rule(
    id="unknown-status-passes",
    level=Level.ERROR,
    faults=("F28",),
    summary="only 3 counts as failure: 255, 127 or 1 pass as success",
    source=sources.CLASS_REFERENCE,
    remedy="Treat every status but 5 as failure: a refused login, ssh and a missing command end with others.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """The first test of such a status."""
    for one in reading.statuses:
        if one.five and one.tested and one.sense is Sense.ONLY_THREE_FAILS:
            message = f"Only 3 counts as a failed {one.what}; every other status passes."
            yield at(one.trace.tests[0], message)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each call after which 255 or 1 can end the file with 0, and 3 cannot."""
    for one in reading.statuses:
        if one.fate is BatchFate.OTHERS_PASS:
            message = f"Only 3 counts as a failed {one.what}; other statuses pass."
            yield at(one.node, message)
