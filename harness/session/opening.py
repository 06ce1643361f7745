"""Opens a session: a running instance, what watches over it, and instances to restore into, made ready ahead.

Whoever works on an instance opens one: a run, the fault matrix, a conformance run. What is asked of it is said by
values; there need be no plan.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from harness import destroy, plugins, store
from harness.command import Transcript, recorded
from harness.errors import HarnessError, ThawError
from harness.evidence.answers import Description
from harness.instance.base import Host
from harness.instance.iris import Instance
from harness.model import Clock
from harness.plan.model import FreezeSpec, InstanceSpec, Limits, WorkloadSpec
from harness.session import leftovers
from harness.session.entry import Registered
from harness.session.progress import Note, Progress, SilentProgress, StageBegan
from harness.session.session import Session, log_folder
from harness.session.targets import Targets
from harness.session.watchdog import COMMANDS_FILE, Watchdog
from harness.undo import HOSTS, CanUndo
from harness.workload.ledger import Ledger

_OTHER_SESSIONS = 3
"""Sessions that a run needs beside its writers: one that freezes and thaws, the watchdog's, and one to spare."""
_HOST = ("in_containers", "probe", "root", "source", "target", "boot", "environment", "close")
_AS_USUAL, _NO_LIMITS = FreezeSpec(), Limits()


@contextmanager
def opened(
    instance: InstanceSpec,
    folder: Path,
    *,
    seed: int,
    progress: Progress,
    workload: WorkloadSpec,
    freeze: FreezeSpec = _AS_USUAL,
    limits: Limits = _NO_LIMITS,
    target: InstanceSpec | None = None,
    recoveries: int = 0,
    name: str = "",
) -> Iterator[Session]:
    """A running instance with all that surrounds it; gone afterwards, but after a ThawError left as it is.

    Args:
        folder: Exists; takes what stays of it.
        target: What is restored into, where that is not another `instance`.
        recoveries: How many are wanted, as far as known: an instance for the first is made ready at once.
        name: What progress is told that this is.
    Raises PreconditionError or InstanceError: nothing is left running.
    """
    clock = started_clock()
    folder = folder.resolve()  # an instance has a working folder of its own
    work = folder / "work"
    transcript = Transcript(folder / COMMANDS_FILE)
    specs = [spec for spec in (instance, target) if spec]
    hosts = [_host(spec, work, transcript) for spec in specs]
    host, target_host = hosts[0], hosts[-1]
    entry = leftovers.register(work)
    log = log_folder(work) / store.FREEZE_LOG
    with (
        recorded(transcript),
        destroy.logged(folder / destroy.LOG_FILE),
        _closed(entry, hosts, partial(store.keep_log, log, folder)) as (ending, last),
    ):
        _make_log(log)
        progress.tell(StageBegan(case=name, stage="start the instance"))
        for spec, one in zip(specs, hosts, strict=True):
            if isinstance(one, CanUndo):
                one.register_with(leftovers.registrar(work, HOSTS, spec.host))
            one.probe()
        targets = Targets(target_host, host.root(), recoveries)
        ending.callback(targets.close)
        targets.prepare()
        watchdog = Watchdog(folder, host.environment(), lambda text: progress.tell(Note(text=text)))
        ending.callback(watchdog.close)
        source = Instance(host.source())
        description = source.describe()
        workload, fewer = within_licence(workload, description)
        way = _open_log(log, description, way=not host.in_containers)
        notes = (*fewer, *_structure_only(description), *way)
        for note in notes:
            progress.tell(Note(text=note))
        ledger = Ledger(workload.writers, folder / "ledger.bin")
        last.callback(ledger.close)
        yield Session(
            workload=workload,
            freeze=freeze,
            limits=limits,
            seed=seed,
            folder=folder,
            work=work,
            host=host,
            target_host=target_host,
            targets=targets,
            source=source,
            description=description,
            ledger=ledger,
            watchdog=watchdog,
            progress=progress,
            clock=clock,
            random=random.Random(seed),
            first_journal=_begin_anew(source) if instance.name else None,
            notes=notes,
        )


@contextmanager
def _closed(
    entry: Registered, hosts: list[Host], keep_log: Callable[[], object]
) -> Iterator[tuple[contextlib.ExitStack, contextlib.ExitStack]]:
    """Closes everything, whatever the others raise: what is put on the first stack, the hosts, what is put on the
    second, the entry. The last error is raised. After a ThawError all is left as it is. A copy of the log stays.
    """
    with contextlib.ExitStack() as ending:
        ending.callback(leftovers.finish, entry)
        last = ending.enter_context(contextlib.ExitStack())
        for host in hosts:
            ending.callback(host.close)
        try:
            yield ending, last
        except BaseException as error:
            with contextlib.suppress(HarnessError):
                keep_log()
            if isinstance(error, ThawError):
                ending.pop_all()
            raise
        keep_log()


@contextmanager
def over(
    source: Instance,
    host: Host,
    root: Path,
    folder: Path,
    work: Path,
    *,
    seed: int,
    workload: WorkloadSpec,
    recoveries: int,
    note: Callable[[str], None],
) -> Iterator[Session]:
    """A session over an instance that somebody else started, registered and will end; all else in it is gone
    afterwards.

    Args:
        host: Gives instances to restore into.
        root: That of the source, which they must not reach.
        work: Exists, and is removed by whoever made it.
        note: Told what the watchdog did.
    Raises PreconditionError or InstanceError.
    """
    with contextlib.ExitStack() as ending:
        ending.callback(host.close)
        host.probe()
        targets = Targets(host, root, recoveries)
        ending.callback(targets.close)
        targets.prepare()
        watchdog = Watchdog(folder, host.environment(), note)
        ending.callback(watchdog.close)
        ledger = Ledger(workload.writers, folder / "ledger.bin")
        ending.callback(ledger.close)
        yield Session(
            workload=workload,
            seed=seed,
            folder=folder,
            work=work,
            host=host,
            target_host=host,
            targets=targets,
            source=source,
            description=source.describe(),
            ledger=ledger,
            watchdog=watchdog,
            progress=SilentProgress(),
            clock=started_clock(),
            random=random.Random(seed),
        )


def started_clock() -> Clock:
    """This moment, from which the times of a session count."""
    return Clock(utc=datetime.now(UTC), monotonic_s=time.monotonic())


def within_licence(workload: WorkloadSpec, description: Description) -> tuple[WorkloadSpec, tuple[str, ...]]:
    """The load with no more writers than there may be sessions, and a note if it was changed."""
    asked, most = workload.writers, description.sessions_max
    writers = asked if most is None else max(1, min(asked, most - _OTHER_SESSIONS))
    if writers == asked:
        return workload, ()
    note = (
        f"{writers} writers instead of {asked}: the licence of the instance allows {most} sessions at a time"
    )
    return replace(workload, writers=writers), (note,)


def _structure_only(description: Description) -> tuple[str, ...]:
    if not description.others:
        return ()
    names = ", ".join(folder.name for folder in description.others)
    return (f"of other databases only the structure is checked, not what they hold: {names}",)


def _begin_anew(source: Instance) -> str:
    """Remove what earlier runs left in an instance that lives longer than a run; returns the first journal of this
    one. An earlier run had other seeds and more writers: its journals must not be taken for this one's.
    """
    source.clear()
    return source.switch_journal().journal_file


def _make_log(log: Path) -> None:
    """The freeze log lies in the folder of a run from its beginning, in a folder of its own. Nobody else may enter,
    whatever umask this process has.
    """
    log.parent.mkdir(mode=0o700)
    log.touch(mode=0o600)


def _open_log(log: Path, description: Description, *, way: bool) -> tuple[str, ...]:
    """Let the user of the instance write the freeze log, who owns its databases, and nobody else; returns a note if
    that cannot be done. With `way` he comes to it through the run's folder; into a container its folder is mounted.

    Only root may give a file to another user. Anybody else then has to let all write it: the note says so, and
    whoever may come into the results folder could make a marker unreadable, or name another one.
    """
    folder = next(iter(description.databases.values()))
    with contextlib.suppress(OSError):
        owner = folder.stat()
        log.chmod(0o660)
        log.parent.chmod(0o750)
        if owner.st_uid != os.geteuid():
            os.chown(log, owner.st_uid, owner.st_gid)
            os.chown(log.parent, -1, owner.st_gid)
            if way:  # and he sees nothing else on it
                os.chown(log.parent.parent, -1, owner.st_gid)
                log.parent.parent.chmod(0o710)
        return ()
    log.chmod(0o666)
    for above in (log.parent, log.parent.parent):
        above.chmod(0o711)
    return (
        f"the freeze log {log} may be written by every user of this machine while the run lives: only root could let "
        f"nobody but the owner of {folder} write it. Run it as root or as that user.",
    )


def _host(spec: InstanceSpec, folder: Path, transcript: Transcript) -> Host:
    made: Host = plugins.load(HOSTS, spec.host, _HOST)(spec, folder, transcript)
    return made
