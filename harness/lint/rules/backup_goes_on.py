"""Azure Backup takes the snapshot even if the pre-script has failed."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint.azure import AzureHook
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule

RULE = Rule(
    id="backup-goes-on",
    level=Level.ERROR,
    faults=("F10",),
    summary="Azure continues the backup when the freeze has failed",
    source="Azure Backup, application-consistent backup of Linux VMs",
    remedy="Set continueBackupOnFailure to false.",
)
_KEY = "continueBackupOnFailure"


@RULE.azure
def in_azure(hook: AzureHook) -> Iterator[Hit]:
    """The key, if it is true."""
    if hook.values.get(_KEY, "").lower() == "true":
        message = f"{_KEY} is true: the backup is made even if the freeze has failed."
        yield Hit(line=hook.line_of(_KEY), column=1, message=message)
