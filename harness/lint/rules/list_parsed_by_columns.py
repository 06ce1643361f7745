"""`iris qall` is a table for people that cuts its lines; `iris qlist` is made for scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint.batch.reading import BatchReading
from harness.lint.batch.script import walk
from harness.lint.engine import Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="list-parsed-by-columns",
    level=Level.WARNING,
    faults=("F15",),
    summary="`qall` cuts its lines at 78 characters",
    source="InterSystems IRIS System Administration Guide, iris all",
    remedy="Use `qlist`, whose fields are separated by carets.",
)
_TABLES = {"qall", "all"}


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each call that lists instances as a table."""
    for one in reading.calls:
        if one.call.verb is Verb.LIST and _TABLES & set(one.call.words[1:]):
            yield at(one.node, _message(" ".join(one.call.words[:2])))


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each call that lists instances as a table, also in the set of a for."""
    for one in reading.calls:
        if one.call.verb is Verb.LIST and _TABLES & {word.lower() for word in one.call.words[1:]}:
            yield at(one.node, _message(" ".join(one.call.words[:2])))
    for node in walk(reading.script.root):
        listed = r"\b(iris|ccontrol)(\.exe)?\"?\s+(qall|all)\b"
        if node.type == "for_set" and re.search(listed, reading.script.text(node)):
            yield at(node, _message("qall"))


def _message(command: str) -> str:
    return f"`{command}` prints a table for people: it cuts long lines."
