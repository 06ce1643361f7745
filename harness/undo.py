"""What adapters make that does not go with the plain files of a run, and how it is undone when they are gone.

A run that ends by itself asks its hosts and snapshot providers to remove what they made. One that is killed cannot.
So an adapter registers what it is about to make in the entry of its run, as a small plain record, and says how such a
record is undone. `harness clean` calls that, and knows nothing of volumes, containers or subvolumes itself. A record
holds no command: an entry lies on a disk, and whoever altered it must not be obeyed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from harness.destroy import Ground

HOSTS, SNAPSHOTS = "harness.hosts", "harness.snapshots"
"""Entry-point groups of adapters that may register something."""

Register = Callable[[Mapping[str, str]], None]
"""Writes a record into the entry of the run; it is on disk when this returns. The same record may come again.
Raises PreconditionError: it could not be written, so nothing may be made.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What an adapter registered: entry-point group and name tell who undoes it, `what` is its own record."""

    group: str
    name: str
    what: Mapping[str, str]


@runtime_checkable
class CanUndo(Protocol):
    """A host or a snapshot provider that makes what `harness.destroy.tree` cannot remove with the working folder:
    volumes, subvolumes, containers.
    """

    def register_with(self, register: Register) -> None:
        """Given once, before anything else is asked. It is called before the first thing of a kind is made, and not
        inside the freeze window if that can be helped: a record may speak of all that will be made, by the folder it
        will lie in, or by the token of the run that it will carry.
        """

    @staticmethod
    def undo(made: Mapping[str, str], ground: Ground, token: str) -> list[str]:
        """Remove what a record speaks of; called by another process, when all processes of the run have ended.

        It may be called twice, and for something that was never made, or made in part. The record may have been
        altered: only what is proved to be of this run may go, because it lies below the ground, reached as
        `harness.destroy` reaches it, or because it carries the token.

        Args:
            ground: The working folder of the run.
            token: Of the run.
        Returns:
            A line for each thing that was removed.
        Raises HarnessError: something is still there, or the record speaks of what is not this run's.
        """
