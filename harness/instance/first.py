"""The first process of a place, seen from outside: when it ends, the kernel ends everything in the place with it.

What a command says that ends with its place is no answer, and may look like one: a program killed under an engine
makes the engine refuse, and a container engine learns of the end of a container late. The kernel tells at once.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

from harness.command import Deadline

ENDS_TOGETHER_S = 1.0
"""Whoever kills a place process by process may come to the first one last."""
_LOOK_EVERY_S = 0.02
_PF_EXITING = 0x4
_KILL_PENDING = 1 << (signal.SIGKILL - 1)


class FirstProcess:
    """A process of this machine, told from a later one of the same number by the time it began."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.began = _began(pid)

    @classmethod
    def of_container(cls, pid: int, container: str) -> FirstProcess | None:
        """None if it cannot be seen from here: the engine may run on another machine, or in one of its own."""
        try:
            seen = pid > 0 and container in Path(f"/proc/{pid}/mountinfo").read_text()
        except OSError:
            return None
        return cls(pid) if seen else None

    @property
    def has_ended(self) -> bool:
        """Whether it is gone, or bound to go: killed already, or ending. Before it goes the kernel ends all others.

        Source: proc_pid_stat(5), fields 3, 9 and 22; proc_pid_status(5), SigPnd and ShdPnd; PF_EXITING in the
        kernel's include/linux/sched.h.
        """
        try:
            fields = _fields(self.pid)
            if fields[0] in "ZX" or int(fields[6]) & _PF_EXITING or int(fields[19]) != self.began:
                return True
            return kill_is_pending(Path(f"/proc/{self.pid}/status").read_text())
        except OSError:
            return True

    def ends_soon(self) -> bool:
        """As `has_ended`, with a moment's patience: for when something has broken off already."""
        deadline = Deadline.after(ENDS_TOGETHER_S)
        while not self.has_ended:
            if deadline.passed:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True


def _fields(pid: int) -> list[str]:
    """From the third on, the state; the second may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _began(pid: int) -> int:
    try:
        return int(_fields(pid)[19])
    except OSError:
        return -1


def kill_is_pending(status: str) -> bool:
    """Whether a process with this `/proc/PID/status` was killed and has not run since: on a slow machine others that
    were killed with it may have ended before it.
    """
    lines = status.splitlines()
    pending = (int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:")))
    return any(signals & _KILL_PENDING for signals in pending)
