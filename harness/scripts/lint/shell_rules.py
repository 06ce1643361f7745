"""Rules about shell scripts."""

from __future__ import annotations

from harness.scripts.lint.model import Finding
from harness.scripts.lint.rules import finding
from harness.scripts.lint.shell import Script
from harness.scripts.lint.source import Source


def findings(source: Source) -> list[Finding]:
    """Everything found in one shell script."""
    if not source.text.strip():
        return [finding("empty-script", source.file, 1, 1, "There is nothing in it.")]
    found = []
    script = Script(source)
    for line, column, what in script.mistakes():
        found.append(
            finding("malformed-script", source.file, line + 1, column + 1, f"{what[0].upper()}{what[1:]}.")
        )
    return found
