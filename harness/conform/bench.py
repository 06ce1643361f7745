"""What a probe works with: one running instance, instances to restore into, a backup taken at rest, and raw calls.

The adapter (`harness.instance.iris`) makes exit statuses into answers; whether it does so rightly is what is tried
here, so a probe may also see a session as it was. All writers rest while the backup is taken: what must come back
is then known exactly, not between bounds.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import destroy, freeze_log
from harness.command import Completed
from harness.errors import InstanceError
from harness.evidence.backup import Image
from harness.evidence.files import FileStatus
from harness.evidence.journals import JournalSet
from harness.evidence.window import Window
from harness.freeze_log import FreezeEntry
from harness.instance.iris import DONE, Instance
from harness.model import Position
from harness.plan.model import Commit, FreezeSpec, SnapshotSpec, WorkloadSpec
from harness.session.session import Session
from harness.stages.backup import load_provider, snapshot_source
from harness.stages.freeze import OwnFreezer, orders_of
from harness.stages.load import Driver
from harness.stages.restore import expose, require_isolated, restore
from harness.stages.rollforward import collect
from harness.stages.walk import read_state
from harness.stages.window import database_files, hold
from harness.workload.ledger import Vector

SESSION_TIMEOUT_S = 20.0
RESUME_AFTER_S = 120
"""WDSuspendLimit of every freeze of a probe that does not try it: the engine's own way out."""
TEXT = "harness conform 5f0b6c1e"
_LOAD = 300
_SNAPSHOT = SnapshotSpec(provider="copy", options={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a probe saw. `holds` None: it could not be told."""

    observed: str
    holds: bool | None


class NotHere(Exception):
    """The instance lacks what the fact speaks of; says what."""


Probe = Callable[["Bench"], Observation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A backup of resting writers, with what was acknowledged at the freeze, at a recovery point, and at the end."""

    image: Image
    window: Window
    entry: FreezeEntry
    journals: JournalSet
    point: Position
    at_freeze: Vector
    at_point: Vector
    at_end: Vector


class Bench:
    """One for all probes of a run; what is costly is made when it is first asked for."""

    def __init__(self, session: Session, source: Instance | None = None) -> None:
        """`source` in place of the session's own instance, for tests."""
        self.session = session
        self.instance = source or session.source
        self.place = self.instance.place
        self.description = session.description

    # raw calls

    def ask(self, call: str, timeout_s: float = SESSION_TIMEOUT_S) -> Completed:
        """A session of one class call, with whatever status it ended. Raises CommandTimeout."""
        return ask(self.instance, call, timeout_s)

    def backup_call(self, call: str) -> Completed:
        return self.ask(f"##class(Backup.General).{call}")

    def freeze(
        self,
        log: Path | str,
        text: str = "",
        *,
        switch: int = 1,
        block_after_s: int = 600,
        resume_after_s: int = RESUME_AFTER_S,
    ) -> Completed:
        """ExternalFreeze as a raw call. The watchdog must be armed."""
        return self.backup_call(
            f'ExternalFreeze("{log}","{text}",{switch},,,,{block_after_s},,,{resume_after_s})'
        )

    def thaw(self, log: Path | str) -> Completed:
        return self.backup_call(f'ExternalThaw("{log}")')

    def suspended(self) -> Completed:
        return self.backup_call("IsWDSuspendedExt()")

    def agent(self, verb: str, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """A verb's status and the objects it printed. Raises InstanceError if it printed anything else."""
        quoted = ",".join(f'"{argument}"' for argument in arguments)
        done = self.ask(f"##class(Harness.Agent).{verb}({quoted})")
        try:
            return done.status, [json.loads(line) for line in done.stdout.splitlines()]
        except json.JSONDecodeError as error:
            raise InstanceError(f"{verb} ended with {done.status} and printed no JSON") from error

    def arm(self) -> None:
        """From now on the watchdog thaws if this process dies."""
        self.session.watchdog.arm(orders_of(self.instance, self.freeze_log), None)

    @property
    def freeze_log(self) -> Path:
        """The log of thaws that no probe asked for."""
        return self.session.freeze_log

    # files and folders

    def log(self) -> Path:
        """A new, empty freeze log that the instance may write, whatever user it runs as."""
        first = self.session.freeze_log
        log = first.with_name(f"freeze-{self._next('freeze', first.parent)}.log")
        log.touch(mode=0o600)
        may = first.stat()
        log.chmod(stat.S_IMODE(may.st_mode))
        os.chown(log, may.st_uid, may.st_gid)
        return log

    def folder(self, name: str) -> Path:
        """A new folder that every restored place of the host can read."""
        return self.session.new_folder_to_read(name)

    def database_files(self) -> list[Path]:
        return database_files(self.description.folders)

    def statuses(self) -> list[FileStatus]:
        return [FileStatus.of(file) for file in self.database_files()]

    def digests(self) -> list[str]:
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in self.database_files()]

    # load

    def work(self, transactions: int = _LOAD) -> Vector:
        """Let the writers do some transactions and rest; returns all that is acknowledged."""
        with self.driver(transactions) as driver:
            return driver.finish()

    def driver(self, transactions: int | None, rate: int | None = None) -> Driver:
        """Writers that end after so many transactions, or when they are stopped."""
        load = self.session.workload
        spec = WorkloadSpec(
            writers=load.writers, duration_s=60.0, transactions=transactions, rate=rate, commit=Commit.DURABLE
        )
        return Driver(self.instance, spec, self.session.seed, self.session.ledger)

    def acknowledged(self) -> Vector:
        return self.session.ledger.acknowledged()

    # a backup, and what is made of it

    @cached_property
    def taken(self) -> Taken:
        """A backup: load, freeze, whole snapshot, thaw, load, recovery point, load, journals."""
        provider = load_provider(self.session, _SNAPSHOT)
        source = snapshot_source(self.description, whole=True)
        provider.probe(source)
        at_freeze = self.work()
        freezer = OwnFreezer(
            instance=self.instance,
            log=self.log(),
            text=TEXT,
            spec=FreezeSpec(wd_suspend_limit_s=RESUME_AFTER_S),
            watchdog=self.session.watchdog,
        )
        files = self.database_files()
        window = hold(freezer, provider, source, limit_s=RESUME_AFTER_S, database_files=files)
        self.arm()  # a window of the harness ends with the watchdog at rest
        entry = one_freeze(window.log.read_text(), window.log.name)
        if entry.marker is None:
            raise InstanceError("the freeze log names no marker")
        self.work()
        self.instance.switch_journal()
        at_point = self.work()
        point = self.instance.add_marker("harness conform recovery point")
        at_end = self.work()
        journals = collect(self.instance, self.description, entry.marker, self.folder("journals"))
        if window.snapshot is None:
            raise window.snapshot_problem or InstanceError("no snapshot was made")
        image = Image(
            provider=provider, source=source, snapshot=window.snapshot, problem=window.snapshot_problem
        )
        return Taken(
            image=image,
            window=window,
            entry=entry,
            journals=journals,
            point=point,
            at_freeze=at_freeze,
            at_point=at_point,
            at_end=at_end,
        )

    @contextmanager
    def target(self) -> Iterator[Instance]:
        """A fresh isolated instance; gone afterwards."""
        place = self.session.targets.take()
        try:
            yield Instance(place)
        finally:
            place.discard()

    @contextmanager
    def restored(self) -> Iterator[Instance]:
        """A target with the databases of the backup."""
        with self.target() as target:
            require_isolated(target.place)
            staging = self.session.work / f"image-{self._next('image')}"
            image = expose(self.taken.image, staging)
            restore(target, self.description, image, self.session.ground)
            destroy.tree(staging, self.session.ground)
            yield target

    @contextmanager
    def booted(self) -> Iterator[Instance]:
        """An instance started from the whole image of the backup; gone afterwards."""
        image = self.folder("boot")
        self.taken.image.give_out(image)
        place = self.session.target_host.boot(image.name, image, self.description.root)
        try:
            yield Instance(place)
        finally:
            place.discard()

    def recovered(self, instance: Instance) -> Vector:
        """What an instance holds, writer by writer. Raises InstanceError if a transaction is there in part."""
        state = read_state(instance, self.session.seed, self.session.workload.writers)
        torn = [w.writer for w in state.writers.values() if w.recovered != w.highest]
        if torn:
            raise InstanceError(f"transactions of writers {torn} are there in part")
        return {w: state.writers[w].recovered if w in state.writers else 0 for w in self.acknowledged()}

    def _next(self, name: str, folder: Path | None = None) -> int:
        there = (folder or self.session.work).iterdir()
        return 1 + sum(path.name.startswith(f"{name}-") for path in there)


def ask(instance: Instance, call: str, timeout_s: float = SESSION_TIMEOUT_S) -> Completed:
    """A session of one class call with any instance. Raises CommandTimeout."""
    argv = ["iris", "session", instance.place.name, "-U%SYS", call]
    return instance.place.run(argv, accept=None, timeout_s=timeout_s)


def one_freeze(text: str, source: str) -> FreezeEntry:
    """The only freeze in a log. Raises ParseError."""
    entry = freeze_log.find(freeze_log.parse(text, source), source)
    assert entry  # parse returns at least one, find refuses more
    return entry


def state_word(done: Completed) -> str:
    """What an answer of IsWDSuspendedExt says: frozen, running, or neither."""
    return {DONE: "frozen", 3: "running"}.get(done.status, f"no word (status {done.status})")


def compared(there: Vector, wanted: Vector, as_expected: str) -> Observation:
    """What was recovered beside what had to be; the first difference is the observation."""
    for writer, last in sorted(wanted.items()):
        if there.get(writer, 0) != last:
            side = "fewer" if there.get(writer, 0) < last else "more"
            return Observation(observed=f"writer {writer} has {side} transactions than that", holds=False)
    return Observation(observed=as_expected, holds=True)
