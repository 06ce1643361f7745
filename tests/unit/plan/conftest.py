"""Adapters for tests of plans: names that are registered, and a provider with options of its own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from harness import registry

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


def _entry(group: str, name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=f"{__name__}:{value}", group=group)


ENTRIES = EntryPoints(
    [
        _entry("harness.hosts", "local", "PlainProvider"),
        _entry("harness.hosts", "docker", "PlainProvider"),
        _entry("harness.snapshots", "copy", "PlainProvider"),
        _entry("harness.snapshots", "reflink", "PlainProvider"),
        _entry("harness.snapshots", "command", "CommandProvider"),
        _entry("harness.snapshots", "broken", "NoSuchClass"),
    ]
)


@pytest.fixture(autouse=True, scope="module")
def adapters() -> Iterator[None]:
    """The registry knows the adapters above and no others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "entry_points", lambda group: ENTRIES.select(group=group))
        registry._group.cache_clear()
        yield
    registry._group.cache_clear()
