"""Files are copied inside the freeze window, which then lasts as long as the copy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.steps import exclusive

RULE = Rule(
    id="long-copy-while-frozen",
    level=Level.WARNING,
    faults=("F12",),
    summary="files are copied while the instance is frozen",
    source=sources.DATA_INTEGRITY_GUIDE,
    remedy="Take a snapshot in the window and copy from it after the thaw.",
)
_COPY = re.compile(
    r"^(tar|rsync|dd|cpio|pax|scp|gzip|pigz|zip|xz|zstd|restic|borg|duplicity|rclone)\b|^cp\s+-\w*[rRa]"
)
_SMALL = re.compile(r"\blogs?\b|\.log\b|journal", re.IGNORECASE)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each copy between a freeze and the thaw that belongs to it, but for logs and journals."""
    script = reading.script
    for freeze in reading.freezes:
        later = (one for one in reading.thaws if one.index > freeze.index and not exclusive(one, freeze))
        thaw = next(later, None)
        if thaw is None:
            continue
        for step in script.steps[freeze.index + 1 : thaw.index]:
            if exclusive(step, freeze) or step.name in script.functions:
                continue
            if _COPY.search(step.line) and "--reflink" not in step.line and not _SMALL.search(step.line):
                line = freeze.node.start_point[0] + 1
                yield at(step.node, f"`{step.name}` runs between the freeze (line {line}) and the thaw.")
