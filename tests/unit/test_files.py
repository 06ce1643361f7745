"""Copying of files: the ways around calls that a filesystem does not offer, and the ends that are errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness import files
from harness.command import Deadline
from harness.errors import SnapshotError
from harness.files import Method, allocated_bytes, copy_paths, filesystem_type

CONTENT = os.urandom(300_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "a.dat").write_bytes(CONTENT)
    return folder


def refuse(number: int) -> object:
    def step(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return step


@pytest.mark.parametrize("refused", [["_by_copy_file_range"], ["_by_copy_file_range", "_by_sendfile"]])
@pytest.mark.parametrize("how", [errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, 0])
def test_another_call_takes_over(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: list[str], how: int
) -> None:
    """A call that is refused, or that moves nothing, is replaced by the next slower one."""
    for name in refused:
        monkeypatch.setattr(files, name, refuse(how) if how else lambda *_: 0)
    assert copy_paths(root, [Path("a.dat")], tmp_path / "to", Method.COPY) == len(CONTENT)
    assert (tmp_path / "to" / "a.dat").read_bytes() == CONTENT


def test_real_failure_is_not_retried(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read error is an error that names both files."""
    monkeypatch.setattr(files, "_by_copy_file_range", refuse(errno.EIO))
    with pytest.raises(SnapshotError, match=r"root/a\.dat to .*to/a\.dat: Input/output error"):
        copy_paths(root, [Path("a.dat")], tmp_path / "to", Method.COPY)


def test_file_that_shrinks_is_an_error(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that ends early while it is copied was not held still."""
    for name in ("_by_copy_file_range", "_by_sendfile", "_by_read_and_write"):
        monkeypatch.setattr(files, name, lambda *_: 0)
    with pytest.raises(SnapshotError, match="it shrank"):
        copy_paths(root, [Path("a.dat")], tmp_path / "to", Method.COPY)


@pytest.mark.parametrize("method", list(Method))
def test_deadline(root: Path, tmp_path: Path, method: Method) -> None:
    """No byte is copied after the deadline."""
    with pytest.raises(SnapshotError, match="deadline"):
        copy_paths(root, [Path("a.dat")], tmp_path / "to", method, Deadline.after(0))


def test_sockets_and_pipes_are_left_out_and_devices_refused(root: Path, tmp_path: Path) -> None:
    """A pipe holds no data; a device cannot be copied."""
    os.mkfifo(root / "pipe")
    copy_paths(root, [Path()], tmp_path / "to", Method.COPY)
    assert [entry.name for entry in (tmp_path / "to").iterdir()] == ["a.dat"]
    with pytest.raises(SnapshotError, match="device"):
        copy_paths(Path("/dev"), [Path("null")], tmp_path / "other", Method.COPY)


def test_allocated_bytes_knows_holes(root: Path) -> None:
    """A sparse file counts for what it occupies."""
    with (root / "sparse").open("wb") as file:
        file.truncate(50_000_000)
    assert len(CONTENT) <= allocated_bytes(root, [Path()]) < 1_000_000


def test_filesystem_type() -> None:
    """The longest mount point above a path decides."""
    assert filesystem_type(Path("/proc/self")) == "proc"
