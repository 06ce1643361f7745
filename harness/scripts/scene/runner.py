"""Runs one script as its caller would: environment, time limit, signals, and what it printed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness import destroy
from harness.instance.base import Machine
from harness.scripts import processes
from harness.scripts.guard import LIMITS, Guard
from harness.scripts.model import Ran, Scripts
from harness.scripts.scene.observer import Observer
from harness.scripts.scene.seal import Seal

ROOT_ENVIRONMENT: Mapping[str, str] = {
    "HOME": "/root",
    "LOGNAME": "root",
    "USER": "root",
    "SHELL": "/bin/sh",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
"""What most callers give a script."""
CRON_ENVIRONMENT: Mapping[str, str] = {
    "HOME": "/root",
    "LOGNAME": "root",
    "SHELL": "/bin/sh",
    "PATH": "/usr/bin:/bin",
}
"""What cron gives a job; crontab(5)."""
_OUTPUT_BYTES = 20_000
_KEPT_BYTES = 1 << 20
_LAST_BREATH_S = 5.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A signal that a script is sent once a condition is true."""

    when: Callable[[], bool]
    signal: signal.Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One run of a script.

    Attributes:
        argv: The script and its arguments.
        name: What its output is filed under.
        user: Who runs it.
        timeout_s: How long the caller waits; then it sends TERM, and KILL five seconds later.
        environment: Instead of the usual variables; those of the suite come on top.
        kill: When the script is sent a signal, and which.
        meanwhile: Done again and again while it runs.
    """

    argv: tuple[str, ...]
    name: str
    user: str
    timeout_s: float
    environment: Mapping[str, str] | None = None
    kill: Kill | None = None
    meanwhile: Callable[[], object] = lambda: None


class Runner:
    """Runs scripts in one machine."""

    def __init__(
        self, machine: Machine, scripts: Scripts, folder: Path, guard: Guard, seal: Seal, observer: Observer
    ) -> None:
        self._machine = machine
        self._scripts = scripts
        self._folder = folder
        self._guard = guard
        self._seal = seal
        self._observer = observer

    def run(self, given: Invocation) -> Ran:
        """Run a script to its end, or to the end of its caller's patience.

        Raises:
            Contained: it took more than the machine gives.
        """
        self._seal.set()
        output = self._folder / f"{given.name}-{len(list(self._folder.glob(f'{given.name}-*.out'))) + 1}.out"
        began = time.monotonic()
        process = self._started(given, output)
        signalled = limit = ""

        def look() -> None:
            nonlocal signalled
            given.meanwhile()
            if given.kill and not signalled and given.kill.when():
                signalled = given.kill.signal.name
                _signal_child(process, given.kill.signal)

        try:
            status: int | None = _wait(process, began + given.timeout_s, look)
        except subprocess.TimeoutExpired:
            status = None
            limit = self._observer.own_limit() if self._scripts.program else ""
            signalled = f"{signalled}, " if signalled else ""
            signalled += f"TERM after {given.timeout_s:.0f} s"
            if not _ends(process, signal.SIGTERM):
                signalled += ", KILL"
                _ends(process, signal.SIGKILL)
        finally:
            # ends the way in too, which is stopped if its child was
            destroy.group(process, "the script has ended")
            process.wait()
        self._guard.check()
        return Ran(
            status=None if status is None else status if status >= 0 else 128 - status,
            output=_shortened(output),
            duration_s=time.monotonic() - began,
            killed=signalled,
            limit=limit,
        )

    def _started(self, given: Invocation, output: Path) -> subprocess.Popen[bytes]:
        usual = ROOT_ENVIRONMENT if given.environment is None else given.environment
        with output.open("wb") as out:
            return self._machine.start_as(
                given.user,
                given.argv,
                environment={**usual, **self._scripts.environment},
                folder="/",
                output=out.fileno(),
                limits=LIMITS,
            )


def _wait(process: subprocess.Popen[bytes], until: float, meanwhile: Callable[[], object]) -> int:
    """The status of a process, at once when it ends. Raises TimeoutExpired when the time is over."""
    ends = os.pidfd_open(process.pid)
    try:
        while not select.select([ends], [], [], _LOOK_EVERY_S)[0]:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(process.args, 0)
            meanwhile()
        return process.wait()
    finally:
        os.close(ends)


def _signal_child(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the script alone: its caller knows no other process of it."""
    with contextlib.suppress(OSError):
        for child in processes.children(process.pid):
            is_ours = partial(_is_child, child, process)
            destroy.process(child, number, is_ours, "the script that is being checked")
        # nsenter stops with its child, and must be continued
        destroy.child(process, signal.SIGCONT, "its child was signalled")


def _is_child(number: int, process: subprocess.Popen[bytes]) -> bool:
    return number in processes.children(process.pid)


def _ends(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Signal a script; True if it ends in time."""
    _signal_child(process, number)
    try:
        process.wait(_LAST_BREATH_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _shortened(output: Path) -> str:
    """The beginning of what a script printed; the file is cut to what is worth keeping."""
    with output.open("r+b") as file:
        text = file.read(_OUTPUT_BYTES).decode("utf-8", "replace")
        if output.stat().st_size > _KEPT_BYTES:
            file.truncate(_KEPT_BYTES)
    return text
