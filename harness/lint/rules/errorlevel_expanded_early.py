"""cmd.exe replaces %ERRORLEVEL% in a block before it runs the block, so a test in it reads an older status."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchReading
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at

RULE = Rule(
    id="errorlevel-expanded-early",
    level=Level.ERROR,
    summary="inside a block %ERRORLEVEL% has the value from before the block",
    source=f"{sources.CMD}, setlocal",
    remedy="Use `if errorlevel`, or delayed expansion: !ERRORLEVEL!.",
)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """The first %ERRORLEVEL% after a freeze or thaw in the same block."""
    for one in reading.statuses:
        if one.early is not None:
            yield at(one.early, "%ERRORLEVEL% has the value from before this block.")
