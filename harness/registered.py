"""What runs leave behind when they are killed, and how to remove it.

Before a run makes anything it registers: one small file that names its folder, its host and its token. All that it
makes afterwards carries the token: its processes in the environment, its containers as a label, its files and mounts
below the folder. So `clean` can find everything of a run that is gone, even what was begun a moment before the kill.

Whether a run still goes on is told by a lock of the kernel on its entry, which the run holds as long as it lives. It
is seen from other PID namespaces and from containers that share the folder, and goes with the process. Where the
folder is shared over a network, the entry says which kernel holds the lock; entries of another host are left to it.

`clean` may be root's, and an entry tells it what to remove. So an entry is believed only if

* it is a plain file of the caller's, one name, writable by nobody else, of the shape that is written here;
* the folder it names has a plain absolute path, free of links, ends in /work, and is the caller's;
* the folder above, where nobody else may write, holds a mark of the same token.

A run writes the entry, then the mark, then makes its folder, and removes them in the other order. An entry without
mark and folder is therefore one of a run that had made nothing, or had removed all.

What is not believed is skipped and named, and all others are cleaned.

Source: flock(2); random(4), boot_id; machine-id(5).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import re
import signal
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness import containers as engine
from harness import destroy
from harness.command import Deadline
from harness.destroy import Ground, mounts_below, unmount
from harness.errors import HarnessError, PreconditionError, RemovalError
from harness.owners import require_ours
from harness.store import FREEZE_LOG, keep_log
from harness.watchdog import LIMIT_S, TOKEN_VARIABLE, WATCHDOG_VARIABLE

WORK = "work"
"""What the folder of a run's instances is called; everything in it is the run's."""
MARK_FILE = "run-token"
"""Beside it: the token of the run that made it. Gone when the run has cleaned up."""
_ASIDE = ".new"
_TOKEN = re.compile(r"[0-9]{1,10}-[0-9a-f]{12}")
_ENTRY_BYTES_MAX = 1 << 16
_ASKED_TIMEOUT_S = 1.0
_GONE_TIMEOUT_S = 10.0
_EMPTIED_TIMEOUT_S = 3.0
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
    """One run's entry: its token, the folder for its instances, the host, and whether it makes containers."""

    file: Path
    token: str
    folder: Path
    host: HostId
    containers: bool

    @property
    def mark(self) -> Path:
        return self.folder.parent / MARK_FILE

    @property
    def ground(self) -> Ground:
        return Ground(folder=self.folder, right=f"run {self.token} registered it before it was made")


class NotBelieved(Exception):
    """Why an entry is not acted on."""


class NotWhole(NotBelieved):
    """What is in it was not written to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What `clean` did: `removed` and `skipped` hold a line for each thing, `problems` what could not be removed."""

    removed: tuple[str, ...]
    skipped: tuple[str, ...]
    problems: tuple[str, ...]


# --- a run registers, and finishes

_locks: dict[str, int] = {}
"""Descriptors that hold the locks of this process, by token."""
_made: dict[str, tuple[int, int] | None] = {}
"""Device and inode of the folders that this process made, by token."""


def register(folder: Path, *, containers: bool = False) -> Registered:
    """Register a run, and make its folder; from now on its children carry the token.

    Args:
        folder: Not there yet, and called `work`; the folder above is the caller's.
        containers: Whether it may make some, so that `clean` asks the container engine.
    Raises PreconditionError: nothing was made.
    """
    token = f"{os.getpid()}-{os.urandom(6).hex()}"
    folder = folder.parent.resolve() / folder.name
    assert folder.name == WORK, f"{folder} is not called {WORK}"
    entry = _locked(token, folder, containers)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        _forget(entry)
        _let_go(entry)
        raise PreconditionError(
            f"cannot make {folder}: {error.strerror}", "Name another folder with --out."
        ) from error
    _made[token] = _identity(folder)
    os.environ[TOKEN_VARIABLE] = token
    return entry


def _locked(token: str, folder: Path, containers: bool) -> Registered:
    state = state_folder()
    file, host = state / f"{token}.json", HostId.here()
    entry = Registered(file=file, token=token, folder=folder, host=host, containers=containers)
    try:
        _require_safe(state)
        _require_alone(folder.parent)
        # written aside and locked there: an entry is whole and held, or not there
        aside = file.with_suffix(_ASIDE)
        text = {"token": token, "folder": str(folder), "host": asdict(host), "containers": containers}
        _locks[token] = _locked_new(aside, json.dumps(text))
        aside.rename(file)
        # entry, mark, folder, and back in the other order: a kill leaves nothing that no entry tells of
        os.close(_locked_new(entry.mark, token))
    except OSError as error:
        # a mark that is there is another run's
        for made in (file.with_suffix(_ASIDE), file):
            with contextlib.suppress(RemovalError):
                destroy.file(made, _entries())
        _let_go(entry)
        raise PreconditionError(
            f"the run cannot be registered in {state}: {error.filename or ''} {error.strerror}",
            "Name a folder of yours on a filesystem with locks in $XDG_STATE_HOME.",
        ) from error
    return entry


def _require_safe(state: Path) -> None:
    """Raises PreconditionError or OSError: whoever may write there could have `clean` remove what he likes."""
    require_ours(state.parent)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = state.lstat()
    if not stat.S_ISDIR(status.st_mode) or stat.S_IMODE(status.st_mode) & 0o022:
        raise PreconditionError(
            f"{state} is no folder, or others may write there", f"chmod go-w {state}, and look what is in it."
        )
    if status.st_uid != os.geteuid():
        raise PreconditionError(
            f"{state} belongs to user {status.st_uid}", "Name a folder of your own in $XDG_STATE_HOME."
        )


def _require_alone(folder: Path) -> None:
    """Nobody else may write to the folder of a run: whatever umask it was made with. Raises as `_require_safe`."""
    require_ours(folder.parent)
    status = folder.stat()
    if stat.S_IMODE(status.st_mode) & 0o022:
        if status.st_uid != os.geteuid():
            raise PreconditionError(f"others may write to {folder}", "Name a folder of your own with --out.")
        folder.chmod(stat.S_IMODE(status.st_mode) & ~0o022)


def _locked_new(file: Path, text: str) -> int:
    """Write a file that is not there yet, for this user alone; returns the descriptor that holds its lock."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, text.encode())
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def finish(entry: Registered) -> None:
    """Remove what the run made, and its entry. May be called twice.

    Raises RemovalError or PreconditionError: something could not be removed, or its folder is not where it was made;
    the entry stays for `clean`.
    """
    try:
        if entry.file.exists():
            _remove(entry, _made.get(entry.token))
    finally:
        os.environ.pop(TOKEN_VARIABLE, None)
        _let_go(entry)


def _let_go(entry: Registered) -> None:
    if (lock := _locks.pop(entry.token, None)) is not None:
        os.close(lock)


# --- clean


def clean() -> Cleaned:
    """Remove what runs that are gone have left. One that cannot be cleaned, or is not believed, keeps no other."""
    removed, skipped, problems = _unfinished(), list[str](), list[str]()
    for file in sorted(state_folder().glob("*.json")):
        try:
            with _believed(file) as entry:
                if entry and _made_nothing(entry):
                    destroy.file(entry.file, _entries())
                    removed.append(f"removed entry {file}")
                elif entry:
                    with destroy.logged(entry.folder.parent / destroy.LOG_FILE):
                        _keep_freeze_log(entry)
                        removed += _remove(entry)
        except NotBelieved as error:
            skipped.append(f"{file}: {error}")
        except (OSError, ValueError) as error:  # whatever the system makes of what stands in an entry
            problems.append(f"{file}: {error}")
        except HarnessError as error:
            problems.append(f"{file}: {error}")
    return Cleaned(removed=tuple(removed), skipped=tuple(skipped), problems=tuple(problems))


def state_folder() -> Path:
    """Where entries are kept: $XDG_STATE_HOME/iris-restore-harness."""
    base = Path(os.environ.get("XDG_STATE_HOME") or "relative")
    # XDG Base Directory Specification: a path in it that is relative is to be ignored
    base = base if base.is_absolute() else Path.home() / ".local" / "state"
    return base / "iris-restore-harness"


@contextlib.contextmanager
def _believed(file: Path) -> Iterator[Registered | None]:
    """An entry that may be acted on, locked against others; None for a run that goes on. Raises NotBelieved."""
    with _opened(file) as descriptor:
        if descriptor is None:
            yield None
            return
        status = os.fstat(descriptor)
        _require_own_file(status)
        if not _lockable(descriptor) or _identity(file) != (status.st_dev, status.st_ino):
            yield None  # the run goes on, or it or another `clean` has removed this a moment ago
            return
        entry = _read(file, os.read(descriptor, _ENTRY_BYTES_MAX))
        _require_own_host(entry)
        _require_own_folder(entry)
        yield entry


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[int | None]:
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


def _lockable(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise NotBelieved(f"it cannot be locked: {error.strerror}") from error
    return True


def _require_own_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotBelieved("it is no plain file")
    if status.st_uid != os.geteuid():
        raise NotBelieved(f"it belongs to user {status.st_uid}: that user must run `harness clean`")
    if stat.S_IMODE(status.st_mode) & 0o022 or status.st_nlink != 1:
        raise NotBelieved("other users may write to it, or it has another hard link")


def _read(file: Path, raw: bytes) -> Registered:
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
            containers=_of(data, "containers", bool),
        )
    except json.JSONDecodeError as error:
        raise NotWhole(f"it is not whole JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise NotBelieved(f"it is no entry of this harness: {error}") from error
    if not _TOKEN.fullmatch(entry.token) or file.name != f"{entry.token}.json":
        raise NotBelieved("the token in it differs from the one in its file name")
    return entry


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


def _keep_freeze_log(entry: Registered) -> None:
    """For whoever looks into the killed run: its freeze log would go with its folder. Another user may have written
    it, so it is read as what may be anything.
    """
    log = entry.folder / "log" / FREEZE_LOG
    with contextlib.suppress(OSError, NotBelieved, PreconditionError), _opened(log) as descriptor:
        if descriptor is not None and stat.S_ISREG(os.fstat(descriptor).st_mode):
            keep_log(log, entry.folder.parent)


def _made_nothing(entry: Registered) -> bool:
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
        if _made_nothing(entry):
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
    with _opened(entry.mark) as descriptor:
        if descriptor is None:
            raise NotBelieved(f"{entry.mark} is not there, so nothing tells whose {entry.folder} is")
        _require_own_file(os.fstat(descriptor))
        if os.read(descriptor, 100) != entry.token.encode():
            raise NotBelieved(f"{entry.mark} names another run")


def _require_folder(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotBelieved(f"{folder} is no folder")
    if status.st_uid != os.geteuid():
        raise NotBelieved(f"{folder} belongs to user {status.st_uid}")


def _unfinished() -> list[str]:
    """Remove what nobody can read, of runs that were killed while they registered: they had made nothing."""
    removed = []
    for file in sorted(state_folder().glob("*-*")):
        whose = _TOKEN.fullmatch(file.stem)
        if whose and file.suffix in (".json", _ASIDE) and not Path("/proc", file.stem.split("-")[0]).exists():
            with contextlib.suppress(NotBelieved, RemovalError), _opened(file) as descriptor:
                if descriptor is None:
                    continue
                _require_own_file(os.fstat(descriptor))
                if _lockable(descriptor) and not _is_whole(file, descriptor):
                    destroy.file(file, _entries())
                    removed.append(f"removed entry {file}")
    return removed


def _is_whole(file: Path, descriptor: int) -> bool:
    if file.suffix == _ASIDE:
        return False
    try:
        _read(file, os.read(descriptor, _ENTRY_BYTES_MAX))
    except NotWhole:
        return False
    except NotBelieved:
        return True
    return True


def _entries() -> Ground:
    return Ground(folder=state_folder(), right="entries of runs are kept here")


# --- everything of one run


def _remove(entry: Registered, made: tuple[int, int] | None = None) -> list[str]:
    """Remove it all. A folder that was `made` must be there still: what went away with a disk may come back with it,
    and what is there instead is somebody else's, or was made anew by what ran in it.
    """
    _wait_for_watchdog(entry.token)
    removed = _containers(entry)
    removed += [f"ended process {pid} ({name})" for pid, name in _end(entry.token)]
    if made and _identity(entry.folder) != made:
        raise RemovalError(
            f"{entry.folder} is not where it was made: somebody moved or removed it, or its disk is gone. "
            "When it is back, or gone for good, run `harness clean`"
        )
    removed += [f"unmounted {mount}" for mount in _unmount(entry)]
    if os.path.lexists(entry.folder):
        _remove_folder(entry)
        removed.append(f"removed folder {entry.folder}")
    _forget(entry)
    return removed


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _forget(entry: Registered) -> None:
    above = Ground(folder=entry.folder.parent, right=f"run {entry.token} wrote its token here")
    destroy.file(entry.mark, above)
    destroy.file(entry.file, _entries())


def _remove_folder(entry: Registered) -> None:
    """Tried again for a while: what was killed a moment ago may have made a file. Raises RemovalError."""
    deadline = Deadline.after(_EMPTIED_TIMEOUT_S)
    while True:
        try:
            return destroy.tree(entry.folder, entry.ground)
        except RemovalError:
            if deadline.passed or mounts_below(entry.folder):
                raise
            time.sleep(0.1)


def _containers(entry: Registered) -> list[str]:
    """Those of the run, and its volumes. A run that never used an engine needs none to answer now.

    Raises PreconditionError: no engine answers; the entry stays for another `clean`.
    """
    return engine.remove(entry.token) if entry.containers else []


def _wait_for_watchdog(token: str) -> None:
    """A watchdog at work may be all that stands between an instance and a freeze without end."""
    deadline = Deadline.after(LIMIT_S)
    while _carrying(WATCHDOG_VARIABLE, token) and not deadline.passed:
        time.sleep(0.05)


def _end(token: str) -> list[tuple[int, str]]:
    """End every process that carries a token, except this one; returns those there were.

    First they are asked: a session of somebody's instance may be among them, and must be able to clean up.
    """
    ended: dict[int, str] = {}
    right = f"it carries the token of run {token}"
    for number, timeout_s in ((signal.SIGTERM, _ASKED_TIMEOUT_S), (signal.SIGKILL, _GONE_TIMEOUT_S)):
        deadline = Deadline.after(timeout_s)
        while (found := _carrying(TOKEN_VARIABLE, token)) and not deadline.passed:
            for pid, name in found:
                if number == signal.SIGKILL or pid not in ended:
                    destroy.process(pid, number, partial(_carries, pid, TOKEN_VARIABLE, token), right)
                    # one that is stopped takes no notice before it goes on
                    destroy.process(pid, signal.SIGCONT, partial(_carries, pid, TOKEN_VARIABLE, token), right)
                ended.setdefault(pid, name)
            time.sleep(0.02)
    return sorted(ended.items())


def _carrying(variable: str, token: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        if pid != os.getpid() and _carries(pid, variable, token):
            with contextlib.suppress(OSError):
                found.append((pid, (process / "comm").read_text().strip()))
    return found


def _carries(pid: int, variable: str, token: str) -> bool:
    mark = f"{variable}={token}".encode()
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _unmount(entry: Registered) -> list[Path]:
    """What is still mounted afterwards is not removed: `destroy.tree` sees to that."""
    return [mount for mount in mounts_below(entry.folder) if not unmount(mount, entry.ground, lazily=True)]


def _text(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except OSError:
        return ""
