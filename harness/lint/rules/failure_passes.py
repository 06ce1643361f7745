"""A batch file that can end with 0 after a freeze or thaw that ended with 3."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchFate, BatchReading
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="failure-passes",
    level=Level.ERROR,
    faults=("F06",),
    summary="the file ends with 0 although a freeze or thaw failed",
    source=sources.CLASS_REFERENCE,
    remedy="End with a status other than 0 unless the call ended with 5.",
)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each such call."""
    for one in reading.statuses:
        if one.fate is BatchFate.FAILURE_PASSES:
            yield at(one.node, f"The file ends with 0 although the {one.what} failed.")
