"""A string argument reaches the engine without its quotes, because a shell on the way has removed them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from harness.lint import sources
from harness.lint.engine import PlacedCall
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.tree import text

RULE = Rule(
    id="objectscript-string-unquoted",
    level=Level.ERROR,
    faults=("F28",),
    summary="the quotes around an argument do not reach the engine",
    source=sources.CLASS_REFERENCE,
    remedy='Escape them: \\" in the shell, once more behind ssh, three of them in a batch file.',
)


@RULE.call
def in_call(placed: PlacedCall) -> Iterator[Hit]:
    """Each ExternalFreeze whose LogFile is a path without quotes."""
    log = placed.call.argument(1)
    if placed.call.by_class and re.match(r"[\\/]|[A-Za-z]:\\", log):
        message = f"ExternalFreeze gets {log} without quotes, which is not valid ObjectScript."
        yield at(placed.node, message)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each call with quotes inside a quoted argument that are not escaped."""
    for one in reading.calls:
        if _ends_its_quotes(one.node):
            message = "The quotes inside this argument end it: they do not reach the engine."
            yield at(one.node, message)


def _ends_its_quotes(node: Node) -> bool:
    for child in node.children:
        if child.type == "concatenation" and re.search(r"##class\s*\(", text(child), re.IGNORECASE):
            quoted = [part for part in child.named_children if part.type in ("string", "raw_string")]
            bare = [part for part in child.named_children if part.type not in ("string", "raw_string")]
            if len(quoted) >= 2 and quoted[0].type == "string" and bare:
                return True
    return False
