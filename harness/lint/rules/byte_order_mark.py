"""A mark or an encoding in front of the first line, so that neither a kernel nor cmd.exe recognises that line."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule
from harness.lint.script_text import Language, ScriptText

RULE = Rule(
    id="byte-order-mark",
    level=Level.ERROR,
    faults=("F02",),
    summary="bytes before the first line keep it from being run as written",
    source=f"{sources.SHELL}; {sources.CMD}",
    remedy="Save it as plain ASCII or UTF-8 without a mark.",
)
_EFFECTS = {
    Language.SH: "its first line is not recognised as `#!`",
    Language.BATCH: "cmd.exe does not run its first line",
}


@RULE.text
def in_text(text: ScriptText) -> Iterator[Hit]:
    """The beginning of the file."""
    effect = _EFFECTS.get(text.language)
    if effect and (text.wide or text.marked) and not text.empty:
        what = "UTF-16" if text.wide else "UTF-8 with a byte order mark"
        yield Hit(line=1, column=1, message=f"The file is {what}: {effect}.")
