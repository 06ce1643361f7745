"""Adapters that plans of these tests name. They do nothing: a plan is checked, not run."""

from __future__ import annotations

from typing import Any

NO_OPTIONS = {"type": "object", "additionalProperties": False, "properties": {}}
RUN_OPTION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["run"],
    "properties": {
        "run": {"type": "string", "title": "a command", "minLength": 1},
        "size": {"type": "string", "title": "a number of bytes", "pattern": "^[0-9]+$"},
    },
}


class PlainProvider:
    """A provider without options."""

    options_schema: dict[str, Any] = NO_OPTIONS
    probe = capture = expose = release = None


class CommandProvider(PlainProvider):
    """A provider with options."""

    options_schema = RUN_OPTION
