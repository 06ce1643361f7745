"""A disk without room, or one that may only be read, is no answer about an image; a file that cannot be read is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness.errors import HarnessError, RestoreError, SnapshotError
from harness.stages.restore import _as_restore_error


@pytest.mark.parametrize(
    ("number", "seen"),
    [
        (errno.ENOSPC, SnapshotError),
        (errno.EDQUOT, SnapshotError),
        (errno.EROFS, SnapshotError),
        (errno.ENOTDIR, RestoreError),
        (errno.EIO, RestoreError),
    ],
)
def test_what_speaks_of_the_image(number: int, seen: type[HarnessError], tmp_path: Path) -> None:
    """The first three were once a FAIL of the backup."""
    with pytest.raises(HarnessError) as raised, _as_restore_error(tmp_path):
        raise OSError(number, os.strerror(number))
    assert seen is type(raised.value)
