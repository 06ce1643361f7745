"""What runs leave behind when they are killed, and how to remove it.

Before a run makes anything it registers: one small file that names its folder, its host and its token. Its processes
carry the token in the environment, its files and mounts lie below the folder. What its hosts and snapshot providers
make beside that they register in the same file, and only they know how it is undone (`harness.undo`). So `clean` can
find everything of a run that is gone, even what was begun a moment before the kill.

`clean` acts on entries that are believed (`harness.session.entry`) and that no run holds. What is not believed is
skipped and named, and all others are cleaned.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness import destroy, plugins
from harness.command import Deadline
from harness.destroy import Ground, mounts_below, unmount
from harness.errors import HarnessError, PreconditionError, RemovalError, UsageError
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
from harness.undo import Made, Register

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


@dataclass(slots=True, kw_only=True)
class _Held:
    """An entry of this process: as it is on disk, the descriptor that holds its lock, and device and inode of the
    folder once that is made.
    """

    entry: Registered
    lock: int
    folder: tuple[int, int] | None = None


_held: dict[str, _Held] = {}
"""By token."""
_writing = threading.Lock()


def register(folder: Path) -> Registered:
    """Register a run, and make its folder; from now on its children carry the token.

    Args:
        folder: Not there yet, and called `work`; the folder above is the caller's.
    Raises PreconditionError: nothing was made.
    """
    token = f"{os.getpid()}-{os.urandom(6).hex()}"
    folder = folder.parent.resolve() / folder.name
    assert folder.name == WORK, f"{folder} is not called {WORK}"
    entry = _locked(token, folder)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        _forget(entry)
        _let_go(entry)
        raise PreconditionError(
            f"cannot make {folder}: {error.strerror}", "Name another folder with --out."
        ) from error
    _held[token].folder = identity(folder)
    os.environ[TOKEN_VARIABLE] = token
    return entry


def registrar(below: Path, group: str, name: str) -> Register:
    """How an adapter, known by its entry point, registers what it will make for the run of this process whose working
    folder is `below`, or lies above that. Raises PreconditionError: there is none.
    """
    for token, held in _held.items():
        if below.resolve().is_relative_to(held.entry.folder):
            return partial(_add, token, group, name)
    raise PreconditionError(f"no run of this process has registered {below}", "Register one before.")


def _add(token: str, group: str, name: str, what: Mapping[str, str]) -> None:
    made = Made(group=group, name=name, what=dict(what))
    with _writing:
        held = _held[token]
        if made in held.entry.made:
            return
        entry = replace(held.entry, made=(*held.entry.made, made))
        state = entry.file.parent
        if len(entry.text) > BYTES_MAX:
            raise PreconditionError(f"{entry.file} is full", "Let a run make fewer snapshots.")
        try:
            lock = _put(entry)
        except OSError as error:
            raise PreconditionError(
                f"what {name} will make cannot be registered in {state}: {error.strerror}",
                "Nothing was made. Make room there.",
            ) from error
        # the lock on the file that was there before goes when that on the new one is held
        os.close(held.lock)
        held.entry, held.lock = entry, lock


def _locked(token: str, folder: Path) -> Registered:
    state = state_folder()
    entry = Registered(file=state / f"{token}.json", token=token, folder=folder, host=HostId.here(), made=())
    try:
        _require_safe(state)
        _require_alone(folder.parent)
        _held[token] = _Held(entry=entry, lock=_put(entry))
        # entry, mark, folder, and back in the other order: a kill leaves nothing that no entry tells of
        os.close(_locked_new(entry.mark, token))
    except OSError as error:
        # a mark that is there is another run's
        with contextlib.suppress(RemovalError):
            destroy.file(entry.file, _entries())
        _let_go(entry)
        raise PreconditionError(
            f"the run cannot be registered in {state}: {error.filename or ''} {error.strerror}",
            "Name a folder of yours on a filesystem with locks in $XDG_STATE_HOME.",
        ) from error
    return entry


def _put(entry: Registered) -> int:
    """Written aside and locked there: an entry is whole and held, or it is the one before, or not there. Returns the
    descriptor that holds the lock. Raises OSError.
    """
    aside = entry.file.with_suffix(ASIDE)
    lock = -1
    try:
        lock = _locked_new(aside, entry.text)
        os.fsync(lock)  # after a crash of the machine there is one of both, too
        aside.rename(entry.file)
    except BaseException:
        if lock >= 0:
            os.close(lock)
        with contextlib.suppress(RemovalError):
            destroy.file(aside, _entries())
        raise
    return lock


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
            held = _held.get(entry.token)
            _remove(held.entry if held else entry, held.folder if held else None)
    finally:
        os.environ.pop(TOKEN_VARIABLE, None)
        _let_go(entry)


def _let_go(entry: Registered) -> None:
    if held := _held.pop(entry.token, None):
        os.close(held.lock)


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
    removed = [f"ended process {pid} ({name})" for pid, name in _end(entry.token)]
    if made and identity(entry.folder) != made:
        _wake_watchdog(entry.token)
        raise RemovalError(
            f"{entry.folder} is not where it was made: somebody moved or removed it, or its disk is gone. "
            "When it is back, or gone for good, run `harness clean`"
        )
    removed += [f"unmounted {mount}" for mount in _unmount(entry)]
    removed += _undone(entry)
    _wake_watchdog(entry.token)
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


def _undone(entry: Registered) -> list[str]:
    """What adapters of the run made beside plain files is removed by them, in the order in which they registered:
    containers go before the volumes that they use. Returns a line for each thing.

    Raises RemovalError: something could not be; all else was. Nothing is removed from the folder then, and the entry
    stays for another `clean`.
    """
    removed, problems = list[str](), list[str]()
    for made in entry.made:
        try:
            removed += _undone_by_its_maker(made, entry)
        except HarnessError as error:
            problems.append(str(error))
    if problems:
        raise RemovalError("; ".join(problems))
    return removed


def _undone_by_its_maker(made: Made, entry: Registered) -> list[str]:
    try:
        adapter = plugins.load(made.group, made.name, ("undo",))
    except (UsageError, PreconditionError) as error:
        raise RemovalError(
            f"{entry.folder} stays, with what {made.name} of {made.group} made beside it, {dict(made.what)}, since "
            f"only that knows how to remove it: {error}. Install it again, and run `harness clean`"
        ) from error
    try:
        return list(adapter.undo(made.what, entry.ground, entry.token))
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:  # whatever a plug-in does
        raise RemovalError(
            f"{made.name} of {plugins.origin(made.group, made.name)} broke off in undo: {error!r}"
        ) from error


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
