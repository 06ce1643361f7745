"""What can be killed of a run, and what is asked afterwards: is the source frozen, is anything left?

Seen from outside only. In a sandbox the processes of one instance are those of one process namespace; the one that
shares our network is the source. In containers the name tells.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from harness import containers
from tests.runs import Run
from tests.soak.witness import Answer

_ANSWERS = {"5": Answer.FROZEN, "3": Answer.RUNNING}
"""By the exit status of the question whether an instance is frozen."""
_ASK = "##class(Backup.General).IsWDSuspendedExt()"
_ASK_TIMEOUT_S = 1.0
_TIMEOUT_S = 60
_KINDS = ("ipc", "pid")


class OwnFreeze:
    """Whether a freeze of the run is under way by the engine's log: its flag is raised at other times, too."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._log: TextIO | None = None

    def __call__(self) -> bool:
        if self._log is None:  # once open it is read wherever it is moved to
            places = ("*/*/work/log/freeze.log", "*/*/freeze.log")
            file = next((found for place in places for found in self._run.out.glob(place)), None)
            try:
                self._log = file.open(errors="replace") if file else None
            except OSError:
                return True
        if self._log is None:
            return False
        self._log.seek(0)
        text = self._log.read()
        over = ("System resumed", "resuming system", "System failed to quiesce")
        return text.count("Suspending system") > sum(map(text.count, over))

    def close(self) -> None:
        if self._log:
            self._log.close()


class Sandboxes:
    """The instances of a run on host local."""

    def __init__(self, run: Run, token: str) -> None:
        self._run = run
        self._mark = f"HARNESS_RUN={token}".encode()
        self._held: dict[tuple[str, int], int] = {}
        self._manager: int | None = None

    def names(self) -> list[str]:
        """`source` and `target` as often as there are such sandboxes now."""
        return [name for name, _ in self._found()]

    def kill(self, name: str, chance: random.Random) -> bool:
        """End every process of one of them by SIGKILL, the first one first; False if there is none of that name."""
        groups = [pids for found, pids in self._found() if found == name]
        if not groups:
            return False
        signal_all(sorted(chance.choice(groups), key=_number_inside), signal.SIGKILL)
        return True

    def pids(self, name: str) -> list[int]:
        """Every process of the first one of that name, the first process first."""
        groups = [pids for found, pids in self._found() if found == name]
        return sorted(groups[0], key=_number_inside) if groups else []

    def control(self) -> int | None:
        """The process that answers for the source; None if there is none."""
        wanted = b"harness.standin\0start\0"
        return next((pid for pid in self.pids("source") if wanted in _read(f"/proc/{pid}/cmdline")), None)

    def ask(self) -> Answer:
        """The control process is asked by its socket, which is reached from outside of its namespaces."""
        said = _said(self._opened_manager())
        if said in _ANSWERS:
            return _ANSWERS[said]
        # before its socket is there it was never up, so nothing of it was ever frozen
        return Answer.NONE if self._has_socket() and self.control() is not None else Answer.GONE

    def left(self) -> list[str]:
        """Processes that carry the run's token, or live in one of its namespaces without any environment, and System
        V memory: the kernel drops it with the last process of its namespace. We hold the namespaces that we saw, so
        that none is taken for a later one."""
        found = [_named(pid) for pid in _processes() if self._mark in _environment(pid)]
        for kind in _KINDS:
            held = {f"{kind}:[{inode}]" for kind_, inode in self._held if kind_ == kind}
            inside = [pid for pid in _processes() if _link(pid, kind) in held]
            found += [f"{_named(pid)} in a namespace ({kind}) of the run" for pid in inside]
        return found

    def close(self) -> None:
        """Let go of the namespaces."""
        if self._manager is not None:
            os.close(self._manager)
            self._manager = None
        while self._held:
            os.close(self._held.popitem()[1])

    def _found(self) -> list[tuple[str, list[int]]]:
        ours = {kind: _link(os.getpid(), kind) for kind in ("pid", "net")}
        groups: dict[str, list[int]] = {}
        for pid in _processes():
            space = _link(pid, "pid")
            if space not in ("", ours["pid"]) and (self._is_held(space) or self._mark in _environment(pid)):
                groups.setdefault(space, []).append(pid)
                self._hold(pid)
        return [
            ("source" if _link(pids[0], "net") == ours["net"] else "target", pids) for pids in groups.values()
        ]

    def _opened_manager(self) -> int | None:
        """The folder of its socket, once it was there: also when its path is gone."""
        if self._manager is None:
            with contextlib.suppress(OSError, StopIteration):
                folder = next(self._run.out.glob("*/*/work/source/mgr"))
                self._manager = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        return self._manager

    def _has_socket(self) -> bool:
        try:
            os.stat("control.sock", dir_fd=self._manager)
        except OSError:
            return False
        return self._manager is not None

    def _is_held(self, space: str) -> bool:
        return any(space == f"pid:[{inode}]" for kind, inode in self._held if kind == "pid")

    def _hold(self, pid: int) -> None:
        for kind in _KINDS:
            with contextlib.suppress(OSError):
                descriptor = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
                key = (kind, os.fstat(descriptor).st_ino)
                if key in self._held or key[1] == Path(f"/proc/self/ns/{kind}").stat().st_ino:
                    os.close(descriptor)
                else:
                    self._held[key] = descriptor


class Containers:
    """The instances of a run on host docker."""

    def __init__(self, run: Run, token: str) -> None:
        self._token = token
        self._wanted = f"label={containers.RUN_LABEL}={token}"

    def names(self) -> list[str]:
        return [_role(name) for name in self._running()]

    def kill(self, name: str, chance: random.Random) -> bool:
        found = [one for one in self._running() if _role(one) == name]
        return bool(found) and _docker("kill", chance.choice(found)).returncode == 0

    def ask(self) -> Answer:
        call = ["iris", "session", "IRIS", "-U%SYS", _ASK]
        status = _docker("exec", f"harness-{self._token}-source", *call).returncode
        if str(status) in _ANSWERS:
            return _ANSWERS[str(status)]
        return Answer.NONE if "source" in self.names() else Answer.GONE

    def left(self) -> list[str]:
        """Containers and volumes; networks are not made."""
        listed = [("ps", "-aq"), ("volume", "ls", "-q")]
        return [name for verb in listed for name in _docker(*verb, "--filter", self._wanted).stdout.split()]

    def close(self) -> None:
        """Nothing is held."""

    def _running(self) -> list[str]:
        return _docker("ps", "--format", "{{.Names}}", "--filter", self._wanted).stdout.split()


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """One that has ended meanwhile is no matter."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def carrying(setting: str) -> list[int]:
    """Processes with this setting in their environment."""
    return [pid for pid in _processes() if setting.encode() in _environment(pid)]


def _said(folder: int | None) -> str:
    """The first line of the answer of a control process; empty if there was none in time.

    Its folder is named by a descriptor, since a socket's path holds 107 bytes at most. Source: unix(7); the request
    is described in harness/standin/control.py.
    """
    if folder is None:
        return ""
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(_ASK_TIMEOUT_S)
            control.connect(f"/proc/self/fd/{folder}/control.sock")
            control.sendall("\0".join(["/", "session", "-U%SYS", _ASK]).encode())
            control.shutdown(socket.SHUT_WR)
            return control.recv(100).decode(errors="replace").partition("\n")[0]
    except OSError:
        return ""


def _role(container: str) -> str:
    return "source" if container.endswith("-source") else "target"


def _docker(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=_TIMEOUT_S)


def _processes() -> Iterator[int]:
    """All that have not ended; one that nobody waited for yet holds nothing any more."""
    for path in Path("/proc").glob("[0-9]*"):
        state = _read(f"{path}/stat").rpartition(b")")[2].split()
        if state and state[0] not in (b"Z", b"X"):
            yield int(path.name)


def _environment(pid: int) -> list[bytes]:
    return _read(f"/proc/{pid}/environ").split(b"\0")


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""


def _named(pid: int) -> str:
    """Number, state and command."""
    state = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[:1]
    words = _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ")[:100]
    return f"process {pid} {b''.join(state).decode()} ({words.decode(errors='replace').strip()})"


def _number_inside(pid: int) -> int:
    """Its number in its own process namespace, where the first is 1; ours run up and begin anew."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[-1]) for line in lines if line.startswith("NSpid:"))
    except (OSError, StopIteration):
        return 0


def _link(pid: int, kind: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/{kind}").readlink())
    except OSError:
        return ""
