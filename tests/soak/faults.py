"""What can happen to a run at a moment: kills, stops, disks, folders, terminals, clocks, memory.

A fault strikes a `Scene`, and is taken back (`lift`) after a while or when the run has ended. Its words are for the
table; how long a freeze may last under it is told by what is left that can thaw: the harness ends a snapshot at its
limit, the watchdog waits a little longer, and the engine thaws itself at the last.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.stages.freeze import THAW_GRACE_S
from tests.runs import Run
from tests.soak.victims import Sandboxes, carrying, signal_all

SNAPSHOT_LIMIT_S, ENGINE_LIMIT_S = 4.0, 15.0
"""What the plan says: `timeout` of the snapshot, and `wd_suspend_limit`."""
SLACK_S = 3.0
"""A busy machine."""
BY_WATCHDOG_S = SNAPSHOT_LIMIT_S + THAW_GRACE_S + SLACK_S
BY_ENGINE_S = ENGINE_LIMIT_S + SLACK_S
START, LOAD, FREEZE, CAPTURE, THAW = "start", "load", "freeze asked", "capture", "thaw"
COLLECT, RESTORE, ROLL, CHECKS, END = "collect journals", "restore", "roll-forward", "checks", "clean-up"
STAGES = (START, LOAD, FREEZE, CAPTURE, THAW, COLLECT, RESTORE, ROLL, CHECKS, END)
WINDOW = (FREEZE, CAPTURE, THAW)
BEFORE_BACKED_UP = (START, LOAD, FREEZE, CAPTURE, THAW, COLLECT)
_MEMORY_LEFT_BYTES = 1 << 20
_NEARLY_NOTHING_BYTES = 4096


@dataclass
class Scene:
    """A run and where it lies. `disk` is a filesystem of its own, `clock` what its clock follows; `hang_up` takes its
    terminal away, and `undo` what a fault did.
    """

    disk: Path
    run: Run
    place: Sandboxes
    token: str
    hang_up: Callable[[], object]
    clock: Path
    undo: list[Callable[[], object]] = field(default_factory=list)

    @property
    def folder(self) -> Path | None:
        """The run's folder."""
        return next((one.parent for one in self.run.out.glob("*/*/record.json")), None)

    def pids(self, party: str) -> list[int]:
        """The processes of a party; empty if it is not there now."""
        match party:
            case "harness":
                return [self.run.process.pid] if self.run.process.poll() is None else []
            case "watchdog":
                return carrying(f"HARNESS_WATCHDOG={self.token}")
            case "harness and watchdog":
                # the harness first, or it would start another watchdog
                return [*self.pids("harness"), *self.pids("watchdog")]
            case "engine":
                return self.place.pids("source")
            case "control process":
                return [pid] if (pid := self.place.control()) else []
            case "restored instance":
                return self.place.pids("target")
            case "snapshot program":
                return self._snapshot()
        raise ValueError(party)

    def _snapshot(self) -> list[int]:
        first = [pid for pid in carrying(f"HARNESS_RUN={self.token}") if _has_word(pid, str(self.run.flag))]
        groups = {os.getpgid(pid) for pid in first}
        return [pid for pid in carrying(f"HARNESS_RUN={self.token}") if _group(pid) in groups]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault on a party.

    Attributes:
        strike: Does it; False if there is nothing to strike.
        lasts_s: Taken back after so many seconds, or when the run has ended; by stage where that matters.
        frozen_s: The longest freeze that is right; without end where nobody can ask.
        may_fail: Stages in which FAIL is an answer about the backup: its snapshot was late.
        must_not_pass: Stages in which there is no backup to be proved.
        may_be_unconfirmed: Whether a thaw that nobody could confirm (status 4) is right.
        cleaned_meanwhile: Whether `harness clean` is tried while it lasts, too.
        held: Whether the harness stands still while it is done, so that it strikes at the stage that was waited for.
    """

    name: str
    party: str
    strike: Callable[[Scene], bool]
    stages: tuple[str, ...] = STAGES
    lasts_s: float = 0.0
    lasts_in_window_s: float = 0.0
    frozen_s: float = BY_WATCHDOG_S
    may_fail: tuple[str, ...] = ()
    must_not_pass: tuple[str, ...] = ()
    may_be_unconfirmed: bool = False
    held: bool = False
    cleaned_meanwhile: bool = False
    needs: str = ""

    def lasting_s(self, stage: str) -> float:
        return self.lasts_in_window_s if stage in WINDOW and self.lasts_in_window_s else self.lasts_s


def _kill(party: str) -> Callable[[Scene], bool]:
    def strike(scene: Scene) -> bool:
        pids = scene.pids(party)
        signal_all(pids, signal.SIGSTOP)
        signal_all(pids, signal.SIGKILL)
        return bool(pids)

    return strike


def _stop(party: str) -> Callable[[Scene], bool]:
    def strike(scene: Scene) -> bool:
        pids = scene.pids(party)
        # nsenter and unshare stand still with their child, and wait to be told to go on themselves
        above = [pid for pid in map(_parent, pids) if pid > 1 and pid != os.getpid()]
        signal_all(pids, signal.SIGSTOP)
        scene.undo.append(lambda: signal_all([*above, *pids], signal.SIGCONT))
        return bool(pids)

    return strike


def _fill(scene: Scene) -> bool:
    """Whatever is freed is taken again, as by a log that grows."""
    ended = threading.Event()
    file = scene.disk / "filler"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def fill() -> None:
        for size in (1 << 20, _NEARLY_NOTHING_BYTES):
            with contextlib.suppress(OSError):
                while os.write(descriptor, bytes(size)) == size:
                    pass

    def go_on() -> None:
        while not ended.wait(0.02):
            fill()
        os.close(descriptor)
        file.unlink()

    fill()
    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    scene.undo += [ended.set, thread.join]
    return True


def _read_only(scene: Scene) -> bool:
    """For whoever opens a file from now on outside of an instance; what is open stays open."""
    subprocess.run(["mount", "--bind", scene.disk, scene.disk], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", scene.disk], check=True)
    scene.undo.append(lambda: subprocess.run(["umount", "--lazy", scene.disk], check=True))
    return True


def _moved(which: Callable[[Scene], Path | None]) -> Callable[[Scene], bool]:
    def strike(scene: Scene) -> bool:
        folder = which(scene)
        if folder is None or not folder.exists():
            return False
        aside = scene.disk / f"{folder.name}-moved-away"
        folder.rename(aside)
        scene.undo.append(lambda: _put_back(aside, folder))
        return True

    return strike


def _put_back(aside: Path, folder: Path) -> None:
    if folder.exists():  # made anew meanwhile
        folder.rename(folder.parent / f"{folder.name}-anew")
    if folder.parent.exists():
        aside.rename(folder)


def _removed(scene: Scene) -> bool:
    work = _work(scene)
    if work is None or not work.exists():
        return False
    for line in reversed(Path("/proc/mounts").read_text().splitlines()):
        if (point := line.split()[1]).startswith(f"{work}/"):
            subprocess.run(["umount", "--lazy", point], check=False)
    shutil.rmtree(work, ignore_errors=True)
    return True


def _work(scene: Scene) -> Path | None:
    return scene.folder / "work" if scene.folder else None


def _hang_up(scene: Scene) -> bool:
    scene.hang_up()
    return True


def _lost_parent(scene: Scene) -> bool:
    """Whoever read its output is gone: what it writes ends in EPIPE."""
    for stream in (scene.run.process.stdout, scene.run.process.stderr):
        if stream:
            stream.close()
    return True


def _clock(change: str) -> Callable[[Scene], bool]:
    def strike(scene: Scene) -> bool:
        scene.clock.write_text(change)
        return True

    return strike


def _no_memory(scene: Scene) -> bool:
    pid = scene.run.process.pid
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmSize:"))
        size = (kilobytes << 10) + _MEMORY_LEFT_BYTES
        before = resource.prlimit(pid, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
    except (OSError, StopIteration):
        return False

    def lift() -> None:
        with contextlib.suppress(OSError):
            resource.prlimit(pid, resource.RLIMIT_AS, before)

    scene.undo.append(lift)
    return True


def lift(scene: Scene) -> None:
    """Take back what a fault did; may be called twice."""
    while scene.undo:
        scene.undo.pop(0)()


def _has_word(pid: int, word: str) -> bool:
    try:
        return word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


_AWAY_S = 12.0
"""How long a disk is full, a folder away: longer than most runs go on."""
_RESTORED = (RESTORE, ROLL, CHECKS)

FAULTS = (
    Fault(name="kill -9", party="harness", strike=_kill("harness")),
    Fault(name="kill -9", party="watchdog", strike=_kill("watchdog")),
    Fault(
        name="kill -9",
        party="harness and watchdog",
        strike=_kill("harness and watchdog"),
        stages=(LOAD, *WINDOW, RESTORE),
        frozen_s=BY_ENGINE_S,
    ),
    Fault(
        name="kill -9",
        party="engine",
        strike=_kill("engine"),
        must_not_pass=BEFORE_BACKED_UP[:-1],
        may_be_unconfirmed=True,
    ),
    Fault(
        name="kill -9",
        party="control process",
        strike=_kill("control process"),
        must_not_pass=BEFORE_BACKED_UP[:-1],
        may_be_unconfirmed=True,
    ),
    Fault(
        name="kill -9",
        party="snapshot program",
        strike=_kill("snapshot program"),
        stages=(CAPTURE,),
        must_not_pass=(CAPTURE,),
    ),
    Fault(name="kill -9", party="restored instance", strike=_kill("restored instance"), stages=_RESTORED),
    Fault(
        name="stop",
        party="harness",
        strike=_stop("harness"),
        lasts_s=2.0,
        lasts_in_window_s=BY_WATCHDOG_S + 1.0,
        may_fail=WINDOW,
    ),
    Fault(name="stop", party="watchdog", strike=_stop("watchdog"), lasts_s=3.0),
    Fault(
        name="stop",
        party="harness and watchdog",
        strike=_stop("harness and watchdog"),
        lasts_s=2.0,
        lasts_in_window_s=BY_ENGINE_S + 1.0,
        frozen_s=BY_ENGINE_S,
        may_fail=WINDOW,
    ),
    Fault(
        name="stop",
        party="engine",
        strike=_stop("engine"),
        lasts_s=3.0,
        frozen_s=BY_WATCHDOG_S + 3.0,
        may_fail=(FREEZE,),  # the time of a snapshot counts from the call of the freeze
        may_be_unconfirmed=True,
    ),
    Fault(
        name="stop",
        party="control process",
        strike=_stop("control process"),
        lasts_s=3.0,
        frozen_s=BY_WATCHDOG_S + 3.0,
        may_fail=(FREEZE,),  # the time of a snapshot counts from the call of the freeze
        may_be_unconfirmed=True,
    ),
    Fault(
        name="stop",
        party="snapshot program",
        strike=_stop("snapshot program"),
        stages=(CAPTURE,),
        lasts_s=SNAPSHOT_LIMIT_S + 2.0,
        may_fail=(CAPTURE,),
        must_not_pass=(CAPTURE,),
    ),
    Fault(
        name="stop",
        party="restored instance",
        strike=_stop("restored instance"),
        stages=_RESTORED,
        lasts_s=3.0,
    ),
    Fault(
        name="full disk",
        party="all",
        strike=_fill,
        lasts_s=_AWAY_S,
        held=True,
        cleaned_meanwhile=True,
        # the engine's own files are on it: GT.M switches its journals to thaw, and cannot
        frozen_s=BY_WATCHDOG_S + _AWAY_S,
        may_be_unconfirmed=True,
    ),
    Fault(
        name="read-only disk",
        party="all",
        strike=_read_only,
        lasts_s=_AWAY_S,
        held=True,
        cleaned_meanwhile=True,
    ),
    Fault(
        name="moved away",
        party="folder `work`",
        strike=_moved(_work),
        lasts_s=_AWAY_S,
        # the engine's own files are in it: until they are back nobody can thaw it
        frozen_s=BY_WATCHDOG_S + _AWAY_S,
        held=True,
        may_be_unconfirmed=True,
    ),
    Fault(
        name="moved away",
        party="folder of results",
        strike=_moved(lambda scene: scene.run.out),
        lasts_s=_AWAY_S,
        frozen_s=BY_WATCHDOG_S + _AWAY_S,
        held=True,
        may_be_unconfirmed=True,
    ),
    Fault(
        name="removed",
        party="folder `work`",
        strike=_removed,
        held=True,
        # the engine's own files and the way to ask it are gone with it
        frozen_s=math.inf,
        may_be_unconfirmed=True,
    ),
    Fault(name="hung up", party="terminal", strike=_hang_up, needs="terminal"),
    Fault(name="gone", party="reader of the output", strike=_lost_parent, needs="pipe"),
    Fault(name="an hour forward", party="clock", strike=_clock("+3600s"), needs="clock"),
    Fault(name="an hour back", party="clock", strike=_clock("-3600s"), needs="clock"),
    Fault(name="no memory left", party="harness", strike=_no_memory, lasts_s=_AWAY_S, held=True),
)


def faketime() -> Path | None:
    """Debian's library that gives a program another clock (package faketime)."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def is_full(disk: Path) -> bool:
    """Whether nothing can be written there."""
    try:
        (disk / "probe").write_bytes(bytes(_NEARLY_NOTHING_BYTES))
        (disk / "probe").unlink()
    except OSError as error:
        return error.errno == errno.ENOSPC
    return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Looked at often: a stage is short."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False
