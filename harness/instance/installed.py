"""An instance that is installed and runs on this machine: it is loaded, frozen and thawed, and nothing else.

Nothing here starts, stops or kills it, and nothing is restored into it. Its sessions are plain processes of this
machine. What a user has to prepare, once:

* a namespace HARNESS with two databases, one of them for the globals RVB*: containers/iris/merge.cpf, with folders of
  your choice, for `iris merge NAME`. All that is in the globals RVA* and RVB* of HARNESS belongs to the harness: each
  run begins by removing it.
* the agent: `probe` says which two calls load it. They are not made by themselves on somebody's instance.
* a user that may run `iris session` in %SYS: by operating-system authentication, or with `instance.credentials`.
* results (`--out`) where its user can come in: it appends to the freeze log of the run, which root gives to
  the owner of the databases, and which nobody else can enter or write. Whoever is neither root nor that user has to
  let everybody write it; a note says so. And the harness must be able to read the database and journal files.

Two runs at a time would each remove what the other wrote, so a run locks the folder of the first database for others.

Source: System Administration Guide 27.6: `iris qlist NAME` prints fields between carets, the name first and the
status fourth: `running, since ...` or `down, last used ...`.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from harness.command import AT_THE_WORD, Completed, Deadline, Prepared, Transcript, end, run
from harness.errors import CommandError, InstanceError, InstanceGone, ParseError, PreconditionError
from harness.evidence.answers import Description
from harness.instance.iris import (
    DONE,
    REFUSED,
    Instance,
    agent_calls,
)
from harness.instance.login import Login, prompts

_AGENT = Path(__file__).parent / "agent"
_LOGIN_TIMEOUT_S = 30.0
_ENDS_WITHIN_S = 1.0
_LOOK_EVERY_S = 0.1


class InstalledPlace:
    """The surroundings of an installed instance: this machine."""

    isolated = False

    def __init__(self, name: str, login: Login | None, transcript: Transcript) -> None:
        self.name = name
        self.where = f"the installed instance {name}"
        self.stdin = login.stdin if login else ""
        self._login = login
        self._alone: int | None = None
        self._transcript = transcript
        self._prompts = ""

    def run(
        self, argv: Sequence[str], *, accept: Collection[int] | None = (0,), timeout_s: float = 60.0
    ) -> Completed:
        with self._transcript.noting(self.name, argv) as note:
            done = self._answer(run(argv, accept=None, timeout_s=timeout_s, stdin=self.stdin, noted=False))
            if done.status not in (0, DONE, REFUSED):
                self.require_there()
            if accept is not None and done.status not in accept:
                raise CommandError(argv, done.status, done.duration_s, done.stdout + done.stderr)
            return note(done)

    def require_there(self, *, failed: bool = False) -> None:
        deadline = Deadline.after(_ENDS_WITHIN_S if failed else 0.0)
        while not _status(self.name).startswith("down"):
            if deadline.passed:
                return
            time.sleep(_LOOK_EVERY_S)
        raise InstanceGone(f"instance {self.name} is down")

    def prepare(self, argv: Sequence[str]) -> Prepared:
        return _PreparedLogin([*AT_THE_WORD, *argv], argv, self)

    def open(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """What the login prints is read here, so that the caller begins with the first line of the answer."""
        self._transcript.started(self.name, argv)
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,
        )
        assert process.stdin and process.stdout
        try:
            process.stdin.write(self.stdin.encode())
            process.stdin.close()
            self._skip_prompts(process.stdout.fileno())
        except (InstanceError, BrokenPipeError) as error:
            end(process)
            raise InstanceError(f"a session of {self.name} did not begin: {error}") from error
        return process

    def argv(self, argv: Sequence[str]) -> list[str]:
        return list(argv)

    def is_there_argv(self) -> list[str]:
        script = 'iris qlist "$0" | grep -qi "^$0^[^^]*^[^^]*^down" && exit 1; exit 0'
        return ["sh", "-c", script, self.name]

    def lock(self, folder: Path) -> None:
        """Keep other runs away until `close`. The lock is on the folder: nothing is written, a kill ends it.
        Raises PreconditionError.
        """
        self._alone = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(self._alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PreconditionError(
                f"another run is using {self.name}", "Wait until it has ended."
            ) from error

    def close(self) -> None:
        """It is somebody's: it goes on."""
        if self._alone is not None:
            os.close(self._alone)
            self._alone = None

    def discard(self) -> None:
        """Nothing of it is ours to remove."""

    def _answer(self, done: Completed) -> Completed:
        """An answer without what the login printed. That is the same each time, so it is kept for `open`."""
        if self._login is None:
            return done
        asked = prompts(done.stdout, self._login)
        self._prompts = asked or self._prompts
        return replace(done, stdout=done.stdout.removeprefix(asked))

    def _skip_prompts(self, output: int) -> None:
        expected = self._prompts.encode()
        deadline = Deadline.after(_LOGIN_TIMEOUT_S)
        seen = b""
        while len(seen) < len(expected):
            ready, _, _ = select.select([output], [], [], deadline.left_s)
            part = os.read(output, len(expected) - len(seen)) if ready else b""
            if not part or not expected.startswith(seen + part):
                raise InstanceError("the login did not ask as it did before")
            seen += part


class _PreparedLogin(Prepared):
    """Its program logs in when it gets the word."""

    def __init__(self, argv: Sequence[str], shown: Sequence[str], place: InstalledPlace) -> None:
        super().__init__(argv, shown, place=place.name)
        self._place = place

    def run(self, timeout_s: float, stdin: str = "") -> Completed:
        return super().run(timeout_s, self._place.stdin + stdin)

    def answer(self, done: Completed) -> Completed:
        return self._place._answer(done)


def require_usable(place: InstalledPlace) -> Description:
    """Raises PreconditionError unless the instance runs, has an agent that answers, serves no other run and is not
    frozen.
    """
    if shutil.which("iris") is None:
        raise PreconditionError(
            "there is no command `iris` here", "Install InterSystems IRIS, or correct PATH."
        )
    status = _status(place.name)
    if not status:
        raise PreconditionError(
            f"there is no instance {place.name} here", "`iris list` shows those there are."
        )
    if not status.startswith("running"):
        raise PreconditionError(
            f"instance {place.name} is not running: {status}", f"Run: iris start {place.name}"
        )
    found = _described(place)
    try:
        place.lock(found.databases["one"])
    except OSError as error:
        raise PreconditionError(
            f"{error.filename} cannot be read: {error.strerror}",
            "Run it as a user who may read the databases.",
        ) from error
    if Instance(place).is_frozen():
        raise PreconditionError(
            f"instance {place.name} is frozen already", "Whoever froze it must thaw it first."
        )
    return found


def _described(place: InstalledPlace) -> Description:
    try:
        found = Instance(place).describe()
    except (InstanceError, ParseError, CommandError, ValueError, KeyError) as error:
        calls = " and then ".join(
            f"iris session {place.name} -U%SYS '{call}'" for call in agent_calls(_AGENT)
        )
        raise PreconditionError(
            f"no agent answers in {place.name}: {error}",
            f"If this user cannot log in, set instance.credentials. If it has no agent, load it: {calls}",
        ) from error
    if found.volume == Path("/"):
        folders = " and ".join(str(folder) for folder in found.databases.values())
        raise PreconditionError(
            f"the databases {folders} have no common folder but /", "Put them below one folder."
        )
    return found


def _status(name: str) -> str:
    """What `iris qlist` calls its status; empty if it knows no such instance."""
    lines = run(["iris", "qlist", name], accept=None).stdout.splitlines()
    fields = next((f for f in (line.split("^") for line in lines) if f[0].upper() == name.upper()), [])
    return fields[3] if len(fields) > 3 else ""
