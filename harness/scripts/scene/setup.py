"""Makes a machine ready for the scripts: commands, the scripts themselves, instances under load."""

from __future__ import annotations

import contextlib
import re
import subprocess
from pathlib import Path

from harness.command import run
from harness.errors import HarnessError, InstanceError, PreconditionError
from harness.instance.base import Machine
from harness.instance.iris import Instance
from harness.plan.model import Commit
from harness.scripts import install
from harness.scripts.model import Scripts
from harness.scripts.scene.recorder import Recorder
from harness.scripts.scene.seal import Seal

ANSWER_S = 20.0
"""How long an instance may take to answer."""
IS_FROZEN = "##class(Backup.General).IsWDSuspendedExt()"
_SHELL_S = 30
_LOAD_S = 300
_LAST_LINES_S = 5
_KILLS = re.compile(rb"\b(kill|pkill|killall|fuser|reboot|shutdown|halt)\b")
_TAKE_AWAY = """
for folder in /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin; do rm -f -- "$folder/$1"; done
! command -v -- "$1" >/dev/null
"""


class Setup:
    """What is in the machine.

    Attributes:
        names: The instances that run.
        program: What stands in the place of the program by which a job takes its snapshot.
        names_program: True if a job, or a file beside it, has that program's name in it.
        can_kill: True if the scripts name a command that ends processes.
    """

    def __init__(
        self, machine: Machine, scripts: Scripts, results: Path, recorder: Recorder, seal: Seal
    ) -> None:
        self._machine = machine
        self._scripts = scripts
        self._results = results
        self._recorder = recorder
        self._seal = seal
        self._roots: dict[str, Path] = {}
        self._writers: list[subprocess.Popen[bytes]] = []
        self.names: list[str] = []
        self.program: install.Program | None = None
        self.names_program = False
        self.can_kill = False

    # --- the machine

    def install(self, *, iris: bool = True, cache: bool = True) -> None:
        """Put commands and scripts where they are looked for; `iris` and `cache` say which product's commands."""
        planted = install.commands(self._machine, self._scripts, iris=iris, cache=cache)
        files = install.files(self._machine, self._scripts, self._results)
        self.can_kill = any(_KILLS.search(file.content) for file in files)
        if self._scripts.program:
            (self._machine.inside / "snapshot").mkdir()
            (self._machine.inside / "snapshot").chmod(0o777)
            self.program = install.program(self._machine, self._scripts)
            self.names_program = install.names_program(files, self._scripts)
            planted += self.program.planted
        self._recorder.prepare()
        self._seal.watch(file.path for file in planted)
        self._machine.put(planted + files)
        for path in self.program.over if self.program else ():
            self.sh('mount --bind "$1" "$2"', install.PROGRAM, path)

    def sh(self, script: str, *arguments: str) -> None:
        """Run shell commands as root of the machine. Raises InstanceError with what they printed."""
        done = subprocess.run(
            [*self._machine.way_in("root"), "sh", "-euc", script, "sh", *arguments],
            capture_output=True,
            timeout=_SHELL_S,
            text=True,
            start_new_session=True,
        )
        if done.returncode:
            raise InstanceError(f"{script}: {done.stderr.strip()}")

    def take_away(self, *names: str) -> None:
        """Remove programs. Raises InstanceError if one can still be found."""
        for name in names:
            self.sh(_TAKE_AWAY, name)

    # --- instances

    def instance(self, name: str, *options: str, start: bool = True) -> None:
        """Make an instance, started or down. Raises InstanceError if it was to be down and is not."""
        root = self._machine.inside / "iris" / name.lower().replace("%", "_")
        self._machine.create(name, root, *options, start=start)
        self._roots[name] = root
        if start:
            self.names.append(name)
        else:
            self.require_down(name)

    def root(self, name: str) -> Path:
        """The folder of an instance."""
        return self._roots[name]

    @property
    def made(self) -> list[str]:
        """Every instance that was made, running or not."""
        return list(self._roots)

    def load(self, name: str) -> None:
        """Begin to write into an instance, some hundred transactions a second."""
        writer = Instance(self._machine.instance(name)).start_writer(
            writer=1, writers=1, seed=1, first=1, count=0, seconds=_LOAD_S, commit=Commit.BUFFERED, pace=3
        )
        self._writers.append(writer)

    def engine(self, name: str) -> str:
        """Product and version of an instance, for the report."""
        found = Instance(self._machine.instance(name)).describe()
        return f"{found.product} {found.version}"

    def require_down(self, name: str) -> None:
        """Raises InstanceError if an instance is not listed as down."""
        listed = self._machine.run(["iris", "qlist"], accept=None).stdout
        if not re.search(rf"^{re.escape(name)}\^.*\^down", listed, re.MULTILINE | re.IGNORECASE):
            raise InstanceError(f"{name} is not listed as down")

    def require_answers(self, name: str) -> None:
        """Raises PreconditionError if one of the ways by which scripts come to an instance does not lead there."""
        for user in ("irisowner", "root") if self._machine.users else ("root",):
            for words, right in (("session", name, "-U%SYS", IS_FROZEN), 3), (("qlist",), 0):
                try:
                    way = self._machine.way_in(user)
                    done = run([*way, "/usr/bin/iris", *words], accept=None, timeout_s=ANSWER_S)
                except HarnessError as error:
                    raise _unable(str(error)) from error
                if done.status != right:
                    said = (done.stdout + done.stderr).strip().splitlines() or ["it printed nothing"]
                    raise _unable(f"`iris {words[0]}` by {user} ended with {done.status}: {said[0][:200]}")

    def require_denied(self, name: str, user: str) -> None:
        """Raises InstanceError if an instance lets in a user who is to be refused."""
        argv = [*self._machine.way_in(user), "/usr/bin/iris", "session", name, "-U%SYS", IS_FROZEN]
        if run(argv, accept=None, timeout_s=ANSWER_S).status in (3, 5):
            raise InstanceError(f"{name} lets {user} in without a password")

    def close(self) -> None:
        """Collect the writers once the machine has ended."""
        for writer in self._writers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                writer.wait(_LAST_LINES_S)
            if writer.stdout:
                writer.stdout.close()


def _unable(why: str) -> PreconditionError:
    return PreconditionError(
        f"an instance of the stand-in does not answer in the machine, so no script can be judged: {why}",
        "`harness doctor` says what is missing",
    )
