"""Success is read from the words of a log. A log is appended to, so an older freeze may have written them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchReading
from harness.lint.batch.script import walk
from harness.lint.engine import Status, Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.status import Fate, trace

RULE = Rule(
    id="success-read-from-log",
    level=Level.WARNING,
    faults=("F33",),
    summary="success is read from the log, not from the exit status",
    source=sources.CLASS_REFERENCE,
    remedy="Read the exit status; use the log for the marker and its warnings.",
)
_MESSAGE = "The log's `System suspended` is the only sign of success that is checked."
_SUSPENDED = re.compile(r"system\W{0,3}suspended", re.IGNORECASE)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each grep for `System suspended` in a script that tests no status of a freeze."""
    tested = any(
        step.call
        and step.call.status in (Status.FIVE, Status.ZERO)
        and trace(reading.script, step).fate is Fate.TESTED
        for step in reading.freezes
    )
    if tested or not reading.freezes:
        return
    for step in reading.script.steps:
        if step.name in ("grep", "egrep", "fgrep") and _SUSPENDED.search(step.pattern):
            yield at(step.node, _MESSAGE)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each find for `System suspended` in a file that does not read the status of its first freeze."""
    script = reading.script
    freezes = reading.nodes_of(Verb.FREEZE)
    for node in walk(script.root):
        words = script.words(node) if node.type == "cmd" else ()
        if (
            words
            and words[0].lower() in ("find", "findstr")
            and _SUSPENDED.search(script.text(node))
            and freezes
            and not any(end.state.read for end in script.ends(freezes[0], 3))
        ):
            yield at(node, _MESSAGE)
