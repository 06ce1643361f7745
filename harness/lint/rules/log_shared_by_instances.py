"""A loop over instances that gives every freeze the same log: their markers are mixed up."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="log-shared-by-instances",
    level=Level.WARNING,
    faults=("F23",),
    summary="several instances write one log",
    source=sources.CLASS_REFERENCE,
    remedy="Put the instance's name into the log's name.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each freeze in a loop whose instance is a variable and whose log is not."""
    for one in reading.loops:
        call = one.freeze.call
        assert call is not None
        log = call.argument(1).strip('"')
        if log not in ("", "0") and "$" not in log and any("$" in word for word in call.words[1:3]):
            yield at(one.freeze.node, f"Every instance of this loop writes {log}.")
