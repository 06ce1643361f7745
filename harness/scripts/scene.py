"""One situation: a machine, instances under load, the scripts in it, and what their caller does.

Everything that a verdict rests on is asked of the instances: whether they say that they are frozen, what their own
messages.log tells, and whether a database file was touched. What the scripts say is only held against that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness import registry
from harness.command import Transcript
from harness.errors import HarnessError, InstanceError, InstanceGone, StartError
from harness.files import remove_tree
from harness.freeze import FileStatus
from harness.instance.base import Limits, Machine, Planted
from harness.instance.iris import Instance
from harness.plan.model import Commit, InstanceSpec
from harness.scripts.arguments import call_of
from harness.scripts.model import Call, Ran, Scripts, Seen

FIRST, SECOND = "IRISA", "IRISB"
SECRET = "Zwiebel-7-Kranz"
_OWN = Path(__file__).parent / "machine"
_STANDIN = Path(__file__).parent.parent / "standin" / "bin"
_HOST = ("machine", "probe", "close")
_LIMITS = Limits()
_PROCESSES_MAX = 600
_MEMORY_MAX = 3 << 30
_DISK_MAX = 1 << 30
_OUTPUT_BYTES = 20_000
_KEPT_BYTES = 1 << 20
_LAST_BREATH_S = 5.0
_ROLLED_BACK_S = 1.0
_LOOK_EVERY_S = 0.25
_COPIED_BYTES, _COPIED_FILES = 8 << 20, 200
_CRON = {"HOME": "/root", "LOGNAME": "root", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
_ROOT = {
    "HOME": "/root",
    "LOGNAME": "root",
    "USER": "root",
    "SHELL": "/bin/sh",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}


class Contained(HarnessError):
    """A script took more than the machine gives; the machine was ended. The text says what."""


class NotHere(Exception):
    """A scenario found that it does not apply; the text says why."""


class Scene:
    """A machine with the scripts in it. Made by `opened`; instances are added by the scenario."""

    def __init__(self, machine: Machine, scripts: Scripts, work: Path, folder: Path) -> None:
        self.machine = machine
        self.scripts = scripts
        self.work = work
        self.folder = folder
        self.engine = ""
        self.log_file = ""
        self.names: list[str] = []
        self.notes: list[str] = []
        self._roots: dict[str, Path] = {}
        self._writers: list[subprocess.Popen[bytes]] = []
        self._contained = ""
        self._over = threading.Event()
        self._guard = threading.Thread(target=self._watch, daemon=True)

    @property
    def first(self) -> str:
        return self.scripts.instances[0] if self.scripts.instances else FIRST

    @property
    def second(self) -> str:
        return self.scripts.instances[1] if len(self.scripts.instances) > 1 else SECOND

    # --- the machine

    def install(self, *, iris: bool = True, cache: bool = True) -> None:
        """Put commands and scripts where they are looked for; `iris` and `cache` say which product's commands."""
        names = (["iris", "irissession"] if iris else []) + (["ccontrol", "csession"] if cache else [])
        recorder = self._filled("iris.pl")
        become = (_OWN / "su.sh").read_bytes()
        planted = [Planted(path=f"/usr/bin/{name}", content=recorder, mode=0o755) for name in names]
        planted += [
            Planted(path=f"/usr/{path}", content=become, mode=0o755)
            for path in ("bin/su", "bin/sudo", "sbin/runuser")
        ]
        planted.append(Planted(path="/usr/bin/logger", content=self._filled("logger.sh"), mode=0o755))
        if self.scripts.program:
            takes = self._filled("snapshot.sh")
            planted.append(Planted(path=f"/usr/sbin/{self.scripts.program}", content=takes, mode=0o755))
            (self.machine.inside / "snapshot").mkdir()
            (self.machine.inside / "snapshot").chmod(0o777)
        for file in ("calls", "syslog"):
            (self.machine.inside / file).touch()
            (self.machine.inside / file).chmod(0o666)
        (self.machine.inside / "plants").touch()
        self.machine.put(planted + self._script_files())
        self._guard.start()

    def _filled(self, name: str) -> bytes:
        settings = {"IRISSYS": str(self.machine.inside / "registry"), "IRIS_STANDIN_PYTHON": sys.executable}
        if "gtm_dist" in os.environ:
            settings["gtm_dist"] = os.environ["gtm_dist"]
        pairs = ", ".join(f"'{key}' => '{value}'" for key, value in settings.items())
        text = (_OWN / name).read_text()
        for mark, value in (
            ("INSIDE", str(self.machine.inside)),
            ("STANDIN", str(_STANDIN)),
            ("SETTINGS", pairs),
        ):
            text = text.replace(f"@{mark}@", value)
        return text.encode()

    def _script_files(self) -> list[Planted]:
        """The scripts with what lies beside them, as it is: some read a file next to them."""
        found: dict[str, Planted] = {}
        for hook in (self.scripts.freeze, self.scripts.thaw, self.scripts.snapshot):
            if hook and hook[0] not in self.scripts.install and not self.machine.read(hook[0]).exists():
                for path in _with_neighbours(Path(hook[0])):
                    found[str(path)] = _as_it_is(path, str(path))
        for target, path in self.scripts.install.items():
            found[target] = Planted(path=target, content=path.read_bytes(), mode=0o700)
        return list(found.values())

    def instance(self, name: str, *options: str, load: bool = True, start: bool = True) -> None:
        """Make an instance, started and under a light load unless told otherwise."""
        root = self.machine.inside / "iris" / name.lower().replace("%", "_")
        self.machine.create(name, root, *options, start=start)
        self._roots[name] = root
        if start:
            self.names.append(name)
            if load:
                self.load(name)

    def describe(self) -> None:
        """Learn which engine answers, for the report."""
        found = Instance(self.machine.instance(self.first)).describe()
        self.engine = f"{found.product} {found.version}"

    def load(self, name: str) -> None:
        """Begin to write into an instance, some hundred transactions a second."""
        writer = Instance(self.machine.instance(name)).start_writer(
            writer=1, writers=1, seed=1, first=1, count=0, seconds=300, commit=Commit.BUFFERED, pace=3
        )
        self._writers.append(writer)

    def root(self, name: str) -> Path:
        return self._roots[name]

    def plant(
        self, what: str, action: str, argument: object = "", text: str = "", *, of: str = "*", times: int = 0
    ) -> None:
        """Let calls do something else (machine/iris.pl): `what` is a method of Backup.General or a verb, in lower
        case, `a|b` for either; `of` names an instance, `times` how many calls, 0 for all."""
        line = "\t".join(map(str, (what, of, times or "", action, argument, text)))
        with (self.machine.inside / "plants").open("a") as plants:
            plants.write(line + "\n")

    def plant_after(self, what: str, calls: int, action: str) -> None:
        """As `plant`, from the call on that follows so many others of its kind."""
        self.plant(what, action, times=-calls)

    def unplant(self) -> None:
        (self.machine.inside / "plants").write_text("")

    def sh(self, script: str, *arguments: str) -> None:
        """Do something as root of the machine. Raises InstanceError with what was said."""
        done = subprocess.run(
            [*self.machine.way_in("root"), "sh", "-euc", script, "sh", *arguments],
            capture_output=True,
            timeout=30,
            text=True,
        )
        if done.returncode:
            raise InstanceError(f"{script}: {done.stderr.strip()}")

    def calls(self, what: str = "") -> list[Call]:
        """What the scripts asked `iris` and its kin, in order; only one method or verb if named. Also afterwards."""
        noted = next(
            (file for file in (self.machine.inside / "calls", self.folder / "calls") if file.exists()), None
        )
        lines = noted.read_text(errors="replace").splitlines() if noted else []
        found = [call for line in lines if (call := call_of(line))]
        return [call for call in found if what in ("", call.what)]

    def written(self) -> Iterator[tuple[str, str]]:
        """Files the scripts may have written, with their text; not those of instances and of the harness."""
        top = self.machine.read("/")
        for folder in ("var", "tmp", "root", "home", "srv"):
            for base, folders, files in os.walk(top / folder):
                here = "/" + str(Path(base).relative_to(top))
                folders[:] = [name for name in folders if f"{here}/{name}" != str(self.machine.inside)]
                for name in files:
                    with contextlib.suppress(OSError):
                        if stat.S_ISREG((Path(base) / name).lstat().st_mode):
                            yield f"{here}/{name}", (Path(base) / name).read_text(errors="replace")

    # --- what the instances say

    def frozen(self, name: str) -> bool | None:
        """What an instance says of itself, asked as its owner; None if it does not answer."""
        call = "##class(Backup.General).IsWDSuspendedExt()"
        place = self.machine.instance(name)
        try:
            done = place.run(["iris", "session", name, "-U%SYS", call], accept=None, timeout_s=3)
        except InstanceGone as error:
            raise self._why_gone(error) from error
        except HarnessError:
            return None
        if done.status in (5, 3):
            return done.status == 5
        said = done.stdout + done.stderr
        if "external freeze" in said:  # past ExternalFreezeTimeOut nobody can log in
            return True
        return self._by_its_log(name) if "Access Denied" in said else None

    def _by_its_log(self, name: str) -> bool:
        return any("System suspended" in line for line in self.events(name)[-1:])

    def which_frozen(self) -> tuple[str, ...]:
        """Instances that do not say that they are running as ever."""
        return tuple(name for name in self.names if self.frozen(name) is not False)

    def events(self, name: str) -> list[str]:
        """Freezes and their ends in messages.log, in order: the text of each line."""
        log = self.root(name) / "mgr" / "messages.log"
        words = ("System suspended", "System resumed", "reached, resuming", "write daemon cleared")
        return [
            line for line in log.read_text(errors="replace").splitlines() if any(w in line for w in words)
        ]

    def freeze_oneself(self, name: str, log: str = "/tmp/other.log") -> None:
        """Freeze as some other backup would."""
        self._session(name, f'##class(Backup.General).ExternalFreeze("{log}")')

    def thaw_oneself(self, name: str) -> None:
        """`iris stat -W`, as an administrator would."""
        self.machine.run(["iris", "stat", name, "-W"], accept=None)

    def _session(self, name: str, call: str) -> None:
        done = self.machine.run(["iris", "session", name, "-U%SYS", call], accept=None)
        if done.status != 5:
            raise InstanceError(f"{call}: {done.stdout}{done.stderr}")

    def force(self, name: str) -> None:
        """Kill every process of an instance."""
        self.machine.run(["iris", "force", name], accept=None)
        self.names.remove(name)

    def blocked(self, name: str) -> bool:
        """Whether ExternalFreezeTimeOut is over: updates wait and nobody can log in."""
        return "updates are blocked" in (self.root(name) / "mgr" / "messages.log").read_text(errors="replace")

    def stopped(self, name: str, signal_: signal.Signals) -> None:
        """Send a signal to an instance's control process, to stop it and let it go on."""
        wanted = (b"start", name.encode())
        for number in self.machine.processes():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
                if all(word in words for word in wanted):
                    os.kill(number, signal_)

    # --- what the caller does

    def call(
        self,
        hook: str,
        *,
        user: str = "",
        environment: dict[str, str] | None = None,
        timeout_s: float | None = None,
        kill: tuple[float, signal.Signals] | None = None,
    ) -> Ran:
        """Run the freeze or the thaw script as its caller would.

        Args:
            hook: `freeze` or `thaw`.
            timeout_s: How long the caller waits; then it sends TERM, and KILL five seconds later.
            kill: Seconds after which the script is sent a signal.
        Raises Contained if it takes more than the machine gives.
        """
        if self.scripts.program:
            raise NotHere("freeze and thaw are one job, and cannot be called apart")
        argv = self.scripts.freeze if hook == "freeze" else self.scripts.thaw
        user = user or self.scripts.user
        ran = self._ran(argv, hook, user, environment, timeout_s or self.scripts.timeout_s, kill)
        self.notes.append(f"{hook} {ran}")
        return ran

    def call_with(self, *argv: str) -> Ran:
        """Run a script with other arguments than its caller gives."""
        ran = self._ran(argv, "other", self.scripts.user, None, self.scripts.timeout_s, None)
        self.notes.append(f"{' '.join(argv[1:]) or 'no argument'} {ran}")
        return ran

    def _ran(
        self,
        argv: Sequence[str],
        name: str,
        user: str,
        environment: dict[str, str] | None,
        timeout_s: float,
        kill: tuple[float, signal.Signals] | None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Ran:
        output = self.folder / f"{name}-{len(list(self.folder.glob(f'{name}-*.out'))) + 1}.out"
        began = time.monotonic()
        with output.open("wb") as out:
            process = self.machine.start_as(
                user,
                argv,
                environment={**(_ROOT if environment is None else environment), **self.scripts.environment},
                folder="/",
                output=out.fileno(),
                limits=_LIMITS,
            )
        killed = ""
        try:
            if kill:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(kill[0])
                if process.poll() is None:
                    killed = f"{kill[1].name} after {kill[0]:.0f} s"
                    _signal_child(process, kill[1])
            status: int | None = _wait(process, began + timeout_s, meanwhile)
        except subprocess.TimeoutExpired:
            status = None
            killed = f"{killed}, " if killed else ""
            killed += f"TERM after {timeout_s:.0f} s"
            if not _ended(process, signal.SIGTERM):
                killed += ", KILL"
                _ended(process, signal.SIGKILL)
        self._raise_contained()
        return Ran(
            status=None if status is None else status if status >= 0 else 128 - status,
            output=_some(output),
            duration_s=time.monotonic() - began,
            killed=killed,
        )

    def backup(
        self,
        *,
        expected: Sequence[str] | None = None,
        during: Callable[[], object] = lambda: None,
        before_thaw: Callable[[], object] = lambda: None,
        snapshot_s: float = 0.3,
        user: str = "",
        environment: dict[str, str] | None = None,
    ) -> Seen:
        """Freeze, snapshot if that succeeded, thaw.

        Args:
            expected: Instances that must be frozen; all that run if not given.
            during: Done in the middle of the snapshot.
            user, environment: For both scripts, as `call`.
        """
        wanted = tuple(self.names if expected is None else expected)
        if self.scripts.program:
            return self._job(wanted, during, before_thaw, snapshot_s, user, environment)
        freeze = self.call("freeze", user=user, environment=environment)
        frozen = {name: self.frozen(name) for name in self.names}
        if freeze.status not in self.scripts.success:
            left = self._left_frozen(_ROLLED_BACK_S) if any(frozen.values()) else ()
            return Seen(freeze=freeze, expected=wanted, frozen_after=frozen, left_frozen=left)
        held = self._snapshot(wanted, during, snapshot_s)
        before_thaw()
        thaw = self.call("thaw", user=user, environment=environment)
        return Seen(
            freeze=freeze,
            expected=wanted,
            frozen_after=frozen,
            taken=True,
            held=held,
            thaw=thaw,
            left_frozen=self._left_frozen(_ROLLED_BACK_S),
        )

    def _job(
        self,
        wanted: tuple[str, ...],
        during: Callable[[], object],
        before_thaw: Callable[[], object],
        snapshot_s: float,
        user: str,
        environment: dict[str, str] | None,
    ) -> Seen:
        """A job that does everything: when it takes the snapshot the instances are looked at."""
        folder = self.machine.inside / "snapshot"
        frozen: dict[str, bool | None] = {}
        held: tuple[str, ...] = ()
        for name in ("asked", "taken"):
            (folder / name).unlink(missing_ok=True)

        def look() -> None:
            nonlocal frozen, held
            if not frozen and (folder / "asked").exists():
                frozen = {name: self.frozen(name) for name in self.names} or {"": None}
                held = self._snapshot(wanted, during, snapshot_s)
                before_thaw()
                (folder / "taken").touch()

        timeout_s = self.scripts.timeout_s + snapshot_s
        given = {
            **(_ROOT if environment is None else environment),
            "SNAPSHOT": f"/usr/sbin/{self.scripts.program}",
        }
        ran = self._ran(self.scripts.freeze, "job", user or self.scripts.user, given, timeout_s, None, look)
        self.notes.append(f"job {ran}" + ("" if frozen else ", no snapshot"))
        left = self._left_frozen(_ROLLED_BACK_S)
        return Seen(
            freeze=ran,
            expected=wanted,
            frozen_after=frozen or dict.fromkeys(wanted),
            taken=bool(frozen),
            held=held,
            thaw=ran if frozen else None,
            left_frozen=left,
        )

    def _snapshot(
        self, wanted: Sequence[str], during: Callable[[], object], seconds: float
    ) -> tuple[str, ...]:
        def state() -> dict[str, tuple[bool | None, list[str], list[FileStatus]]]:
            return {name: (self.frozen(name), self.events(name), self._files(name)) for name in wanted}

        before = state()
        if self.scripts.snapshot:
            ran = self._ran(self.scripts.snapshot, "snapshot", self.scripts.user, None, 600.0, None)
            self.notes.append(f"snapshot {ran}")
        else:
            time.sleep(seconds / 2)
        during()
        time.sleep(0 if self.scripts.snapshot else seconds / 2)
        after = state()
        held = tuple(name for name in wanted if before[name][0] is True and before[name] == after[name])
        self.notes.append(f"frozen throughout: {', '.join(held) or 'none'}")
        return held

    def _files(self, name: str) -> list[FileStatus]:
        return [FileStatus.of(file) for file in sorted((self.root(name) / "db").glob("*/IRIS.DAT"))]

    def _left_frozen(self, within_s: float) -> tuple[str, ...]:
        left = self.wait_thawed(within_s)
        if left:
            self.notes.append(f"left frozen: {', '.join(left)}")
        return left

    def wait_for(self, condition: Callable[[], bool], *, within_s: float) -> bool:
        """Whether something came about in time."""
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def wait_thawed(self, within_s: float) -> tuple[str, ...]:
        """Instances still frozen when the time is over."""
        deadline = time.monotonic() + within_s
        while (left := self.which_frozen()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    # --- limits and end

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            processes = self.machine.processes()
            if len(processes) > _LIMITS.processes - 10:
                self._contained = f"it had {len(processes)} processes"
                self.machine.close()
            elif (memory := _resident(processes)) > _MEMORY_MAX:
                self._contained = f"it took {memory >> 20} MB of memory"
                self.machine.close()
            elif (disk := _size(self.machine.inside)) > _DISK_MAX:
                self._contained = f"it wrote {disk >> 20} MB to disk"
                self.machine.close()

    def _raise_contained(self) -> None:
        if self._contained:
            raise Contained(f"the machine was ended: {self._contained}")

    def _why_gone(self, error: HarnessError) -> HarnessError:
        return Contained(f"the machine was ended: {self._contained}") if self._contained else error

    def close(self) -> None:
        self._over.set()
        self.machine.close()
        for writer in self._writers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                writer.wait(5)
            if writer.stdout:
                writer.stdout.close()
        if self._guard.ident:
            self._guard.join()


@contextmanager
def opened(scripts: Scripts, work: Path, kept: Path) -> Iterator[Scene]:
    """A machine for one scenario; gone afterwards.

    Args:
        work: A folder that does not exist, for the machine; removed.
        kept: A folder that does not exist, for what is worth reading afterwards.
    Raises PreconditionError, StartError.
    """
    work.mkdir(parents=True)
    kept.mkdir(parents=True)
    host = registry.load("harness.hosts", "sandbox", _HOST)(
        InstanceSpec(host="sandbox"), work, Transcript(kept / "commands.log")
    )
    machine: Machine = host.machine()
    scene = Scene(machine, scripts, work, kept)
    try:
        yield scene
    except InstanceGone as error:
        raise scene._why_gone(error) from error
    except StartError as error:
        raise scene._why_gone(error) from error
    finally:
        with contextlib.suppress(OSError):
            (kept / "calls").write_bytes((machine.inside / "calls").read_bytes())
        for name in scene.names:
            with contextlib.suppress(OSError):
                log = scene.root(name) / "mgr" / "messages.log"
                (kept / f"messages-{name}.log").write_bytes(log.read_bytes())
        scene.close()
        remove_tree(work)


def cron_environment() -> dict[str, str]:
    """What cron gives a job (crontab(5))."""
    return dict(_CRON)


def usual_environment() -> dict[str, str]:
    return dict(_ROOT)


def _with_neighbours(script: Path) -> list[Path]:
    files = [path for path in script.parent.rglob("*") if path.is_file() and not path.is_symlink()][
        : _COPIED_FILES + 1
    ]
    small = len(files) <= _COPIED_FILES and sum(path.stat().st_size for path in files) <= _COPIED_BYTES
    return files if small else [script]


def _as_it_is(path: Path, target: str) -> Planted:
    return Planted(path=target, content=path.read_bytes(), mode=stat.S_IMODE(path.stat().st_mode))


def _wait(process: subprocess.Popen[bytes], until: float, meanwhile: Callable[[], object]) -> int:
    """Raises TimeoutExpired when the time is over."""
    while True:
        try:
            return process.wait(0.05)
        except subprocess.TimeoutExpired:
            if time.monotonic() > until:
                raise
            meanwhile()


def _signal_child(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """The script alone, as its caller knows no other process of it."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), number)


def _ended(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    _signal_child(process, number)
    try:
        process.wait(_LAST_BREATH_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _some(output: Path) -> str:
    with output.open("r+b") as file:
        text = file.read(_OUTPUT_BYTES).decode("utf-8", "replace")
        if output.stat().st_size > _KEPT_BYTES:
            file.truncate(_KEPT_BYTES)
    return text


def _resident(processes: Sequence[int]) -> int:
    total = 0
    for number in processes:
        with contextlib.suppress(OSError, IndexError, ValueError):
            total += int(Path(f"/proc/{number}/statm").read_text().split()[1])
    return total * os.sysconf("SC_PAGESIZE")


def _size(folder: Path) -> int:
    total = 0
    for base, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(Path(base) / name).st_blocks * 512
    return total
