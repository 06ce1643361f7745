"""Whose files are: an instance's are for its user alone, and not every instance has the same one.

A container of IRIS runs as user 51773, an installed instance as whoever owns it, the stand-in as whoever called the
harness. So what goes from one to the other changes its owner. Only root can do that; without root all are one user's.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness.files import as_snapshot_error, walk


def hand_over(path: Path, user: int, group: int) -> None:
    """Give a path and all below it to a user and a group, where they are not theirs already; links are given, not
    followed. Without root nothing is done. Raises SnapshotError.
    """
    if os.geteuid() != 0:
        return
    with as_snapshot_error(path):
        for found in walk(path):
            status = found.lstat()
            if (status.st_uid, status.st_gid) != (user, group):
                os.chown(found, user, group, follow_symlinks=False)
