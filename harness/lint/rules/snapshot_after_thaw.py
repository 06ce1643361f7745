"""The instance is thawed before the snapshot, which then holds an instance at work."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="snapshot-after-thaw",
    level=Level.ERROR,
    faults=("F11",),
    summary="the snapshot is taken after the thaw",
    source=sources.DATA_INTEGRITY_GUIDE,
    remedy="Freeze, snapshot, thaw, in this order.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each such snapshot."""
    for turn in reading.snapshots:
        if turn.too_late:
            yield at(turn.snapshot.node, "The instance is thawed before the snapshot is taken.")
