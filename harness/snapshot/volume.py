"""Folders that snapshots can be taken of: made for a source by the provider whose filesystem it will lie on.

Which provider a plan names does not matter: a command of the plan may take the same kind of snapshot.
"""

from __future__ import annotations

import threading
from pathlib import Path

from harness import plugins
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
        providers: list[CanMakeVolume] = plugins.having(SNAPSHOTS, "make_volume")
        if not any(provider.make_volume(root) for provider in providers):
            root.mkdir()
