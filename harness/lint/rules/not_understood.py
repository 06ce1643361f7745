"""A part of a batch file that the parser does not know: no rule was applied to it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint.batch.reading import BatchReading
from harness.lint.batch.script import walk
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="not-understood",
    level=Level.NOTE,
    summary="the parser does not know this part",
    source="tree-sitter's grammar for batch files",
    remedy="Check this part yourself.",
)
_SHOWN_MAX = 40


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """Each outermost part that could not be parsed."""
    for node in walk(reading.script.root):
        if node.type == "ERROR" and (node.parent is None or node.parent.type != "ERROR"):
            shown = reading.script.text(node).strip().split("\n")[0][:_SHOWN_MAX]
            yield at(node, f"The file cannot be parsed from here: {shown!r}. This part was not checked.")
