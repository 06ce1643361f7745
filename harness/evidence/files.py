"""Files of a source and of its image: what they are, what an image must hold, and what a backup may leave out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStatus:
    """What shows whether a file was touched; times in nanoseconds since the epoch."""

    path: Path
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int

    @staticmethod
    def of(path: Path) -> FileStatus:
        return FileStatus.from_stat(path, path.stat())

    @staticmethod
    def from_stat(path: Path, status: os.stat_result) -> FileStatus:
        return FileStatus(
            path=path,
            inode=status.st_ino,
            size_bytes=status.st_size,
            modified_ns=status.st_mtime_ns,
            changed_ns=status.st_ctime_ns,
        )


def written(before: FileStatus, after: FileStatus) -> str | None:
    """How two looks at a file differ, if it was written or replaced between them; None if it was not.

    A change of owner, mode or times moves the change time alone. Source: inode(7).
    """
    if before.size_bytes != after.size_bytes:
        return f"size {before.size_bytes} bytes at the freeze, {after.size_bytes} at the thaw"
    if before.inode != after.inode:
        return "another file has its name"
    if before.modified_ns != after.modified_ns:
        return f"last written {(after.modified_ns - before.modified_ns) / 1e9:.3f} s later than at the freeze"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFile:
    """A file that an image must hold: its path below the root of what was captured, and the sizes it may have.

    `most` None: it was another file of that name before and after the window, so any size is right. `database` if it
    belongs to one. `digest` of its content where that was read: of small files that did not change.
    """

    path: Path
    least: int
    most: int | None
    database: bool = False
    digest: str | None = None


def left_out(path: Path) -> bool:
    """Whether a backup may leave this file of an instance out: the engine makes it anew when it opens what is beside
    it.

    Source: Data Integrity Guide, "iris.lck" (cache.lck): the lock file of an open database or journal folder;
    System Administration Guide: IRISTEMP (CACHETEMP) is made anew at each start.
    """
    return path.suffix == ".lck" or path.parent.name.lower() in ("iristemp", "cachetemp")
