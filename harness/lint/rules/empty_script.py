"""An empty script: it ends with 0 and freezes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule
from harness.lint.script_text import ScriptText

RULE = Rule(
    id="empty-script",
    level=Level.ERROR,
    faults=("F02",),
    summary="the script is empty and ends with 0",
    source=sources.SHELL,
    remedy="Restore the script.",
)


@RULE.text
def in_text(text: ScriptText) -> Iterator[Hit]:
    """The beginning of the file."""
    if text.empty:
        yield Hit(line=1, column=1, message="The file is empty.")
