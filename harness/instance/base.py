"""The port for hosts: where instances run and where their files are.

A host knows processes, namespaces or containers, and files. It does not know what a freeze is; the command
surface of IRIS is in `harness.instance.iris`. Every path is the same inside a place and outside of it: what an
instance calls `/results/work/source/db/one/` the harness finds there too.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from harness.command import Completed, Prepared, Transcript
from harness.instance.within import Within
from harness.model import Stun
from harness.plan.model import InstanceSpec

TO_READ = "journals"
"""Below a host's folder: what restored instances read beside their own files. They cannot write to it, and see
nothing else of other instances there.
"""


class Place(Protocol):
    """The surroundings of one instance: its commands run here, its files are visible to the harness.

    Every method that runs a command raises InstanceGone if the place has ended, and waits while it is paused. An
    answer counts only if the place is still there after it: what a place says that is being killed is none, whatever
    the status.
    """

    name: str
    """Name of the instance, as `iris session NAME` wants it."""

    isolated: bool
    """True if it was made so that nothing in it can reach another instance: no network, memory of its own."""

    where: str
    """What a report calls these surroundings."""

    def run(
        self, argv: Sequence[str], *, accept: Collection[int] | None = (0,), timeout_s: float = 60.0
    ) -> Completed:
        """Run a command to its end. Raises as `harness.command.run`."""

    def require_there(self, *, failed: bool = False) -> None:
        """Raises InstanceGone if the place has ended. `failed`: something broke off or was refused here, so wait a
        moment for an end that shows late.
        """

    def prepare(self, argv: Sequence[str]) -> Prepared:
        """Everything of a command but its last step: it runs when it is told to, with no delay of this host's."""

    def open(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command whose standard output the caller reads; killing the process given back ends it."""

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The argument list that runs a command here from anywhere on this machine (for the watchdog)."""

    def is_there_argv(self) -> list[str]:
        """A command, to be run from anywhere on this machine, that ends with 1 once the surroundings of the instance
        are gone and its freeze with them; what it prints is the state they are in. Any other status is no answer.
        """

    def close(self) -> None:
        """End every process here. May be called twice; files stay."""

    def discard(self) -> None:
        """Close, and remove the files of this instance. Not for a source."""


class Host(Protocol):
    """Makes places. One object serves one run and keeps everything below its folder.

    Constructed with `spec`, `folder` (exists, ours alone) and the `transcript` that every command goes into. One that
    makes what does not go with the processes of the run and with the files below its folder is a
    `harness.undo.CanUndo`, too.
    """

    in_containers: bool
    """True if its instances see nothing of the run's folder but what is mounted for them."""

    image_digest: str
    """What identifies the image behind the instances; empty where there is none, or before `probe`."""

    def __init__(self, spec: InstanceSpec, folder: Path, transcript: Transcript) -> None: ...

    def probe(self) -> None:
        """Raises PreconditionError if instances cannot run here; starts nothing."""

    def root(self) -> Path:
        """Where the data of the source is; known before it starts. Raises InstanceError."""

    def source(self) -> Place:
        """Start the instance that will be backed up. Raises StartError: then nothing runs."""

    def target(self, name: str, hidden: Path) -> Place:
        """Start a fresh, isolated instance with empty databases, to restore into. Raises StartError.

        `hidden` is the root of the source, which must not be reached from here.
        """

    def boot(self, name: str, image: Path, root: Path) -> Place:
        """Start an isolated instance whose whole root is `image` (a folder that becomes its own, at the path
        `root` the source had) and let the engine recover itself. Raises StartError.
        """

    def environment(self) -> dict[str, str]:
        """Variables a command needs to reach the instances of this host."""

    def close(self) -> None:
        """Close every place. May be called twice."""


@runtime_checkable
class CanTellStuns(Protocol):
    """A place that notices when it is stopped and goes on."""

    def stuns(self, since_utc: datetime) -> tuple[Stun, ...]:
        """Those that have ended, since a moment. Raises InstanceError."""


@runtime_checkable
class NeedsLogin(Protocol):
    """A place whose sessions read a name and a password from standard input; it feeds its own commands itself."""

    stdin: str
    """Both lines, for a command that is run from elsewhere; empty if it asks for none. Never to be shown."""


@runtime_checkable
class CanBeWoken(Protocol):
    """A place that somebody else may have stopped, so that no command begins in it."""

    def wake_by_hand(self) -> str:
        """The command a person types first, to let it go on; empty if it does. Never raises."""


@runtime_checkable
class CanPause(Protocol):
    """A place that can be stopped as a hypervisor stops a machine: nothing runs, nothing is lost."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


@runtime_checkable
class CanRestart(Protocol):
    """A place whose instance can be ended, in order or as by a power loss, and started again over its files."""

    def stop(self) -> None:
        """Clean stop: what was committed is in the database files."""

    def crash(self) -> None:
        """Kill everything at once; nothing more is written."""

    def restart(self) -> None:
        """Start again and wait until the instance answers. Raises StartError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramLimits:
    """What a program may use: processes of its user, address space of each, size of a file."""

    processes: int = 200
    memory_bytes: int = 2 << 30
    file_bytes: int = 1 << 29


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedFile:
    """A file to write into a machine: its path there, and whose it is."""

    path: str
    content: bytes
    mode: int = 0o644
    user: str = "root"


@runtime_checkable
class Machine(Place, Protocol):
    """A place with files and users of its own, in which programs that nobody knows may be run."""

    users: bool
    """Whether it has more users than one."""

    inside: Path
    """The one folder that is the same in the machine and outside of it. What runs in there may write here: read it
    by `Within` only, and write nothing once a script has run.
    """

    told: Path
    """A second one, in which the machine can only read."""

    @property
    def tree(self) -> Within:
        """The files of the machine as it sees them, to be read from outside."""

    def create(self, name: str, root: Path, *options: str, start: bool = True) -> None:
        """Make and start one more instance, with the options of the stand-in's `iris create`. Raises StartError."""

    def instance(self, name: str) -> Place:
        """This machine, spoken of as the surroundings of another of its instances."""

    def put(self, files: Sequence[PlacedFile]) -> None:
        """Write files, with the folders above them. Raises CommandError."""

    def way_in(self, user: str) -> list[str]:
        """The words before a command that run it in here as a user."""

    def start_as(
        self,
        user: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: str,
        output: int,
        limits: ProgramLimits,
    ) -> subprocess.Popen[bytes]:
        """Start a program with this environment only, no terminal and empty standard input; `output` is a file
        descriptor. The process given back is the way in, the program its only child. Raises InstanceGone.
        """

    def processes(self) -> list[int]:
        """Every process in the machine, by its number outside. Empty if it has ended."""
