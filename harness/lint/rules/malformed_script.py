"""The script cannot be parsed as it was meant. Often a part was lost when it was copied from a web page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from harness.lint import sources
from harness.lint.azure import AzureHook
from harness.lint.batch.reading import BatchReading
from harness.lint.batch.script import walk as walk_batch
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.script import ShellScript
from harness.lint.shell.tree import ancestors, text, walk

RULE = Rule(
    id="malformed-script",
    level=Level.ERROR,
    faults=("F02",),
    summary="the script cannot be parsed as it was meant",
    source=sources.SHELL,
    remedy="Compare it with the original; text copied from a web page loses lines. Try `sh -n FILE`.",
)
_QUOTES = ("string", "raw_string", "comment", "heredoc_body", "ansi_c_string", "regex")
_CLOSERS = {"if": "fi", "case": "esac", "do": "done", "{": "}", "(": ")"}
_SHOWN_MAX = 40


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each place that the grammar cannot parse, and each `$` that names nothing."""
    yield from _stray_dollars(reading.script)
    for node in walk(reading.script.root):
        if node.is_missing:
            yield at(node, f"`{node.type}` is missing.")
        elif node.type == "ERROR":
            yield from _unparsed(node)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each goto to a label that does not exist."""
    script = reading.script
    for node in walk_batch(script.root):
        if node.type == "goto_stmt":
            label = script.text(node).split(None, 1)[-1].strip(": \t").upper()
            if label not in script.labels and label != "EOF" and not re.search("[%!]", label):
                yield at(node, f"The label :{label} does not exist; the script ends here with 1.")


@RULE.azure
def in_azure(hook: AzureHook) -> Iterator[Hit]:
    """A file that is not JSON, or no configuration of the plug-in."""
    if hook.mistake is not None:
        yield Hit(line=hook.mistake.line, column=hook.mistake.column, message=hook.mistake.message)


def _stray_dollars(script: ShellScript) -> Iterator[Hit]:
    for place in script.stray_dollars:
        offset = len(script.masked[:place].encode("utf-8", "surrogatepass"))
        node = script.root.descendant_for_byte_range(offset, offset)
        if node is None or not any(one.type in _QUOTES for one in (node, *ancestors(node))):
            yield Hit(
                line=script.masked.count("\n", 0, place) + 1,
                column=place - script.masked.rfind("\n", 0, place),
                message="A `$` names nothing: the line is cut short.",
            )


def _unparsed(error: Node) -> Iterator[Hit]:
    openers = _unclosed(error)
    for opener in openers:
        yield at(opener, f"`{opener.type}` has no `{_CLOSERS[opener.type]}`.")
    shown = text(error).strip().split("\n")[0][:_SHOWN_MAX]
    if shown == ")":
        yield at(error, "A `)` has no opening parenthesis: is a `;;` missing before it?")
    elif not openers:
        yield at(error, f"The script cannot be parsed from here: {shown!r}.")


def _unclosed(error: Node) -> list[Node]:
    """The words in a part that cannot be parsed which open a block that nothing closes."""
    pending: list[Node] = []
    for child in error.children:
        if child.type in _CLOSERS:
            pending.append(child)
        elif pending and child.type == _CLOSERS[pending[-1].type]:
            pending.pop()
    return pending
