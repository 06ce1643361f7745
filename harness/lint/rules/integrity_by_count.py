"""A check is taken for complete because a number of lines match; a database that is not in the report is missed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.rules.integrity_by_phrase import PHRASES
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="integrity-by-count",
    level=Level.WARNING,
    faults=("F36",),
    summary="a number of matching lines decides that an integrity check is complete",
    source=sources.INTEGRITY_REPORTS,
    remedy="Wait for the job's end and require every database.",
)
_INTEGRITY = re.compile(r"integrity|no errors|errors were found", re.IGNORECASE)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each `grep -c` for words of an integrity report."""
    for step in reading.script.steps:
        if step.name not in ("grep", "egrep", "fgrep", "awk") or PHRASES.search(step.line):
            continue
        if re.search(r"(^|\s)-\w*c", step.line) and _INTEGRITY.search(step.pattern):
            yield at(step.node, "A count of lines says nothing about databases that are not in the report.")
