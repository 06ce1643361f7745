"""An integrity report counts as clean because words of a damaged one are missing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="integrity-by-phrase",
    level=Level.WARNING,
    faults=("F35",),
    summary="a damaged database counts as clean if the report lacks certain words",
    source=sources.INTEGRITY_REPORTS,
    remedy="Require for each database the line that says no errors.",
)
PHRASES = re.compile(r"errors exposed|globals with errors found", re.IGNORECASE)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each search for such words."""
    for step in reading.script.steps:
        if step.name in ("grep", "egrep", "fgrep", "awk", "sed") and PHRASES.search(step.line):
            message = "A report in another layout has no such line and counts as clean."
            yield at(step.node, message)
