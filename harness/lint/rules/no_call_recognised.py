"""No call of the engine was recognised or could be followed, so a script without findings means little."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.engine import Status, Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="no-call-recognised",
    level=Level.NOTE,
    summary="no freeze or thaw was recognised, so little was checked",
    source=sources.CLASS_REFERENCE,
    remedy="A clean result proves nothing here; try the script with `harness scripts check`.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """A script that mentions freeze or thaw without a recognised call, or whose calls could not be followed."""
    script = reading.script
    calls = [one.call for one in reading.calls if one.call.verb is not Verb.LIST]
    if not calls and re.search(r"frozen|freez|thaw", script.source.text, re.IGNORECASE):
        message = "The script mentions freeze or thaw, but no call of the engine was recognised."
        yield at(script.root, message)
    elif calls and all(call.status is Status.UNKNOWN for call in calls):
        message = "The calls go through words that could not be followed: their status was not checked."
        yield at(script.root, message)
