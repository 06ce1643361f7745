"""`./dev mutants`: changes the code that decides in many places, one at a time, and tells which no test notices."""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from tests.mutants import changed, equivalent, floors, imports, report
from tests.mutants.forks import Order, Server
from tests.mutants.operators import Mutant, mutants_of
from tests.mutants.report import EQUIVALENT, KILLED, NOT_RUN, SURVIVED, TIMEOUT, Fate
from tests.mutants.seeing import Killers, Memory, Seen, Sight
from tests.mutants.spans import Source
from tests.mutants.trees import ROOT, trees

Item = TypeVar("Item")

_FIRST_S = 4.0
"""The first child runs tests for so long; most mutants live no longer."""
_MOST_S = 40.0
"""So long may all tests of a mutant take together, by the processor's seconds when they were watched: ten in truth.
What only slower ones would notice survives.
"""
_LATE_KILLERS = 12
"""So many of the tests that noticed a change in the same file before are tried first."""


@dataclass(slots=True)
class Work:
    """What the threads share: each takes an item, and puts its result."""

    due: float
    servers: list[Server]
    lock: threading.Lock = field(default_factory=threading.Lock)
    failed: Exception | None = None
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.due or self.failed is not None

    def server(self, number: int, file: str) -> Server:
        """The one of a thread; another one in its place where another file is going to be changed."""
        if self.servers[number].file != file:
            self.servers[number].close()
            self.servers[number] = Server(self.servers[number].tree, file)
        return self.servers[number]

    def end(self) -> None:
        """Also after an interruption."""
        self.due = 0.0
        for server in self.servers:
            server.end()
        for thread in self.threads:
            thread.join()
        for server in self.servers:
            server.close()


def main() -> int:
    """0: every module reaches its floor; 1: one does not, or an entry is stale; 2: nothing could be tried."""
    asked = _arguments().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    due = began + asked.time_limit if asked.time_limit else float("inf")
    files = [Path(name).resolve().relative_to(ROOT).as_posix() for name in asked.files] or floors.files(ROOT)
    odd = [file for file in files if floors.floor_of(file) is None]
    if odd:
        print(f"no floor in tests/mutants/floors.py for {', '.join(odd)}", file=sys.stderr)
        return 2
    everything = [mutant for file in files for mutant in mutants_of(_source(file))]
    known = equivalent.entries(equivalent.FILE.read_text(encoding="utf-8"))
    left_over = equivalent.stale(known, everything, files)
    try:
        chosen = _chosen(everything, asked)
    except changed.NoBase as error:
        print(f"nothing tried: it cannot be told what was changed ({error})")
        return 0
    if not chosen:
        print("nothing to try: no line that is changed here was changed")
        return 1 if left_over and print("\n".join(f"stale: {one}" for one in left_over)) is None else 0
    fates = _fates(chosen, known, asked.jobs, due)
    return _tell(chosen, fates, left_over, asked, time.monotonic() - began)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev mutants", description=__doc__)
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="modules; without any, all that have a floor"
    )
    parser.add_argument(
        "--changed",
        nargs="?",
        const="",
        metavar="BASE",
        help="only lines changed against this commit; without BASE: origin/main, or the commit before",
    )
    parser.add_argument(
        "--sample", type=int, metavar="N", help="only N of them, drawn by chance from each module"
    )
    parser.add_argument("--seed", type=int, default=1, help="what they are drawn by (1)")
    parser.add_argument("--jobs", type=int, default=2, help="so many at a time (2)")
    parser.add_argument(
        "--time-limit", type=float, metavar="S", help="stop after so many seconds; what was not tried is said"
    )
    parser.add_argument("--killers", action="store_true", help="also say which test noticed each of them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write what became of each to a file")
    return parser


def _source(file: str) -> Source:
    return Source(file, (ROOT / file).read_text(encoding="utf-8"))


def _chosen(mutants: list[Mutant], asked: argparse.Namespace) -> list[Mutant]:
    """Raises changed.NoBase."""
    if asked.changed is not None:
        lines = changed.changed_lines(ROOT, asked.changed or changed.likely_base(ROOT))
        mutants = [one for one in mutants if lines.get(one.file, set()) & _lines(one)]
    if asked.sample is None:
        return mutants
    draw = random.Random(asked.seed)
    by_file: dict[str, list[Mutant]] = {}
    for one in mutants:
        by_file.setdefault(one.file, []).append(one)
    drawn = [draw.sample(ones, min(asked.sample, len(ones))) for ones in by_file.values()]
    return [one for ones in drawn for one in ones]


def _lines(mutant: Mutant) -> set[int]:
    return set(range(mutant.line, mutant.line + mutant.old.count("\n") + 1))


# --- looking and trying


def _fates(chosen: list[Mutant], known: list[equivalent.Entry], jobs: int, due: float) -> list[Fate]:
    """What became of those that were tried; interrupted or out of time it is less than all."""
    fates = [Fate(mutant=m, status=EQUIVALENT) for m in chosen if any(entry.matches(m) for entry in known)]
    settled = {id(fate.mutant) for fate in fates}
    left = [one for one in chosen if id(one) not in settled]
    with trees(ROOT, jobs) as copies:
        work = Work(due=due, servers=[Server(tree) for tree in copies])
        try:
            sight = _look(work, {one.file for one in left})
            _try(work, sight, left, fates)
        finally:
            work.end()
    if work.failed:
        raise work.failed
    return fates


def _look(work: Work, files: set[str]) -> Sight:
    """Run the test files that may see something of these files, unless that is remembered."""
    memory = Memory(ROOT)
    found = {test: memory.get(test) for test in imports.that_may_see(ROOT, files)}
    left = deque(test for test, seen in found.items() if seen is None)
    if left:
        print(f"looking which tests run which lines: {len(left)} test files", flush=True)

    def look(number: int) -> None:
        while (test := _next(left, work)) is not None:
            answer = work.server(number, "").do(Order(stages=[[test]], limit_s=120.0, note=True))
            if answer.status == "timeout":
                print(f"not used, it takes too long: {answer.by}", flush=True)
            if answer.noted:
                memory.put(test, answer.noted)
                found[test] = Seen.of(answer.noted)

    _in_threads(work, look)
    sight = Sight(root=ROOT, by_file={test: seen for test, seen in found.items() if seen})
    for test in sight.failed():
        print(f"not used, it fails without any change: {test}", flush=True)
    return sight


def _try(work: Work, sight: Sight, left: list[Mutant], fates: list[Fate]) -> None:
    queue, told = deque(left), time.monotonic()
    latest: dict[str, deque[str]] = {}
    killers = Killers(ROOT)

    def attempt(number: int) -> None:
        nonlocal told
        while (mutant := _next(queue, work)) is not None:
            recent = latest.setdefault(mutant.file, deque(maxlen=_LATE_KILLERS))
            fate = _fate(work.server(number, mutant.file), sight, mutant, killers.of(mutant), tuple(recent))
            with work.lock:
                fates.append(fate)
                if fate.status in (SURVIVED, NOT_RUN):
                    print(report.survivor(fate), flush=True)
                if fate.status == KILLED:
                    killers.note(mutant, fate.by)
                    if fate.by not in recent:
                        recent.appendleft(fate.by)
                if time.monotonic() > told + 30:
                    told = time.monotonic()
                    killers.keep()
                    print(f"  {len(left) - len(queue)} of {len(left)}, {mutant.file}", flush=True)

    _in_threads(work, attempt)
    killers.keep()


def _fate(server: Server, sight: Sight, mutant: Mutant, killer: str, recent: Sequence[str]) -> Fate:
    tests = sight.tests(mutant)
    if not tests:
        return Fate(mutant=mutant, status=NOT_RUN)
    first = [test for test in recent if test in tests]
    tests = [*first, *(test for test in tests if test not in first)]
    at_once = [[killer]] if killer in tests else []
    order = Order(
        stages=[*at_once, *_stages([test for test in tests if test != killer], sight)],
        limits=sight.limits(tests),
        file=mutant.file,
        start=mutant.span.start,
        end=mutant.span.end,
        new=mutant.new,
    )
    answer = server.do(order)
    status = {"passed": SURVIVED, "failed": KILLED, "timeout": TIMEOUT}[answer.status]
    return Fate(mutant=mutant, status=status, by=answer.by, seconds=answer.seconds)


def _stages(tests: list[str], sight: Sight) -> list[list[str]]:
    """A short first stage, then the rest."""
    spent, at = 0.0, 0
    while at < len(tests) and (at == 0 or spent + sight.cost(tests[at]) < _FIRST_S):
        spent += sight.cost(tests[at])
        at += 1
    end = at
    while end < len(tests) and spent + sight.cost(tests[end]) < _MOST_S:
        spent += sight.cost(tests[end])
        end += 1
    return [stage for stage in (tests[:at], tests[at:end]) if stage]


def _next(queue: deque[Item], work: Work) -> Item | None:
    with work.lock:
        return queue.popleft() if queue and not work.is_over else None


def _in_threads(work: Work, do: Callable[[int], None]) -> None:
    def guarded(number: int) -> None:
        try:
            do(number)
        except Exception as error:  # noqa: BLE001 # it is raised again, in the main thread
            work.failed = work.failed or (None if work.is_over else error)

    work.threads = [
        threading.Thread(target=guarded, args=(number,), daemon=True) for number in range(len(work.servers))
    ]
    for thread in work.threads:
        thread.start()
    for thread in work.threads:
        thread.join()


# --- telling


def _tell(
    chosen: list[Mutant], fates: list[Fate], left_over: list[str], asked: argparse.Namespace, seconds: float
) -> int:
    place = {id(mutant): at for at, mutant in enumerate(chosen)}
    fates = sorted(fates, key=lambda fate: place[id(fate.mutant)])
    files = dict.fromkeys(mutant.file for mutant in chosen)
    is_part = asked.changed is not None or asked.sample is not None
    scores = [report.score(file, fates, is_part=is_part) for file in files]
    if asked.killers:
        print("\n".join(f"{f.mutant.file}:{f.mutant.line}: {f.status} by {f.by}" for f in fates if f.by))
    print(f"\n{report.table(scores)}\n")
    if asked.json:
        asked.json.write_text(json.dumps([_plain(fate) for fate in fates], indent=1))
    print(
        "\n".join(f"stale in {equivalent.FILE.name}: {one}" for one in left_over),
        end="\n" if left_over else "",
    )
    below = [one.file for one in scores if not one.is_enough]
    not_tried = len(chosen) - len(fates)
    if not_tried:
        print(f"NOT TRIED, the time was over: {not_tried} of {len(chosen)}; nothing is said of these")
    print(f"{len(fates)} mutants in {seconds:.0f} s; below their floor: {', '.join(below) or 'none'}")
    return 1 if below or left_over else 0


def _plain(fate: Fate) -> dict[str, object]:
    mutant = asdict(replace(fate.mutant, run_lines=None))
    return {**mutant, "status": fate.status, "by": fate.by, "seconds": fate.seconds}


if __name__ == "__main__":
    sys.exit(main())
