"""A volume that can clone files: XFS in a file, on a loop device; gone afterwards on every path."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VOLUME_BYTES = 3 << 30
_TIMEOUT_S = 60


class CannotClone(Exception):
    """There is no such volume here; the text says why."""


@contextmanager
def xfs_volume(folder: Path) -> Iterator[Path]:
    """Mount point of a fresh XFS. Raises CannotClone: then nothing is left."""
    if os.geteuid() != 0:
        raise CannotClone("a loop device needs root")
    for tool, package in (("mkfs.xfs", "xfsprogs"), ("losetup", "mount")):
        if shutil.which(tool) is None:
            raise CannotClone(f"{tool} is missing: apt-get install {package}")
    image, point = folder / "xfs.image", folder / "xfs"
    point.mkdir(exist_ok=True)
    try:
        with image.open("wb") as file:
            file.truncate(VOLUME_BYTES)
        _run("mkfs.xfs", "-q", "-m", "reflink=1", str(image))
        with _attached(image) as device, _mounted(device, point):
            yield point
    finally:
        image.unlink(missing_ok=True)


@contextmanager
def _attached(image: Path) -> Iterator[str]:
    device = _run("losetup", "--find", "--show", str(image)).strip()
    try:
        yield device
    finally:
        _run("losetup", "--detach", device)


@contextmanager
def _mounted(device: str, point: Path) -> Iterator[None]:
    _run("mount", device, str(point))
    try:
        yield
    finally:
        for _ in range(50):
            if subprocess.run(["umount", point], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                break
            time.sleep(0.1)
        else:
            _run("umount", "--lazy", str(point))


def _run(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except subprocess.CalledProcessError as error:
        raise CannotClone(f"{' '.join(argv)}: {error.stderr.strip()}") from error
    return done.stdout
