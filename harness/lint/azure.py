"""VMSnapshotScriptPluginConfig.json: which scripts Azure Backup calls, and what it does when one fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from harness.lint.script_text import ScriptText

_KEYS = {"preScriptLocation", "postScriptLocation", "continueBackupOnFailure", "timeoutInSeconds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadTemplate:
    """Why a file is no configuration of the plug-in, and where that shows. Line and column count from 1."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureHook:
    """A configuration as read: its values as text by their keys, or the mistake that makes it unreadable."""

    text: ScriptText
    values: Mapping[str, str]
    mistake: BadTemplate | None

    @staticmethod
    def of(text: ScriptText) -> AzureHook:
        """Read a configuration; a mistake in it is part of the result."""
        try:
            data = json.loads(text.text)
        except ValueError as error:
            line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
            mistake = BadTemplate(line=line, column=column, message=f"The file is not JSON: {error}.")
            return AzureHook(text=text, values={}, mistake=mistake)
        if not isinstance(data, dict) or not _KEYS & data.keys():
            message = "The file is no configuration of Azure's snapshot plug-in: it has none of its keys."
            return AzureHook(text=text, values={}, mistake=BadTemplate(line=1, column=1, message=message))
        return AzureHook(text=text, values={key: str(value) for key, value in data.items()}, mistake=None)

    def line_of(self, key: str) -> int:
        """The line in which a key stands, counted from 1."""
        return self.text.text.partition(f'"{key}"')[0].count("\n") + 1
