"""A freeze or thaw is done when it ends with 5; a test for zero takes that for a failure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchFate, BatchReading
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import Sense, ShellReading
from harness.lint.shell.status import Fate

RULE = Rule(
    id="five-taken-as-failure",
    level=Level.ERROR,
    faults=("F04", "F05"),
    summary="success is taken for failure: it is 5, not 0",
    source=sources.CLASS_REFERENCE,
    remedy='Compare with 5: `status=0; call || status=$?; [ "$status" -eq 5 ]`.',
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """A call in `if`, `&&` or `||`, or whose status is compared with 0."""
    for one in reading.statuses:
        if one.five and one.is_judged(Fate.BOOLEAN):
            yield at(one.step.node, f"The {one.what} is tested for 0, but its success is 5.")
        elif one.five and one.tested and one.sense is Sense.ZERO_IS_SUCCESS:
            message = f"The {one.what}'s status is compared with 0, but its success is 5."
            yield at(one.trace.tests[0], message)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """A call in `&&` or `||`, or after whose 5 the file ends as after 3."""
    for one in reading.statuses:
        if one.fate is BatchFate.BOOLEAN:
            yield at(one.node, f"The {one.what} is tested for 0, but its success is 5.")
        elif one.fate is BatchFate.SUCCESS_FAILS:
            message = f"The file ends with {min(one.done)} even if the {one.what} succeeds."
            yield at(one.node, message)
