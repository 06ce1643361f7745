"""Database files are copied, but neither the WIJ nor the journals that a restore needs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="database-without-journals",
    level=Level.WARNING,
    faults=("F25",),
    summary="databases are copied without WIJ and journals",
    source=sources.DATA_INTEGRITY_GUIDE,
    remedy="Copy the WIJ and the journals from the marker on too: without them nothing is rolled back.",
)
_DATABASE = re.compile(r"(IRIS|CACHE)\.DAT", re.IGNORECASE)
_JOURNALS = re.compile(r"journal|\.WIJ|\bjrn\b", re.IGNORECASE)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """The first copy of a database file in a script that copies neither WIJ nor journals."""
    copies = [
        step
        for step in reading.script.steps
        if step.name in ("cp", "tar", "rsync", "dd", "scp") and not step.call
    ]
    databases = [step for step in copies if _DATABASE.search(step.line)]
    if databases and not any(_JOURNALS.search(step.line) for step in copies):
        yield at(databases[0].node, "The script copies only database files, no WIJ and no journals.")
