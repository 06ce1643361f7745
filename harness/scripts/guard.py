"""Limits what the scripts in a machine use, and ends the machine past a limit: they must not harm the real one."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path

from harness.errors import HarnessError, InstanceError
from harness.instance.base import Machine, ProgramLimits
from harness.scripts import processes

LIMITS = ProgramLimits()
_MEMORY_MAX = 3 << 30
_MEMORY_LEFT = 192 << 20
"""Of the real machine. Some memory belongs to no process: files without a name, segments that are not attached."""
_DISK_MAX, _FILES_MAX = 1 << 30, 100_000
_LOOK_EVERY_S = 0.25


class Contained(HarnessError):
    """The scripts exceeded a limit of the machine, and the machine was ended. The text says which."""


class Guard:
    """Watches a machine from `start` to `close`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._contained: HarnessError | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            running = self._machine.processes()
            why = ""
            if len(running) > LIMITS.processes - 10:
                why = f"it had {len(running)} processes"
            elif (memory := processes.resident_bytes(running)) > _MEMORY_MAX:
                why = f"it took {memory >> 20} MB of memory"
            else:
                why = _too_much(self._machine.inside)
            if why:
                self._contained = Contained(f"the machine was ended: {why}")
            elif (left := processes.available_bytes()) is not None and left < _MEMORY_LEFT:
                self._contained = InstanceError("the machine was ended: this computer has no memory left")
            if self._contained:
                self._machine.close()

    def last_look(self) -> None:
        """Raises Contained if a limit was exceeded since the last look."""
        self.check()
        if why := _too_much(self._machine.inside):
            raise Contained(f"the machine was ended: {why}")

    def check(self) -> None:
        """Raises Contained, or InstanceError if the real machine was about to run out of memory."""
        if self._contained:
            raise self._contained

    def why(self, error: HarnessError) -> HarnessError:
        """The reason why this guard ended the machine, or the error itself."""
        return self._contained or error

    def close(self) -> None:
        """End the watch. May be called twice."""
        self._over.set()
        if self._thread.ident:
            self._thread.join()


def _too_much(folder: Path) -> str:
    """Which limit a folder exceeds; empty if none. os.walk is of no use here: it ends at a thousand levels."""
    left, size, files = [str(folder)], 0, 0
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    files += 1
                    with contextlib.suppress(FileNotFoundError):
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            left.append(entry.path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return "it made folders deeper than a path can name"
        if size > _DISK_MAX:
            return f"it wrote {size >> 20} MB to disk"
        if files > _FILES_MAX:
            return f"it made more than {_FILES_MAX} files"
    return ""
