"""Reads below a folder in which somebody hostile writes, at the same time and as root of his own machine.

Whoever reads there by a plain path follows the links that lie there: to a file of this machine, which a report would
then show, or to a pipe that never ends. So every step of a path is taken alone, a link is followed as the machine
follows it (its `/` is the folder, openat2(2): RESOLVE_IN_ROOT), and only a regular file is read, up to a limit.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

READ_BYTES = 8 << 20
_LINKS = 40
_DEPTH = 100
_ENTRIES = 50_000


class Within:
    """The tree below one folder. Paths are the tree's own; every method raises OSError."""

    def __init__(self, top: Path) -> None:
        self._top = top

    def read(self, path: str, most: int = READ_BYTES) -> bytes:
        """The content of a regular file, at most so many bytes of it."""
        reached = self._reached(path)
        try:
            if not stat.S_ISREG(os.fstat(reached).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            with Path(f"/proc/self/fd/{reached}").open("rb") as file:
                return file.read(most)
        finally:
            os.close(reached)

    def text(self, path: str) -> str:
        return self.read(path).decode("utf-8", "replace")

    def status(self, path: str) -> os.stat_result:
        reached = self._reached(path)
        try:
            return os.fstat(reached)
        finally:
            os.close(reached)

    def exists(self, path: str) -> bool:
        try:
            self.status(path)
        except OSError:
            return False
        return True

    def files(self) -> Iterator[str]:
        """Regular files of the folder's own filesystem, not of what is mounted in it; what cannot be read is left
        out, and so is what comes after very many entries."""
        device, left, seen = self.status("/").st_dev, ["/"], 0
        while left and seen < _ENTRIES:
            for entry in self._entries(folder := left.pop()):
                seen += 1
                path = f"{folder}{entry.name}"
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield path
                elif stat.S_ISDIR(status.st_mode) and status.st_dev == device:
                    left.append(f"{path}/")

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            reached = self._reached(folder)
        except OSError:
            return []
        try:
            opened = os.open(f"/proc/self/fd/{reached}", os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return []
        finally:
            os.close(reached)
        try:
            with os.scandir(opened) as entries:
                found = []
                for entry in islice(entries, _ENTRIES):
                    with contextlib.suppress(OSError):
                        entry.stat(follow_symlinks=False)  # the entry keeps it
                        found.append(entry)
                return found
        except OSError:
            return []
        finally:
            os.close(opened)

    def _reached(self, path: str) -> int:
        """A descriptor (O_PATH) of what lies at the end of a path."""
        here = [os.open(self._top, os.O_PATH | os.O_DIRECTORY)]
        try:
            left, links = deque(path.split("/")), 0
            while left:
                name = left.popleft()
                if name in ("", "."):
                    continue
                if name == "..":
                    if len(here) > 1:
                        os.close(here.pop())
                    continue
                if len(here) > _DEPTH:
                    raise OSError(errno.ENAMETOOLONG, "too many folders", path)
                here.append(os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=here[-1]))
                if not stat.S_ISLNK(os.fstat(here[-1]).st_mode):
                    continue
                target, links = os.readlink("", dir_fd=here[-1]), links + 1
                if links > _LINKS:
                    raise OSError(errno.ELOOP, "too many links", path)
                keep = 1 if target.startswith("/") else len(here) - 1
                while len(here) > keep:
                    os.close(here.pop())
                left.extendleft(reversed(target.split("/")))
            return here.pop()
        finally:
            for descriptor in here:
                os.close(descriptor)
