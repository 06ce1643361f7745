"""A process that outlives the harness, and thaws if the harness dies inside a freeze window, or stands still in one.

It takes orders from a pipe whose other end only the harness holds. While it is armed it thaws

* when the pipe closes: the harness is gone;
* when the time of the window is over and nobody has disarmed it: the harness is stopped (SIGSTOP, a debugger, swap).

It then goes on until the instance has said for a while that it is not frozen, because a freeze that was under way may
still take effect; ever more slowly where nobody answers, until the surroundings of the instance are gone. SIGCONT
makes it try at once: `harness clean` sends it when it has ended what the run made. A watchdog that ends itself is
told at once, and another one takes its orders.

Run as a script it needs nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SETTLED_S = 3.0
"""The instance must have said "not frozen" for this long before the watchdog believes it."""
LIMIT_S = 120.0
"""`clean` waits so long for a watchdog at work."""
UNANSWERED_S = 30.0
"""After so long without an answer it says what a person can do, and goes on."""
RETRY_S, RETRY_MAX_S = 0.1, 15.0
COMMAND_TIMEOUT_S = 20.0
ENDS_S = 5.0
STARTS_MAX = 5
COMMANDS_FILE = "commands.log"
"""Every command of a run, in the run's folder."""
TOKEN_VARIABLE, WATCHDOG_VARIABLE = "HARNESS_RUN", "HARNESS_WATCHDOG"
"""Environment variables that say which run a process belongs to (see `harness.session.leftovers`)."""
_FROZEN, _RUNNING = 5, 3
_TIME_IS_OVER = "the time of the window is over"
_notes_to: list[Path] = []
"""The file for what commands said, in a process that was started as a watchdog."""


@dataclass(frozen=True, kw_only=True)
class Orders:
    """Commands for one instance, each an argument list that works from anywhere on this machine.

    Attributes:
        thaw, is_frozen: They end with the statuses of Backup.General: 5 and 3.
        is_there: Ends with 1 once the surroundings of the instance are gone, and says in what state they are.
        stdin: What the first two read on standard input; it goes down the pipe only, and is never logged.
    """

    thaw: list[str]
    is_frozen: list[str]
    is_there: list[str]
    stdin: str = ""


class Watchdog:
    """The harness's end. One serves a whole run; `close` ends it without a thaw."""

    def __init__(self, folder: Path, environment: dict[str, str], tell: Callable[[str], object]) -> None:
        """`folder` takes the watchdog's log, and what its commands said among all others of the run; `environment` is
        what they need; `tell` is called with a line for whoever waits.
        """
        self._folder = folder
        self._environment = environment
        self._tell = tell
        self._lock = threading.Lock()
        self._order: dict[str, Any] = {}
        self._closed = False
        self._log_from = 0
        self._process = self._start()
        threading.Thread(target=self._keep, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def arm(self, orders: Orders, limit_s: float | None) -> None:
        """From now on a death of this process leads to a thaw; so does the end of `limit_s` seconds, unless None."""
        self._log_from = self._log_bytes()
        self._give({**asdict(orders), "due_s": None if limit_s is None else time.monotonic() + limit_s})

    def hold(self, limit_s: float) -> None:
        """The window has begun: it may last so many seconds from now on."""
        self._give({**self._order, "due_s": time.monotonic() + limit_s})

    def has_thawed(self) -> bool:
        """Whether it began to thaw since it was armed, because the time of the window was over."""
        try:
            with self._log.open("rb") as log:
                log.seek(self._log_from)
                return _TIME_IS_OVER.encode() in log.read()
        except OSError:
            return False

    def disarm(self) -> None:
        """The thaw is confirmed."""
        self._give({})

    def close(self) -> None:
        """May be called twice. If it is armed, it thaws now."""
        with self._lock:
            if not self._closed:
                self._send()
            self._closed = True
            self._close_pipe()
        try:
            self._process.wait(UNANSWERED_S if self._order else ENDS_S)
        except subprocess.TimeoutExpired:
            if self._order:
                self._tell(f"the watchdog still tries to thaw, see {self._log}")
            else:  # there is nothing to thaw; it may be stopped, or held by a debugger
                self._process.kill()
                self._process.wait()

    @property
    def _log(self) -> Path:
        return self._folder / "watchdog.log"

    def _log_bytes(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0

    def _close_pipe(self) -> None:
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _give(self, order: dict[str, Any]) -> None:
        with self._lock:
            self._order = order
            if not self._closed:
                self._send()

    def _send(self) -> None:
        assert self._process.stdin
        with contextlib.suppress(OSError):  # it has ended: the next one gets the order
            self._process.send_signal(signal.SIGCONT)  # one that somebody stopped would watch over nothing
            self._process.stdin.write(json.dumps(self._order).encode() + b"\n")

    def _keep(self) -> None:
        """Notice its end, tell, and start another."""
        for left in range(STARTS_MAX, -1, -1):
            self._process.wait()
            with self._lock:
                if self._closed:
                    return
                ended = f"the watchdog (process {self._process.pid}) ended with {self._process.returncode}"
                self._tell(
                    f"{ended}; another one is started"
                    if left
                    else f"{ended}; it is not started again, so nothing thaws the instance if this run is killed now"
                )
                if left:
                    self._close_pipe()
                    self._process = self._start()
                    self._send()

    def _start(self) -> subprocess.Popen[bytes]:
        from harness.command import (  # the script at the other end has only the standard library
            HERE,
            transcript,
        )

        argv = [sys.executable, "-I", "-S", __file__, str(self._folder / COMMANDS_FILE)]
        transcript().started(HERE, argv)
        with self._log.open("ab") as log:
            return subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                bufsize=0,
                env=_watchdog_environment(self._environment),
                start_new_session=True,
            )


def _watchdog_environment(environment: dict[str, str]) -> dict[str, str]:
    """The run's token under another name: `clean` waits for a watchdog, it does not kill it."""
    own = {key: value for key, value in os.environ.items() if key != TOKEN_VARIABLE}
    return {**own, **environment, WATCHDOG_VARIABLE: os.environ.get(TOKEN_VARIABLE, "")}


class _Post:
    """The watchdog's end of the pipe."""

    def __init__(self, descriptor: int, awake: int | None = None) -> None:
        """`awake`: of a pipe into which each signal is written."""
        self._descriptor = descriptor
        self._awake = awake
        self._begun = b""
        self.order: dict[str, Any] = {}
        self.closed = False

    def rest(self, seconds: float) -> bool:
        """Wait so long, less if an order comes or SIGCONT; returns whether that came."""
        heard = [] if self.closed else [self._descriptor]
        if self._awake is not None:
            heard.append(self._awake)
        woken = self._awake in select.select(heard, [], [], seconds)[0]
        if woken and self._awake is not None:
            os.read(self._awake, 1 << 16)
        self.wait(0)
        return woken

    def wait(self, seconds: float | None) -> bool:
        """Take what comes within some seconds; False if nothing did."""
        if self.closed or not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        read = os.read(self._descriptor, 1 << 16)
        self.closed = not read
        *lines, self._begun = (self._begun + read).split(b"\n")
        for line in lines:
            self.order = json.loads(line)
        return True


def main(awake: int | None = None) -> None:
    """Follow orders until the pipe closes; thaw if armed then, or when the time is over. `awake` as in `_Post`."""
    _notes_to.extend(map(Path, sys.argv[1:2]))
    post = _Post(sys.stdin.fileno(), awake)
    while not post.closed:
        due_s = post.order.get("due_s")
        if not post.wait(None if due_s is None else max(0.0, due_s - time.monotonic())):
            _log(f"{_TIME_IS_OVER}, and the harness has not thawed")
            order = post.order
            _Thaw(post).until_settled()
            if post.order is order:
                order.pop("due_s", None)  # once is enough, but for a harness that dies now
    if post.order:
        _Thaw(post).until_settled()


def _signals() -> int:
    """The end of a pipe to read from, into which SIGCONT writes."""
    awake, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCONT, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    return awake


class _Thaw:
    """A thaw that goes on until it is settled, told in one line for each change."""

    def __init__(self, post: _Post) -> None:
        self._post = post
        self._order = post.order
        self._said: dict[str, str] = {}

    def until_settled(self) -> None:
        retry_s = RETRY_S
        answered = time.monotonic()
        quiet_since: float | None = None  # "not frozen" is said since then
        while quiet_since is None or time.monotonic() < quiet_since + SETTLED_S:
            status = _run(self._order["is_frozen"], self._order["stdin"])
            if status == _RUNNING and _freeze_is_under_way():
                self._say("freeze", "a freeze that was asked for is still under way")
                quiet_since, answered = None, time.monotonic()
            elif status != _RUNNING:
                # past ExternalFreezeTimeOut nobody may log in to answer, yet a thaw needs no login
                self._say("answer", f"frozen? ended with {status}; thaw ended with {self._thaw()}")
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()
            if status in (_FROZEN, _RUNNING):
                answered, retry_s = time.monotonic(), RETRY_S
            elif self._gone():
                _log("the instance has ended, and its freeze with it")
                return
            elif time.monotonic() > answered + UNANSWERED_S:
                self._say(
                    "silence", f"no answer; still trying. Thaw by hand: {shlex.join(self._order['thaw'])}"
                )
                retry_s = min(retry_s * 1.5, RETRY_MAX_S)
            if self._post.rest(retry_s):
                retry_s = RETRY_S
            # a harness that was only stopped has thawed meanwhile: any other order is of a later window
            if self._post.order is not self._order:
                _log("called off: the harness has thawed")
                return
        _log("not frozen")

    def _thaw(self) -> int | None:
        return _run(self._order["thaw"], self._order["stdin"])

    def _gone(self) -> bool:
        status, said = _asked(self._order["is_there"])
        if said:
            self._say("place", f"its surroundings are {said}")
        return status == 1

    def _say(self, about: str, text: str) -> None:
        """A line, unless it was the last one about this."""
        if text != self._said.get(about):
            _log(text)
        self._said[about] = text


def _freeze_is_under_way() -> bool:
    """Whether a session of this run that freezes has not ended: one that stands still may take effect later."""
    mark = f"{TOKEN_VARIABLE}={os.environ.get(WATCHDOG_VARIABLE, '')}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            freezes = b".ExternalFreeze(" in (process / "cmdline").read_bytes()
            if freezes and mark in (process / "environ").read_bytes().split(b"\0"):
                return True
    return False


def _run(argv: list[str], stdin: str) -> int | None:
    return _answer(argv, stdin)[0]


def _asked(argv: list[str]) -> tuple[int | None, str]:
    status, said = _answer(argv, "")
    return status, said.strip().partition("\n")[0]


def _answer(argv: list[str], stdin: str) -> tuple[int | None, str]:
    """Status and output; no status if it could not be run, or did not end. A child that keeps its output open does
    not matter: that goes to a file in memory.
    """
    began = time.monotonic()
    try:
        with os.fdopen(os.memfd_create("output"), "w+b") as output, _input(stdin) as given:
            status = _ended(argv, given.fileno(), output.fileno())
            output.seek(0)
            text = output.read(1 << 20).decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        _note(argv, "no answer", repr(error))
        return None, ""
    # a login may repeat what it reads, so then nothing of it goes into a log
    said = "" if stdin else text
    _note(argv, f"status {status} after {time.monotonic() - began:.3f} s", said)
    return status, said


def _input(text: str) -> Any:
    file = os.fdopen(os.memfd_create("input"), "w+b")
    file.write(text.encode())
    file.seek(0)
    return file


def _ended(argv: list[str], given: int, output: int) -> int:
    process = subprocess.Popen(argv, stdin=given, stdout=output, stderr=output, start_new_session=True)
    try:
        return process.wait(COMMAND_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        raise


def _note(argv: list[str], result: str, said: str) -> None:
    """As `harness.command.Transcript` does, in the file that this process was started with."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    lines = [
        f"{now} watchdog: {shlex.join(argv)}",
        f"    {result}",
        *(f"    | {line}" for line in said.splitlines()),
    ]
    # a full disk must not keep a thaw from being asked for
    for kept in _notes_to:
        with contextlib.suppress(OSError), kept.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


def _log(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(_signals())
