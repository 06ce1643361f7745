"""External programs: the one place that starts them and waits for them.

Argument lists only, never a shell. Output is bytes decoded as UTF-8 with replacement. Every wait has a
limit; a program that passes it is killed with its whole process group.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import CommandError, CommandTimeout, PreconditionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended with an accepted status."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    duration_s: float


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
) -> Completed:
    """Run a program to its end.

    Args:
        argv: Program and arguments.
        accept: Exit statuses that are an answer; None accepts every status.
        timeout_s: Seconds until the program's process group is killed.
        env: Variables added to this process's environment (`LC_ALL=C` is always set).
        stdin: Text on standard input; never appears in an error or a log.
    Raises:
        PreconditionError: no such program, or it may not be run.
        CommandTimeout: killed at the limit.
        CommandError: any other status.
    """
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            start_new_session=True,
        )
    except OSError as error:
        raise PreconditionError(f"cannot run {argv[0]}: {error.strerror}", "Is it installed?") from error
    try:
        out, err = process.communicate(stdin.encode() or None, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise CommandTimeout(argv, -signal.SIGKILL, timeout_s, _text(out) + _text(err)) from None
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    seconds = time.monotonic() - started
    if accept is not None and process.returncode not in accept:
        raise CommandError(argv, process.returncode, seconds, _text(out) + _text(err))
    return Completed(
        argv=tuple(argv), status=process.returncode, stdout=_text(out), stderr=_text(err), duration_s=seconds
    )


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
