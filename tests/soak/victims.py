"""What can be killed of a run, and what is asked afterwards: is the source frozen, is anything left?

Seen from outside only. In a sandbox the processes of one instance are those of one process namespace; the one that
shares our network is the source. In containers the name tells.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness import containers
from tests.runs import Run

FROZEN, RUNNING = 5, 3
"""Exit statuses of the question whether an instance is frozen; every other means that nobody answered."""
_ASK = "##class(Backup.General).IsWDSuspendedExt()"
_TIMEOUT_S = 60


class Sandboxes:
    """The instances of a run on host local."""

    def __init__(self, run: Run, token: str) -> None:
        self._run = run
        self._mark = f"HARNESS_RUN={token}".encode()
        self._memories: dict[int, int] = {}

    def names(self) -> list[str]:
        """`source` and `target` as often as there are such sandboxes now."""
        return [name for name, _ in self._found()]

    def kill(self, name: str, chance: random.Random) -> bool:
        """End every process of one of them by SIGKILL, the first one first; False if there is none of that name."""
        groups = [pids for found, pids in self._found() if found == name]
        if not groups:
            return False
        for pid in sorted(chance.choice(groups), key=_number_inside):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return True

    def ask_frozen(self) -> int:
        """Exit status of the source's answer; the control process is reached from outside of its namespaces."""
        folder = next(self._run.out.glob("*/*/work/registry"), None)
        if folder is None or "source" not in self.names():
            return -1
        environment = {**os.environ, "IRISSYS": str(folder), "PATH": f"{_BIN}:{os.environ['PATH']}"}
        call = ["iris", "session", "SOURCE", "-U%SYS", _ASK]
        return subprocess.run(call, env=environment, capture_output=True, timeout=_TIMEOUT_S).returncode

    def left(self) -> list[str]:
        """Processes that carry the run's token, and System V memory: the kernel drops it with the last process of
        its namespace. We hold the namespaces that we saw, so that none is taken for a later one."""
        found = [f"process {pid}" for pid in _processes() if self._mark in _environment(pid)]
        held = {f"ipc:[{inode}]" for inode in self._memories}
        found += [f"memory of process {pid}" for pid in _processes() if _link(pid, "ipc") in held]
        return found

    def close(self) -> None:
        """Let go of the namespaces."""
        while self._memories:
            os.close(self._memories.popitem()[1])

    def _found(self) -> list[tuple[str, list[int]]]:
        ours = {kind: _link(os.getpid(), kind) for kind in ("pid", "net")}
        groups: dict[str, list[int]] = {}
        for pid in _processes():
            space = _link(pid, "pid")
            if space not in ("", ours["pid"]) and self._mark in _environment(pid):
                groups.setdefault(space, []).append(pid)
                self._hold_memory(pid)
        return [
            ("source" if _link(pids[0], "net") == ours["net"] else "target", pids) for pids in groups.values()
        ]

    def _hold_memory(self, pid: int) -> None:
        with contextlib.suppress(OSError):
            descriptor = os.open(f"/proc/{pid}/ns/ipc", os.O_RDONLY)
            inode = os.fstat(descriptor).st_ino
            if inode in self._memories or inode == Path("/proc/self/ns/ipc").stat().st_ino:
                os.close(descriptor)
            else:
                self._memories[inode] = descriptor


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

    def ask_frozen(self) -> int:
        call = ["iris", "session", "IRIS", "-U%SYS", _ASK]
        return _docker("exec", f"harness-{self._token}-source", *call).returncode

    def left(self) -> list[str]:
        """Containers and volumes; networks are not made."""
        listed = [("ps", "-aq"), ("volume", "ls", "-q")]
        return [name for verb in listed for name in _docker(*verb, "--filter", self._wanted).stdout.split()]

    def close(self) -> None:
        """Nothing is held."""

    def _running(self) -> list[str]:
        return _docker("ps", "--format", "{{.Names}}", "--filter", self._wanted).stdout.split()


_BIN = Path(containers.__file__).parent / "standin" / "bin"


def _role(container: str) -> str:
    return "source" if container.endswith("-source") else "target"


def _docker(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=_TIMEOUT_S)


def _processes() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").glob("[0-9]*"))


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


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
