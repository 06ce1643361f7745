"""`%` begins a variable in a batch file and nowhere else, so %SYS is written %%SYS there and only there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchReading
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="namespace-percent",
    level=Level.ERROR,
    faults=("F21",),
    summary="%SYS is written %%SYS in a batch file and nowhere else",
    source=f"InterSystems IRIS class reference, Backup.General, ExternalFreeze; {sources.CMD}",
    remedy="In a batch file -U%%SYS, in a shell -U%SYS.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each call with %%SYS."""
    for one in reading.calls:
        if "%%SYS" in " ".join(one.call.words).upper():
            yield at(one.node, "%%SYS is no namespace outside a batch file.")


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each call with %SYS."""
    for one in reading.calls:
        if re.search(r"(?<!%)%SYS\b", reading.script.text(one.node), re.IGNORECASE):
            yield at(one.node, "In a batch file a single % begins a variable: the namespace is lost.")
