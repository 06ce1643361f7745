"""External programs: the one place that starts them and waits for them.

Argument lists only, never a shell. Output is bytes decoded as UTF-8 with replacement. Every wait has a
limit; a program that passes it is killed with its whole process group. What is waited for is the program's own end
(`harness.talk`): a child that it leaves behind holds nobody up.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness import destroy
from harness.errors import CommandError, CommandTimeout, HarnessError, PreconditionError
from harness.talk import KEPT_BYTES, Talk


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended with an accepted status."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    duration_s: float


class Transcript:
    """Every command of a run with its raw output, in a file for people: what was said when a verdict is doubted.

    Hosts note what they run in an instance's surroundings; while one is `recorded`, every other command that this
    module starts is noted there, too. A process runs one run at a time, so it has one transcript.
    """

    def __init__(self, file: Path | None) -> None:
        """`file` is appended to; None keeps nothing."""
        self._file = file

    @contextmanager
    def noting(self, place: str, argv: Sequence[str]) -> Iterator[Callable[[Completed], Completed]]:
        """Gives a function that notes an answer and hands it on; a HarnessError is noted and goes on too."""
        began = datetime.now(UTC)

        def note(done: Completed) -> Completed:
            said = done.stdout + done.stderr
            self._write(began, place, argv, f"status {done.status} after {done.duration_s:.3f} s", said)
            return done

        try:
            yield note
        except HarnessError as error:
            self._write(began, place, argv, "no answer", str(error))
            raise

    def started(self, place: str, argv: Sequence[str]) -> None:
        """Note a command whose output somebody else reads."""
        self._write(datetime.now(UTC), place, argv, "started; its output is read elsewhere", "")

    def answered(self, place: str, done: Completed) -> None:
        """Note a command that has ended, whatever its status."""
        began = datetime.now(UTC) - timedelta(seconds=done.duration_s)
        said = done.stdout + done.stderr
        self._write(began, place, done.argv, f"status {done.status} after {done.duration_s:.3f} s", said)

    def failed(self, place: str, argv: Sequence[str], error: HarnessError) -> None:
        """Note a command that gave no answer."""
        self._write(datetime.now(UTC), place, argv, "no answer", str(error))

    def _write(self, began: datetime, place: str, argv: Sequence[str], result: str, said: str) -> None:
        if self._file is None:
            return
        lines = [f"{began:%Y-%m-%dT%H:%M:%S.%fZ} {place}: {shlex.join(argv)}", f"    {result}"]
        lines += [f"    | {line}" for line in said.splitlines()]
        # a full disk must not keep a thaw from being asked for
        with contextlib.suppress(OSError), self._file.open("a", encoding="utf-8") as transcript:
            transcript.write("\n".join(lines) + "\n")


HERE = "this machine"
"""What a transcript calls the surroundings of the harness itself."""
_NONE = Transcript(None)
_recorded = [_NONE]


@contextmanager
def recorded(transcript: Transcript) -> Iterator[None]:
    """Note the commands that this module starts, until the end of the body."""
    _recorded.append(transcript)
    try:
        yield
    finally:
        _recorded.remove(transcript)


def transcript() -> Transcript:
    """The one that commands are noted in now."""
    return _recorded[-1]


@dataclass(frozen=True, slots=True)
class Deadline:
    """The latest moment something may take, on the monotonic clock."""

    at_s: float

    @staticmethod
    def after(seconds: float) -> Deadline:
        return Deadline(time.monotonic() + seconds)

    @property
    def left_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at_s - time.monotonic())

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at_s


def run(
    argv: Sequence[str],
    *,
    accept: Collection[int] | None = (0,),
    timeout_s: float = 60.0,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    noted: bool = True,
    keep_bytes: int = KEPT_BYTES,
) -> Completed:
    """Run a program to its end.

    Args:
        argv: Program and arguments.
        accept: Exit statuses that are an answer; None accepts every status.
        timeout_s: Seconds until the program's process group is killed.
        env: Variables added to this process's environment (`LC_ALL=C` is always set).
        stdin: Text on standard input; never appears in an error or a log.
        noted: Note it in the transcript; False where the caller does.
        keep_bytes: So much of its output is kept, and of its errors.
    Raises:
        PreconditionError: no such program, or it may not be run.
        CommandTimeout: killed at the limit.
        CommandError: any other status.
    """
    to = transcript() if noted else _NONE
    try:
        done = _run(argv, timeout_s, env, stdin, keep_bytes)
    except HarnessError as error:
        to.failed(HERE, argv, error)
        raise
    to.answered(HERE, done)
    if accept is not None and done.status not in accept:
        raise CommandError(argv, done.status, done.duration_s, done.stdout + done.stderr)
    return done


def _run(
    argv: Sequence[str], timeout_s: float, env: Mapping[str, str] | None, stdin: str, keep_bytes: int
) -> Completed:
    started = time.monotonic()
    try:
        process = _start(argv, env, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL)
    except OSError as error:
        raise PreconditionError(f"cannot run {argv[0]}: {error.strerror}", "Is it installed?") from error
    with _killed_on_failure(process, keep_bytes) as talk:
        if not talk.until_end(stdin.encode(), timeout_s):
            destroy.group(process, f"it did not end within {timeout_s:g} s")
            talk.after_kill()
            raise CommandTimeout(argv, -signal.SIGKILL, timeout_s, talk.stdout + talk.stderr)
    return Completed(
        argv=tuple(argv),
        status=process.returncode,
        stdout=talk.stdout,
        stderr=talk.stderr,
        duration_s=time.monotonic() - started,
    )


def _start(argv: Sequence[str], env: Mapping[str, str] | None, *, stdin: int) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own. An interrupt that comes just then leaves nothing running: Popen would
    forget the program that it has started. Raises OSError.
    """
    process: subprocess.Popen[bytes] = subprocess.Popen.__new__(subprocess.Popen)
    try:
        process.__init__(  # type: ignore[misc]
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            start_new_session=True,
        )
    except BaseException:
        if getattr(process, "pid", None):
            destroy.group(process, "its caller broke off")
            process.wait()
        raise
    return process


@contextmanager
def _killed_on_failure(process: subprocess.Popen[bytes], keep_bytes: int = KEPT_BYTES) -> Iterator[Talk]:
    """Its pipes are closed afterwards, and whatever goes wrong (an interrupt, too) it has ended."""
    talk = Talk(process, keep_bytes=keep_bytes)
    try:
        yield talk
    except BaseException:
        destroy.group(process, "its caller broke off")
        talk.after_kill()
        raise
    finally:
        talk.close()


ENDS_TIMEOUT_S = 5.0
"""Seconds that a program gets to end which was killed, or said that it cannot go on."""

AT_THE_WORD = ("sh", "-c", 'echo ready && read -r go && exec "$@"', "sh")
"""Put before a program, it waits for a line on standard input and then becomes that program."""


class Prepared:
    """A program that stands ready and waits for the word.

    What takes time before it can run (the way into a container or a namespace) has been gone already. Left
    without the word, or when this process dies, it ends and has done nothing.
    """

    def __init__(
        self,
        argv: Sequence[str],
        shown: Sequence[str],
        env: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
        place: str = HERE,
    ) -> None:
        """Start it.

        Args:
            argv: What ends in AT_THE_WORD and the program.
            shown: The program alone, for messages.
            place: Where it runs, for the transcript.
            timeout_s: Until it must stand ready.
        Raises:
            CommandError: it did not come to stand ready; nothing of it runs.
        """
        self.shown = tuple(shown)
        self._at = place
        self._process = _start(argv, env, stdin=subprocess.PIPE)
        try:
            ready = self._said_ready(timeout_s)
        except BaseException:
            self.close()
            raise
        if ready != b"ready\n":
            talk = Talk(self._process, ready)
            talk.until_end(b"", ENDS_TIMEOUT_S)
            destroy.group(self._process, "it did not come to stand ready")
            talk.after_kill()
            talk.close()
            raise CommandError(shown, self._process.returncode, timeout_s, talk.stdout + talk.stderr)

    def _said_ready(self, timeout_s: float) -> bytes:
        """Its first line, as far as it came in time."""
        assert self._process.stdout
        deadline, said = Deadline.after(timeout_s), b""
        while not said.endswith(b"\n") and not deadline.passed:
            if select.select([self._process.stdout], [], [], deadline.left_s)[0]:
                if not (more := self._process.stdout.read(1)):
                    break
                said += more
        return said

    def run(self, timeout_s: float, stdin: str = "") -> Completed:
        """Give the word, and wait for the end. Once only.

        Args:
            stdin: Text on standard input; never appears in an error or a log.
        Returns:
            The program's end, whatever its status.
        Raises:
            CommandError: it had ended before the word and has done nothing.
            CommandTimeout: killed at the limit.
        """
        try:
            done = self.answer(self._run(timeout_s, stdin))
        except HarnessError as error:
            transcript().failed(self._at, self.shown, error)
            raise
        transcript().answered(self._at, done)
        return done

    def answer(self, done: Completed) -> Completed:
        """What of an answer is shown and handed on."""
        return done

    def _run(self, timeout_s: float, stdin: str) -> Completed:
        started = time.monotonic()
        if self._process.poll() is not None:
            raise CommandError(self.shown, self._process.returncode, 0.0, "it ended before it was needed")
        with _killed_on_failure(self._process) as talk:
            if not talk.until_end(f"go\n{stdin}".encode(), timeout_s):
                destroy.group(self._process, f"it did not end within {timeout_s:g} s")
                talk.after_kill()
                raise CommandTimeout(self.shown, -signal.SIGKILL, timeout_s, talk.stdout + talk.stderr)
        return Completed(
            argv=self.shown,
            status=self._process.returncode,
            stdout=talk.stdout,
            stderr=talk.stderr,
            duration_s=time.monotonic() - started,
        )

    def close(self) -> None:
        """Let it go. May be called twice, and after `run`."""
        destroy.group(self._process, "it is not needed any more")
        talk = Talk(self._process)
        talk.after_kill()
        talk.close()


def end(process: subprocess.Popen[bytes], grace_s: float = 0.0) -> None:
    """Make sure that a program started in a session of its own is gone, and close its output.

    Args:
        grace_s: Seconds it may take to end by itself before it is killed.
    """
    try:
        process.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        destroy.group(process, f"it did not end by itself within {grace_s:g} s")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDS_TIMEOUT_S)
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
