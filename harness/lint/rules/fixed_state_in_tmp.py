"""A file of a fixed name in /tmp is taken for the state of this run, although a killed run may have left it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="fixed-state-in-tmp",
    level=Level.NOTE,
    faults=("F30",),
    summary="a file of a fixed name in /tmp may be left from a former run",
    source=sources.SHELL,
    remedy="Keep state in a folder of its own in /run, and clear it at the start.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each mkdir or touch of such a path in a script that freezes."""
    for step in reading.script.steps if reading.freezes else ():
        fixed = [word for word in step.words[1:] if re.fullmatch(r"/(var/)?tmp/[\w./-]+", word)]
        if step.name in ("mkdir", "touch") and fixed:
            yield at(step.node, f"{fixed[0]} may be left from a run that was killed.")
