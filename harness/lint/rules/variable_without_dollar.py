"""A path holds the name of a variable where its value was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.tree import text, walk

RULE = Rule(
    id="variable-without-dollar",
    level=Level.ERROR,
    faults=("F29",),
    summary="a path holds a variable's name in place of its value",
    source=sources.SHELL,
    remedy="Put a `$` in front.",
)
_WORDS = ("word", "string_content", "raw_string", "concatenation")


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each such name in a path, of a variable that the script uses elsewhere."""
    nodes = list(walk(reading.script.root))
    names = {
        text(node)
        for node in nodes
        if node.type == "variable_name" and re.fullmatch(r"[A-Z][A-Z0-9_]{3,}", text(node))
    }
    for node in nodes:
        word = text(node) if node.type in _WORDS else ""
        found = re.findall(r"/(?:[\w.-]*[.-])?([A-Z][A-Z0-9_]{3,})(?![\w$])", word)
        for name in found:
            if name in names:
                yield at(node, f"{word.strip()} holds the word {name}, not its value.")
