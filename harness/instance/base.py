"""The port for hosts: where instances run and where their files are.

A host knows processes, namespaces or containers, and files. It does not know what a freeze is; the command
surface of IRIS is in `harness.instance.iris`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from harness.command import Completed, Transcript
from harness.plan.model import InstanceSpec


class Place(Protocol):
    """The surroundings of one instance: its commands run here, its files are visible to the harness."""

    name: str
    """Name of the instance, as `iris session NAME` wants it."""

    isolated: bool
    """True if nothing that runs here can reach another instance: no network, memory of its own."""

    def run(
        self, argv: Sequence[str], *, accept: Collection[int] | None = (0,), timeout_s: float = 60.0
    ) -> Completed:
        """Run a command to its end. Raises as `harness.command.run`."""

    def open(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command whose standard output the caller reads; it belongs to the caller."""

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The argument list that runs a command here from anywhere on this machine (for the watchdog)."""

    def close(self) -> None:
        """End every process here. May be called twice; files stay."""

    def discard(self) -> None:
        """Close, and remove the files of this instance. Not for a source."""


class Host(Protocol):
    """Makes places. One object serves one run and keeps everything below its folder.

    Constructed with `spec`, `folder` (exists, ours alone) and the `transcript` that every command goes into.
    """

    def __init__(self, spec: InstanceSpec, folder: Path, transcript: Transcript) -> None: ...

    def probe(self) -> None:
        """Raises PreconditionError if instances cannot run here; starts nothing."""

    def source(self) -> Place:
        """Start the instance that will be backed up. Raises StartError: then nothing runs."""

    def target(self, name: str) -> Place:
        """Start a fresh, isolated instance with empty databases, to restore into. Raises StartError."""

    def boot(self, name: str, image: Path) -> Place:
        """Start an isolated instance whose whole root is `image` (a folder that becomes its own, at the path
        the source had) and let the engine recover itself. Raises StartError."""

    def environment(self) -> dict[str, str]:
        """Variables a command needs to reach the instances of this host."""

    def close(self) -> None:
        """Close every place. May be called twice."""
