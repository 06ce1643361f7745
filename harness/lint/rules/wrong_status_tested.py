"""After the thaw the status of the freeze is tested once more, and that of the thaw never."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.status import Fate

RULE = Rule(
    id="wrong-status-tested",
    level=Level.ERROR,
    faults=("F07",),
    summary="the status of the freeze is tested after the thaw",
    source=sources.CLASS_REFERENCE,
    remedy="Test the variable that the thaw has set.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each such test."""
    for one in reading.statuses:
        if one.is_judged(Fate.UNREAD, Fate.DISCARDED) and one.tested_instead is not None:
            variable = one.trace.variable
            message = f"The status of the freeze is tested after the thaw; ${variable} is never tested."
            yield at(one.tested_instead, message)
