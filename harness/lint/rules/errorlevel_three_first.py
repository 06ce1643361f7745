"""`if errorlevel 3` means 3 or more, so it is true for 5 as well."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchFate, BatchReading
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="errorlevel-three-first",
    level=Level.ERROR,
    faults=("F03",),
    summary="`if errorlevel 3` is true for 5 as well",
    source=f"{sources.CMD}, if; {sources.CLASS_REFERENCE}",
    remedy="Test the higher number first, or compare: `if %ERRORLEVEL% EQU 5`.",
)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """The first test after a call, if 3 is tested before 5."""
    for one in reading.statuses:
        if one.fate is BatchFate.LOWER_FIRST:
            message = "`if errorlevel 3` is true for 5 too: `if errorlevel 5` is never reached."
            yield at(one.tests[0], message)
