"""A shell script with line ends of Windows: the shell takes each CR for part of the last word."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule
from harness.lint.script_text import Language, ScriptText

RULE = Rule(
    id="carriage-returns",
    level=Level.ERROR,
    faults=("F02",),
    summary="lines of a shell script end with CR",
    source=sources.SHELL,
    remedy="Convert it: `sed -i 's/\\r$//' FILE`.",
)


@RULE.text
def in_text(text: ScriptText) -> Iterator[Hit]:
    """The beginning of the file."""
    if text.language is Language.SH and text.carriage_returns and not text.empty:
        message = "Lines end with CR LF: the shell takes the CR for part of the last word of each line."
        yield Hit(line=1, column=1, message=message)
