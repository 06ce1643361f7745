"""What other people and other backups do to the instances while the scripts are at work."""

from __future__ import annotations

import signal
from functools import partial

from harness import destroy
from harness.errors import InstanceError
from harness.instance.base import Machine
from harness.scripts.scene.observer import Observer
from harness.scripts.scene.setup import Setup

_HURRY = 500


class Administrator:
    """Freezes, thaws, stops and ends instances. `freezes` counts its own."""

    def __init__(self, machine: Machine, setup: Setup, observer: Observer) -> None:
        self._machine = machine
        self._setup = setup
        self._observer = observer
        self.freezes = 0

    def hurry(self) -> None:
        """Let the limits of a freeze pass faster from now on, so that what takes minutes can be waited for."""
        for name in self._setup.names:
            self._machine.run(["iris", "stat", name, f"clock={_HURRY}"])

    def freeze(self, name: str, log: str = "/tmp/other.log") -> None:
        """Freeze as another backup would. Raises InstanceError if the instance refuses."""
        call = f'##class(Backup.General).ExternalFreeze("{log}")'
        done = self._machine.run(["iris", "session", name, "-U%SYS", call], accept=None)
        if done.status != 5:
            raise InstanceError(f"{call}: {done.stdout}{done.stderr}")
        self.freezes += 1

    def thaw(self, name: str) -> None:
        """Thaw by `iris stat -W`."""
        self._machine.run(["iris", "stat", name, "-W"], accept=None)

    def force(self, name: str) -> None:
        """Kill every process of an instance. Raises InstanceError if it did not end."""
        self._machine.run(["iris", "force", name], accept=None)
        self._setup.require_down(name)
        self._setup.names.remove(name)

    def send(self, name: str, signal_: signal.Signals) -> None:
        """Send a signal to an instance's control process, to stop or continue it. Raises InstanceError."""
        control = self._observer.control(name)
        for process in control:
            is_ours = partial(self._is_control, process, name)
            destroy.process(process, signal_, is_ours, "a process of the machine")
        if not control:
            raise InstanceError(f"{name} has no control process")

    def _is_control(self, process: int, name: str) -> bool:
        return process in self._observer.control(name)
