"""A job that does everything by itself: freeze, snapshot by a program of its own, thaw.

In the machine `machine/snapshot.sh` stands in the place of that program. It says that it was called, and waits until
the harness has looked at the instances and says how it is to end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.instance.base import Machine
from harness.instance.within import Within
from harness.scripts import install
from harness.scripts.model import Ran, Scripts, Seen
from harness.scripts.scene.observer import Observer
from harness.scripts.scene.runner import ROOT_ENVIRONMENT, Invocation, Kill, Runner
from harness.scripts.scene.setup import Setup
from harness.scripts.scene.snapshot import SnapshotTaker

ROLLED_BACK_S = 1.0
"""How long an instance may stay frozen after the scripts have ended."""
_OTHER_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCall:
    """How a job is called, and what is done while it takes its snapshot.

    Attributes:
        wanted: Instances that have to be frozen.
        during, before_thaw: Done in the middle and at the end of the snapshot.
        snapshot_s: How long the snapshot takes.
        user, environment: Instead of the usual ones.
        after: Done when the job has ended, before an instance is asked anything.
        kill: When the job is sent a signal, and which.
        ask: False if the instances are not asked anything while the snapshot is taken.
        ends: How the program ends: a status, or `killed`.
    """

    wanted: tuple[str, ...]
    during: Callable[[], object] = lambda: None
    before_thaw: Callable[[], object] = lambda: None
    snapshot_s: float = 0.0
    user: str = ""
    environment: Mapping[str, str] | None = None
    after: Callable[[], object] = lambda: None
    kill: Kill | None = None
    ask: bool = True
    ends: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoJobs:
    """Two jobs that were started together.

    Attributes:
        rans: How each ended.
        held: True if the instances stayed frozen in the first snapshot while the other job had time to begin.
        snapshots: How often the program was called.
    """

    rans: tuple[Ran, ...]
    held: bool
    snapshots: int


class Job:
    """The job of a suite with a `program`. `took` is true once it has called the program."""

    def __init__(
        self,
        machine: Machine,
        scripts: Scripts,
        setup: Setup,
        observer: Observer,
        runner: Runner,
        taker: SnapshotTaker,
        notes: list[str],
        *,
        called_before: bool,
    ) -> None:
        self._machine = machine
        self._scripts = scripts
        self._setup = setup
        self._observer = observer
        self._runner = runner
        self._taker = taker
        self._notes = notes
        self._called_before = called_before
        self._shared = Within(machine.inside)
        self._round = 0
        self.took = False

    def run(self, call: JobCall) -> Seen:
        """Run the job from its beginning to its end, and look at the instances while it takes its snapshot."""
        asked, answer = self._next_round()
        before = self._observer.processes()
        frozen: dict[str, bool | None] = {}
        held: tuple[str, ...] = ()

        def look() -> None:
            nonlocal frozen, held
            if not frozen and asked():
                frozen, self.took = {"": None}, True
                if call.ask:
                    frozen = {name: self._observer.frozen(name) for name in self._setup.names} or frozen
                    held = self._taker.take(call.wanted, call.during, call.snapshot_s)
                    call.before_thaw()
                if not call.kill:
                    _write_whole(answer, call.ends)

        ran = self._runner.run(self._invocation(call, look))
        _write_whole(answer, call.ends)
        call.after()
        self._notes.append(f"job {ran}" + ("" if frozen else ", no snapshot"))
        still = self._observer.left_running(before)
        return Seen(
            freeze=ran,
            expected=call.wanted,
            frozen_after=frozen or dict.fromkeys(call.wanted),
            taken=bool(frozen),
            known=self._is_known(call.environment, ran),
            held=held,
            thaw=ran if frozen else None,
            left_frozen=left_frozen(self._observer, self._notes),
            left_running=still,
        )

    def asked_for(self, number: int) -> Callable[[], bool]:
        """A condition: the job has called its program in its run of that number, 1 for the first."""
        return lambda: self._shared.exists(f"snapshot/asked-{number}")

    def two_at_once(self) -> TwoJobs:
        """Start the job twice at the same moment."""
        asked, answer = self._next_round()
        held: list[bool] = []
        one_looks = threading.Lock()

        def look() -> None:
            with one_looks:  # either may come first, or end first
                if not held and asked():
                    held.append(bool(self._taker.take(tuple(self._setup.names), lambda: None, _OTHER_S)))
                    _write_whole(answer, "0")

        def one(number: int) -> Ran:
            call = JobCall(wanted=(), snapshot_s=_OTHER_S)
            return self._runner.run(self._invocation(call, look, name=f"job-{number}"))

        with ThreadPoolExecutor(2) as pool:
            rans = tuple(pool.map(one, (1, 2)))
        self._notes += [f"job {ran}" for ran in rans]
        times = len(self._shared.text(f"snapshot/asked-{self._round}").splitlines()) if asked() else 0
        return TwoJobs(rans=rans, held=held == [True], snapshots=times)

    def _next_round(self) -> tuple[Callable[[], bool], Path]:
        """Begin a run: whether the program was called in it, and the file that says how it is to end."""
        self._round += 1
        (self._machine.told / "round").write_text(f"{self._round}\n")
        return self.asked_for(self._round), self._machine.told / f"taken-{self._round}"

    def _invocation(self, call: JobCall, look: Callable[[], object], name: str = "job") -> Invocation:
        usual = ROOT_ENVIRONMENT if call.environment is None else call.environment
        return Invocation(
            argv=self._scripts.freeze,
            name=name,
            user=call.user or self._scripts.user,
            timeout_s=self._scripts.timeout_s + call.snapshot_s,
            environment={**usual, "SNAPSHOT": install.PROGRAM},
            kill=call.kill,
            meanwhile=look,
        )

    def _is_known(self, environment: Mapping[str, str] | None, ran: Ran) -> bool:
        """True if a job that did not call its program was free to call it.

        It has called it in an earlier scenario, from a place that is not guessed; or it names it, and ended with
        failure before it froze anything.
        """
        program = self._setup.program
        assert program
        if self._called_before and not (program.guessed and environment is not None):
            return True
        froze = any(self._observer.freezes(name) for name in self._setup.made)
        return self._setup.names_program and ran.status not in self._scripts.success and not froze


def left_frozen(observer: Observer, notes: list[str]) -> tuple[str, ...]:
    """The instances that stay frozen after the scripts have ended; they are noted."""
    left = observer.wait_thawed(ROLLED_BACK_S)
    if left:
        notes.append(f"left frozen: {', '.join(left)}")
    return left


def _write_whole(file: Path, word: str) -> None:
    """Write a file that is whole from the first moment at which it can be seen."""
    new = file.with_suffix(".new")
    new.write_text(f"{word}\n")
    new.replace(file)
