"""A place made of Linux namespaces, held by one process: whoever ends that process ends all that is in the place.

The stand-in's hosts share this; what surrounds an instance beside its namespaces (files, users) is theirs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path

from harness import destroy
from harness.command import AT_THE_WORD, ENDS_TIMEOUT_S, HERE, Completed, Prepared, Transcript, run
from harness.errors import (
    CommandError,
    CommandTimeout,
    InstanceError,
    InstanceGone,
    PreconditionError,
    StartError,
)
from harness.instance.first import ENDS_TOGETHER_S, FirstProcess
from harness.talk import Talk

STANDIN_BIN = Path(__file__).parent.parent / "standin" / "bin"
START_TIMEOUT_S = 60.0
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
_REPORTED_MAX = 125
"""Statuses above it are no report of the program: it could not be run, or a signal ended it (sh)."""


class NamespacePlace:
    """One sandbox. Made running; `close` ends it.

    Args of `__init__`:
        hold: Makes the namespaces, says `ready` and stays; its first child is the first process in them.
        namespaces: Options of nsenter that name the namespaces to enter, and as whom.
        bare: Words before every command of the harness's own that leads in there: what runs in there inherits what
            they let through, and nothing of whoever called the harness.
        begin: Called with the process of `hold` before it is waited for.
    """

    isolated = True

    def __init__(
        self,
        name: str,
        hold: Sequence[str],
        namespaces: Sequence[str],
        *,
        environment: dict[str, str],
        transcript: Transcript,
        bare: Sequence[str],
        begin: Callable[[subprocess.Popen[bytes]], None] = lambda holder: None,
    ) -> None:
        self.name = name
        self.files: Path | None = None
        self.where = f"namespaces of its own ({name})"
        self._environment = environment
        self._transcript = transcript
        self._pid = 0
        transcript.started(HERE, hold)
        self._held: FirstProcess | None = None
        self._holder = subprocess.Popen(
            [*bare, *hold],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._holder.stdin and self._holder.stdout and self._holder.stderr
        limit = threading.Timer(
            START_TIMEOUT_S, destroy.group, (self._holder, f"the sandbox of {name} was not made in time")
        )
        limit.daemon = True
        limit.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                begin(self._holder)
                self._holder.stdin.close()
            ready = self._holder.stdout.readline()
        finally:
            limit.cancel()
        if ready != b"ready\n":
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._holder.wait(timeout=ENDS_TOGETHER_S)
            destroy.group(self._holder, f"the sandbox of {name} was not made")
            talk = Talk(self._holder)
            talk.after_kill()
            said = talk.stderr.strip().partition("\n")[0]
            self.close()
            advice = f"{rights_for_root()}, or see" if os.geteuid() == 0 else "See"
            raise PreconditionError(
                f"the sandbox of {name} could not be made: {said}", f"{advice} `harness doctor`."
            )
        self._pid = self._first_process()
        self._held = FirstProcess(self._pid)
        self._enter = [*bare, "nsenter", f"--target={self._pid}", *namespaces, "--"]

    def run(
        self, argv: Sequence[str], *, accept: Collection[int] | None = (0,), timeout_s: float = 60.0
    ) -> Completed:
        self.require_there()
        with self._transcript.noting(self.name, argv) as note:
            done = run(self.argv(argv), accept=None, timeout_s=timeout_s, env=self._environment, noted=False)
            self.require_there(failed=done.status == -signal.SIGKILL)
            if accept is not None and done.status not in accept:
                raise CommandError(argv, done.status, done.duration_s, done.stdout + done.stderr)
            return note(done)

    def _first_process(self) -> int:
        pid = self._holder.pid
        try:
            return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        except (OSError, IndexError) as error:
            self.close()
            raise InstanceGone(f"the processes of {self.name} have been ended") from error

    def require_there(self, *, failed: bool = False) -> None:
        first = self._held
        if first is None or first.has_ended or (failed and first.ends_soon()):
            raise InstanceGone(f"the processes of {self.name} have been ended")

    def prepare(self, argv: Sequence[str]) -> Prepared:
        way_in = [*self._enter, *AT_THE_WORD]
        return Prepared([*way_in, *self._found(argv)], argv, self._environment, place=self.name)

    def open(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        self._transcript.started(self.name, argv)
        return subprocess.Popen(
            self.argv(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self._environment, "LC_ALL": "C"},
            start_new_session=True,
        )

    def argv(self, argv: Sequence[str]) -> list[str]:
        return [*self._enter, *self._found(argv)]

    def is_there_argv(self) -> list[str]:
        """The first process is told from a later one of the same number by the moment it began. One that has ended is
        gone even while it is listed (Z), since its parent has not asked for it. Source: proc_pid_stat(5).
        """
        script = 'seen=$(cut -d" " -f3,22 "/proc/$0/stat" 2>/dev/null); [ "${seen#[!Z] }" = "$1" ] || exit 1'
        return ["sh", "-c", script, str(self._pid), str(self._held.began if self._held else "")]

    def _found(self, argv: Sequence[str]) -> list[str]:
        return [shutil.which(argv[0], path=self._environment["PATH"]) or argv[0], *argv[1:]]

    def stop(self) -> None:
        iris(self, "stop", self.name, "quietly")

    def crash(self) -> None:
        iris(self, "force", self.name)

    def restart(self) -> None:
        iris(self, "start", self.name)

    def discard(self) -> None:
        self.close()
        if self.files:
            destroy.tree(
                self.files, destroy.Ground(folder=self.files, right=f"this run made them for {self.name}")
            )

    def _is_first(self) -> bool:
        return self._held is not None and not self._held.has_ended

    def close(self) -> None:
        if self._holder.poll() is None:
            # the kernel ends everything in the sandbox with its first process, before unshare can reap that
            first, why = self._pid, f"the place {self.name} is not needed any more"
            if not first or not destroy.process(first, signal.SIGKILL, self._is_first, why):
                destroy.group(self._holder, why)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._holder.wait(ENDS_TIMEOUT_S)
        for stream in (self._holder.stdin, self._holder.stdout, self._holder.stderr):
            if stream:
                stream.close()


def iris(place: NamespacePlace, *arguments: str) -> None:
    """A command of the stand-in that must succeed. Raises StartError if it reports a failure, and InstanceError; the
    place is closed.
    """
    try:
        place.run(["iris", *arguments], timeout_s=START_TIMEOUT_S)
    except CommandTimeout as error:
        place.close()
        raise InstanceError(f"iris {' '.join(arguments)} did not end: {error}") from error
    except CommandError as error:
        try:
            place.require_there(failed=True)
        finally:
            place.close()
        if not 0 < error.status <= _REPORTED_MAX:
            raise InstanceError(f"iris {' '.join(arguments)} broke off: {error}") from error
        raise StartError(f"iris {' '.join(arguments)}: {error.output.strip() or error}") from error


def require_namespaces(unshare: Sequence[str], advice: str, *more: tuple[str, str]) -> None:
    """Raises PreconditionError: a tool, GT.M or the right to make namespaces is missing.

    Args:
        unshare: The words that make the namespaces, without a program.
        advice: What to do if they cannot be made; root is told what root can do.
        more: Tools that are needed beside the usual ones, each with its package.
    """
    tools = (("unshare", "util-linux"), ("nsenter", "util-linux"), ("perl", "perl-base"), *more)
    for tool, package in tools:
        if shutil.which(tool) is None:
            raise PreconditionError(f"{tool} is missing", f"apt-get install {package}")
    if not gtm_is_here():
        raise PreconditionError("GT.M, on which the stand-in rests, is missing", "apt-get install fis-gtm")
    try:
        run([*unshare, "true"], timeout_s=10)
    except CommandError as error:
        if os.geteuid() == 0:
            advice = rights_for_root()
        raise PreconditionError(f"namespaces cannot be made here: {error.output.strip()}", advice) from error


def rights_for_root() -> str:
    """What root needs, to make namespaces and to mount in them: it is no longer root that is missing."""
    if in_container():
        return (
            "Start the container with --privileged, or with --cap-add SYS_ADMIN and these --security-opt: "
            "seccomp=unconfined, apparmor=unconfined, systempaths=unconfined"
        )
    return "Root lacks a right here (CAP_SYS_ADMIN, or mounting in namespaces): see seccomp, AppArmor and the kernel"


def in_container() -> bool:
    """By the marks that engines leave: Docker, Podman, systemd-nspawn, LXC, Kubernetes."""
    if any(Path(mark).exists() for mark in _CONTAINER_MARKS):
        return True
    try:
        groups = Path("/proc/1/cgroup").read_text()
    except OSError:
        return False
    return any(name in groups for name in ("docker", "kubepods", "lxc", "libpod", "containerd"))


@cache
def interpreter() -> Path:
    """The Python that runs the stand-in in a machine, by its real path. The stand-in needs nothing of a virtual
    environment, so it is the Python that one rests on.
    """
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    return (base if base.exists() else Path(sys.executable)).resolve()


def gtm_is_here() -> bool:
    """Where the stand-in looks for it: $gtm_dist, else Debian's folder."""
    if chosen := os.environ.get("gtm_dist"):
        return (Path(chosen) / "mupip").exists()
    return any(Path("/usr/lib").glob("*/fis-gtm/V*/mupip"))
