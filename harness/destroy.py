"""The one place that destroys: files and folders, mounts, processes, and what only its maker can remove.

Nobody else in this package removes, unmounts or kills anything (tests/unit/test_destroy.py holds it). Every call
names the ground it stands on and the right it has, and is written to a log; what was refused is written there, too.

Files: only below a ground, a folder that this run made. The way down from the ground is gone by descriptors, so
that no link is followed and no mount is crossed, also if somebody puts one there meanwhile. A bind mount is told by
the kernel's number of the mount: its device number may be that of the folder it lies in.

What is mounted below a ground is unmounted, never removed: it belongs to somebody else.

Processes: only those that are proved to be ours at the moment of the signal: a child that was not waited for yet, or
a process that carries the run's token, held by a descriptor while it is looked at.

What only its maker can remove (a subvolume, a container) goes by the maker's own call, which is made here, after the
same looks: below a ground it is reached as files are; elsewhere it must carry the run's token.

The stand-in ends its own processes itself (`iris force`, `iris stop`): it plays the product, whose business that is.

Source: open(2) O_PATH and O_NOFOLLOW; proc_pid_fdinfo(5), mnt_id; proc_pid_mountinfo(5); pidfd_send_signal(2).
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from harness.errors import RemovalError

LOG_FILE = "removed.log"
"""What a run destroyed, in its folder."""
_UNMOUNT_TIMEOUT_S = 30.0
_DEPTH_MAX = 64
_OCTAL = re.compile(r"\\([0-7]{3})")
_logs: list[Path] = []


# --- the log


@contextmanager
def logged(file: Path) -> Iterator[None]:
    """Write down, until the end of the body, what is destroyed and what is refused."""
    _logs.append(file)
    try:
        yield
    finally:
        _logs.remove(file)


def _note(text: str) -> None:
    if not _logs:
        return
    now = datetime.now(UTC)
    # a full disk must not keep anything from being cleaned up
    with contextlib.suppress(OSError), _opened(_logs[-1]) as log:
        log.write(f"{now:%Y-%m-%dT%H:%M:%S.%fZ} {text}\n")


def _opened(log: Path) -> IO[str]:
    """A log to append to. Raises OSError if a link is there: what it leads to is somebody else's."""
    number = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    return os.fdopen(number, "a", encoding="utf-8", errors="surrogateescape")


# --- files and folders


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A folder below which things may be removed, and why: the right that is written to the log."""

    folder: Path
    right: str


def tree(path: Path, ground: Ground) -> None:
    """Remove a file or a folder with all below it, whatever the modes inside; not there is fine.

    Args:
        path: The ground itself, or something below it.
    Raises:
        RemovalError: it is not below the ground, a link or a mount is in the way, or something could not be removed.
            Everything else below it is gone all the same.
    """
    _Tree(path, ground).remove()


def file(path: Path, ground: Ground) -> None:
    """Remove one file, pipe or link; not there is fine. Raises RemovalError, also for a folder."""
    try:
        is_folder = stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise RemovalError(f"{path}: {error.strerror}") from error
    if is_folder:
        raise RemovalError(f"{path} is a folder, not a file; it is not removed")
    tree(path, ground)


def by_its_maker(path: Path, ground: Ground, delete: Callable[[int, str], object]) -> None:
    """Remove a folder that cannot be emptied, by the call of whoever made it; not there is fine.

    Args:
        path: As for `tree`.
        delete: Given a descriptor of the folder above and the name in it; raises OSError.
    Raises RemovalError: as `tree`, also for a link.
    """
    _Tree(path, ground, delete).remove()


@dataclass
class _Tree:
    """One removal. Problems are kept, so that one file that cannot go does not keep the others."""

    path: Path
    ground: Ground
    delete: Callable[[int, str], object] | None = None
    problems: list[str] = field(default_factory=list)
    removed: int = 0
    base: int = -1
    moved: int = 0

    def remove(self) -> None:
        try:
            self._remove()
        except OSError as error:
            self.problems.append(f"{self.path}: {error.strerror}")
        if self.removed:
            _note(f"removed {self.path} ({self.removed} files and folders): {self.ground.right}")
        if self.problems:
            _note(f"refused: {'; '.join(self.problems)}")
            raise RemovalError("; ".join(self.problems[:3]))

    def _remove(self) -> None:
        steps = self._steps()
        with contextlib.ExitStack() as opened:
            top = self.ground.folder
            try:
                above = _open(top.parent if not steps else top, None)
            except FileNotFoundError:
                return
            opened.callback(os.close, above)
            name = steps[-1] if steps else top.name
            for step in steps[:-1]:
                try:
                    below = _open(step, above)
                except FileNotFoundError:
                    return
                opened.callback(os.close, below)
                if _mount_id(below) != _mount_id(above):
                    self.problems.append(f"{self.path} lies in what is mounted at {step}; it is not removed")
                    return
                above = below
            self._unmount_below()
            if self.delete is None:
                self._entry(above, name, self.path)
            elif not self.problems:
                self._whole(above, name, self.delete)

    def _whole(self, above: int, name: str, delete: Callable[[int, str], object]) -> None:
        with contextlib.ExitStack() as opened:
            try:
                there = _open(name, above)
            except FileNotFoundError:
                return
            opened.callback(os.close, there)
            if _mount_id(there) != _mount_id(above):
                self.problems.append(f"something is mounted at {self.path}; it is not removed")
                return
            folder = os.open(f"/proc/self/fd/{above}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, folder)
            delete(folder, name)
            self.removed += 1

    def _steps(self) -> tuple[str, ...]:
        """The names from the ground down to the path."""
        path, top = self.path.absolute(), self.ground.folder.absolute()
        if ".." in self.path.parts or not path.is_relative_to(top) or top == Path(top.root):
            _note(f"refused {self.path}: it does not lie below {self.ground.folder} ({self.ground.right})")
            raise RemovalError(f"{self.path} does not lie below {self.ground.folder}; it is not removed")
        return path.relative_to(top).parts

    def _unmount_below(self) -> None:
        for mount in mounts_below(self.path):
            problem = unmount(mount, self.ground)
            if problem:
                self.problems.append(
                    f"something is mounted at {mount}, so {self.path} is not removed. Unmount it: {problem}"
                )

    def _entry(self, above: int, name: str, shown: Path, depth: int = 0) -> None:
        try:
            mode = os.lstat(name, dir_fd=above).st_mode
            if not stat.S_ISDIR(mode):
                os.unlink(name, dir_fd=above)
                self.removed += 1
            elif depth > _DEPTH_MAX:
                # nearer to the top: descriptors and calls are limited
                self.moved += 1
                os.rename(name, f".{os.getpid()}-{self.moved}", src_dir_fd=above, dst_dir_fd=self.base)
            elif self._emptied(above, name, shown, depth):
                os.rmdir(name, dir_fd=above)
                self.removed += 1
        except FileNotFoundError:
            return
        except OSError as error:
            self.problems.append(f"{shown}: {error.strerror}")

    def _emptied(self, above: int, name: str, shown: Path, depth: int) -> bool:
        """Whether everything in a folder is gone, and the folder itself may go."""
        before = len(self.problems)
        there = _open(name, above)
        try:
            status = os.fstat(there)
            if _mount_id(there) != _mount_id(above):
                self.problems.append(f"something is mounted at {shown}; it is not removed")
            else:
                self._empty(there, status.st_mode, shown, depth)
        finally:
            os.close(there)
        return len(self.problems) == before

    def _empty(self, there: int, mode: int, shown: Path, depth: int) -> None:
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            Path(f"/proc/self/fd/{there}").chmod(stat.S_IRWXU)
        folder = os.open(f"/proc/self/fd/{there}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.base = folder if depth == 0 else self.base
        try:
            moved = -1
            while moved != self.moved:
                moved = self.moved
                for name in os.listdir(folder):  # noqa: PTH208 # by the descriptor, not by a path
                    self._entry(folder, name, shown / name, depth + 1)
                if depth:
                    break
        finally:
            os.close(folder)


def _open(name: str | Path, above: int | None) -> int:
    """A folder by its name alone: no link, and nothing is asked of whoever serves it. Raises OSError."""
    return os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)


def _mount_id(descriptor: int) -> int:
    text = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("mnt_id:")))


# --- mounts


def mounts_below(path: Path) -> list[Path]:
    """Mount points at and below a path, the last mounted first. A bind mount is found too: the kernel lists it, while
    its device number may be that of the folder it lies in. Raises OSError.
    """
    top = Path(os.path.realpath(path.parent)) / path.name
    return [mount for mount, _ in reversed(mounts()) if mount.is_relative_to(top)]


def mounts() -> list[tuple[Path, str]]:
    """Every mount point that this process sees, in the order of mounting, with its filesystem's type. Raises OSError.

    Source: proc_pid_mountinfo(5): the mount point is field 5, blanks and the like as octal numbers; the type is the
    first after the `-`.
    """
    found = []
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    for line in text.removesuffix("\n").split("\n"):  # splitlines would also split at characters of a path
        before, _, after = line.partition(" - ")
        point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), before.split(" ")[4])
        found.append((Path(point), after.split(" ")[0]))
    return found


def unmount(mount: Path, ground: Ground, *, lazily: bool = False) -> str:
    """Take a mount away from a ground; what was mounted stays as it is.

    Args:
        lazily: Also if somebody uses it: it goes when he does.
    Returns:
        Why it could not be done; empty if it was.
    """
    top = Path(os.path.realpath(ground.folder.parent)) / ground.folder.name
    if not mount.is_relative_to(top):
        _note(f"refused to unmount {mount}: it does not lie below {ground.folder} ({ground.right})")
        return f"it does not lie below {ground.folder}"
    argv = ["umount", "--no-canonicalize", *(["--lazy"] if lazily else []), "--", str(mount)]
    try:
        done = subprocess.run(argv, capture_output=True, check=False, timeout=_UNMOUNT_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        _note(f"could not unmount {mount}: {error}")
        return str(error)
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode:
        _note(f"could not unmount {mount}: {said}")
        return said or f"umount ended with {done.returncode}"
    _note(f"unmounted {mount}: {ground.right}")
    return ""


# --- processes


def group(process: subprocess.Popen[bytes], why: str) -> None:
    """Kill a child that was started in a session of its own, with its process group. Harmless once it has ended."""
    if process.poll() is None:
        # not waited for yet, so its number is still its own
        with contextlib.suppress(ProcessLookupError):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:  # it has not come to make its own group yet
                os.kill(process.pid, signal.SIGKILL)
            _note(f"killed process group {process.pid} ({_words(process.args)}): {why}")


def child(process: subprocess.Popen[bytes] | subprocess.Popen[str], number: signal.Signals, why: str) -> None:
    """Signal a child of this process. Harmless once it has ended."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
            _note(f"sent {number.name} to process {process.pid} ({_words(process.args)}): {why}")


def process(pid: int, number: signal.Signals, is_ours: Callable[[], bool], right: str) -> bool:
    """Signal a process that is no child of this one.

    Args:
        is_ours: Looks at it again, while its number can be nobody else's.
        right: Why it is ours.
    Returns:
        Whether it was signalled.
    """
    try:
        held: int | None = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except OSError:  # a kernel or a container that knows no such descriptors
        held = None
    try:
        if pid <= 1 or pid == os.getpid() or not is_ours():
            return False
        with contextlib.suppress(ProcessLookupError):
            if held is None:
                os.kill(pid, number)
            else:
                signal.pidfd_send_signal(held, number)
            _note(f"sent {number.name} to process {pid}: {right}")
            return True
        return False
    finally:
        if held is not None:
            os.close(held)


def _words(args: object) -> str:
    words = [str(word) for word in args] if isinstance(args, list | tuple) else [str(args)]
    return " ".join(words)[:120]


# --- what is neither file nor process


def marked(
    what: str, mark: str | None, token: str, remove: Callable[[], object], done: str = "removed"
) -> None:
    """Remove something that its maker marked with the token of the run, by its maker's own call.

    Args:
        mark: What it is marked with; None if it is not.
        done: What `remove` does to it, for the log.
    Raises RemovalError: it is not the run's; and what `remove` raises.
    """
    if not token or mark != token:
        _note(f"refused {what}: it is marked {mark!r}, not {token!r}")
        raise RemovalError(f"{what} was not made by run {token or '(none)'}; it is not removed")
    remove()
    _note(f"{done} {what}: run {token} made it")
