"""`iris freeze` and `iris thaw` end with 0 or 1; 5 and 3 are statuses of the class methods."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="control-status-compared-with-five",
    level=Level.ERROR,
    faults=("F04",),
    summary="`iris freeze` and `iris thaw` end with 0 or 1, never with 5",
    source=f"InterSystems IRIS class reference, Backup.General, CommandLineFreeze; {sources.DATA_INTEGRITY_GUIDE}",
    remedy="Compare with 0.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """A test that does the same for 0 and 1, and something else for 5 or 3."""
    for one in reading.statuses:
        if one.tested and not one.five:
            zero, failed, three, five = (one.trace.regions(value) for value in (0, 1, 3, 5))
            if zero == failed and (five != zero or three != zero):
                message = f"`iris {one.what}` ends with 0 or 1; its status is compared with 5 or 3."
                yield at(one.trace.tests[0], message)
