"""Volumes whose files can share blocks, on loop devices: made once for a whole soak, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KINDS = {"xfs": "xfsprogs", "btrfs": "btrfs-progs"}
"""Filesystem → Debian's package that makes it."""
_BYTES = 3 << 30
_TIMEOUT_S = 60
_MEMORY = Path("/dev/shm")
"""Where the images lie if it has room: a loop device over a disk's file makes a cycle three times as long."""


class CannotMake(Exception):
    """There is no such volume here; the text says why."""


@contextmanager
def volume(kind: str, folder: Path) -> Iterator[Path]:
    """Mount point of a fresh filesystem. Raises CannotMake: then nothing is left."""
    if os.geteuid() != 0:
        raise CannotMake("a loop device needs root")
    if shutil.which(f"mkfs.{kind}") is None:
        raise CannotMake(f"mkfs.{kind} is missing: apt-get install {KINDS[kind]}")
    point = folder / kind
    point.mkdir()
    handle, name = tempfile.mkstemp(dir=_place(folder), prefix="soak-", suffix=f"-{kind}.image")
    image = Path(name)
    try:
        os.ftruncate(handle, _BYTES)
        os.close(handle)
        _run(f"mkfs.{kind}", "-q", str(image))
        _run("mount", "-o", "loop", str(image), str(point))
        try:
            yield point
        finally:
            _unmount(point)
    finally:
        image.unlink(missing_ok=True)


@contextmanager
def small_disk(point: Path, size_bytes: int) -> Iterator[Path]:
    """A small filesystem in memory at a folder that is there. Raises CannotMake."""
    if os.geteuid() != 0:
        raise CannotMake("a filesystem of its own needs root")
    _run("mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=755", "small", str(point))
    try:
        yield point
    finally:
        # whoever still uses it keeps it for so long
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)


def _place(folder: Path) -> Path:
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > len(KINDS) * _BYTES
    return _MEMORY if roomy else folder


def _unmount(point: Path) -> None:
    for _ in range(50):
        if subprocess.run(["umount", point], stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.1)
    _run("umount", "--lazy", str(point))


def _run(*argv: str) -> None:
    try:
        subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except subprocess.CalledProcessError as error:
        raise CannotMake(f"{' '.join(argv)}: {error.stderr.strip()}") from error
