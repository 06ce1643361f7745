"""The kill sweep: `kill -9` of the harness, of an instance or of both, at every stage boundary and between them.

    python -m tests.soak.kills --kills 300 [--seed S] [--jobs 2] [--docker 0.1]
    python -m tests.soak.kills --replay SEED

Each kill is a run of its own, drawn from its seed. What must hold afterwards: a source that lives is thawed within
two seconds and seen to answer so; `harness clean` leaves nothing and changes nothing of others; no record says PASS
of what was cut short; an instance that died is named as the reason; nobody sees a traceback.

A kill matters most inside the freeze window, so half of them are aimed there. A sweep that hit it less often than in
a third of its kills, or came too late with most of them, proves little: it ends with status 3 and says so.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tabulate import tabulate

from harness.errors import ExitCode
from harness.model import RecoveryMode
from tests.runs import Run, wait_for
from tests.soak.canaries import LEND, Canaries, ContainerCanaries
from tests.soak.draw import CONTAINER_EVERY, seeds
from tests.soak.marks import IN_WINDOW, MARKS, by_name, last_passed
from tests.soak.victims import Containers, OwnFreeze, Sandboxes
from tests.soak.witness import Answer, Sample, Witness, thawed_after_s, violations

PLAN = """\
plan: killed
instance: {host: HOST}
workload: {writers: 2, transactions: 1500, rate: 3000}
snapshot:
  provider: command
  run: [sh, -c, 'C=LENT T="$2"; cp -a "$1"/. "$T" && LEND touch "$0" && sleep 0.6', FLAG, '{source}', '{target}']
recovery: [MODES]
"""
Result = TypeVar("Result")
WHAT = ("harness", "instance", "both")
THAWED_WITHIN_S = 5.0
"""A thaw waits for a freeze that is under way, and that takes two seconds now and then (at a load of 14)."""
_END_TIMEOUT_S = 120
_MARK_TIMEOUT_S = 60
_DIES_S = 2.0
"""What was killed a moment ago may take so long to be gone."""
_LOOK_EVERY_S = 0.008
_LONGEST_S = {"local": 4.5, "docker": 10.0}
"""A moment is drawn up to here; most runs are over by then."""
_IN_WINDOW_LEAST, _TOO_LATE_MOST = 1 / 3, 1 / 2
_FEW = 10
"""Of fewer kills the shares say nothing."""
_NAMES_THE_INSTANCE = re.compile(r"(?<![\w/-])(SOURCE|TARGET-\d+)\b|container harness-")
"""An instance by its name, and not a path in which a folder is called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """What is killed and when: at a boundary, or so many seconds after the run was registered."""

    seed: int
    host: str
    what: str
    victim: str
    mark: str | None
    after_s: float
    modes: tuple[RecoveryMode, ...]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What was seen. `what` is what was really killed, `stage` the boundary that the run had passed last; `frozen` if
    the source said so just before the kill, `thawed_s` how long after a kill of the harness its freeze was over.
    """

    kill: Kill
    what: str = "nothing"
    victim: str = ""
    stage: str = "before"
    frozen: bool = False
    thawed_s: float | None = None
    left: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    folder: Path = Path()


def draw(seed: int) -> Kill:
    """The kill of a seed; the same on every machine."""
    chosen = random.Random(seed)
    aimed = chosen.random()
    mark = chosen.choice(IN_WINDOW) if aimed < 0.5 else chosen.choice(MARKS) if aimed < 0.8 else None
    host = "local" if seed % CONTAINER_EVERY else "docker"
    modes = chosen.sample(list(RecoveryMode), 2)
    if mark and not set(modes) & set(mark.modes):
        modes[0] = chosen.choice(mark.modes)
    return Kill(
        seed=seed,
        host=host,
        what=chosen.choice(WHAT),
        victim=chosen.choice(["source", "target"]),
        mark=mark.name if mark else None,
        after_s=chosen.uniform(0.0, _LONGEST_S[host]),
        modes=tuple(modes),
    )


def carry_out(kill: Kill, folder: Path) -> Outcome:
    """Run, kill, look, clean, look again."""
    folder.mkdir(parents=True)
    outcome = Outcome(kill=kill, folder=folder)
    image = "docker, image: stand-in" if kill.host == "docker" else "local"
    canaries = Canaries.around(folder / "results", folder / "state", "killed")
    words: dict[str, Any] = {"LENT": canaries.lent, "LEND": LEND, "HOST": image}
    run = Run(
        folder, PLAN, besides=canaries.tops, **words, MODES=", ".join(mode.value for mode in kill.modes)
    )
    try:
        _kill_and_look(run, outcome, canaries)
    except subprocess.TimeoutExpired as error:
        outcome.wrong.append(f"did not end: {error}")
    except AssertionError as error:
        outcome.wrong.append(f"harness clean: {error}")
    finally:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
            with suppress(AssertionError, subprocess.TimeoutExpired):
                run.clean()
        if run.process.stderr:
            run.process.stderr.close()
        canaries.close()
    return outcome


def _kill_and_look(run: Run, outcome: Outcome, canaries: Canaries) -> None:
    kill = outcome.kill
    _wait_for_the_moment(run, kill)
    token = run.token()
    canaries.look_alikes(token or "1-0123456789ab")
    place = Containers(run, token) if kill.host == "docker" else Sandboxes(run, token)
    with closing(place), closing(OwnFreeze(run)) as own:
        witness = Witness(place.ask, own)
        try:
            _strike_and_clean(run, place, outcome, witness)
        finally:
            witness.stop()
    outcome.left += [str(file) for file in run.state.glob("iris-restore-harness/*.json")]
    outcome.wrong += _wrong_record(run, outcome)
    outcome.wrong += [f"foreign: {one}" for one in canaries.changed()]


def _strike_and_clean(run: Run, place: Sandboxes | Containers, outcome: Outcome, witness: Witness) -> None:
    struck = _strike(run, place, outcome, witness)
    killed = outcome.what in ("harness", "both")
    witness.start()
    if killed:
        witness.settle(_END_TIMEOUT_S)
        witness.stop()  # before the source is ended: a freeze that `clean` ends with the instance was one left
    _, err = run.process.communicate(timeout=_END_TIMEOUT_S)
    witness.stop()
    if not killed:
        wait_for(lambda: not run.left() + place.left(), _DIES_S)  # what was killed may still be ending
        outcome.left += [f"before clean: {one}" for one in run.left() + place.left()]
    outcome.thawed_s = thawed_after_s(witness.samples, struck) if killed else None
    outcome.wrong += wrong_answers(witness.samples, struck if killed else None)
    run.clean()
    wait_for(lambda: not run.left() + place.left(), _DIES_S)
    outcome.left += run.left() + place.left()
    outcome.wrong += _wrong_output(err.decode(errors="replace"), run)


def wrong_answers(samples: Sequence[Sample], killed_s: float | None) -> list[str]:
    """What is wrong with what a source said. `killed_s` is when its run was killed; None if that goes on, and with it
    perhaps a window.
    """
    found = violations(samples, float(_END_TIMEOUT_S))
    after_s = thawed_after_s(samples, killed_s) if killed_s is not None else None
    if after_s is not None and after_s > THAWED_WITHIN_S:
        found.append(f"frozen for {after_s:.2f} s after the kill")
    return found


def _wait_for_the_moment(run: Run, kill: Kill) -> None:
    """Until the boundary is passed, or the drawn time after the registration; or until the run is over."""
    passed = by_name(kill.mark).passed if kill.mark else lambda run: bool(run.token())
    deadline = time.monotonic() + _MARK_TIMEOUT_S
    while not passed(run) and run.process.poll() is None and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    if kill.mark is None:
        wait_for(lambda: run.process.poll() is not None, kill.after_s)


def _strike(run: Run, place: Sandboxes | Containers, outcome: Outcome, witness: Witness) -> float:
    """Kill what was drawn; without an instance to be killed, the harness. Returns when that was."""
    kill = outcome.kill
    chance = random.Random(kill.seed)
    there = place.names() if kill.what != "harness" else []
    victim = kill.victim if kill.victim in there else next(iter(there), "")
    mark = last_passed(run)
    outcome.stage = mark.name if mark else "before"
    if run.process.poll() is not None:
        return time.monotonic()
    outcome.frozen = witness.look() is Answer.FROZEN and witness.samples[-1].own
    struck = time.monotonic()
    if kill.what in ("harness", "both") or not victim:
        run.process.send_signal(signal.SIGKILL)
        outcome.what = "harness"
    if victim and place.kill(victim, chance):
        outcome.victim = victim
        outcome.what = "both" if outcome.what == "harness" else "instance"
    return struck


def _wrong_output(err: str, run: Run) -> list[str]:
    logs = [file.read_text(errors="replace") for file in run.out.glob("*/*/watchdog.log")]
    found = [f"on standard error: {err}"] if "Traceback" in err or "a defect of the harness" in err else []
    found += [f"in watchdog.log: {log}" for log in logs if "Traceback" in log]
    return found


def _wrong_record(run: Run, outcome: Outcome) -> list[str]:
    """What the record, the exit status and the killing do not agree about."""
    records = list(run.out.glob("*/*/record.json"))
    if not records:
        early = outcome.stage in ("before", "registered")
        return [] if early else [f"no record, killed at {outcome.stage}"]
    record: dict[str, Any] = run.record()
    if outcome.what in ("harness", "both"):
        cut_short = not record["finished"]
        return [f"cut short, but {record['verdict']}"] if cut_short and record["verdict"] == "PASS" else []
    return list(_wrong_end(record, run.process.returncode, outcome))


def _wrong_end(record: dict[str, Any], status: int, outcome: Outcome) -> Iterator[str]:
    """A run that went on without its instance: PASS if that came too late, else UNKNOWN, finished, with a reason."""
    if status not in (ExitCode.PASS, ExitCode.UNKNOWN):
        yield f"exit status {status}, verdict {record['verdict']}: {'; '.join(_failures(record))}"
    if (status == ExitCode.PASS) != (record["verdict"] == "PASS"):
        yield f"exit status {status}, but {record['verdict']}"
    names = [mark.name for mark in MARKS]
    backed_up = outcome.stage in names[names.index("SwitchJournal") :]
    if status == ExitCode.PASS and outcome.victim == "source" and not backed_up:
        yield f"PASS, but its source was killed at {outcome.stage}"
    if status == ExitCode.UNKNOWN:
        started = outcome.stage not in ("before", "registered")
        if started and not record["finished"]:
            yield f"not finished: {record.get('error')}"
        named = any(names_an_instance(reason) for reason in _reasons(record))
        if not named and not _load_was_short(record):
            yield f"no reason names the instance: {_reasons(record)}"


def names_an_instance(reason: str) -> bool:
    return _NAMES_THE_INSTANCE.search(reason) is not None


def _load_was_short(record: dict[str, Any]) -> bool:
    """Over before the freeze call returned, as happens on a slow machine: the only reason of a run that was killed
    too late.
    """
    codes = {one["code"] for one in _all_findings(record) if one["verdict"] == "UNKNOWN"}
    return codes == {"recovery_point.nothing_between"}


def _reasons(record: dict[str, Any]) -> list[str]:
    found = [f"{one['message']} {one['witness']}" for one in _all_findings(record)]
    return [*found, *([record["error"]] if record.get("error") else [])]


def _failures(record: dict[str, Any]) -> list[str]:
    fails = [one for one in _all_findings(record) if one["verdict"] == "FAIL"]
    return [f"{one['code']}: {one['message']} {one['witness']}" for one in fails]


def _all_findings(record: dict[str, Any]) -> list[dict[str, str]]:
    checks = [check for case in record["cases"] for check in case["checks"]]
    return [finding for check in checks for finding in check["findings"]]


# --- the sweep


def sweep(kills: list[Kill], folder: Path, jobs: int) -> list[Outcome]:
    """Carry them all out and say on the way how far it is; folders without a violation are removed."""
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(jobs) as pool:
        for future in ended(pool, [pool.submit(carry_out, kill, folder / str(kill.seed)) for kill in kills]):
            outcome = future.result()
            outcomes.append(outcome)
            if outcome.wrong or outcome.left:
                _show(outcome)
            else:
                shutil.rmtree(outcome.folder)
            if len(outcomes) % 10 == 0:
                wrong = sum(bool(one.wrong or one.left) for one in outcomes)
                _tell(f"{len(outcomes)} of {len(kills)} kills, {wrong} violations")
    return outcomes


def ended(pool: Executor, waiting: Iterable[Future[Result]]) -> Iterator[Future[Result]]:
    """As they end. After an interrupt no other one begins, and what was seen up to then counts."""
    try:
        yield from as_completed(waiting)
    except KeyboardInterrupt:
        _tell("interrupted; those under way clean up")
        pool.shutdown(wait=True, cancel_futures=True)


def _show(outcome: Outcome) -> None:
    kill = outcome.kill
    print(f"\nVIOLATION seed {kill.seed}: {outcome.what} {outcome.victim} at {outcome.stage}: {kill}")
    for text in [*outcome.wrong, *(f"left behind: {one}" for one in outcome.left)]:
        print(f"  {text}")
    print(f"  kept: {outcome.folder}\n  replay: ./dev kills --replay {kill.seed}", flush=True)


def table(outcomes: list[Outcome]) -> str:
    stages = ["before", *(mark.name for mark in MARKS)]
    rows = [_row(stage, [one for one in outcomes if one.stage == stage]) for stage in stages]
    heads = [
        "killed after",
        *WHAT,
        "too late",
        "frozen at the kill",
        "thawed within s",
        "left behind",
        "violations",
    ]
    return tabulate([*rows, _row("all", outcomes)], heads)


def _row(name: str, outcomes: list[Outcome]) -> list[object]:
    thawed = [one.thawed_s for one in outcomes if one.thawed_s is not None]
    return [
        name,
        *(sum(one.what == what for one in outcomes) for what in (*WHAT, "nothing")),
        sum(one.frozen for one in outcomes),
        f"{max(thawed):.2f}" if thawed else "",
        sum(bool(one.left) for one in outcomes),
        sum(bool(one.wrong or one.left) for one in outcomes),
    ]


def weakness(outcomes: list[Outcome]) -> str:
    """Why a sweep without violations proves little; empty if it does not."""
    if len(outcomes) < _FEW:
        return ""
    late = sum(one.what == "nothing" for one in outcomes)
    inside = sum(one.frozen for one in outcomes)
    if late > _TOO_LATE_MOST * len(outcomes):
        return f"{late} of {len(outcomes)} kills came too late: the run was over"
    if inside < _IN_WINDOW_LEAST * len(outcomes):
        return f"only {inside} of {len(outcomes)} kills struck a frozen instance"
    return ""


@contextmanager
def _folder(asked: Path | None) -> Iterator[Path]:
    folder = asked or Path(tempfile.mkdtemp(prefix="kills-"))
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    if not any(folder.iterdir()):
        folder.rmdir()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev kills", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)), help="of the whole sweep")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--docker", type=float, default=0.0, metavar="SHARE", help="of runs in containers")
    parser.add_argument("--replay", type=int, metavar="SEED", help="one kill, by its own seed")
    parser.add_argument("--folder", type=Path, help="for the runs; those with a violation are kept")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    asked = _arguments(argv)
    if asked.replay is None:
        _tell(f"seed {asked.seed}")
        drawn = seeds(random.Random(asked.seed), asked.kills, asked.docker)
    else:
        drawn = [asked.replay]
    began = time.monotonic()
    with _folder(asked.folder) as folder, closing(ContainerCanaries()) as others:
        outcomes = sweep([draw(seed) for seed in drawn], folder, asked.jobs)
        foreign = others.changed()
    print(table(outcomes))
    print(f"{len(outcomes)} runs, {time.monotonic() - began:.0f} seconds", *foreign)
    if foreign or any(one.wrong or one.left for one in outcomes):
        return 1
    if why := weakness(outcomes):
        print(f"this proves little: {why}")
        return int(ExitCode.UNKNOWN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
