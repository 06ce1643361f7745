"""The state check: the walk of a restored instance with its comparison, and the ten checks.

Each size is measured in a fresh process. The first walk there is the one whose memory is taken: the kernel's
high-water mark of resident memory is reset before it (`/proc/self/clear_refs`), and what the process held then
is subtracted. This counts Python, numpy and buffers alike, which tracemalloc would not. Walks after the first
give the times. The floor of the walk is the engine printing the same nodes into nowhere.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from figures import Row
from pairs import Say
from sides import MODE, WRITERS, backed_up, floor_in, opened_in, require_sound, scratch, workload

from harness.declared import RUN
from harness.evidence.backup import OwnBackup
from harness.evidence.case import Evidence, Look
from harness.instance.iris import Instance
from harness.session.session import Session
from harness.stages.restore import expose, restore
from harness.stages.rollforward import roll_forward
from harness.stages.walk import read_state
from harness.verify.judge import judge_all

RATE_TARGET = 1_000_000.0
MEMORY_TARGET_MB = 64.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTimes:
    """Figures of one size."""

    walk_s: tuple[float, ...]
    judge_s: tuple[float, ...]
    bare_walk_s: tuple[float, ...]
    peak_bytes: int


def measure(transactions: int, repeats: int, parent: Path, say: Say) -> list[Row]:
    """Rate, memory and the bare walk for one size."""
    say(f"state check of {transactions:,} transactions")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        times = pool.submit(_measure, transactions, repeats, parent).result()
    size = f"{transactions:,} transactions"
    both = zip(times.walk_s, times.judge_s, strict=True)
    millions = transactions / 1e6
    return [
        Row(what=f"walk, {size}", unit="s", floor=times.bare_walk_s, harness=times.walk_s),
        Row(what=f"ten checks, {size}", unit="s", harness=times.judge_s),
        Row(
            what=f"state check, {size}",
            unit="tx/s",
            harness=tuple(transactions / (walk + judge) for walk, judge in both),
            target=RATE_TARGET if transactions >= RATE_TARGET else None,
            at_least=True,
        ),
        Row(
            what=f"peak memory, {size}",
            unit="MB",
            harness=(times.peak_bytes / 1e6,),
            target=MEMORY_TARGET_MB * millions if millions >= 1 else None,
        ),
    ]


def _measure(transactions: int, repeats: int, parent: Path) -> StateTimes:
    with scratch(parent) as folder, opened_in(folder, workload(transactions), 1) as session:
        _, backup = backed_up(session)
        target = Instance(session.host.target("restored", session.description.root))
        evidence = _recovered(session, backup, target, folder)
        first_s, peak_bytes = _peak(target, evidence)
        if repeats == 1:
            walks = [first_s]
        else:
            walks = [_check(target, evidence) for _ in range(repeats)]
        bare = [
            floor_in(target.place, "walk", str(target.describe().root), str(WRITERS)) for _ in range(repeats)
        ]
    return StateTimes(
        walk_s=tuple(walk for walk, _ in walks),
        judge_s=tuple(judge for _, judge in walks),
        bare_walk_s=tuple(float(one["walk_us"]) / 1e6 for one in bare),
        peak_bytes=peak_bytes,
    )


def _recovered(session: Session, backup: OwnBackup, target: Instance, folder: Path) -> Evidence:
    """Restore and roll forward; everything the checks need but the state."""
    journals = backup.journals
    assert journals
    assert backup.image
    image = expose(backup.image, folder / "image")
    restore(target, session.description, image, session.ground)
    _, rolled = roll_forward(target, session.description, journals, None)
    point = backup.point(MODE)
    return Evidence(
        mode=MODE,
        seed=session.seed,
        writers=WRITERS,
        databases=len(session.description.databases),
        recovered=Look(
            floor=point.floor,
            ceiling=point.ceiling,
            integrity=target.integrity(list(target.describe().databases.values())),
            unconfirmed={},
        ),
        window=backup.window,
        files=image.files,
        watched=backup.image.watched,
        watched_now=backup.image.watched,
        entry=backup.logged.entry,
        marker=target.read_marker(journals.folder, journals.start),
        journals=journals,
        copied=target.journals(journals.folder),
        rolled=rolled,
        committed=target.last_committed(
            journals.folder, journals.start.journal_file, journals.expected[-1].name, None, WRITERS
        ),
    )


def _check(target: Instance, evidence: Evidence) -> tuple[float, float]:
    """Seconds of the walk and of the ten checks. Raises as `require_sound`."""
    began = time.monotonic()
    assert evidence.seed is not None
    state = read_state(target, evidence.seed, WRITERS)
    walked = time.monotonic()
    recovered = replace(evidence.recovered, state=state)
    checks = judge_all(replace(evidence, recovered=recovered, image=recovered), RUN)
    judged = time.monotonic()
    require_sound(checks)
    return walked - began, judged - walked


def _peak(target: Instance, evidence: Evidence) -> tuple[tuple[float, float], int]:
    """The first check of this process, and the bytes it needed at most beyond what was there before."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    seconds = _check(target, evidence)
    return seconds, _resident("VmHWM") - before


def _resident(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024
