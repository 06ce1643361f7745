"""What runs leave behind when they are killed, and how to remove it.

Before a run makes anything it registers: one small file that names its folder and its process. All it makes
afterwards carries the run's token: its processes in the environment, its files and mounts below the folder.
So `clean` can find everything of a run that is gone, even what was begun a moment before the kill.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness import containers as engine
from harness.command import Deadline
from harness.errors import HarnessError, SnapshotError
from harness.files import mounts_below, remove_tree
from harness.watchdog import LIMIT_S, TOKEN_VARIABLE, WATCHDOG_VARIABLE

_ASIDE = ".new"
_ASKED_TIMEOUT_S = 1.0
_GONE_TIMEOUT_S = 10.0
_EMPTIED_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Registered:
    """One run's entry: the file, the token, the folder for its instances, the process that owns it, and whether
    it makes containers.
    """

    file: Path
    token: str
    folder: Path
    owner_pid: int
    owner_started: int
    containers: bool


def register(folder: Path, *, containers: bool = False) -> Registered:
    """Register a run before it makes anything; from now on its children carry the token.

    Args:
        containers: Whether it may make some, so that `clean` asks the container engine.
    """
    token = f"{os.getpid()}-{os.urandom(6).hex()}"
    state = state_folder()
    state.mkdir(parents=True, exist_ok=True)
    entry = Registered(
        state / f"{token}.json",
        token,
        folder.resolve(),
        os.getpid(),
        _started(os.getpid()) or 0,
        containers,
    )
    # written aside: an entry is whole, or not there
    aside = entry.file.with_suffix(_ASIDE)
    aside.write_text(
        json.dumps(
            {
                "token": token,
                "folder": str(entry.folder),
                "pid": entry.owner_pid,
                "started": entry.owner_started,
                "containers": containers,
            }
        )
    )
    aside.rename(entry.file)
    os.environ[TOKEN_VARIABLE] = token
    return entry


def finish(entry: Registered) -> None:
    """Remove what the run made, and its entry. May be called twice.

    Raises SnapshotError or PreconditionError: something could not be removed; the entry stays for `clean`.
    """
    try:
        _remove(entry)
    finally:
        os.environ.pop(TOKEN_VARIABLE, None)


def clean() -> list[str]:
    """Remove what runs that are gone have left; returns one line for each thing removed.

    Raises PreconditionError or SnapshotError: something of a run could not be removed, or no container engine
    answers; all other runs were cleaned, and that one's entry stays for another `clean`.
    """
    removed = _unfinished()
    problem: HarnessError | None = None
    for entry in _entries():
        if _started(entry.owner_pid) != entry.owner_started:
            try:
                removed += _remove(entry)
            except HarnessError as error:
                problem = problem or error
    if problem:
        raise problem
    return removed


def state_folder() -> Path:
    """Where entries are kept: $XDG_STATE_HOME/iris-restore-harness."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "iris-restore-harness"


def _entries() -> list[Registered]:
    found: list[Registered] = []
    for file in sorted(state_folder().glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError):
            data = json.loads(file.read_text())
            found.append(
                Registered(
                    file,
                    data["token"],
                    Path(data["folder"]),
                    data["pid"],
                    data["started"],
                    data.get("containers", False),
                )
            )
    return found


def _unfinished() -> list[str]:
    """Remove entries that nobody can read, of runs that were killed while they registered: they had made nothing."""
    read = {entry.file for entry in _entries()}
    removed = []
    for file in sorted(state_folder().glob("*-*.*")):
        pid = file.name.partition("-")[0]
        if file.suffix in (".json", _ASIDE) and file not in read and pid.isdigit() and not _started(int(pid)):
            file.unlink(missing_ok=True)
            removed.append(f"entry {file}")
    return removed


def _remove(entry: Registered) -> list[str]:
    _wait_for_watchdog(entry.token)
    removed = _containers(entry)
    removed += [f"process {pid} ({name})" for pid, name in _kill(entry.token)]
    removed += [f"mount {mount}" for mount in _unmount(entry.folder)]
    if entry.folder.exists():
        _delete_subvolumes(entry.folder)
        _remove_folder(entry.folder)
        removed.append(f"folder {entry.folder}")
    entry.file.unlink(missing_ok=True)
    return removed


def _remove_folder(folder: Path) -> None:
    """Tried again for a while: what was killed a moment ago may have made a file. Raises SnapshotError."""
    deadline = Deadline.after(_EMPTIED_TIMEOUT_S)
    while True:
        try:
            return remove_tree(folder)
        except SnapshotError:
            if deadline.passed or mounts_below(folder):
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


def _kill(token: str) -> list[tuple[int, str]]:
    """End every process that carries a token, except this one; returns those there were.

    First they are asked: a session of somebody's instance may be among them, and must be able to clean up.
    """
    killed: dict[int, str] = {}
    for number, timeout_s in ((signal.SIGTERM, _ASKED_TIMEOUT_S), (signal.SIGKILL, _GONE_TIMEOUT_S)):
        deadline = Deadline.after(timeout_s)
        while (found := _carrying(TOKEN_VARIABLE, token)) and not deadline.passed:
            for pid, name in found:
                if number == signal.SIGKILL or pid not in killed:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                killed.setdefault(pid, name)
            time.sleep(0.02)
    return sorted(killed.items())


def _carrying(variable: str, token: str) -> list[tuple[int, str]]:
    mark = f"{variable}={token}".encode()
    found: list[tuple[int, str]] = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(process.name) != os.getpid() and mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((int(process.name), (process / "comm").read_text().strip()))
    return found


def _unmount(folder: Path) -> list[Path]:
    """What is still mounted afterwards is not removed: `remove_tree` sees to that."""
    below = mounts_below(folder)
    for mount in below:
        subprocess.run(["umount", "--lazy", mount], check=False, stderr=subprocess.DEVNULL)
    return below


def _delete_subvolumes(folder: Path) -> None:
    """A btrfs subvolume (inode 256) is not always removable as a folder."""
    for path in sorted(folder.rglob("*"), reverse=True):
        with contextlib.suppress(OSError):
            if (
                path.is_dir()
                and not path.is_symlink()
                and path.stat().st_ino == 256
                and shutil.which("btrfs")
            ):
                subprocess.run(["btrfs", "subvolume", "delete", path], check=False, capture_output=True)


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if there is no such process. proc_pid_stat(5)."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None
