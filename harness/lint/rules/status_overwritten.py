"""`$?` is read after another command has set it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.status import Fate

RULE = Rule(
    id="status-overwritten",
    level=Level.ERROR,
    faults=("F01",),
    summary="another command has set `$?` since the call",
    source=sources.SHELL,
    remedy="Keep the status in the very next command: `call || status=$?`.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each freeze or thaw whose status is lost this way."""
    for one in reading.statuses:
        if one.is_judged(Fate.OVERWRITTEN):
            line = one.trace.place.start_point[0] + 1
            message = f"`$?` is read after another command (line {line}), not after the {one.what}."
            yield at(one.step.node, message)
