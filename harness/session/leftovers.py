"""What runs leave behind when they are killed, and how to remove it.

Before a run makes anything it registers: one small file that names its folder, its host and its token. All that it
makes afterwards carries the token: its processes in the environment, its containers as a label, its files and mounts
below the folder. So `clean` can find everything of a run that is gone, even what was begun a moment before the kill.

`clean` acts on entries that are believed (`harness.session.entry`) and that no run holds. What is not believed is
skipped and named, and all others are cleaned.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import stat
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from harness import containers as engine
from harness import destroy
from harness.command import Deadline
from harness.destroy import Ground, mounts_below, unmount
from harness.errors import HarnessError, PreconditionError, RemovalError
from harness.owners import require_ours
from harness.session.entry import (
    ASIDE,
    BYTES_MAX,
    TOKEN,
    WORK,
    HostId,
    NotBelieved,
    NotWhole,
    Registered,
    believed,
    identity,
    lockable,
    made_nothing,
    opened,
    read,
    require_own_file,
    state_folder,
)
from harness.session.watchdog import LIMIT_S, TOKEN_VARIABLE, WATCHDOG_VARIABLE
from harness.store import FREEZE_LOG, keep_log

_ASKED_TIMEOUT_S = 1.0
_GONE_TIMEOUT_S = 10.0
_EMPTIED_TIMEOUT_S = 3.0


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
    _made[token] = identity(folder)
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
        aside = file.with_suffix(ASIDE)
        text = {"token": token, "folder": str(folder), "host": asdict(host), "containers": containers}
        _locks[token] = _locked_new(aside, json.dumps(text))
        aside.rename(file)
        # entry, mark, folder, and back in the other order: a kill leaves nothing that no entry tells of
        os.close(_locked_new(entry.mark, token))
    except OSError as error:
        # a mark that is there is another run's
        for made in (file.with_suffix(ASIDE), file):
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
            with believed(file) as entry:
                if entry and made_nothing(entry):
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


def _keep_freeze_log(entry: Registered) -> None:
    """For whoever looks into the killed run: its freeze log would go with its folder. Another user may have written
    it, so it is read as what may be anything.
    """
    log = entry.folder / "log" / FREEZE_LOG
    with contextlib.suppress(OSError, NotBelieved, PreconditionError), opened(log) as descriptor:
        if descriptor is not None and stat.S_ISREG(os.fstat(descriptor).st_mode):
            keep_log(log, entry.folder.parent)


def _unfinished() -> list[str]:
    """Remove what nobody can read, of runs that were killed while they registered: they had made nothing."""
    removed = []
    for file in sorted(state_folder().glob("*-*")):
        whose = TOKEN.fullmatch(file.stem)
        if whose and file.suffix in (".json", ASIDE) and not Path("/proc", file.stem.split("-")[0]).exists():
            with contextlib.suppress(NotBelieved, RemovalError), opened(file) as descriptor:
                if descriptor is None:
                    continue
                require_own_file(os.fstat(descriptor))
                if lockable(descriptor) and not _is_whole(file, descriptor):
                    destroy.file(file, _entries())
                    removed.append(f"removed entry {file}")
    return removed


def _is_whole(file: Path, descriptor: int) -> bool:
    if file.suffix == ASIDE:
        return False
    try:
        read(file, os.read(descriptor, BYTES_MAX))
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
    _wake_watchdog(entry.token)
    if made and identity(entry.folder) != made:
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


def _wake_watchdog(token: str) -> None:
    """One that waits between two tries sees at once that its instance is gone, if it was one of the run, and ends."""
    right = f"it carries the token of run {token}"
    for pid, _ in _carrying(WATCHDOG_VARIABLE, token):
        destroy.process(pid, signal.SIGCONT, partial(_carries, pid, WATCHDOG_VARIABLE, token), right)
    deadline = Deadline.after(_GONE_TIMEOUT_S)
    while _carrying(WATCHDOG_VARIABLE, token) and not deadline.passed:
        time.sleep(0.02)


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
