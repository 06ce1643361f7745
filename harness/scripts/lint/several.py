"""What only shows when scripts are looked at together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from harness.scripts.lint.model import Finding
from harness.scripts.lint.rules import finding
from harness.scripts.lint.source import Source

_HOOK_FOLDER = "backupScripts.d"


def findings(sources: Sequence[Source]) -> list[Finding]:
    """Findings about the order in which VMware Tools calls several scripts."""
    hooks = sorted(
        (source.file for source in sources if _HOOK_FOLDER in PurePath(source.file).parts),
        key=lambda file: PurePath(file).name,
    )
    if len(hooks) < 2:
        return []
    order = ", ".join(PurePath(file).name for file in hooks)
    message = f"VMware Tools calls {order} in this order before the snapshot and in reverse after it."
    return [finding("several-hook-scripts", hooks[0], 1, 1, message)]
