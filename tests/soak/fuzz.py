"""The fuzzer: random mutations of a backup, each judged by the harness and by extracts of the engine.

    python -m tests.soak.fuzz --cases 2000 [--seed S] [--jobs 2] [--keep]
    python -m tests.soak.fuzz --only SEED [--kept FOLDER] [--mode MODE] [--mutation 'KIND on=… at=…' …]

What may be done is in `tests.soak.mutations`, how it is done in `planting`, what is looked at in `extracts` and
`cases`, and what a case is then called in `judged`. Cases of a batch share one good backup (`batch`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from tabulate import tabulate

from harness.model import RecoveryMode, Verdict
from harness.session import leftovers
from harness.stages import walk as state
from tests.runs import left_below
from tests.soak.batch import Batch, keep, made, opened_again
from tests.soak.cases import Outcome, clean, run, shrunk
from tests.soak.judged import Look, Word
from tests.soak.mutations import KINDS, PER_BATCH, PROMISES, Case, command, draw, read_mutation

CASES_PER_BATCH = 200
_BATCHES = 2_000_000
_SHRUNK_AT_MOST = 8
"""So many findings of a batch are made smaller; the others are only printed."""
_WALK_S = 15.0
"""A walk of a damaged database may go round for ever. In minutes, as ever, it would be most of the time of all."""
_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 << 30
_STAGES_SHOWN = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Cases of one batch, and its folder; `again` if the batch is there already."""

    cases: tuple[Case, ...]
    folder: Path
    keep: bool = False
    again: bool = False


@dataclass(slots=True)
class Tally:
    """The tables at the end."""

    wanted: int = 0
    began: float = field(default_factory=time.monotonic)
    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.word.is_finding]

    @property
    def status(self) -> int:
        """0 only if every case ran and there is no finding."""
        return int(bool(self.findings or self.problems) or len(self.outcomes) != self.wanted)

    def table(self) -> str:
        seconds = time.monotonic() - self.began
        per_minute = 60 * len(self.outcomes) / max(seconds, 0.001)
        parts = [
            _table("kind", [(kind, self._of(kind)) for kind in KINDS] + [("none", self._without())]),
            _table("mode", [(m.value, [o for o in self.outcomes if o.case.mode is m]) for m in RecoveryMode]),
            self._promises(),
            self._where_time_goes(),
            f"{self.so_far}, {seconds:.0f} seconds, {per_minute:.0f} cases a minute",
            *self.problems,
        ]
        return "\n\n".join(filter(None, parts))

    @property
    def so_far(self) -> str:
        """A case that was not tried is no case without a finding."""
        tried = f"{len(self.outcomes)} of {self.wanted} cases, {len(self.findings)} findings"
        return f"BROKE OFF: {tried} in those that were tried" if self.problems else tried

    def _of(self, kind: str) -> list[Outcome]:
        return [o for o in self.outcomes if any(one.kind == kind for one in o.case.mutations)]

    def _without(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if not outcome.case.mutations]

    def _promises(self) -> str:
        excused = [outcome for outcome in self.outcomes if outcome.word is Word.EXCUSED]
        found = Counter(name for outcome in excused for name in outcome.excused_by)
        rows = [[p.name, found[p.name], p.statement] for p in PROMISES]
        return tabulate(rows, ["excused by the promise", "cases", "that"])

    def _where_time_goes(self) -> str:
        spent: Counter[str] = Counter()
        for outcome in self.outcomes:
            spent.update(outcome.seconds)
        spent["everything else"] = sum(o.duration_s for o in self.outcomes) - sum(spent.values())  # type: ignore[assignment]
        shown = spent.most_common(_STAGES_SHOWN)
        return "where the time goes, in seconds: " + ", ".join(f"{name} {s:.0f}" for name, s in shown)


def _table(what: str, rows: list[tuple[str, list[Outcome]]]) -> str:
    verdicts = (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN)
    heads = [what, "cases", *(v.value for v in verdicts), *(k.value for k in Look), *(w.value for w in Word)]
    every = list({id(o): o for _, outcomes in rows for o in outcomes}.values())
    lines = []
    for name, outcomes in [*(row for row in rows if row[1]), ("all", every)]:
        said = Counter[object](o.verdict for o in outcomes)
        looked = Counter[object](o.look for o in outcomes)
        words = Counter[object](o.word for o in outcomes)
        numbers = [said[v] for v in verdicts] + [looked[k] for k in Look] + [words[w] for w in Word]
        lines.append([name, len(outcomes), *(number or "" for number in numbers)])
    used = [n for n in range(len(heads)) if n < 2 or any(line[n] for line in lines)]
    return tabulate([[line[n] for n in used] for line in lines], [heads[n] for n in used])


# --- batches


def run_batch(work: Work) -> tuple[list[Outcome], list[str]]:
    """All cases of a batch. Returns what became of each, and what is wrong with the batch itself."""
    state.SUMMARY_TIMEOUT_S = state.WALK_TIMEOUT_S = _WALK_S
    outcomes: list[Outcome] = []
    try:
        with _opened(work) as batch:
            _run_all(work, batch, outcomes)
    except Exception as error:  # noqa: BLE001 # without a batch there is nothing to judge by
        return outcomes, [f"batch {work.cases[0].batch}: {type(error).__name__}: {error}"]
    left = [line for line in left_below(work.folder / "work") if "/proc/" not in line]
    problems = [f"batch {work.cases[0].batch}: left behind: {line}" for line in left]
    if not (work.keep or work.again or problems or any(o.word.is_finding for o in outcomes)):
        shutil.rmtree(work.folder)
    return outcomes, problems


def _opened(work: Work) -> AbstractContextManager[Batch]:
    return opened_again(work.folder) if work.again else made(work.cases[0].batch, work.folder)


def _run_all(work: Work, batch: Batch, outcomes: list[Outcome]) -> None:
    modes = tuple({case.mode for case in work.cases})
    right = clean(batch, modes)
    if work.keep:
        keep(batch)
    left = _SHRUNK_AT_MOST
    for case in work.cases:
        outcome = run(batch, case, right)
        outcomes.append(outcome)
        if outcome.word.is_finding:
            if not work.again:
                keep(batch)
            smaller, tried = shrunk(outcome, lambda c: run(batch, c, right)) if left else (outcome, 0)
            left = max(0, left - 1)
            print("\n".join(["", *shown(outcome, smaller, tried, work.folder)]), flush=True)


def shown(outcome: Outcome, smallest: Outcome, tried: int, folder: Path) -> list[str]:
    """The lines that tell of a finding."""
    return [
        f"{outcome.word.value} seed {outcome.case.seed}: {outcome.case}",
        *_told(outcome),
        f"  smallest of {tried}: {smallest.case}",
        *(_told(smallest) if smallest is not outcome else ()),
        f"  again: {command(outcome.case)}",
        f"  exactly: {command(smallest.case, str(folder))}",
    ]


def _told(outcome: Outcome) -> list[str]:
    verdict = outcome.verdict.value if outcome.verdict else "no verdict"
    return [
        f"    the harness: {verdict} {' '.join(outcome.codes)}",
        *([f"    {outcome.said}"] if outcome.said else []),
        f"    the engine: {outcome.look.value}",
        *(f"      {text}" for text in outcome.differs),
    ]


def works(seed: int, cases: int, folder: Path, keep: bool, jobs: int) -> Iterator[Work]:
    """All cases, in pieces that share a batch."""
    chance = random.Random(seed)
    per_batch = max(1, min(CASES_PER_BATCH, -(-cases // jobs)))
    for first in range(0, cases, per_batch):
        batch = chance.randrange(1, _BATCHES)
        number = min(per_batch, cases - first)
        found = tuple(draw(batch * PER_BATCH + n) for n in range(number))
        yield Work(cases=found, folder=folder / f"batch-{batch}", keep=keep)


def _done(waiting: list[Work], jobs: int) -> Iterator[tuple[list[Outcome], list[str]]]:
    if jobs == 1 or len(waiting) == 1:
        yield from map(run_batch, waiting)
        return
    pool: Executor
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            for future in as_completed([pool.submit(run_batch, work) for work in waiting]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def fuzz(tally: Tally, waiting: Iterable[Work], jobs: int) -> None:
    """Run all cases and say on the way how far it is."""
    waiting = list(waiting)
    tally.wanted = sum(len(work.cases) for work in waiting)
    for outcomes, problems in _done(waiting, jobs):
        tally.outcomes += outcomes
        tally.problems += problems
        seconds = time.monotonic() - tally.began
        _tell(f"{tally.so_far}, {seconds:.0f} s")


# --- command line


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _place() -> Path:
    """In memory, if it has room: a case copies both databases several times."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=_MEMORY if roomy else None))


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument(
        "--seed", type=int, default=int.from_bytes(os.urandom(4)), help="of the whole fuzzing"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="for batches; a batch with a finding stays there")
    parser.add_argument(
        "--keep", action="store_true", help="keep every batch, so that a case can be repeated exactly"
    )
    parser.add_argument(
        "--only", type=int, action="append", default=[], metavar="SEED", help="a case by its seed"
    )
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="the batch it is repeated on")
    parser.add_argument("--mode", type=RecoveryMode, help="another one than is drawn")
    parser.add_argument("--mutation", type=read_mutation, action="append", help="in the place of those drawn")
    return parser.parse_args(argv)


def _asked(asked: argparse.Namespace, folder: Path) -> Iterator[Work]:
    if not asked.only:
        yield from works(asked.seed, asked.cases, folder, asked.keep, asked.jobs)
        return
    cases = []
    for case in map(draw, asked.only):
        case = replace(case, mode=asked.mode) if asked.mode else case
        cases.append(replace(case, mutations=tuple(asked.mutation)) if asked.mutation else case)
    for batch in dict.fromkeys(case.batch for case in cases):
        mine = tuple(case for case in cases if case.batch == batch)
        place = asked.kept or folder / f"batch-{batch}"
        yield Work(cases=mine, folder=place.absolute(), keep=asked.keep, again=asked.kept is not None)


def main(argv: list[str] | None = None) -> int:
    asked = _arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    folder = (asked.folder or _place()).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    _tell(f"seed {asked.seed}" if not asked.only else f"cases {asked.only}")
    tally = Tally()
    try:
        fuzz(tally, _asked(asked, folder), asked.jobs)
    finally:  # one that is interrupted tells what it has seen
        leftovers.clean()
        if asked.only:
            for outcome in tally.outcomes:
                print(f"{outcome.word.value}: {outcome.case}", *_told(outcome), sep="\n")
        print(tally.table(), flush=True)
        with contextlib.suppress(OSError):
            shutil.rmtree(folder / "state")
            folder.rmdir()  # only if nothing was kept
    if folder.exists():
        _tell(f"kept: {folder}")
    return tally.status


if __name__ == "__main__":
    sys.exit(main())
