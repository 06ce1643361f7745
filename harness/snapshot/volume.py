"""Folders that snapshots can be taken of: made for a source by the provider whose filesystem it will lie on.

Which provider a plan names does not matter: a command of the plan may take the same kind of snapshot.
"""

from __future__ import annotations

import threading
from pathlib import Path

from harness import plugins
from harness.errors import HarnessError
from harness.snapshot.base import CanMakeVolume
from harness.undo import SNAPSHOTS

_MAKING = threading.Lock()


def make_volume(root: Path) -> None:
    """An empty folder, the volume of a provider where one can make it. Made once, by whoever is first.

    Raises CommandError, OSError: it could not be made.
    """
    with _MAKING:
        if root.exists():
            return
        if not any(provider.make_volume(root) for provider in _who_can()):
            root.mkdir()


def _who_can() -> list[CanMakeVolume]:
    """One that cannot be loaded is told of where a plan names it."""
    found = list[CanMakeVolume]()
    for name in plugins.names(SNAPSHOTS):
        try:
            adapter = plugins.load(SNAPSHOTS, name, ())
        except HarnessError:
            continue
        if isinstance(adapter, CanMakeVolume):
            found.append(adapter)
    return found
