"""A comment that says 5 is failure or 3 is success: the next person who edits the script will believe it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.engine import Status
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.tree import text, walk

RULE = Rule(
    id="comment-inverted",
    level=Level.NOTE,
    faults=("F27",),
    summary="a comment says the opposite of what 5 and 3 mean",
    source=sources.CLASS_REFERENCE,
    remedy="For freeze and thaw alike: 5 done, 3 not done.",
)
_INVERTED = re.compile(
    r"""
      \b5\b \s* (?:=|:|-|->|is|means)? \s* (?:\w+\s){0,2} (?:fail|error|not\sfrozen|still\sfrozen)
    | \b3\b \s* (?:=|:|-|->|is|means)? \s* (?:\w+\s){0,1} (?:success|succeeded|ok\b|done\b)
    | \b0\b \s* (?:=|:|-|->|is|means)? \s* (?:\w+\s){0,1} success .* \b5\b
    | \b5\b .* \b0\b \s* (?:=|:|-|->|is|means)? \s* (?:\w+\s){0,1} success
    """,
    re.IGNORECASE | re.VERBOSE,
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each such comment in a script with a call whose success is 5."""
    if not any(one.call.status is Status.FIVE for one in reading.calls):
        return
    for node in walk(reading.script.root):
        if node.type == "comment" and _INVERTED.search(text(node)):
            yield at(node, f"{text(node).strip()!r}: 5 is done, 3 is not done.")
