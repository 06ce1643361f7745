"""The freeze window of a filled instance: freeze call returned to thaw call returned.

Both sides freeze the same live instance in turn, and snapshot the same two database folders to the same
volume. Copies are removed and everything is synced outside of the timed part, so that the writeback of one
side's copy does not fall into the other's window; both find the database files in the page cache.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from figures import Row
from pairs import Say, alternately
from sides import floor_in, opened_in, scratch, workload

from harness.plan.model import Commit, SnapshotSpec
from harness.session.session import Session
from harness.snapshot.base import SnapshotProvider
from harness.stages.backup import load_provider, snapshot_source
from harness.stages.freeze import OwnFreezer
from harness.stages.load import Driver
from harness.stages.window import hold, snapshot_limit_s

DATABASE_MB = 256
TARGETS = {"copy": 1.10, "reflink": 1.5}


def measure(method: str, load: str, pairs: int, parent: Path, say: Say) -> list[Row]:
    """Windows with `copy` or `reflink`; `load` is `idle` or `durable` (four writers)."""
    lasting = workload(None, commit=Commit.DURABLE, duration_s=3600.0)
    with scratch(parent) as folder, opened_in(folder, lasting, 1) as session:
        say(f"fill two databases to {DATABASE_MB} MB")
        floor_in(session.source.place, "fill", str(session.description.root), str(DATABASE_MB))
        provider = load_provider(session, SnapshotSpec(provider=method, options={}))
        provider.probe(snapshot_source(session.description, whole=False))
        with _load(session, load):
            sides: dict[str, Callable[[int], float]] = {
                "floor": lambda number: _floor(session, method, number),
                "harness": lambda number: harness_window(session, provider, number),
            }
            for side in sides.values():
                side(0)  # the first brings the files into the page cache and the code into memory
            times = alternately(sides, pairs, say)
    return [
        Row(
            what=f"window, {method}, {DATABASE_MB} MB, {load}",
            unit="ms",
            floor=tuple(seconds * 1000 for seconds in times["floor"]),
            harness=tuple(seconds * 1000 for seconds in times["harness"]),
            target=TARGETS[method],
        )
    ]


@contextmanager
def _load(session: Session, load: str) -> Iterator[None]:
    if load == "idle":
        yield
        return
    with Driver(session.source, session.workload, session.seed, session.ledger) as driver:
        yield
        driver.finish()


def _floor(session: Session, method: str, number: int) -> float:
    target = session.work / f"floor-{number}"
    os.sync()
    answer = floor_in(session.source.place, "window", str(session.description.root), str(target), method)
    shutil.rmtree(target)
    return float(answer["window_us"]) / 1e6


def harness_window(session: Session, provider: SnapshotProvider, number: int) -> float:
    """Seconds of one window; also for instances in containers."""
    folders = session.description.databases.values()
    os.sync()
    freezer = OwnFreezer(
        instance=session.source,
        log=session.freeze_log,
        text=f"bench {number}",
        spec=session.freeze,
        watchdog=session.watchdog,
    )
    window = hold(
        freezer,
        provider,
        snapshot_source(session.description, whole=False),
        limit_s=snapshot_limit_s(session.freeze, session.limits, None),
        database_files=[file for folder in folders for file in sorted(folder.iterdir())],
    )
    if window.before != window.after or not window.thawed.suspended or window.snapshot is None:
        raise RuntimeError("the freeze did not hold, or there is no snapshot")
    provider.release(window.snapshot)
    return window.duration_s
