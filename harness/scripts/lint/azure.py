"""VMSnapshotScriptPluginConfig.json: which scripts Azure Backup calls, and what it does when one fails."""

from __future__ import annotations

import json

from harness.scripts.lint.model import Finding
from harness.scripts.lint.rules import finding
from harness.scripts.lint.source import Source

# Unverified: how long a healthy freeze may take. A journal switch and a flush of all buffers come before its end.
_HOOK_S_MIN = 60
_HOOK_KEYS = {"preScriptLocation", "postScriptLocation", "continueBackupOnFailure", "timeoutInSeconds"}


def findings(source: Source) -> list[Finding]:
    """Findings in one file; one that is no such configuration is a finding itself."""
    if not source.text.strip():
        return [finding("empty-script", source.file, 1, 1, "The file is empty.")]
    try:
        data = json.loads(source.text)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        return [
            finding("malformed-script", source.file, line, getattr(error, "colno", 1), f"No JSON: {error}.")
        ]
    if not isinstance(data, dict) or not _HOOK_KEYS & data.keys():
        message = "No configuration of Azure's snapshot plug-in: none of its keys is there."
        return [finding("malformed-script", source.file, 1, 1, message)]
    found: list[Finding] = []
    if str(data.get("continueBackupOnFailure", "")).lower() == "true":
        message = "continueBackupOnFailure is true: after a failed freeze the backup is made all the same."
        found.append(
            finding("backup-goes-on", source.file, _line(source, "continueBackupOnFailure"), 1, message)
        )
    timeout = str(data.get("timeoutInSeconds", ""))
    if timeout.isdigit() and int(timeout) < _HOOK_S_MIN:
        message = f"timeoutInSeconds is {timeout}: a freeze that takes longer is killed half-way."
        found.append(
            finding("hook-timeout-short", source.file, _line(source, "timeoutInSeconds"), 1, message)
        )
    return found


def _line(source: Source, key: str) -> int:
    before = source.text.partition(f'"{key}"')[0]
    return before.count("\n") + 1
