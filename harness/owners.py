"""Whose files are: who else could change a folder, and who uses the files of an instance.

An instance's files are for its user alone, and not every instance has the same one. A container of IRIS runs as user
51773, an installed instance as whoever owns it, the stand-in as whoever called the harness. So what goes from one to
the other changes its owner. Only root can do that; without root all are one user's.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from harness.errors import PreconditionError
from harness.files import as_snapshot_error, walk


def require_ours(folder: Path) -> None:
    """Raises PreconditionError if another user of this machine could put something else in the place of a folder: it,
    or one above it, is his, or open to all without the sticky bit.

    Root may be called by sudo or pkexec from a folder of the one who calls, who is root already. An owner without an
    account here is nobody who could log in: so it is in a container that is given a folder from outside.
    """
    trusted = {0, os.geteuid()}
    trusted |= {
        int(uid) for name in ("SUDO_UID", "PKEXEC_UID") if (uid := os.environ.get(name, "")).isdigit()
    }
    here = Path(os.path.realpath(folder))
    for above in (here, *here.parents):
        try:
            status = above.stat()
        except OSError:
            continue
        open_to_all = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
        if open_to_all or (status.st_uid not in trusted and _has_account(status.st_uid)):
            whose = "anybody may write to" if open_to_all else f"user {status.st_uid} owns"
            raise PreconditionError(
                f"{whose} {above}, and could change what a run finds in {folder}",
                "Name a folder of your own, by --out or in $XDG_STATE_HOME.",
            )


def _has_account(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


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
