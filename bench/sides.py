"""The two sides of a benchmark: the harness through its own functions, the floor through `floor.sh`."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from work import Work

import harness
from harness.evidence.backup import OwnBackup
from harness.instance.base import Place
from harness.model import Check, RecoveryMode, Verdict
from harness.plan.model import (
    Commit,
    InstanceSpec,
    SnapshotSpec,
    WorkloadSpec,
)
from harness.session.opening import opened
from harness.session.progress import SilentProgress
from harness.session.session import Session, Stages
from harness.stages.backup import back_up
from harness.stages.recovery import recover

AGENT = Path(harness.__file__).parent / "instance" / "agent"
FLOOR = Path(__file__).parent / "floor.sh"
WRITERS = 4
FLOOR_TIMEOUT_S = 600.0
_JOURNAL_LIST = "journal.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleTimes:
    """Seconds of one cycle, from the same moments on both sides (`floor.sh` defines them), and what was done in them.

    `stages` shows where they went; the names differ between the sides.
    """

    cycle_s: float
    after_s: float
    load_s: float
    window_s: float
    stages: dict[str, float]
    work: Work


SNAPSHOT = SnapshotSpec(provider="copy", options={})
MODE = RecoveryMode.ROLLFORWARD
"""One backup of each session, and one roll-forward of it."""


def workload(
    transactions: int | None, *, commit: Commit = Commit.BUFFERED, duration_s: float = 2.0
) -> WorkloadSpec:
    """What the writers do."""
    return WorkloadSpec(writers=WRITERS, duration_s=duration_s, transactions=transactions, commit=commit)


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A folder that is gone afterwards; what was written before is on disk, so that nobody waits for it."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    os.sync()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened_in(folder: Path, load: WorkloadSpec, seed: int, host: str = "local") -> Iterator[Session]:
    """A running instance below a folder."""
    with opened(
        InstanceSpec(host=host),
        folder,
        seed=seed,
        progress=SilentProgress(),
        workload=load,
        recoveries=1,
        name="bench",
    ) as session:
        yield session


def backed_up(session: Session) -> tuple[Stages, OwnBackup]:
    """The only backup of a session."""
    stages = session.stages(f"cycle 1 · copy · {MODE.value}")
    return stages, back_up(session, SNAPSHOT, [MODE], stages)


def harness_cycle(folder: Path, transactions: int, seed: int) -> CycleTimes:
    """One cycle of the harness. Raises RuntimeError unless every check passed."""
    began = time.monotonic()
    with opened_in(folder, workload(transactions), seed) as session:
        started = time.monotonic()
        stages, backup = backed_up(session)
        record = recover(session, backup, backup.point(MODE), name=stages.name)
        ended = time.monotonic()
        held, journals = _committed_before(session, backup), backup.journals
        assert journals
        read = sum(file.stat().st_size for file in journals.folder.iterdir() if file.name != _JOURNAL_LIST)
    require_sound(record.checks)
    loads = [stage for stage in stages.done if stage.name == "load"]
    load_ended = began + loads[-1].started_s + loads[-1].duration_s
    named = {"start": started - began, "load": load_ended - started}
    for stage in (one for one in record.stages if one.name != "load"):
        named[stage.name] = named.get(stage.name, 0.0) + stage.duration_s
    return CycleTimes(
        cycle_s=ended - began,
        after_s=ended - load_ended,
        load_s=load_ended - started,
        window_s=backup.window.duration_s,
        stages=named,
        work=Work(
            transactions=transactions,
            acknowledged=sum(backup.point(RecoveryMode.AS_OF_FREEZE).floor.values()),
            rolled=transactions - held,
            journal_bytes=read,
            load_s=load_ended - started,
        ),
    )


def share_of(seed: int) -> float:
    """Where in its load the harness begins to freeze with a seed (`harness.stages.backup`)."""
    return 0.3 + 0.3 * random.Random(seed).random()


def _committed_before(session: Session, backup: OwnBackup) -> int:
    """Transactions that lie before the marker, by the journals of the instance that was backed up."""
    assert backup.journals
    folder, start = session.description.journal_folder, backup.journals.start
    first = session.source.journals(folder)[0].name
    found = session.source.last_committed(folder, first, start.journal_file, start.offset_bytes, WRITERS)
    return sum(one.one for one in found)


def require_sound(checks: Sequence[Check]) -> None:
    """Raises RuntimeError unless every check passed.

    One finding is let through: small loads are over before the freeze call returns, and then there is nothing to
    roll forward.
    """
    found = [
        finding
        for check in checks
        if check.verdict is not Verdict.PASS
        for finding in check.findings
        if finding.code != "recovery_point.nothing_between"
    ]
    if found:
        raise RuntimeError(f"the harness found {found}")


def floor_cycle(folder: Path, transactions: int, seed: int, freeze_at: int) -> CycleTimes:
    """The same with bare commands, frozen when so many transactions are committed. Raises RuntimeError unless every
    transaction came back.
    """
    words = ["cycle", str(folder), str(WRITERS), str(seed), str(transactions), str(freeze_at), "copy"]
    apart = ["unshare", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
    answer = _last_line([*apart, str(FLOOR), *words])
    if answer["recovered"] != transactions:
        raise RuntimeError(f"the floor recovered {answer['recovered']} of {transactions} transactions")
    seconds = {
        name.removesuffix("_us"): value / 1e6 for name, value in answer.items() if name.endswith("_us")
    }
    return CycleTimes(
        cycle_s=seconds.pop("cycle"),
        after_s=seconds.pop("after"),
        load_s=seconds["load"],
        window_s=seconds["window"],
        stages=seconds,
        work=Work(
            transactions=transactions,
            acknowledged=answer["committed"],
            rolled=transactions - answer["frozen"],
            journal_bytes=answer["journal_bytes"],
            load_s=seconds["load"],
        ),
    )


def floor_in(place: Place, *words: str) -> dict[str, Any]:
    """Run `floor.sh` where an instance runs."""
    return _last_line(place.argv([str(FLOOR), *words]))


def fill_in_container(session: Session, megabytes: int) -> None:
    """Grow both databases of an instance in a container, where this file is not."""
    name = str(session.source.place.argv([])[-1])
    way_in = ["docker", "exec", "-i", "-e", f"agent={AGENT}", name, "bash", "-s", "--"]
    with FLOOR.open() as text:
        subprocess.run(
            [*way_in, "fill", str(session.description.root), str(megabytes)],
            stdin=text,
            stdout=subprocess.DEVNULL,
            timeout=FLOOR_TIMEOUT_S,
            check=True,
        )


def _last_line(argv: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FLOOR_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"floor.sh ended with {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
