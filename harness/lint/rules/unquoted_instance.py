"""The name of the instance is a variable without quotes."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from harness.lint import sources
from harness.lint.engine import PlacedCall, Status, Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.tree import text

RULE = Rule(
    id="unquoted-instance",
    level=Level.NOTE,
    summary="the instance's name is not quoted",
    source=sources.SHELL,
    remedy='Write "$INSTANCE".',
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each such name."""
    for one in reading.calls:
        name = _bare_name(one)
        if name is not None:
            yield at(name, f"{text(name)} is split at blanks.")


def _bare_name(placed: PlacedCall) -> Node | None:
    """The word that names the instance, if it is a variable without quotes."""
    call = placed.call
    words = [child for child in placed.node.children if child.is_named and child.type != "file_redirect"]
    bare = [child for child in words[1:4] if child.type in ("simple_expansion", "expansion")]
    if call.wrappers or not bare or call.verb is Verb.LIST or call.status is Status.UNKNOWN:
        return None
    return bare[0]
