"""The entry of a run: what it says, and when it is believed.

`clean` may be root's, and an entry tells it what to remove. So an entry is believed only if

* it is a plain file of the caller's, one name, writable by nobody else, of the shape that is written here;
* the folder it names has a plain absolute path, free of links, ends in /work, and is the caller's;
* the folder above, where nobody else may write, holds a mark of the same token.

A run writes the entry, then the mark, then makes its folder, and removes them in the other order. An entry without
mark and folder is therefore one of a run that had made nothing, or had removed all. What its adapters will make
beside plain files is written into it before they make it (`harness.undo`).

Whether a run still goes on is told by a lock of the kernel on its entry, which the run holds as long as it lives. It
is seen from other PID namespaces and from containers that share the folder, and goes with the process. Where the
folder is shared over a network, the entry says which kernel holds the lock; entries of another host are left to it.

Source: flock(2); random(4), boot_id; machine-id(5).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import re
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.destroy import Ground
from harness.errors import PreconditionError
from harness.owners import require_ours
from harness.undo import HOSTS, SNAPSHOTS, Made

WORK = "work"
"""What the folder of a run's instances is called; everything in it is the run's."""
MARK_FILE = "run-token"
"""Beside it: the token of the run that made it. Gone when the run has cleaned up."""
ASIDE = ".new"
"""Ends the name of an entry that is being written."""
TOKEN = re.compile(r"[0-9]{1,10}-[0-9a-f]{12}")
BYTES_MAX = 1 << 20
_MACHINES_PIDS = "pid:[4026531836]"
"""The first PID namespace of a kernel, which holds all others. Source: include/linux/proc_ns.h, PROC_PID_INIT_INO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostId:
    """Where a process runs: `boot` is new at each start of a kernel, `machine` and `name` tell hosts apart; `pids` is
    the namespace in which its processes have numbers.
    """

    boot: str
    machine: str
    name: str
    pids: str

    @staticmethod
    def here() -> HostId:
        return HostId(
            boot=_text("/proc/sys/kernel/random/boot_id"),
            machine=_text("/etc/machine-id"),
            name=platform.node(),
            pids=str(Path("/proc/self/ns/pid").readlink()),
        )

    def can_be_seen(self, here: HostId) -> bool:
        """Whether processes of there have numbers here: in the same namespace, and in the machine's own."""
        return here.pids in (self.pids, _MACHINES_PIDS)

    def is_gone(self, here: HostId) -> bool:
        """Whether this was our own host before it started anew: what held a lock then, holds none now."""
        return self.boot != here.boot and (self.machine, self.name) == (here.machine, here.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One run's entry: its token, the folder for its instances, the host, and what its adapters may have made."""

    file: Path
    token: str
    folder: Path
    host: HostId
    made: tuple[Made, ...]

    @property
    def mark(self) -> Path:
        return self.folder.parent / MARK_FILE

    @property
    def text(self) -> str:
        """What stands in the file."""
        return json.dumps(
            {
                "token": self.token,
                "folder": str(self.folder),
                "host": asdict(self.host),
                "made": [asdict(made) for made in self.made],
            }
        )

    @property
    def ground(self) -> Ground:
        return Ground(folder=self.folder, right=f"run {self.token} registered it before it was made")


class NotBelieved(Exception):
    """Why an entry is not acted on."""


class NotWhole(NotBelieved):
    """What is in it was not written to its end."""


def state_folder() -> Path:
    """Where entries are kept: $XDG_STATE_HOME/iris-restore-harness."""
    base = Path(os.environ.get("XDG_STATE_HOME") or "relative")
    # XDG Base Directory Specification: a path in it that is relative is to be ignored
    base = base if base.is_absolute() else Path.home() / ".local" / "state"
    return base / "iris-restore-harness"


@contextlib.contextmanager
def believed(file: Path) -> Iterator[Registered | None]:
    """An entry that may be acted on, locked against others; None for a run that goes on. Raises NotBelieved."""
    with opened(file) as descriptor:
        if descriptor is None:
            yield None
            return
        status = os.fstat(descriptor)
        require_own_file(status)
        if not lockable(descriptor) or identity(file) != (status.st_dev, status.st_ino):
            yield None  # the run goes on, or it or another `clean` has removed this a moment ago
            return
        entry = read(file, os.read(descriptor, BYTES_MAX))
        _require_own_host(entry)
        _require_own_folder(entry)
        yield entry


@contextlib.contextmanager
def opened(file: Path) -> Iterator[int | None]:
    """A file that may be anything: no link is followed, and no pipe is waited for; None if it is gone. Raises
    NotBelieved.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise NotBelieved(f"it cannot be opened: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def lockable(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise NotBelieved(f"it cannot be locked: {error.strerror}") from error
    return True


def require_own_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotBelieved("it is no plain file")
    if status.st_uid != os.geteuid():
        raise NotBelieved(f"it belongs to user {status.st_uid}: that user must run `harness clean`")
    if stat.S_IMODE(status.st_mode) & 0o022 or status.st_nlink != 1:
        raise NotBelieved("other users may write to it, or it has another hard link")


def read(file: Path, raw: bytes) -> Registered:
    try:
        data = json.loads(raw.decode())
        entry = Registered(
            file=file,
            token=_of(data, "token", str),
            folder=Path(_of(data, "folder", str)),
            host=HostId(
                **{
                    name: _of(_of(data, "host", dict), name, str)
                    for name in ("boot", "machine", "name", "pids")
                }
            ),
            made=tuple(map(_made, _of(data, "made", list))),
        )
    except json.JSONDecodeError as error:
        raise NotWhole(f"it is not whole JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise NotBelieved(f"it is no entry of this harness: {error}") from error
    if not TOKEN.fullmatch(entry.token) or file.name != f"{entry.token}.json":
        raise NotBelieved("the token in it differs from the one in its file name")
    return entry


def _made(data: Any) -> Made:
    group, name, what = _of(data, "group", str), _of(data, "name", str), _of(data, "what", dict)
    if group not in (HOSTS, SNAPSHOTS):
        raise ValueError(f"{group!r} are no adapters that make anything")
    return Made(group=group, name=name, what={key: _of(what, key, str) for key in what})


def _of(data: Any, name: str, kind: type) -> Any:
    if not isinstance(data, dict) or not isinstance(data.get(name), kind):
        raise ValueError(f"{name} is missing, or of another kind")
    return data[name]


def _require_own_host(entry: Registered) -> None:
    here = HostId.here()
    if not entry.host.boot or (entry.host.boot != here.boot and not entry.host.is_gone(here)):
        raise NotBelieved(
            f"its run is on another host, {entry.host.name}: run `harness clean` there. "
            f"If that host is gone, remove {entry.folder} and this file by hand"
        )
    if entry.host.boot == here.boot and not entry.host.can_be_seen(here):
        raise NotBelieved(
            "its run was in another PID namespace, as a container has, where processes of it may be left: run "
            "`harness clean` there or outside of containers. If that container is gone, remove "
            f"{entry.folder} and this file"
        )


def made_nothing(entry: Registered) -> bool:
    """Neither its folder nor its mark: it was killed before it made them, or after it had removed all."""
    return not os.path.lexists(entry.folder) and not os.path.lexists(entry.mark)


def _require_own_folder(entry: Registered) -> None:
    """The folder may be gone, or not made yet; the mark beside it must say whose it was."""
    folder = entry.folder
    if not _is_plain(str(folder)):
        raise NotBelieved(f"{str(folder)!r} is no plain absolute path")
    if folder.name != WORK:
        raise NotBelieved(f"{folder} is not called {WORK}")
    try:
        if os.path.realpath(folder.parent, strict=True) != str(folder.parent):
            raise NotBelieved(f"a link is part of {folder}")
        require_ours(folder.parent)
        above = folder.parent.lstat()
        if above.st_uid != os.geteuid() or stat.S_IMODE(above.st_mode) & 0o022:
            raise NotBelieved(f"{folder.parent} belongs to user {above.st_uid}, or others may write there")
        if made_nothing(entry):
            return
        _require_mark(entry)
        if os.path.lexists(folder):
            _require_folder(folder)
    except PreconditionError as error:
        raise NotBelieved(error.missing) from error
    except FileNotFoundError as error:
        raise NotBelieved(f"{error.filename} is not there, so nothing tells whose {folder} is") from error
    except OSError as error:
        raise NotBelieved(f"{error.filename}: {error.strerror}") from error


def _is_plain(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return "\0" not in path and Path(path).is_absolute() and os.path.normpath(path) == path


def _require_mark(entry: Registered) -> None:
    with opened(entry.mark) as descriptor:
        if descriptor is None:
            raise NotBelieved(f"{entry.mark} is not there, so nothing tells whose {entry.folder} is")
        require_own_file(os.fstat(descriptor))
        if os.read(descriptor, 100) != entry.token.encode():
            raise NotBelieved(f"{entry.mark} names another run")


def _require_folder(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotBelieved(f"{folder} is no folder")
    if status.st_uid != os.geteuid():
        raise NotBelieved(f"{folder} belongs to user {status.st_uid}")


def identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _text(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except OSError:
        return ""
