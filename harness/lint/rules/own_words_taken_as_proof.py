"""The script searches a file for words that it has written there itself."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="own-words-taken-as-proof",
    level=Level.WARNING,
    faults=("F37",),
    summary="a text that the script itself prints is taken as proof",
    source=sources.SHELL,
    remedy="Look for what the other program writes once it has really begun.",
)
_LETTERS_MIN = 8


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each grep for words that an echo or printf of the script writes into a file."""
    said = [
        " ".join(step.words[1:])
        for step in reading.script.steps
        if step.name in ("echo", "printf") and any(redirect.writes for redirect in step.redirects)
    ]
    for step in reading.script.steps:
        is_search = step.name in ("grep", "egrep", "fgrep") and len(step.pattern) >= _LETTERS_MIN
        if is_search and any(step.pattern in one for one in said):
            yield at(step.node, f"The script itself writes `{step.pattern}`.")
