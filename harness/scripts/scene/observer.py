"""What the instances say of themselves. Every verdict rests on this; the scripts' own words are held against it.

An instance is asked whether it is frozen, its own messages.log is read, and its database files are watched.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping

from harness.errors import CommandTimeout, HarnessError, InstanceError, InstanceGone
from harness.evidence.files import FileStatus
from harness.instance.base import Machine
from harness.instance.within import Within
from harness.scripts import processes
from harness.scripts.guard import Guard
from harness.scripts.scene.setup import ANSWER_S, IS_FROZEN, Setup

_LOOK_EVERY_S = 0.1
_LAST_STEPS_S = 3.0
_EVENTS = ("System suspended", "System resumed", "reached, resuming", "write daemon cleared")
_HARMLESS = re.compile(
    r"^(?:\S*/)?sleep\s|^\S*perl \S*/(?:iris|irissession|ccontrol|csession)\b|^\S*/(?:mumps|mupip)\b"
    r"|^\S+ -S -m harness\.standin\b"
)


class Observer:
    """Asks and watches the instances of one machine."""

    def __init__(self, machine: Machine, setup: Setup, guard: Guard) -> None:
        self._machine = machine
        self._setup = setup
        self._guard = guard
        self._shared = Within(machine.inside)
        self._silent: dict[str, None] = {}

    # --- frozen or not

    def frozen(self, name: str) -> bool | None:
        """What an instance says of itself, asked as its owner; None if it does not answer, which is noted."""
        state = self.state(name)
        if state is None:
            self._silent[name] = None
        return state

    def silent(self) -> list[str]:
        """Running instances that did not answer when a verdict rested on it."""
        return [name for name in self._silent if name in self._setup.names]

    def state(self, name: str) -> bool | None:
        """As `frozen`, but an instance that does not answer is not noted."""
        place = self._machine.instance(name)
        try:
            done = place.run(["iris", "session", name, "-U%SYS", IS_FROZEN], accept=None, timeout_s=ANSWER_S)
        except InstanceGone as error:
            raise self._guard.why(error) from error
        except CommandTimeout as error:
            message = f"{name} did not answer in {ANSWER_S:.0f} s when it was asked whether it is frozen"
            raise InstanceError(message) from error
        except HarnessError:
            return None
        if done.status in (5, 3):
            return done.status == 5
        said = done.stdout + done.stderr
        if "external freeze" in said:  # past ExternalFreezeTimeOut no login is possible
            return True
        return self.frozen_by_log(name) if "Access Denied" in said else None

    def frozen_by_log(self, name: str) -> bool:
        """True if a freeze is the last event in an instance's messages.log."""
        return any("System suspended" in line for line in self.events(name)[-1:])

    def which_frozen(self) -> tuple[str, ...]:
        """The running instances that say that they are frozen."""
        return tuple(name for name in self._setup.names if self.frozen(name))

    def blocked(self, name: str) -> bool:
        """True if ExternalFreezeTimeOut is over: updates wait and no login is possible."""
        return "updates are blocked" in self.messages(name)

    # --- what an instance writes

    def events(self, name: str) -> list[str]:
        """Freezes and their ends in messages.log, in order: the text of each line."""
        return [line for line in self.messages(name).splitlines() if any(word in line for word in _EVENTS)]

    def freezes(self, name: str) -> int:
        """How often an instance was frozen, as its messages.log says."""
        return len([line for line in self.events(name) if "System suspended" in line])

    def messages(self, name: str) -> str:
        """The text of messages.log; empty if it is gone."""
        try:
            folder = self._setup.root(name).relative_to(self._machine.inside)
            return self._shared.text(f"{folder}/mgr/messages.log")
        except OSError:
            return ""

    def journals(self, name: str) -> dict[str, int]:
        """Journal file → offset of what it began with (harness/standin/journals.py)."""
        log = self._machine.tree.text(f"{self._setup.root(name)}/mgr/journal.log")
        rows = [line.split("^") for line in log.splitlines()]
        return {row[0]: int(row[3]) for row in rows if len(row) > 3 and row[3].isdigit()}

    def files(self, name: str) -> list[FileStatus]:
        """The database files of an instance, as they are now."""
        found = []
        for file in sorted((self._setup.root(name) / "db").glob("*/IRIS.DAT")):
            with contextlib.suppress(OSError):
                found.append(FileStatus.of(file))
        return found

    # --- processes

    def processes(self) -> set[int]:
        """Every process in the machine."""
        return set(self._machine.processes())

    def control(self, name: str) -> list[int]:
        """The control process of an instance; empty if it has ended."""
        return [
            process
            for process in self._machine.processes()
            if {"start", name} <= set(processes.words(process))
        ]

    def killed(self, name: str) -> bool:
        """True if an instance has no control process, and the scripts name a command that ends processes."""
        return self._setup.can_kill and not self.control(name)

    def own_limit(self) -> str:
        """The `timeout` under which a script runs something; empty if there is none."""
        commands = (processes.command(process) for process in self._machine.processes())
        return next((one for one in commands if re.match(r"(\S*/)?(busybox )?timeout\s", one)), "")

    # --- waiting

    def wait_for(self, condition: Callable[[], bool], *, within_s: float) -> bool:
        """True if a condition came true in time. Raises InstanceGone if the machine has ended."""
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            if not self._machine.processes():
                raise InstanceGone("the machine has ended")
            time.sleep(_LOOK_EVERY_S)
        return True

    def wait_thawed(self, within_s: float) -> tuple[str, ...]:
        """The instances that are still frozen when the time is over."""
        deadline = time.monotonic() + within_s
        while (
            any(self.state(name) is not False for name in self._setup.names) and time.monotonic() < deadline
        ):
            time.sleep(_LOOK_EVERY_S)
        return self.which_frozen()

    def left_running(self, before: set[int]) -> tuple[str, ...]:
        """The commands of processes that the scripts started and left.

        Not those of an instance, and no `sleep` whose shell is gone, which does nothing more.
        """

        def left() -> tuple[str, ...]:
            commands = [processes.command(one) for one in self._machine.processes() if one not in before]
            return tuple(one for one in commands if one and not _HARMLESS.search(one))

        self.wait_for(lambda: not left(), within_s=_LAST_STEPS_S)
        return left()

    def all_frozen(self) -> Mapping[str, bool | None]:
        """Which running instances are frozen. A freeze that begins only now comes too late and does not count."""
        # the logs first: they are read in no time
        in_time = {name: self.frozen_by_log(name) for name in self._setup.names}
        return {name: self.frozen(name) and in_time[name] for name in self._setup.names}
