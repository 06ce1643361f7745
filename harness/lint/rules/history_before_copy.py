"""ExternalSetHistory records a successful backup and lets journals be purged, so it must come after the copy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchReading
from harness.lint.batch.script import walk
from harness.lint.engine import Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.steps import exclusive

RULE = Rule(
    id="history-before-copy",
    level=Level.WARNING,
    faults=("F19",),
    summary="the backup is recorded as made before it is copied or verified",
    source=sources.DATA_INTEGRITY_GUIDE,
    remedy="Call ExternalSetHistory after the backup is safe: it lets journals be purged.",
)
_MESSAGE = "ExternalSetHistory follows the thaw; it is not known yet whether a backup was made and copied."
_STORE = re.compile(
    r"^(tar|rsync|dd|cpio|scp|cp|mv|restic|borg|rclone|aws|az|gsutil|mount|tape|bpbackup|sha256sum)\b"
)
_BATCH_STORE = re.compile(r"^(robocopy|xcopy|copy|7z|wbadmin|tar|rclone|aws|az)\b", re.IGNORECASE)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each ExternalSetHistory with no command that stores something between it and the thaw before it."""
    script = reading.script
    for step in reading.steps_of(Verb.HISTORY):
        before = [thaw for thaw in reading.thaws if thaw.index < step.index and not exclusive(thaw, step)]
        if not before:
            continue
        between = script.steps[before[-1].index + 1 : step.index]
        if not any(_STORE.search(one.line) and one.name not in script.functions for one in between):
            yield at(step.node, _MESSAGE)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """As in a shell script."""
    for node in reading.nodes_of(Verb.HISTORY):
        before = [thaw for thaw in reading.nodes_of(Verb.THAW) if thaw.start_byte < node.start_byte]
        stored = [
            other
            for other in walk(reading.script.root)
            if other.type == "cmd"
            and _BATCH_STORE.match(reading.script.text(other))
            and before
            and before[-1].start_byte < other.start_byte < node.start_byte
        ]
        if before and not stored:
            yield at(node, _MESSAGE)
