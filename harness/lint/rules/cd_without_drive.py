"""`cd D:\\folder` of cmd.exe changes the folder of drive D: and stays on the current drive."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchReading
from harness.lint.batch.script import walk
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="cd-without-drive",
    level=Level.WARNING,
    faults=("F22",),
    summary="cd without /d does not change the drive",
    source=f"{sources.CMD}, cd",
    remedy="Write cd /d, or use full paths.",
)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """A cd whose first argument begins with a drive."""
    for node in walk(reading.script.root):
        words = reading.script.words(node) if node.type == "cmd" else ()
        if len(words) > 1 and words[0].lower() in ("cd", "chdir") and re.match(r"[A-Za-z]:", words[1]):
            yield at(node, f"`cd {words[1]}` stays on the current drive if that is a different one.")
