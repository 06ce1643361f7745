"""The freeze window of an instance in a container, beside the two commands given by hand with `docker exec`.

Both sides freeze the same live container in turn and copy the same two database folders. The floor is what a
script does: `docker exec … ExternalFreeze`, `cp -a`, `docker exec … ExternalThaw`; it asks nothing. The other rows
show where the time of such a window goes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from figures import Row
from pairs import Say, alternately
from sides import fill_in_container, opened_in, scratch, workload
from window_series import DATABASE_MB, harness_window

from harness.plan.model import Commit, SnapshotSpec
from harness.session.session import Session
from harness.stages.backup import load_provider, snapshot_source

TARGET = 1.25


def measure(pairs: int, parent: Path, say: Say) -> list[Row]:
    """The window with `copy`, and what one `docker exec` takes."""
    load = workload(None, commit=Commit.DURABLE, duration_s=3600.0)
    with scratch(parent) as folder, opened_in(folder, load, 1, "docker") as session:
        say(f"fill two databases to {DATABASE_MB} MB")
        fill_in_container(session, DATABASE_MB)
        provider = load_provider(session, SnapshotSpec(provider="copy", options={}))
        provider.probe(snapshot_source(session.description, whole=False))
        sides: dict[str, Callable[[int], float]] = {
            "floor": lambda number: _by_hand(session, number),
            "harness": lambda number: harness_window(session, provider, number),
            "exec": lambda _: _seconds(session.source.place.argv(["true"]), 0),
            "session": lambda _: _seconds(session.source.is_frozen_argv(), 3),
            "prepared": lambda _: _prepared(session),
            "copying": lambda number: _copying(session, number),
        }
        for side in sides.values():
            side(0)
        times = {
            name: tuple(s * 1000 for s in found) for name, found in alternately(sides, pairs, say).items()
        }
    return [
        Row(
            what=f"window in a container, copy, {DATABASE_MB} MB, idle",
            unit="ms",
            floor=times["floor"],
            harness=times["harness"],
            target=TARGET,
        ),
        Row(what="in it: one docker exec of nothing", unit="ms", harness=times["exec"]),
        Row(what="in it: docker exec of the session that thaws", unit="ms", harness=times["session"]),
        Row(what="in it: the same, made ready before", unit="ms", harness=times["prepared"]),
        Row(what="in it: cp -a of the databases", unit="ms", harness=times["copying"]),
    ]


def _by_hand(session: Session, number: int) -> float:
    log = session.freeze_log
    place = session.source.place
    iris = ["iris", "session", place.name, "-U%SYS"]
    target = session.work / f"floor-{number}"
    target.mkdir()
    os.sync()
    _seconds(place.argv([*iris, f'##class(Backup.General).ExternalFreeze("{log}")']), 5)
    began = time.monotonic()
    _copy(session, target)
    _seconds(place.argv([*iris, f'##class(Backup.General).ExternalThaw("{log}")']), 5)
    took = time.monotonic() - began
    shutil.rmtree(target)
    return took


def _copying(session: Session, number: int) -> float:
    target = session.work / f"copy-{number}"
    target.mkdir()
    os.sync()
    began = time.monotonic()
    _copy(session, target)
    took = time.monotonic() - began
    shutil.rmtree(target)
    return took


def _copy(session: Session, target: Path) -> None:
    subprocess.run(["cp", "-a", *map(str, session.description.databases.values()), str(target)], check=True)


def _prepared(session: Session) -> float:
    """What is left of a session in the window when it stood ready before."""
    call = "##class(Backup.General).IsWDSuspendedExt()"
    prepared = session.source.place.prepare(["iris", "session", session.source.place.name, "-U%SYS", call])
    began = time.monotonic()
    prepared.run(30.0)
    took = time.monotonic() - began
    prepared.close()
    return took


def _seconds(argv: list[str], status: int) -> float:
    began = time.monotonic()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != status:
        raise RuntimeError(f"{argv} ended with {done.returncode}: {done.stdout + done.stderr!r}")
    return time.monotonic() - began
