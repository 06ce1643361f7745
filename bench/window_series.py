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
from sides import floor_in, opened_in, plan, scratch

from harness.plan.model import Commit, SnapshotSpec
from harness.session.session import Setting
from harness.snapshot.base import SnapshotProvider
from harness.stages import freeze
from harness.stages.backup import load_provider, snapshot_source
from harness.stages.load import Driver

DATABASE_MB = 256
TARGETS = {"copy": 1.10, "reflink": 1.5}


def measure(method: str, load: str, pairs: int, parent: Path, say: Say) -> list[Row]:
    """Windows with `copy` or `reflink`; `load` is `idle` or `durable` (four writers)."""
    what = plan(None, commit=Commit.DURABLE, duration_s=3600.0, provider=method)
    with scratch(parent) as folder, opened_in(folder, what, 1) as setting:
        say(f"fill two databases to {DATABASE_MB} MB")
        floor_in(setting.source.place, "fill", str(setting.description.root), str(DATABASE_MB))
        provider = load_provider(setting, SnapshotSpec(provider=method, options={}))
        provider.probe(snapshot_source(setting.description, whole=False))
        with _load(setting, load):
            sides: dict[str, Callable[[int], float]] = {
                "floor": lambda number: _floor(setting, method, number),
                "harness": lambda number: harness_window(setting, provider, number),
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
def _load(setting: Setting, load: str) -> Iterator[None]:
    if load == "idle":
        yield
        return
    with Driver(setting.source, setting.plan.workload, setting.seed, setting.ledger) as driver:
        yield
        driver.finish()


def _floor(setting: Setting, method: str, number: int) -> float:
    target = setting.work / f"floor-{number}"
    os.sync()
    answer = floor_in(setting.source.place, "window", str(setting.description.root), str(target), method)
    shutil.rmtree(target)
    return float(answer["window_us"]) / 1e6


def harness_window(setting: Setting, provider: SnapshotProvider, number: int) -> float:
    """Seconds of one window; also for instances in containers."""
    folders = setting.description.databases.values()
    os.sync()
    window = freeze.hold(
        setting.source,
        provider,
        snapshot_source(setting.description, whole=False),
        log=setting.freeze_log,
        text=f"bench {number}",
        spec=setting.plan.freeze,
        limit_s=freeze.snapshot_limit_s(setting.plan.freeze, setting.plan.limits, None),
        database_files=[file for folder in folders for file in sorted(folder.iterdir())],
        watchdog=setting.watchdog,
    )
    if window.before != window.after or not window.thawed.suspended:
        raise RuntimeError("the freeze did not hold")
    provider.release(window.snapshot)
    return window.duration_s
