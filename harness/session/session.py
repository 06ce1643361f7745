"""What all cases of one run share, and what belongs to the stages of one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from harness import store
from harness.destroy import Ground
from harness.errors import HarnessError, ThawError, of_the_machine
from harness.evidence.answers import Description
from harness.files import new_folder
from harness.instance.base import TO_READ, Host
from harness.instance.iris import Instance
from harness.model import Clock, Stage
from harness.plan.model import FreezeSpec, Limits, WorkloadSpec
from harness.session.progress import Progress, StageBegan
from harness.session.targets import Targets
from harness.session.watchdog import Watchdog
from harness.workload.ledger import Ledger

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The running instance and everything around it; one per run.

    `folder` is kept as the result of the run, `work` is removed with all that is in it. `workload` is the load as
    this instance allows it, and `notes` say where that differs from the one that was asked for. `first_journal` is
    the first with anything of this run in it, None where every journal is this run's. The times of stages count from
    `clock`.
    """

    workload: WorkloadSpec
    freeze: FreezeSpec = field(default_factory=FreezeSpec)
    limits: Limits = field(default_factory=Limits)
    seed: int
    folder: Path
    work: Path
    host: Host
    target_host: Host
    targets: Targets
    source: Instance
    description: Description
    ledger: Ledger
    watchdog: Watchdog
    progress: Progress
    clock: Clock
    random: random.Random
    first_journal: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def ground(self) -> Ground:
        """Where things of this run may be removed."""
        return Ground(folder=self.work, right="this run made its working folder")

    @property
    def freeze_log(self) -> Path:
        """The one that the instance writes while the run lives, open to its user and to nobody else."""
        return log_folder(self.work) / store.FREEZE_LOG

    def keep_freeze_log(self) -> Path:
        """A copy of it as it is now, with the record; whoever may read that may read it. Raises PreconditionError."""
        return store.keep_log(self.freeze_log, self.folder)

    def new_folder_to_read(self, name: str) -> Path:
        """A new folder that restored instances can read, whatever umask this process has."""
        parent = self.work / TO_READ
        parent.mkdir(exist_ok=True)
        folder = new_folder(parent, name)
        for made in (parent, folder):
            made.chmod(0o755)
        return folder

    def stages(self, name: str) -> Stages:
        return Stages(name=name, clock=self.clock, progress=self.progress)


def log_folder(work: Path) -> Path:
    """Where an instance writes its freeze log; it may come in here, and nowhere else above its own files."""
    return work / "log"


@dataclass
class Stages:
    """Times the stages of one backup or case, tells the progress display, and keeps what went wrong."""

    name: str
    clock: Clock
    progress: Progress
    done: list[Stage] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.progress.tell(StageBegan(case=self.name, stage=name))
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            self.done.append(Stage(name=name, started_s=began - self.clock.monotonic_s, duration_s=took))

    def attempt(self, name: str, work: Callable[[], Answer]) -> Answer | None:
        """Run a stage. A HarnessError becomes a problem and None: the checks that needed the answer say
        UNKNOWN. A ThawError is never kept back."""
        try:
            with self.stage(name), of_the_machine():
                return work()
        except ThawError:
            raise
        except HarnessError as error:
            self.problems.append((name, str(error)))
            return None

    def seconds(self, *names: str) -> float:
        """Time spent in the named stages."""
        return sum(stage.duration_s for stage in self.done if stage.name in names)
