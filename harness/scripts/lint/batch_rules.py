"""Rules about Windows batch files."""

from __future__ import annotations

from harness.scripts.lint.model import Finding
from harness.scripts.lint.rules import finding
from harness.scripts.lint.source import Source


def findings(source: Source) -> list[Finding]:
    """Everything found in one batch file."""
    if not source.text.strip():
        return [finding("empty-script", source.file, 1, 1, "There is nothing in it.")]
    return []
