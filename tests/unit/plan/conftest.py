"""Adapters for tests of plans: names that are registered, and a provider with options of its own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from harness import plugins


def _entry(group: str, name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=f"fake_adapters:{value}", group=group)


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
        patch.setattr(plugins, "entry_points", lambda group: ENTRIES.select(group=group))
        plugins._group.cache_clear()
        yield
    plugins._group.cache_clear()
