"""The log of a freeze is emptied or removed, and with it the marker of the last backup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchReading
from harness.lint.batch.script import walk as walk_batch
from harness.lint.engine import Status, Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.tree import text, walk

RULE = Rule(
    id="log-truncated",
    level=Level.WARNING,
    faults=("F23",),
    summary="the log with the last marker is emptied",
    source=sources.CLASS_REFERENCE,
    remedy="Append (>>), or give every backup a log of its own.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each rm of a log, and each `>` to one."""
    script = reading.script
    logs = {
        one.call.argument(1).strip('"')
        for one in reading.calls
        if one.call.verb in (Verb.FREEZE, Verb.THAW) and one.call.status is not Status.ZERO
    } - {"", "0"}
    outputs = {
        redirect.target
        for step in reading.freezes
        if step.call and step.call.argument(1) == "0"
        for redirect in step.redirects
        if redirect.truncates
    }
    for step in script.steps:
        if step.name == "rm" and any(word in logs for word in step.words[1:]):
            yield at(step.node, "This command removes the log, and with it the marker of the backup before.")
    for node in walk(script.root):
        if node.type == "file_redirect":
            redirect = script.redirect(node)
            if redirect.truncates and redirect.target in logs | outputs and "date" not in redirect.target:
                yield at(node, _emptied(text(node).lstrip("> ")))


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each `>` to a log."""
    script = reading.script
    logs = {
        one.call.argument(1).strip('"').lower()
        for one in reading.calls
        if one.call.verb in (Verb.FREEZE, Verb.THAW) and one.call.status is Status.FIVE
    } - {"", "0"}
    for node in walk_batch(script.root):
        if node.type == "redirection" and re.match(r"1?>(?![>&])", script.text(node)):
            target = script.text(node).lstrip("1> ").strip('"')
            words = script.words(node)
            name = (words[-1] if words else target).lstrip("1>").strip('"').lower()
            if name in logs:
                yield at(node, _emptied(target))


def _emptied(log: str) -> str:
    return f"`>` empties {log}, and with it the last marker."
