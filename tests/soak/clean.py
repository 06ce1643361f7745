"""The clean soak: many cycles in which nothing is wrong, none of which may raise an alarm.

    python -m tests.soak.clean --cycles 1000 [--seed S] [--jobs 2] [--docker 0.02]
    python -m tests.soak.clean --replay SEED [--set writers=1 …]

Each cycle is drawn from its own seed (`tests.soak.draw`). Cycles with the same home share an instance, which is
cleared between them; what a cycle does depends on its seed only. A cycle that raises an alarm is repeated alone and
made smaller while the alarm still shows.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from tabulate import tabulate

from harness import containers
from harness.cycle import back_up_and_recover, opened_for
from harness.errors import HarnessError
from harness.instance.docker import DockerHost
from harness.model import CaseRecord, RecoveryMode, Verdict
from harness.plan.expand import expand
from harness.plan.model import InstanceSpec, Plan
from harness.session import leftovers
from harness.session.progress import SilentProgress
from harness.session.session import Session
from harness.workload.ledger import Ledger
from tests.soak.draw import Cycle, Home, changed, difference, draw, seeds, simpler
from tests.soak.volumes import KINDS, CannotMake, volume

CYCLES_PER_INSTANCE = 25
_ENDED_TOO_SOON = "recovery_point.nothing_between"
"""Says that the load was over before the freeze: the machine was slow, the checks are right."""
_IDLE_SHARE_MAX, _IDLE_SHARE_OF_FEW_MAX, _FEW = 0.05, 0.5, 100
"""Of fewer cycles a busy machine makes a larger share idle: their load may be over before the freeze."""
_TRIES_ALONE = 3
_SHRUNK_AT_MOST = 3
"""So many alarms are repeated and made smaller; the others are only printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one cycle. `alarms` are findings that a clean cycle must not have; `around` are the transactions
    that were acknowledged before and after each freeze.
    """

    cycle: Cycle
    alarms: tuple[str, ...] = ()
    around: tuple[tuple[int, int], ...] = ()
    recoveries: int = 0
    transactions: int = 0
    folder: Path = Path()

    @property
    def idle(self) -> bool:
        """There was no load on one side of a freeze, so that little was tried: a slow machine, or a wrong draw."""
        return not self.around or any(0 in sides for sides in self.around)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Cycles for one instance, and the folder it lies in."""

    cycles: tuple[Cycle, ...]
    folder: Path


@dataclass(slots=True)
class Tally:
    """The table at the end."""

    began: float = field(default_factory=time.monotonic)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def alarms(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.alarms]

    def table(self) -> str:
        seconds = time.monotonic() - self.began
        kinds = sorted({_kind(outcome) for outcome in self.outcomes})
        rows = [_row(kind, [o for o in self.outcomes if _kind(o) == kind]) for kind in kinds]
        heads = ["host · provider · volume", "cycles", "recoveries", "before", "after", "idle", "alarms"]
        per_cycle = seconds / max(1, len(self.outcomes))
        return (
            tabulate([*rows, _row("all", self.outcomes)], heads, intfmt=",")
            + "\nbefore, after: transactions acknowledged before and after the freezes; idle: cycles without any on "
            f"one side\n{seconds:.0f} seconds, {per_cycle:.2f} seconds per cycle"
        )

    @property
    def idle(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.idle and not outcome.alarms]

    @property
    def proves(self) -> bool:
        """Something ran, nearly all of it under a load on both sides of every freeze."""
        most = _IDLE_SHARE_OF_FEW_MAX if len(self.outcomes) < _FEW else _IDLE_SHARE_MAX
        return bool(self.outcomes) and len(self.idle) <= most * len(self.outcomes)


def _kind(outcome: Outcome) -> str:
    cycle = outcome.cycle
    return f"{cycle.host} · {cycle.provider} · {cycle.volume}"


def _row(name: str, outcomes: list[Outcome]) -> list[object]:
    return [
        name,
        len(outcomes),
        sum(outcome.recoveries for outcome in outcomes),
        sum(before for outcome in outcomes for before, _ in outcome.around),
        sum(after for outcome in outcomes for _, after in outcome.around),
        sum(outcome.idle for outcome in outcomes),
        sum(bool(outcome.alarms) for outcome in outcomes),
    ]


# --- one instance, many cycles


def run_batch(batch: Batch) -> list[Outcome]:
    """All cycles of a batch; after one that broke off, the others go on with a new instance."""
    waiting, outcomes = list(batch.cycles), list[Outcome]()
    while waiting:
        batch.folder.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=batch.folder))
        try:
            with opened_for(_plan_of(batch), waiting[0].seed, folder, SilentProgress()) as session:
                while waiting:
                    outcomes.append(run_cycle(session, waiting[0]))
                    del waiting[0]
        except Exception as error:  # noqa: BLE001 # whatever a clean cycle ends with is an alarm
            broken = waiting.pop(0) if waiting else outcomes.pop().cycle
            said = f"{type(error).__name__}: {error}"
            outcomes.append(Outcome(cycle=broken, alarms=(said,), folder=folder))
    return outcomes


def run_cycle(session: Session, cycle: Cycle) -> Outcome:
    """One cycle on an instance that is cleared first."""
    plan = cycle.plan()
    ledger = Ledger(cycle.writers, session.folder / f"ledger-{cycle.seed}.bin")
    with contextlib.closing(ledger):
        session.source.clear()
        anew = replace(
            session,
            workload=plan.workload,
            freeze=plan.freeze,
            limits=plan.limits,
            seed=cycle.seed,
            ledger=ledger,
            random=random.Random(cycle.seed),
            first_journal=session.source.switch_journal().journal_file,
        )
        records = list(_records(anew, plan))
    findings = [text for record in records for text in _findings(record)]
    too_soon = bool(findings) and all(_ENDED_TOO_SOON in text for text in findings)
    return Outcome(
        cycle=cycle,
        alarms=() if too_soon else tuple(findings),
        around=_around(anew, records),
        recoveries=len(records),
        folder=session.folder,
    )


def _records(session: Session, plan: Plan) -> Iterator[CaseRecord]:
    for _, cases in itertools.groupby(expand(plan), key=lambda case: case.cycle):
        yield from back_up_and_recover(session, list(cases))


def _around(session: Session, records: list[CaseRecord]) -> tuple[tuple[int, int], ...]:
    """Transactions acknowledged before each freeze was asked for, and between its thaw and the next one's."""
    zero_s = session.clock.monotonic_s
    windows = sorted(
        {
            (zero_s + stage.started_s, zero_s + stage.started_s + stage.duration_s)
            for record in records
            for stage in record.stages
            if stage.name == "freeze window"
        }
    )
    floors = [[sum(session.ledger.floor(moment_s).values()) for moment_s in window] for window in windows]
    last = sum(session.ledger.acknowledged().values())
    ends = [*(before for before, _ in floors[1:]), last]
    starts = [0, *(thawed for _, thawed in floors[:-1])]
    return tuple(
        (before - start, end - thawed)
        for start, (before, thawed), end in zip(starts, floors, ends, strict=True)
    )


def _findings(record: CaseRecord) -> list[str]:
    """What a clean case must not have: a finding, or without one a verdict other than PASS."""
    found = [
        f"{record.name}: {finding.code}: {finding.message} {finding.witness}".strip()
        for check in record.checks
        for finding in check.findings
    ]
    return found or ([] if record.verdict is Verdict.PASS else [f"{record.name}: {record.verdict.value}"])


def _plan_of(batch: Batch) -> Plan:
    """What the instance is opened with: as many targets as the cycles will want are made ahead."""
    cycle = batch.cycles[0]
    return replace(cycle.plan(), cycles=len(batch.cycles), recovery=(RecoveryMode.ROLLFORWARD,))


# --- where instances can lie


@contextmanager
def homes(folder: Path, container_share: float) -> Iterator[dict[Home, Path]]:
    """Every home that there is on this machine, with a folder for its instances; says which are left out."""
    found = {Home(host="local", volume="plain"): folder / "plain"}
    with ExitStack() as stack:
        for kind in KINDS:
            try:
                place = stack.enter_context(volume(kind, folder))
                found[Home(host="local", volume=kind)] = place
            except CannotMake as error:
                _tell(f"left out: {kind}: {error}")
        if container_share and _has_containers(folder):
            found[Home(host="docker", volume="plain")] = folder / "docker"
        yield found


def _has_containers(folder: Path) -> bool:
    try:
        containers.program()
        place = folder / "probe"
        place.mkdir()
        DockerHost(InstanceSpec(host="docker"), place).probe()
    except HarnessError as error:
        _tell(f"left out: containers: {error}")
        return False
    return True


def at_home(cycle: Cycle, there: Iterable[Home]) -> Cycle:
    """The cycle itself, or the nearest one that can run here."""
    if cycle.home in there:
        return cycle
    provider = cycle.provider if cycle.host == "docker" else "copy"
    return replace(cycle, host="local", volume="plain", provider=provider)


def batches(cycles: Iterable[Cycle], places: dict[Home, Path]) -> list[Batch]:
    """Cycles by home, the slowest homes first, in pieces that suit one instance."""
    by_home: dict[Home, list[Cycle]] = {}
    for cycle in cycles:
        by_home.setdefault(cycle.home, []).append(cycle)
    found: list[Batch] = []
    for home in sorted(by_home, key=lambda home: (home.host, home.volume)):
        mine = by_home[home]
        for start in range(0, len(mine), CYCLES_PER_INSTANCE):
            piece = tuple(mine[start : start + CYCLES_PER_INSTANCE])
            found.append(Batch(cycles=piece, folder=places[home]))
    return found


# --- alarms


def show_alarm(outcome: Outcome) -> None:
    print(f"\nALARM seed {outcome.cycle.seed}: {outcome.cycle}")
    for text in outcome.alarms:
        print(f"  {text}")
    print(f"  kept: {outcome.folder}\n  replay: ./dev soak --replay {outcome.cycle.seed}", flush=True)


def shrink(outcome: Outcome, places: dict[Home, Path]) -> None:
    """Repeat a cycle alone, then with one thing less for as long as the alarm still shows; print the smallest."""
    smallest = _again(outcome.cycle, places)
    if smallest is None:
        print(f"seed {outcome.cycle.seed}: alone it raised no alarm in {_TRIES_ALONE} tries", flush=True)
        return
    while smaller := _first_alarm(simpler(smallest.cycle), places):
        smallest = smaller
    changes = "".join(f" --set {text}" for text in difference(smallest.cycle, draw(smallest.cycle.seed)))
    print(f"smallest: ./dev soak --replay {smallest.cycle.seed}{changes}")
    for text in smallest.alarms:
        print(f"  {text}", flush=True)


def _first_alarm(cycles: Iterable[Cycle], places: dict[Home, Path]) -> Outcome | None:
    return next((found for cycle in cycles if (found := _again(cycle, places))), None)


def _again(cycle: Cycle, places: dict[Home, Path]) -> Outcome | None:
    """The cycle alone, a few times; the first outcome with an alarm."""
    for _ in range(_TRIES_ALONE):
        (outcome,) = run_batch(Batch(cycles=(cycle,), folder=places[cycle.home]))
        if outcome.alarms:
            return outcome
    return None


# --- command line


def soak(tally: Tally, cycles: list[Cycle], places: dict[Home, Path], jobs: int) -> None:
    """Run all cycles and say on the way how far it is."""
    waiting = batches((at_home(cycle, places) for cycle in cycles), places)
    for outcomes in _done(waiting, jobs):
        tally.outcomes += outcomes
        for outcome in outcomes:
            if outcome.alarms:
                show_alarm(outcome)
        seconds = time.monotonic() - tally.began
        _tell(f"{len(tally.outcomes)} of {len(cycles)} cycles, {len(tally.alarms)} alarms, {seconds:.0f} s")
    for outcome in tally.alarms[:_SHRUNK_AT_MOST]:
        shrink(outcome, places)


def _done(waiting: list[Batch], jobs: int) -> Iterator[list[Outcome]]:
    if jobs == 1:
        yield from map(run_batch, waiting)
        return
    pool: Executor
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            for future in as_completed([pool.submit(run_batch, batch) for batch in waiting]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)), help="of the whole soak")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--docker", type=float, default=0.02, metavar="SHARE", help="of cycles in containers")
    parser.add_argument("--replay", type=int, metavar="SEED", help="one cycle, by its own seed")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="change it first")
    parser.add_argument("--folder", type=Path, help="for instances; kept if there is an alarm")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    asked = _arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    if asked.replay is None:
        _tell(f"seed {asked.seed}")
        cycles = [draw(seed) for seed in seeds(random.Random(asked.seed), asked.cycles, asked.docker)]
    else:
        cycles = [changed(draw(asked.replay), asked.set)]
        _tell(str(cycles[0]))
    tally = Tally()
    try:
        with homes(folder, float(any(cycle.host == "docker" for cycle in cycles))) as places:
            try:
                soak(tally, cycles, places, 1 if asked.replay is not None else asked.jobs)
            finally:
                leftovers.clean()
    finally:  # one that is interrupted tells what it has seen
        print(tally.table(), flush=True)
    if tally.alarms:
        _tell(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    if not tally.proves:
        _tell(
            f"{len(tally.idle)} of {len(tally.outcomes)} cycles had no load on one side of a freeze: too many"
        )
    return int(bool(tally.alarms) or not tally.proves)


if __name__ == "__main__":
    sys.exit(main())
