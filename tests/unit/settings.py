"""A run without an instance: the session, the window, the backup and the case that stages are called with."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.command import Transcript
from harness.evidence.answers import Description
from harness.evidence.backup import Backup, Image, Logged, RecoveryPoint, Written
from harness.evidence.window import Window
from harness.model import Clock, LoadSeries, RecoveryMode
from harness.plan.model import Case, FreezeSpec, Limits, SnapshotSpec
from harness.session.session import Session
from harness.snapshot.base import Source
from tests import windows
from tests.conftest import small_plan
from tests.noting import Noting
from tests.whole import whole

WRITERS = 3
LOAD = LoadSeries(started_s=1.0, slice_s=0.05, acknowledged=(3, 4), longest_wait_s=(0.02, 0.03))


class AnyHost:
    """A host of which nobody asks anything."""

    in_containers = False
    image_digest = ""

    def __init__(self, *_: object) -> None: ...


class FakeLedger:
    """Every transaction of every writer was acknowledged at its own number of seconds."""

    def acknowledged_at(self, writer: int, sequence: int) -> float:
        return float(sequence)

    def close(self) -> None: ...


def description(root: Path, version: str = "1") -> Description:
    return Description(
        product="toy",
        version=version,
        stand_in=True,
        root=root,
        journal_folder=root / "mgr/journal",
        databases={"one": root / "db/one", "two": root / "db/two"},
        notes=(),
        sessions_max=None,
    )


def session(tmp_path: Path, **said: Any) -> Session:
    """Nothing in it runs; `work` is below the folder."""
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    made: dict[str, Any] = {
        "workload": small_plan(writers=WRITERS).workload,
        "freeze": FreezeSpec(),
        "limits": Limits(),
        "seed": 77,
        "folder": tmp_path,
        "work": work,
        "host": AnyHost(),
        "target_host": AnyHost(),
        "targets": None,
        "source": None,
        "description": description(tmp_path / "source"),
        "ledger": FakeLedger(),
        "watchdog": None,
        "progress": Noting(),
        "clock": Clock(utc=datetime(2026, 11, 22, tzinfo=UTC), monotonic_s=0.0),
        "random": random.Random(1),
        "first_journal": None,
        "notes": (),
    }
    return Session(**{**made, **said})


def limited(made: Session, **limits: float) -> Session:
    return replace(made, limits=Limits(**limits))


def case(mode: RecoveryMode, name: str = "cycle 1 · copy") -> Case:
    spec = SnapshotSpec(provider="copy", options={})
    return Case(backup=name, cycle=1, snapshot=spec, recovery=mode)


def backup(
    *,
    window: Window | None = None,
    provider: Any = None,
    source: Any = Source(root=Path("/"), paths=(Path("db/one"), Path("db/two"))),  # noqa: B008
    points: tuple[RecoveryPoint, ...] | None = None,
    open_in_image: bool = False,
    **said: Any,
) -> Backup:
    """What `tests.whole` says of a case, as the backup that it was recovered from; what is said of `entry`,
    `entry_problem` and `entry_stale` is in its log.
    """
    seen, there = whole(RecoveryMode.ROLLFORWARD), window or windows.window()
    image = there.snapshot and Image(
        provider=provider,
        source=source,
        snapshot=there.snapshot,
        problem=there.snapshot_problem,
        watched=seen.watched,
    )
    made: dict[str, Any] = {
        "of": description(Path("/")),
        "image": image,
        "window": there,
        "logged": Logged(
            entry=said.pop("entry", seen.entry),
            problem=said.pop("entry_problem", ""),
            stale=said.pop("entry_stale", False),
        ),
        "journals": seen.journals,
        "journals_gone": None,
        "committed": seen.committed,
        "written": Written(seed=seen.seed, writers=seen.writers, issued_later=5, open_in_image=open_in_image),
        "load": LOAD,
        "points": points or tuple(map(point, RecoveryMode)),
        "stuns": None,
        "stages": (),
        "problems": (),
    }
    return Backup(**{**made, **said})


def point(mode: RecoveryMode, **differs: Any) -> RecoveryPoint:
    """What `tests.whole` says was promised."""
    seen = whole(RecoveryMode.ROLLFORWARD)
    promised = RecoveryPoint(mode=mode, floor=dict(seen.floor), ceiling=dict(seen.ceiling), at_s=1000.0)
    return replace(promised, **differs)


def silent() -> Transcript:
    return Transcript(None)
