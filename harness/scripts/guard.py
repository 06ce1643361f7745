"""Watches what a machine takes, and ends it when that is too much: a script must not harm the one it is tried on."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path

from harness.errors import HarnessError, InstanceError
from harness.instance.base import Limits, Machine
from harness.scripts import processes

LIMITS = Limits()
_MEMORY_MAX = 3 << 30
_MEMORY_LEFT = 192 << 20
"""Of the real machine. Not all memory shows in processes: a file without a name, a segment nobody has attached."""
_DISK_MAX, _FILES_MAX = 1 << 30, 100_000
_LOOK_EVERY_S = 0.25


class Contained(HarnessError):
    """A script took more than the machine gives; the machine was ended. The text says what."""


class Guard:
    """Looks at a machine from `start` to `close`."""

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
                self._contained = InstanceError("the machine was ended: no memory is left here")
            if self._contained:
                self._machine.close()

    def last_look(self) -> None:
        """Raises Contained for what was taken since the watch looked last."""
        self.check()
        if why := _too_much(self._machine.inside):
            raise Contained(f"the machine was ended: {why}")

    def check(self) -> None:
        """Raises Contained, or InstanceError if this machine itself was about to run out of memory."""
        if self._contained:
            raise self._contained

    def why(self, error: HarnessError) -> HarnessError:
        """What ended the machine, if it was this guard."""
        return self._contained or error

    def close(self) -> None:
        """End the watch. May be called twice."""
        self._over.set()
        if self._thread.ident:
            self._thread.join()


def _too_much(folder: Path) -> str:
    """What of a folder is past the limits; empty if nothing is. Not by os.walk, which ends at a thousand levels."""
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
