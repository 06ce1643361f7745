"""A process that outlives the harness, and thaws if the harness dies inside a freeze window.

It reads orders from a pipe whose other end only the harness holds. When the pipe closes while it is armed, the
harness is gone: it thaws, and goes on until the instance has said for a while that it is not frozen, because a
freeze that was under way may still take effect. Run as a script it needs nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SETTLED_S = 3.0
"""The instance must have said "not frozen" for this long before the watchdog believes it."""
LIMIT_S = 120.0
UNANSWERED_S = 30.0
"""An instance that says neither "frozen" nor "running" for this long is gone."""
RETRY_S = 0.1
COMMANDS_FILE = "commands.log"
"""Every command of a run, in the run's folder."""
TOKEN_VARIABLE, WATCHDOG_VARIABLE = "HARNESS_RUN", "HARNESS_WATCHDOG"
"""Environment variables that say which run a process belongs to (see `harness.registered`)."""
_FROZEN, _RUNNING = 5, 3


class Watchdog:
    """The harness's end. One serves a whole run; `close` ends it without a thaw."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """`folder` takes the watchdog's log, and what its commands said among all others of the run; `environment` is
        what they need.
        """
        from harness.command import (  # the script at the other end has only the standard library
            HERE,
            transcript,
        )

        argv = [sys.executable, "-I", "-S", __file__, str(folder / COMMANDS_FILE)]
        transcript().started(HERE, argv)
        with (folder / "watchdog.log").open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_watchdog_environment(environment),
                start_new_session=True,
            )

    def arm(self, thaw: list[str], is_frozen: list[str], stdin: str = "") -> None:
        """From now on a death of this process leads to these commands.

        Args:
            stdin: What both read on standard input; it goes down the pipe only, and is never logged.
        """
        self._order({"thaw": thaw, "is_frozen": is_frozen, "stdin": stdin})

    def disarm(self) -> None:
        """The thaw is confirmed."""
        self._order({})

    def close(self) -> None:
        """May be called twice. If it is armed, it thaws now."""
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()

    def _order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()


def _watchdog_environment(environment: dict[str, str]) -> dict[str, str]:
    """The run's token under another name: `clean` waits for a watchdog, it does not kill it."""
    own = {key: value for key, value in os.environ.items() if key != TOKEN_VARIABLE}
    return {**own, **environment, WATCHDOG_VARIABLE: os.environ.get(TOKEN_VARIABLE, "")}


def main() -> None:
    """The watchdog's end: follow orders until the pipe closes, then thaw if armed."""
    order: dict[str, Any] = {}
    for line in sys.stdin.buffer:
        order = json.loads(line)
    if order:
        _thaw(order["thaw"], order["is_frozen"], order["stdin"])


def _thaw(thaw: list[str], is_frozen: list[str], stdin: str = "") -> None:
    deadline = time.monotonic() + LIMIT_S
    quiet_since = answered = time.monotonic()
    while time.monotonic() < min(deadline, quiet_since + SETTLED_S, answered + UNANSWERED_S):
        status = _run(is_frozen, stdin)
        if status != _RUNNING:
            # past ExternalFreezeTimeOut nobody may log in to answer, yet a thaw needs no login
            _log(f"frozen? ended with {status}; thaw ended with {_run(thaw, stdin)}")
            quiet_since = time.monotonic()
        if status in (_FROZEN, _RUNNING):
            answered = time.monotonic()
        time.sleep(RETRY_S)
    settled = time.monotonic() >= quiet_since + SETTLED_S
    _log("not frozen" if settled else f"gave up; thaw by hand: {thaw}")


def _run(argv: list[str], stdin: str) -> int | None:
    began = time.monotonic()
    try:
        done = subprocess.run(argv, input=stdin.encode(), capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        _log(repr(error))
        _note(argv, "no answer", repr(error))
        return None
    # a login may repeat what it reads, so then nothing of it goes into a log
    said = b"" if stdin else done.stdout + done.stderr
    _note(
        argv,
        f"status {done.returncode} after {time.monotonic() - began:.3f} s",
        said.decode("utf-8", "replace"),
    )
    return done.returncode


def _note(argv: list[str], result: str, said: str) -> None:
    """As `harness.command.Transcript` does, in the file that this process was started with."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    lines = [
        f"{now} watchdog: {shlex.join(argv)}",
        f"    {result}",
        *(f"    | {line}" for line in said.splitlines()),
    ]
    # a full disk must not keep a thaw from being asked for
    with contextlib.suppress(OSError, IndexError), Path(sys.argv[1]).open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _log(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
