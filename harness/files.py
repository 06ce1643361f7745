"""Copying files and folders: whole, fast, and only what was asked for.

Copies run inside the freeze window, so the kernel moves the bytes (clone, copy_file_range, sendfile) and
nothing is forced to disk: the copy is read back on the same machine. Holes stay holes. Big files go one after
another, because two at a time make one disk seek between them.

A copy keeps mode, owner (where we may set it), times, hard links among what is copied, and symbolic links
that stay inside the source. A symbolic link that leads out is refused: in a restored copy it would lead to
the live database. Sockets and pipes hold no data and are left out; devices are refused.

Journals may grow while they are copied: a file is copied to the size it had when it was opened.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.command import Deadline
from harness.destroy import mounts
from harness.errors import SnapshotError

FICLONE = 0x40049409
"""ioctl request: share the blocks of another file. Source: linux/fs.h, ioctl_ficlone(2)."""

_STEP_BYTES_MAX = 64 * 1024 * 1024
_BUFFER_BYTES = 1024 * 1024

_NOT_THIS_WAY = frozenset(
    {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY, errno.EBADF, errno.EPERM}
)
"""Errors that say "use another call for these two files"; a real failure repeats itself there."""


class Method(enum.Enum):
    """How the bytes of a file get into its copy."""

    COPY = "copy"
    CLONE = "clone"
    CLONE_OR_COPY = "clone or copy"


def copy_paths(
    root: Path, paths: Iterable[Path], target: Path, method: Method, deadline: Deadline | None = None
) -> int:
    """Copy files and folders below `root` to the same relative paths below `target`.

    Args:
        paths: Relative to `root`, without `..`; `.` is all of it.
        target: Folder, made if it is not there.
        deadline: When it passes, the copy ends with an error.
    Returns:
        Bytes copied, as the sum of file sizes (holes count, a hard link counts once).
    Raises:
        SnapshotError: nothing was copied, or only a part, which is left for the caller to remove.
    """
    job = _Job(method, root, deadline)
    with as_snapshot_error(target):
        target.mkdir(exist_ok=True)
    for path in paths:
        require_inside(root, path)
        job.copy_parents(path, target)
        job.copy(root / path, target / path)
    return job.copied_bytes


def clone(source: Path, target: Path) -> None:
    """Make `target`, a new file, share the blocks of `source`. Raises OSError, leaving an empty target."""
    with source.open("rb") as reader, target.open("xb") as writer:
        fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())


def allocated_bytes(root: Path, paths: Iterable[Path]) -> int:
    """Bytes that the paths occupy on disk. Raises SnapshotError for what `copy_paths` would refuse."""
    total = 0
    for path in paths:
        require_inside(root, path)
        with as_snapshot_error(root / path):
            for found in walk(root / path):
                _require_copyable(found, root)
                total += found.lstat().st_blocks * 512
    return total


def size_bytes(root: Path, paths: Iterable[Path]) -> int:
    """Sum of the sizes of the files at and below the paths. Raises SnapshotError."""
    total = 0
    for path in paths:
        with as_snapshot_error(root / path):
            statuses = [found.lstat() for found in walk(root / path)]
        total += sum(status.st_size for status in statuses if stat.S_ISREG(status.st_mode))
    return total


def walk(path: Path) -> Iterator[Path]:
    """The path and all that lies below it; symbolic links are not followed. Raises OSError."""
    yield path
    if stat.S_ISDIR(path.lstat().st_mode):
        for entry in sorted(path.iterdir()):
            yield from walk(entry)


def require_inside(root: Path, path: Path) -> None:
    """Raises SnapshotError unless `path` is relative and stays below its root."""
    if path.is_absolute() or ".." in path.parts:
        raise SnapshotError(f"{path} does not lie below {root}; paths of a snapshot are relative to its root")


def digest_of(file: Path) -> str | None:
    """A digest of a file's content; None if it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


def filesystem_type(path: Path) -> str:
    """Type of the filesystem a path lies on, such as `ext4`; `unknown` if the kernel does not tell."""
    resolved, best, kind = path.resolve(), Path(), "unknown"
    with contextlib.suppress(OSError):
        for mount, of in mounts():
            if resolved.is_relative_to(mount) and len(mount.parts) >= len(best.parts):
                best, kind = mount, of
    return kind


class _Job:
    """One run of `copy_paths`."""

    def __init__(self, method: Method, root: Path, deadline: Deadline | None) -> None:
        self.copied_bytes = 0
        self._method = method
        self._root = root
        self._deadline = deadline
        self._linked: dict[tuple[int, int], Path] = {}

    def copy_parents(self, path: Path, target: Path) -> None:
        """Folders above a path, with the modes of the source, but open to us until the copy is done."""
        for parent in reversed(path.parents[:-1]):
            with as_snapshot_error(target / parent):
                (target / parent).mkdir(exist_ok=True)
                _keep_status((self._root / parent).lstat(), target / parent, extra_mode=stat.S_IRWXU)

    def copy(self, source: Path, target: Path) -> None:
        with as_snapshot_error(source, target):
            status = source.lstat()
            _require_copyable(source, self._root)
            if stat.S_ISDIR(status.st_mode):
                self._copy_folder(source, target, status)
            elif stat.S_ISLNK(status.st_mode):
                target.symlink_to(source.readlink())
            elif stat.S_ISREG(status.st_mode):
                self._copy_or_link(source, target, status)

    def _copy_folder(self, source: Path, target: Path, status: os.stat_result) -> None:
        target.mkdir(exist_ok=True)
        for entry in sorted(source.iterdir()):
            self.copy(entry, target / entry.name)
        _keep_status(status, target)

    def _copy_or_link(self, source: Path, target: Path, status: os.stat_result) -> None:
        identity = (status.st_dev, status.st_ino)
        if status.st_nlink > 1 and identity in self._linked:
            os.link(self._linked[identity], target)
            return
        self.copied_bytes += self._copy_file(source, target)
        self._linked[identity] = target

    def _copy_file(self, source: Path, target: Path) -> int:
        with source.open("rb", buffering=0) as reader, target.open("xb", buffering=0) as writer:
            status = os.fstat(reader.fileno())
            if not self._cloned(reader.fileno(), writer.fileno()):
                self._copy_data(reader.fileno(), writer.fileno(), status.st_size, source)
        _keep_status(status, target)
        return status.st_size

    def _cloned(self, reader: int, writer: int) -> bool:
        if self._method is Method.COPY:
            return False
        self._require_time()
        try:
            fcntl.ioctl(writer, FICLONE, reader)
        except OSError as error:
            if self._method is Method.CLONE or error.errno not in _NOT_THIS_WAY:
                raise
            return False
        return True

    def _copy_data(self, reader: int, writer: int, size: int, source: Path) -> None:
        os.ftruncate(writer, size)
        for start, end in _extents(reader, size):
            self._copy_extent(reader, writer, start, end, source)

    def _copy_extent(self, reader: int, writer: int, start: int, end: int, source: Path) -> None:
        offset = start
        for step in (_by_copy_file_range, _by_sendfile, _by_read_and_write):
            try:
                while offset < end:
                    self._require_time()
                    moved = step(reader, writer, offset, min(end - offset, _STEP_BYTES_MAX))
                    if moved == 0:
                        break
                    offset += moved
                else:
                    return
            except OSError as error:
                if error.errno not in _NOT_THIS_WAY or step is _by_read_and_write:
                    raise
        raise SnapshotError(f"{source} ended at byte {offset} of {end}: it shrank while it was copied")

    def _require_time(self) -> None:
        if self._deadline is not None and self._deadline.passed:
            raise SnapshotError(
                f"the copy did not end before its deadline; {self.copied_bytes} bytes were copied"
            )


def _by_copy_file_range(reader: int, writer: int, offset: int, count: int) -> int:
    return os.copy_file_range(reader, writer, count, offset, offset)


def _by_sendfile(reader: int, writer: int, offset: int, count: int) -> int:
    os.lseek(writer, offset, os.SEEK_SET)
    return os.sendfile(writer, reader, offset, count)


def _by_read_and_write(reader: int, writer: int, offset: int, count: int) -> int:
    data = os.pread(reader, min(count, _BUFFER_BYTES), offset)
    return os.pwrite(writer, data, offset)


def _extents(reader: int, size: int) -> Iterator[tuple[int, int]]:
    """Where the file has data. A filesystem that knows no holes reports one extent (lseek(2))."""
    end = 0
    while end < size:
        try:
            start = os.lseek(reader, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        if start >= size:
            return
        end = min(os.lseek(reader, start, os.SEEK_HOLE), size)
        yield start, end


def _require_copyable(path: Path, root: Path) -> None:
    mode = path.lstat().st_mode
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        raise SnapshotError(f"{path} is a device; only files and folders can be captured")
    if stat.S_ISLNK(mode):
        link = path.readlink()
        leads_to = Path(os.path.normpath(path.parent / link))
        if link.is_absolute() or not leads_to.is_relative_to(os.path.normpath(root)):
            raise SnapshotError(
                f"{path} is a symbolic link to {link}, outside of {root}; capture what it leads to instead"
            )


def _keep_status(status: os.stat_result, target: Path, extra_mode: int = 0) -> None:
    # Owner first: chown clears set-user-id bits. Only root may give files away; others keep their own.
    with contextlib.suppress(PermissionError):
        os.chown(target, status.st_uid, status.st_gid)
    target.chmod(stat.S_IMODE(status.st_mode) | extra_mode)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


@contextlib.contextmanager
def as_snapshot_error(path: Path, target: Path | None = None) -> Iterator[None]:
    """Turns an OSError into a SnapshotError that names the file, and the room left when that ran out."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SnapshotError(
                f"no room for {target or path}: {_free_bytes(target or path)} bytes are free"
            ) from error
        named = f" to {target}" if target is not None else ""
        raise SnapshotError(f"{path}{named}: {error.strerror}") from error


def _free_bytes(path: Path) -> int:
    there = next(folder for folder in path.absolute().parents if folder.exists())
    return shutil.disk_usage(there).free


def new_folder(parent: Path, name: str) -> Path:
    """A new folder `name-1`, or with the next number that is free."""
    number = sum(1 for path in parent.iterdir() if path.name.startswith(name)) + 1
    folder = parent / f"{name}-{number}"
    folder.mkdir()
    return folder
