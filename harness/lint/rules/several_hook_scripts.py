"""VMware Tools calls several scripts in one order before the snapshot and in reverse after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from harness.lint.model import Level
from harness.lint.rule import Hit, Rule
from harness.lint.script_text import ScriptText

RULE = Rule(
    id="several-hook-scripts",
    level=Level.NOTE,
    faults=("F31",),
    summary="several scripts run in one order before, in reverse after",
    source="Broadcom, backupScripts.d of VMware Tools",
    remedy="See that no other script depends on the frozen instance.",
)
_FOLDER = "backupScripts.d"


@RULE.together
def together(texts: Sequence[ScriptText]) -> Iterator[tuple[ScriptText, Hit]]:
    """The first of several scripts in the folder that VMware Tools reads."""
    hooks = sorted(
        (text for text in texts if _FOLDER in PurePath(text.file).parts),
        key=lambda text: PurePath(text.file).name,
    )
    if len(hooks) < 2:
        return
    order = ", ".join(PurePath(text.file).name for text in hooks)
    message = f"VMware Tools calls {order} in this order before the snapshot and in reverse after it."
    yield hooks[0], Hit(line=1, column=1, message=message)
