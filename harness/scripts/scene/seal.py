"""The files that every answer of an instance rests on, as they were before the first script ran.

A script runs as root of its machine and can replace `iris` itself. What was seen after that proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.instance.base import Machine

_ALWAYS = ("/usr/bin/env", "/usr/bin/perl", "/bin/sh", "/etc/ld.so.preload")
_Identity = tuple[int, ...] | None


class Seal:
    """Remembers device, inode, size and time of such files. The log of calls may grow."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._calls = str(machine.inside / "calls")
        self._paths = [*_ALWAYS, self._calls, str(machine.inside / "registry/iris.reg")]
        self._before: Mapping[str, _Identity] = {}

    def watch(self, paths: Iterable[str]) -> None:
        """Add files, before the first script runs."""
        self._paths += paths

    def set(self) -> None:
        """Remember how the files are; only the first time it is called."""
        self._before = self._before or {path: self._identity(path) for path in self._paths}

    def broken(self) -> list[str]:
        """The files that are not as they were; none if no script has run."""
        return [path for path, was in self._before.items() if was != self._identity(path)]

    def _identity(self, path: str) -> _Identity:
        try:
            found = self._machine.tree.status(path)
        except OSError:
            return None
        if path == self._calls:
            return found.st_dev, found.st_ino
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
