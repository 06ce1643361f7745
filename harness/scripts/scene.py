"""One situation: a machine, instances under load, the scripts in it, and what their caller does.

Everything that a verdict rests on is asked of the instances: whether they say that they are frozen, what their own
messages.log tells, and whether a database file was touched. What the scripts say is only held against that.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness import destroy, registry
from harness.command import Transcript, run
from harness.errors import (
    CommandTimeout,
    HarnessError,
    InstanceError,
    InstanceGone,
    PreconditionError,
    StartError,
)
from harness.freeze import FileStatus
from harness.instance.base import Machine
from harness.instance.iris import Instance
from harness.instance.within import Within
from harness.plan.model import Commit, InstanceSpec
from harness.scripts import install
from harness.scripts.arguments import call_of
from harness.scripts.guard import LIMITS, Guard
from harness.scripts.model import Ran, RecordedCall, Scripts, Seen

FIRST, SECOND = "IRISA", "IRISB"
SECRET = "Zwiebel-7-Kranz"
_HOST = ("machine", "probe", "close")
_OUTPUT_BYTES = 20_000
_KEPT_BYTES = 1 << 20
_LAST_BREATH_S = 5.0
_ROLLED_BACK_S = 1.0
_ANSWER_S = 20.0
_LAST_STEPS_S = 3.0
_OTHER_S = 2.0
_HURRY = 500
_HARMLESS = re.compile(
    r"^(?:\S*/)?sleep\s|^\S*perl \S*/(?:iris|irissession|ccontrol|csession)\b|^\S*/(?:mumps|mupip)\b"
    r"|^\S+ -S -m harness\.standin\b"
)
_RESTS_ON = ("/usr/bin/env", "/usr/bin/perl", "/bin/sh", "/etc/ld.so.preload")
"""What every answer of an instance goes through, beside the recorder."""
_CRON = {"HOME": "/root", "LOGNAME": "root", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
_ROOT = {
    "HOME": "/root",
    "LOGNAME": "root",
    "USER": "root",
    "SHELL": "/bin/sh",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}


_KILLS = re.compile(rb"\b(kill|pkill|killall|fuser|reboot|shutdown|halt)\b")
_TAKE_AWAY = """
for folder in /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin; do rm -f -- "$folder/$1"; done
! command -v -- "$1" >/dev/null
"""


class NotHere(Exception):
    """A scenario found that it does not apply; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plant:
    """What calls were to do, and how many had to come before it was done; `since` counts those before it was said."""

    what: str
    of: str
    after: int
    since: int

    def came(self, calls: Sequence[RecordedCall]) -> bool:
        asked = re.compile(self.what)
        later = calls[self.since :]
        return (
            len([c for c in later if asked.fullmatch(c.what) and self.of.upper() in ("*", c.instance)])
            > self.after
        )


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
        self._shared = Within(machine.inside)
        self._watched = list(_RESTS_ON)
        self._plants: list[_Plant] = []
        self._own_freezes = 0
        self._round = 0
        self._at_first: Mapping[str, object] | None = None
        self._silent: dict[str, None] = {}
        self._program: install.Program | None = None
        self._named = self._kills = False
        self.took = False
        """Whether a job has called its program."""
        self.program_called = False
        """By a job in the scenario before this one: then it is what takes the snapshot."""
        self._guard = Guard(machine)

    @property
    def first(self) -> str:
        return self.scripts.instances[0] if self.scripts.instances else FIRST

    @property
    def second(self) -> str:
        return self.scripts.instances[1] if len(self.scripts.instances) > 1 else SECOND

    # --- the machine

    def install(self, *, iris: bool = True, cache: bool = True) -> None:
        """Put commands and scripts where they are looked for; `iris` and `cache` say which product's commands."""
        planted = install.commands(self.machine, self.scripts, iris=iris, cache=cache)
        files = install.files(self.machine, self.scripts, self.work.parents[2])
        self._kills = any(_KILLS.search(file.content) for file in files)
        if self.scripts.program:
            (self.machine.inside / "snapshot").mkdir()
            (self.machine.inside / "snapshot").chmod(0o777)
            self._program = install.program(self.machine, self.scripts)
            self._named = install.names_program(files, self.scripts)
            planted += self._program.planted
        for file in ("calls", "syslog"):
            (self.machine.inside / file).touch()
            (self.machine.inside / file).chmod(0o666)
        (self.machine.told / "plants").touch()
        self._watched += [file.path for file in planted]
        self.machine.put(planted + files)
        for path in self._program.over if self._program else ():
            self.sh('mount --bind "$1" "$2"', install.PROGRAM, path)
        self._guard.start()

    def instance(self, name: str, *options: str, load: bool = True, start: bool = True) -> None:
        """Make an instance, started and under a light load unless told otherwise. Raises InstanceError if it is not
        then what it was to be: a scenario must not blame the scripts for that.
        """
        root = self.machine.inside / "iris" / name.lower().replace("%", "_")
        self.machine.create(name, root, *options, start=start)
        self._roots[name] = root
        if not start:
            self._require_down(name)
            return
        self.names.append(name)
        if self._state(name) is None:
            raise InstanceError(f"{name} was started and does not answer")
        if load:
            self.load(name)

    def _require_down(self, name: str) -> None:
        listed = self.machine.run(["iris", "qlist"], accept=None).stdout
        if not re.search(rf"^{re.escape(name)}\^.*\^down", listed, re.MULTILINE | re.IGNORECASE):
            raise InstanceError(f"{name} is not listed as down")

    def require_answers(self) -> None:
        """Every way by which scripts come to an instance leads there. Raises PreconditionError with what was said."""
        call = "##class(Backup.General).IsWDSuspendedExt()"
        for user in ("irisowner", "root") if self.machine.users else ("root",):
            for words, right in (("session", self.first, "-U%SYS", call), 3), (("qlist",), 0):
                try:
                    way = self.machine.way_in(user)
                    done = run([*way, "/usr/bin/iris", *words], accept=None, timeout_s=_ANSWER_S)
                except HarnessError as error:
                    raise _unable(str(error)) from error
                if done.status != right:
                    said = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
                    raise _unable(f"`iris {words[0]}` by {user} ended with {done.status}: {said[0][:200]}")

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
        self,
        what: str,
        action: str,
        argument: object = "",
        text: str = "",
        *,
        of: str = "*",
        times: int = 0,
        may: bool = False,
    ) -> None:
        """Let calls do something else (machine/iris.pl): `what` is a method of Backup.General or a verb, in lower
        case, `a|b` for either; `of` names an instance, `times` how many calls, 0 for all. Such a call must come,
        or the situation did not come about; `may` if it need not.
        """
        if not may:
            self._plants.append(_Plant(what=what, of=of, after=max(-times, 0), since=len(self.calls())))
        line = "\t".join(map(str, (what, of, times or "", action, argument, text)))
        with (self.machine.told / "plants").open("a") as plants:
            plants.write(line + "\n")

    def plant_after(self, what: str, calls: int, action: str) -> None:
        """As `plant`, from the call on that follows so many others of its kind."""
        self.plant(what, action, times=-calls)

    def unplant(self) -> None:
        (self.machine.told / "plants").write_text("")

    def never_called(self) -> list[str]:
        """What was planted and was not met by a call: words for people."""
        calls = self.calls()
        return [one.what.replace("|", ", ") for one in self._plants if not one.came(calls)]

    def bypassed(self) -> list[str]:
        """Instances that were frozen more often than the recorder of calls knows."""
        freezes = [call.instance for call in self.calls() if call.what in ("externalfreeze", "freeze")]
        told = {
            name: len([line for line in self.events(name) if "System suspended" in line])
            for name in self._roots
        }
        return [name for name, n in told.items() if n > freezes.count(name) + self._own_freezes]

    def tampered(self) -> list[str]:
        """Files that every answer rests on, and that are not as they were before the first script ran."""
        before, now = self._at_first or {}, self._rests_on() if self._at_first else {}
        return [path for path, was in before.items() if was != now[path]]

    def _rests_on(self) -> dict[str, object]:
        def of(path: str) -> object:
            try:
                found = self.machine.tree.status(path)
            except OSError:
                return None
            grows = path == calls
            return found.st_dev, found.st_ino, *(() if grows else (found.st_size, found.st_mtime_ns))

        calls = str(self.machine.inside / "calls")
        return {
            path: of(path) for path in (*self._watched, calls, str(self.machine.inside / "registry/iris.reg"))
        }

    def sh(self, script: str, *arguments: str) -> None:
        """Do something as root of the machine. Raises InstanceError with what was said."""
        done = subprocess.run(
            [*self.machine.way_in("root"), "sh", "-euc", script, "sh", *arguments],
            capture_output=True,
            timeout=30,
            text=True,
            start_new_session=True,
        )
        if done.returncode:
            raise InstanceError(f"{script}: {done.stderr.strip()}")

    def calls(self, what: str = "") -> list[RecordedCall]:
        """What the scripts asked `iris` and its kin, in order; only one method or verb if named. Also afterwards."""
        found = []
        for line in self._noted().splitlines():
            with contextlib.suppress(ValueError):  # not written by the recorder
                if (call := call_of(line)) and what in ("", call.what):
                    found.append(call)
        return found

    def _noted(self) -> str:
        try:
            return self._shared.text("calls")
        except OSError:
            kept = self.folder / "calls"
            return kept.read_text(errors="replace") if kept.exists() else ""

    def logs(self) -> list[str]:
        """Log files that the scripts have given ExternalFreeze in this machine, each once, the last one last."""
        found = [call.argument(1) for call in self.calls("externalfreeze")]
        return list(dict.fromkeys(path for path in found if path.startswith("/")))

    def take_away(self, *names: str) -> None:
        """Let programs not be there. Raises InstanceError if one still is."""
        for name in names:
            self.sh(_TAKE_AWAY, name)

    def require_denied(self, user: str) -> None:
        """Raises InstanceError if an instance lets in somebody who is to be refused."""
        call = "##class(Backup.General).IsWDSuspendedExt()"
        argv = [*self.machine.way_in(user), "/usr/bin/iris", "session", self.first, "-U%SYS", call]
        if run(argv, accept=None, timeout_s=_ANSWER_S).status in (3, 5):
            raise InstanceError(f"{self.first} lets {user} in without a password")

    def limited(self) -> bool:
        """Whether a freeze was given a WDSuspendLimit."""
        return any(call.argument(10).strip() not in ("", "0") for call in self.calls("externalfreeze"))

    def written(self) -> Iterator[tuple[str, str]]:
        """Files the scripts may have written, with their text; not those of instances and of the harness."""
        for path in self.machine.tree.files():
            with contextlib.suppress(OSError):
                yield path, self.machine.tree.read(path, _KEPT_BYTES).decode("utf-8", "replace")

    # --- what the instances say

    def frozen(self, name: str) -> bool | None:
        """What an instance says of itself, asked as its owner; None if it does not answer, which is noted."""
        state = self._state(name)
        if state is None:
            self._silent[name] = None
        return state

    def silent(self) -> list[str]:
        """Instances that did not answer when something rested on it; not those that the scenario has ended."""
        return [name for name in self._silent if name in self.names]

    def _state(self, name: str) -> bool | None:
        call = "##class(Backup.General).IsWDSuspendedExt()"
        place = self.machine.instance(name)
        try:
            done = place.run(["iris", "session", name, "-U%SYS", call], accept=None, timeout_s=_ANSWER_S)
        except InstanceGone as error:
            raise self._guard.why(error) from error
        except CommandTimeout as error:
            raise InstanceError(f"{name} did not tell in {_ANSWER_S:.0f} s whether it is frozen") from error
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
        """Instances that say that they are frozen."""
        return tuple(name for name in self.names if self.frozen(name))

    def events(self, name: str) -> list[str]:
        """Freezes and their ends in messages.log, in order: the text of each line."""
        words = ("System suspended", "System resumed", "reached, resuming", "write daemon cleared")
        return [line for line in self._messages(name).splitlines() if any(w in line for w in words)]

    def _messages(self, name: str) -> str:
        """Empty if the log is gone: then nothing speaks for the instance."""
        try:
            return self._shared.text(f"{self._roots[name].relative_to(self.machine.inside)}/mgr/messages.log")
        except OSError:
            return ""

    def journals(self, name: str) -> dict[str, int]:
        """Journal file → offset of what it began with (harness/standin/journals.py)."""
        log = self.machine.tree.text(f"{self.root(name)}/mgr/journal.log")
        rows = [line.split("^") for line in log.splitlines()]
        return {row[0]: int(row[3]) for row in rows if len(row) > 3 and row[3].isdigit()}

    def hurry(self) -> None:
        """From now on the limits of a freeze pass faster, so that what takes minutes can be waited for."""
        for name in self.names:
            self.machine.run(["iris", "stat", name, f"clock={_HURRY}"])

    def freeze_oneself(self, name: str, log: str = "/tmp/other.log") -> None:
        """Freeze as some other backup would."""
        self._session(name, f'##class(Backup.General).ExternalFreeze("{log}")')
        self._own_freezes += 1

    def thaw_oneself(self, name: str) -> None:
        """`iris stat -W`, as an administrator would."""
        self.machine.run(["iris", "stat", name, "-W"], accept=None)

    def _session(self, name: str, call: str) -> None:
        done = self.machine.run(["iris", "session", name, "-U%SYS", call], accept=None)
        if done.status != 5:
            raise InstanceError(f"{call}: {done.stdout}{done.stderr}")

    def force(self, name: str) -> None:
        """Kill every process of an instance. Raises InstanceError if it did not end."""
        self.machine.run(["iris", "force", name], accept=None)
        self._require_down(name)
        self.names.remove(name)

    def blocked(self, name: str) -> bool:
        """Whether ExternalFreezeTimeOut is over: updates wait and nobody can log in."""
        return "updates are blocked" in self._messages(name)

    def killed(self, name: str) -> bool:
        """Whether an instance has no process any more, and the scripts name a program that ends processes."""
        return self._kills and not self._control(name)

    def _control(self, name: str) -> list[int]:
        """Its control process."""
        wanted, found = (b"start", name.encode()), []
        for number in self.machine.processes():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
                if all(word in words for word in wanted):
                    found.append(number)
        return found

    def _is_control(self, number: int, name: str) -> bool:
        return number in self._control(name)

    def stopped(self, name: str, signal_: signal.Signals) -> None:
        """Send a signal to an instance's control process, to stop it and let it go on. Raises InstanceError."""
        control = self._control(name)
        for number in control:
            destroy.process(
                number, signal_, partial(self._is_control, number, name), "a process of the machine"
            )
        if not control:
            raise InstanceError(f"{name} has no control process")

    # --- what the caller does

    def call(
        self,
        hook: str,
        *,
        user: str = "",
        environment: dict[str, str] | None = None,
        timeout_s: float | None = None,
        kill: tuple[Callable[[], bool], signal.Signals] | None = None,
    ) -> Ran:
        """Run the freeze or the thaw script as its caller would.

        Args:
            hook: `freeze` or `thaw`.
            timeout_s: How long the caller waits; then it sends TERM, and KILL five seconds later.
            kill: When the script is sent a signal, and which.
        Raises Contained if it takes more than the machine gives.
        """
        if self.scripts.program:
            raise NotHere("a job has no thaw script that could be called by itself")
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
        kill: tuple[Callable[[], bool], signal.Signals] | None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Ran:
        self._at_first = self._at_first or self._rests_on()
        output = self.folder / f"{name}-{len(list(self.folder.glob(f'{name}-*.out'))) + 1}.out"
        began = time.monotonic()
        with output.open("wb") as out:
            process = self.machine.start_as(
                user,
                argv,
                environment={**(_ROOT if environment is None else environment), **self.scripts.environment},
                folder="/",
                output=out.fileno(),
                limits=LIMITS,
            )
        killed = limit = ""

        def look() -> None:
            nonlocal killed
            meanwhile()
            if kill and not killed and kill[0]():
                killed = kill[1].name
                _signal_child(process, kill[1])

        try:
            status: int | None = _wait(process, began + timeout_s, look)
        except subprocess.TimeoutExpired:
            status = None
            limit = self._own_limit() if self.scripts.program else ""
            killed = f"{killed}, " if killed else ""
            killed += f"TERM after {timeout_s:.0f} s"
            if not _ended(process, signal.SIGTERM):
                killed += ", KILL"
                _ended(process, signal.SIGKILL)
        finally:
            destroy.group(
                process, "the script has ended"
            )  # the way in, should it be stopped as its child was
            process.wait()
        self._guard.check()
        return Ran(
            status=None if status is None else status if status >= 0 else 128 - status,
            output=_some(output),
            duration_s=time.monotonic() - began,
            killed=killed,
            limit=limit,
        )

    def _own_limit(self) -> str:
        """The `timeout` under which a script runs something; empty if there is none."""
        words = (_words(number) for number in self.machine.processes())
        return next((found for found in words if re.match(r"(\S*/)?(busybox )?timeout\s", found)), "")

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
        before = set(self.machine.processes())
        freeze = self.call("freeze", user=user, environment=environment)
        # the log first: it tells in no time, and a freeze that begins only now comes too late
        in_time = {name: self._by_its_log(name) for name in self.names}
        frozen = {name: self.frozen(name) and in_time[name] for name in self.names}
        held: tuple[str, ...] = ()
        thaw = None
        if taken := freeze.status in self.scripts.success:
            held = self._snapshot(wanted, during, snapshot_s)
            before_thaw()
            thaw = self.call("thaw", user=user, environment=environment)
        running = self._left_running(before)
        return Seen(
            freeze=freeze,
            expected=wanted,
            frozen_after=frozen,
            taken=taken,
            held=held,
            thaw=thaw,
            left_frozen=self._left_frozen(_ROLLED_BACK_S),
            left_running=running,
        )

    def attempt(
        self,
        *,
        after: Callable[[], object] = lambda: None,
        kill: tuple[Callable[[], bool], signal.Signals] | None = None,
    ) -> Seen:
        """RecordedCall the freeze script and nothing more, or a job from its beginning to its end.

        Args:
            after: Done when it has ended, before an instance is asked anything: until then none need answer.
            kill: As `call`.
        """
        if self.scripts.program:
            return self._job(
                tuple(self.names), lambda: None, lambda: None, 0.0, "", None, after, kill, ask=False
            )
        ran = self.call("freeze", kill=kill)
        after()
        return Seen(freeze=ran, expected=tuple(self.names), frozen_after={})

    def _job(
        self,
        wanted: tuple[str, ...],
        during: Callable[[], object],
        before_thaw: Callable[[], object],
        snapshot_s: float,
        user: str,
        environment: dict[str, str] | None,
        after: Callable[[], object] = lambda: None,
        kill: tuple[Callable[[], bool], signal.Signals] | None = None,
        *,
        ask: bool = True,
        ends: str = "0",
    ) -> Seen:
        """A job that does everything: when it takes the snapshot the instances are looked at, unless `ask` is False.
        Its program ends as `ends` says: with a status, or `killed`.
        """
        self._round += 1
        asked, taken = self.asked_for(self._round), self.machine.told / f"taken-{self._round}"
        (self.machine.told / "round").write_text(f"{self._round}\n")
        running = set(self.machine.processes())
        frozen: dict[str, bool | None] = {}
        held: tuple[str, ...] = ()

        def look() -> None:
            nonlocal frozen, held
            if not frozen and asked():
                frozen, self.took = {"": None}, True
                if ask:
                    frozen = {name: self.frozen(name) for name in self.names} or frozen
                    held = self._snapshot(wanted, during, snapshot_s)
                    before_thaw()
                if not kill:
                    _tell(taken, ends)

        timeout_s = self.scripts.timeout_s + snapshot_s
        given = {**(_ROOT if environment is None else environment), "SNAPSHOT": install.PROGRAM}
        ran = self._ran(self.scripts.freeze, "job", user or self.scripts.user, given, timeout_s, kill, look)
        _tell(taken, ends)
        after()
        self.notes.append(f"job {ran}" + ("" if frozen else ", no snapshot"))
        still = self._left_running(running)
        left = self._left_frozen(_ROLLED_BACK_S)
        return Seen(
            freeze=ran,
            expected=wanted,
            frozen_after=frozen or dict.fromkeys(wanted),
            taken=bool(frozen),
            known=self._is_known(environment, ran),
            held=held,
            thaw=ran if frozen else None,
            left_frozen=left,
            left_running=still,
        )

    def asked_for(self, number: int) -> Callable[[], bool]:
        """Whether a job has called its program, in its round of that number: 1 for the first."""
        return lambda: self._shared.exists(f"snapshot/asked-{number}")

    def fail_snapshot(self, ends: str) -> Seen:
        """A backup whose snapshot fails: a job's program ends so; a pair's caller calls the thaw script."""
        if self.scripts.program:
            return self._job(tuple(self.names), lambda: None, lambda: None, 0.3, "", None, ends=ends)
        return self.backup(snapshot_s=0.0)

    def _is_known(self, environment: dict[str, str] | None, ran: Ran) -> bool:
        """Whether a job that did not call its program was free to: it has called it before, from a place that is not
        guessed; or it names it, and ended with failure before it froze anything.
        """
        assert self._program
        if self.program_called and not (self._program.guessed and environment is not None):
            return True
        froze = any("System suspended" in line for name in self._roots for line in self.events(name))
        return self._named and ran.status not in self.scripts.success and not froze

    def jobs_at_once(self) -> tuple[list[Ran], bool, int]:
        """Two jobs, started together: how each ended, whether the first snapshot that was asked for stayed frozen for
        as long as the other had time to begin, and how often the program was called.
        """
        self._round += 1
        asked, taken = self.asked_for(self._round), self.machine.told / f"taken-{self._round}"
        (self.machine.told / "round").write_text(f"{self._round}\n")
        held: list[bool] = []
        one_looks = threading.Lock()
        timeout_s = self.scripts.timeout_s + _OTHER_S

        def look() -> None:
            with one_looks:  # either may come first, or end first
                if not held and asked():
                    held.append(bool(self._snapshot(tuple(self.names), lambda: None, _OTHER_S)))
                    _tell(taken, "0")

        def one(number: int) -> Ran:
            environment = {**_ROOT, "SNAPSHOT": install.PROGRAM}
            words = self.scripts.freeze, f"job-{number}", self.scripts.user, environment, timeout_s, None
            return self._ran(*words, look)

        with ThreadPoolExecutor(2) as pool:
            rans = list(pool.map(one, (1, 2)))
        self.notes += [f"job {ran}" for ran in rans]
        times = len(self._shared.text(f"snapshot/asked-{self._round}").splitlines()) if asked() else 0
        return rans, held == [True], times

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
        found = []
        for file in sorted((self.root(name) / "db").glob("*/IRIS.DAT")):
            with contextlib.suppress(OSError):
                found.append(FileStatus.of(file))
        return found

    def _left_running(self, before: set[int]) -> tuple[str, ...]:
        """Processes that the scripts have started and left; not those of an instance, nor a `sleep` whose shell is
        gone, which does nothing more.
        """

        def found() -> tuple[str, ...]:
            words = {number: _words(number) for number in self.machine.processes() if number not in before}
            return tuple(said for said in words.values() if said and not _HARMLESS.search(said))

        self.wait_for(lambda: not found(), within_s=_LAST_STEPS_S)
        return found()

    def _left_frozen(self, within_s: float) -> tuple[str, ...]:
        left = self.wait_thawed(within_s)
        if left:
            self.notes.append(f"left frozen: {', '.join(left)}")
        return left

    def wait_for(self, condition: Callable[[], bool], *, within_s: float) -> bool:
        """Whether something came about in time. Raises InstanceGone if the machine has ended."""
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            if not self.machine.processes():
                raise InstanceGone("the machine has ended")
            time.sleep(0.1)
        return True

    def wait_thawed(self, within_s: float) -> tuple[str, ...]:
        """Instances still frozen when the time is over."""
        deadline = time.monotonic() + within_s
        while any(self._state(name) is not False for name in self.names) and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.which_frozen()

    # --- limits and end

    def close(self) -> None:
        self._guard.close()
        self.machine.close()
        for writer in self._writers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                writer.wait(5)
            if writer.stdout:
                writer.stdout.close()


def _tell(file: Path, word: str) -> None:
    """Whole from the first moment at which it is seen."""
    new = file.with_suffix(".new")
    new.write_text(f"{word}\n")
    new.replace(file)


def _unable(why: str) -> PreconditionError:
    return PreconditionError(
        f"an instance of the stand-in does not answer in the machine, so no script can be judged: {why}",
        "`harness doctor` tells what is missing",
    )


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
        scene._guard.last_look()
    except (InstanceGone, StartError) as error:
        raise scene._guard.why(error) from error
    except OSError as error:
        raise InstanceError(f"the machine's files are not as they were: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            (kept / "calls").write_bytes(Within(machine.inside).read("calls"))
        for name in scene.names:
            if text := scene._messages(name):
                (kept / f"messages-{name}.log").write_text(text, errors="replace")
        scene.close()
        destroy.tree(work, destroy.Ground(folder=work, right="the folder of a machine for scripts"))


def cron_environment() -> dict[str, str]:
    """What cron gives a job (crontab(5))."""
    return dict(_CRON)


def usual_environment() -> dict[str, str]:
    return dict(_ROOT)


def _wait(process: subprocess.Popen[bytes], until: float, meanwhile: Callable[[], object]) -> int:
    """Notices the end at once. Raises TimeoutExpired when the time is over."""
    ends = os.pidfd_open(process.pid)
    try:
        while not select.select([ends], [], [], 0.05)[0]:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(process.args, 0)
            meanwhile()
        return process.wait()
    finally:
        os.close(ends)


def _signal_child(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """The script alone, as its caller knows no other process of it."""
    with contextlib.suppress(OSError):
        children = _children(process)
        for child in children:
            destroy.process(
                int(child), number, partial(_is_child, child, process), "the script that is being checked"
            )
        # nsenter stops with its child, and lets it go on
        destroy.child(process, signal.SIGCONT, "its child was signalled")


def _is_child(number: str, process: subprocess.Popen[bytes]) -> bool:
    return number in _children(process)


def _children(process: subprocess.Popen[bytes]) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


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


def _words(number: int) -> str:
    """The command of a process; empty if it has ended."""
    try:
        return (
            Path(f"/proc/{number}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode("utf-8", "replace")
            .strip()
        )
    except OSError:
        return ""
