"""A run without an instance: the session, the window, the backup and the case that stages are called with."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.command import Transcript
from harness.evidence.answers import Description
from harness.evidence.backup import Backup, Promise
from harness.model import RecoveryMode
from harness.plan.model import Case, FreezeSpec, Limits, SnapshotSpec
from harness.session.session import Session
from harness.snapshot.base import Source
from tests.conftest import small_plan
from tests.noting import Noting
from tests.whole import whole
from tests.windows import window

WRITERS = 3


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
        "began_s": 0.0,
        "random": random.Random(1),
        "first_journal": None,
        "notes": (),
    }
    return Session(**{**made, **said})


def limited(made: Session, **limits: float) -> Session:
    return replace(made, limits=Limits(**limits))


def case(mode: RecoveryMode, name: str = "cycle 1 · copy") -> Case:
    spec = SnapshotSpec(provider="copy", options={})
    return Case(name=f"{name} · {mode.value}", cycle=1, snapshot=spec, recovery=mode)


def backup(**said: Any) -> Backup:
    """What `tests.whole` says of a case, as the backup that it was recovered from."""
    seen = whole(RecoveryMode.ROLLFORWARD)
    promise = Promise(floor=dict(seen.floor), ceiling=dict(seen.ceiling), at_s=1000.0)
    made: dict[str, Any] = {
        "provider": None,
        "source": Source(root=Path("/"), paths=(Path("db/one"), Path("db/two"))),
        "window": window(),
        "image": seen.watched,
        "stuns": None,
        "open_in_image": False,
        "entry": seen.entry,
        "entry_problem": "",
        "entry_stale": False,
        "journals": seen.journals,
        "journals_gone": None,
        "committed": seen.committed,
        "promises": {mode: replace(promise, at_s=1000.0) for mode in RecoveryMode},
        "issued_later": 5,
        "stages": (),
        "problems": (),
    }
    return Backup(**{**made, **said})


def silent() -> Transcript:
    return Transcript(None)
