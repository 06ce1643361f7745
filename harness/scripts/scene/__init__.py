"""One situation: a machine, instances under load, the scripts in it, and what their caller does.

| part | does |
|---|---|
| `setup` | makes the machine ready: commands, scripts, instances |
| `recorder` | knows what the scripts asked `iris`, and plants other answers |
| `observer` | asks and watches the instances; every verdict rests on it |
| `administrator` | does what other people and other backups do to the instances |
| `caller` | calls the scripts as a backup product does |
| `job` | runs scripts that take their snapshot themselves |

`runner`, `snapshot` and `seal` serve these. A scenario uses the parts. What nearly every scenario does can be called
on the scene itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import destroy, plugins
from harness.command import Transcript
from harness.errors import InstanceError, InstanceGone, StartError
from harness.instance.base import Machine
from harness.plan.model import InstanceSpec
from harness.scripts.guard import Guard
from harness.scripts.model import Scripts
from harness.scripts.scene.administrator import Administrator
from harness.scripts.scene.caller import Caller, DoesNotApply
from harness.scripts.scene.job import Job
from harness.scripts.scene.observer import Observer
from harness.scripts.scene.recorder import Recorder
from harness.scripts.scene.runner import CRON_ENVIRONMENT, ROOT_ENVIRONMENT, Kill, Runner
from harness.scripts.scene.seal import Seal
from harness.scripts.scene.setup import Setup
from harness.scripts.scene.snapshot import SnapshotTaker

__all__ = ["CRON_ENVIRONMENT", "ROOT_ENVIRONMENT", "DoesNotApply", "Kill", "Learned", "Scene", "opened"]
_FIRST, _SECOND = "IRISA", "IRISB"
_HOST = ("machine", "probe", "close")


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What an earlier scenario has shown of the scripts: where their log is, and whether a job calls its program."""

    log_file: str = ""
    program_called: bool = False


class Scene:
    """A machine with the scripts in it. Made by `opened`; the scenario adds instances."""

    def __init__(
        self, machine: Machine, scripts: Scripts, work: Path, folder: Path, learned: Learned
    ) -> None:
        self.machine = machine
        self.scripts = scripts
        self.work = work
        self.folder = folder
        self.learned = learned
        self.engine = ""
        self.notes: list[str] = []
        self.guard = Guard(machine)
        seal = Seal(machine)
        self.seal = seal
        self.recorder = Recorder(machine, folder)
        self.setup = Setup(machine, scripts, work.parents[2], self.recorder, seal)
        self.observer = Observer(machine, self.setup, self.guard)
        self.administrator = Administrator(machine, self.setup, self.observer)
        runner = Runner(machine, scripts, folder, self.guard, seal, self.observer)
        taker = SnapshotTaker(scripts, self.observer, runner, self.notes)
        self.job = Job(
            machine,
            scripts,
            self.setup,
            self.observer,
            runner,
            taker,
            self.notes,
            called_before=learned.program_called,
        )
        self.caller = Caller(scripts, self.setup, self.observer, runner, taker, self.job, self.notes)
        # what nearly every scenario does
        self.root = self.setup.root
        self.calls = self.recorder.calls
        self.frozen = self.observer.frozen
        self.call = self.caller.call
        self.backup = self.caller.backup
        self.attempt = self.caller.attempt

    @property
    def first(self) -> str:
        """The name of the first instance, as the scripts expect it."""
        return self.scripts.instances[0] if self.scripts.instances else _FIRST

    @property
    def second(self) -> str:
        """The name of the second instance, as the scripts expect it."""
        return self.scripts.instances[1] if len(self.scripts.instances) > 1 else _SECOND

    def install(self, *, iris: bool = True, cache: bool = True) -> None:
        """Put commands and scripts where they are looked for, and begin to watch what the machine takes."""
        self.setup.install(iris=iris, cache=cache)
        self.guard.start()

    def instance(self, name: str, *options: str, load: bool = True, start: bool = True) -> None:
        """Make an instance; by default it is started and under a light load.

        Raises:
            InstanceError: it is not in the state that was asked for, or does not answer. A scenario must not blame
                the scripts for that.
        """
        self.setup.instance(name, *options, start=start)
        if start and self.observer.state(name) is None:
            raise InstanceError(f"{name} was started and does not answer")
        if start and load:
            self.setup.load(name)

    def unrecorded(self) -> list[str]:
        """The instances that were frozen more often than the recorder of calls knows."""
        freezes = [call.instance for call in self.calls() if call.what in ("externalfreeze", "freeze")]
        return [
            name
            for name in self.setup.made
            if self.observer.freezes(name) > freezes.count(name) + self.administrator.freezes
        ]

    def close(self) -> None:
        """End the machine and everything in it. May be called twice."""
        self.guard.close()
        self.machine.close()
        self.setup.close()


@contextmanager
def opened(scripts: Scripts, work: Path, kept: Path, learned: Learned | None = None) -> Iterator[Scene]:
    """A machine for one scenario; it is gone afterwards.

    Args:
        work: A folder that does not exist, for the machine; removed.
        kept: A folder that does not exist, for what is worth reading afterwards.
        learned: What an earlier scenario has shown of the scripts.
    Raises:
        PreconditionError: machines cannot be made here.
        StartError: this one could not be made.
    """
    work.mkdir(parents=True)
    kept.mkdir(parents=True)
    host = plugins.load("harness.hosts", "sandbox", _HOST)(
        InstanceSpec(host="sandbox"), work, Transcript(kept / "commands.log")
    )
    machine: Machine = host.machine()
    scene = Scene(machine, scripts, work, kept, learned or Learned())
    try:
        yield scene
        scene.guard.last_look()
    except (InstanceGone, StartError) as error:
        raise scene.guard.why(error) from error
    except OSError as error:
        raise InstanceError(f"the machine's files are not as they were: {error}") from error
    finally:
        scene.recorder.keep()
        for name in scene.setup.names:
            if text := scene.observer.messages(name):
                (kept / f"messages-{name}.log").write_text(text, errors="replace")
        scene.close()
        destroy.tree(work, destroy.Ground(folder=work, right="the folder of a machine for scripts"))
