"""The control process: one per running instance, the owner of its state.

It listens on `mgr/control.sock`. A request is the client's working folder, the command's name and its
arguments, separated by NUL. The answer is `<exit status>` and a newline, then standard output; or `exec`, a
newline, environment settings, an empty field and an argument list, separated by NUL, which the client runs in
its own place; or `login`: the client asks for a name and a password, and then again with the word `login`, these
two and the arguments of the session; or `log`, a newline and a path. A session of IRIS writes the log file of a
freeze as the user who began it, so a client of another user than this process's opens that file itself, asks again
with `logged=1` (or 0, if it could not) before the session's arguments, and appends what comes after `logged` and the
status. All commands that need a running instance come here; everything else is in
`commands`.

Whoever asks is believed no more than a stranger: so many may ask at a time, a request is so long at most, and has to
be there within so many seconds. What is beyond that is refused with a text, and everybody else is answered as ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .accounts import Accounts
from .agent import Agent, InClient
from .backup import BackupGeneral, Refused
from .call import ClassCall, parse
from .gtm import Engine, GTMError
from .journal_file import Unreadable
from .layout import Layout, log_message
from .licence import Exceeded, Licence

CLIENTS_MAX = 64
REQUEST_BYTES_MAX = 65536
REQUEST_TIMEOUT_S = 10.0
"""Until a request is there as a whole; a client that does not read its answer is given as long."""
DONE, FAILED = 5, 3
"""Exit statuses of a class call that ends its session (class reference, Backup.General)."""

_BACKUP_METHODS: dict[str, Callable[..., str]] = {
    "ExternalFreeze": BackupGeneral.external_freeze,
    "ExternalThaw": BackupGeneral.external_thaw,
    "ExternalSetHistory": BackupGeneral.external_set_history,
}


@dataclass(frozen=True)
class _Client:
    """Who asks: its connection, its working folder and its user."""

    connection: socket.socket
    folder: Path
    user: int


class Control:
    """Answers requests of one instance until `stop` was asked."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._engine = Engine(layout)
        self._backup = BackupGeneral(layout, self._engine)
        self._agent = Agent(layout, self._engine, self._backup)
        self._accounts = Accounts(layout.users)
        self._licence = Licence(layout.sessions_max())
        self._free = threading.BoundedSemaphore(CLIENTS_MAX)

    def serve(self) -> None:
        """Listen until SIGTERM. A frozen instance is thawed before the process ends."""
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        # a signal just before accept() would wait for the next connection; its byte here ends the wait
        awake, wakes = socket.socketpair()
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        os.chdir(self._layout.manager)
        self._layout.socket.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(self._layout.socket.name)
            listener.listen(64)
            self._layout.pid_file.write_text(f"{os.getpid()}\n")
            while True:
                select.select([listener, awake], [], [])
                connection, _ = listener.accept()
                connection.settimeout(REQUEST_TIMEOUT_S)
                if self._free.acquire(blocking=False):
                    threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
                else:
                    _refuse(connection)

    def _end(self) -> None:
        if self._backup.suspended:
            self._backup.emergency_thaw()
        raise SystemExit(0)

    def _serve(self, connection: socket.socket) -> None:
        """A client that breaks off, or does not go on, is let go."""
        try:
            with connection, contextlib.suppress(OSError):
                self._answer(connection)
        finally:
            self._free.release()

    def _answer(self, connection: socket.socket) -> None:
        try:
            request = _request(connection)
        except _TooLong as error:
            connection.sendall(f"1\n{error}\n".encode())
            return
        if request:
            folder, *words = request.decode("utf-8", "surrogateescape").split("\0")
            try:
                answer = self._command(_Client(connection, Path(folder), _user(connection)), words)
            except Exception as error:  # noqa: BLE001 - a defect must not leave the client waiting
                log_message(self._layout, f"control process: {error!r}", severity=2)
                answer = f"1\n<SYSTEM> {error!r}\n"
            connection.sendall(answer.encode("utf-8", "surrogateescape"))

    def _command(self, client: _Client, words: list[str]) -> str:
        match words:
            case ["freeze", *options]:
                return self._freeze_or_thaw("ExternalFreeze", options)
            case ["thaw", *options]:
                return self._freeze_or_thaw("ExternalThaw", options)
            case ["stat", "-W"]:
                return self._emergency()
            case ["stat", clock] if clock.startswith("clock="):
                # the stand-in's own: what takes minutes on IRIS can be waited for
                self._backup.hurry(float(clock.partition("=")[2]))
                return "0\n"
            case ["login", user, password, *rest]:
                if not self._accounts.knows(user, password):
                    return "1\nAccess Denied\n"
                return self._licensed_session(client, rest)
            case ["session", *rest]:
                if self._accounts.asked_for and not _is_thaw(rest) and not self._is_trusted(client):
                    return "login\n"
                return self._licensed_session(client, rest)
        return f"1\n{' '.join(words)}: not a command of the stand-in\n"

    def _freeze_or_thaw(self, method: str, options: list[str]) -> str:
        """`iris freeze` and `iris thaw`: 0 and 1, not 5 and 3 (Data Integrity Guide)."""
        timeout = next((o.partition("=")[2] for o in options if o.startswith("timeout=")), "0")
        arguments = ("", "", "1", "", "", "", timeout) if method == "ExternalFreeze" else ()
        try:
            _BACKUP_METHODS[method](self._backup, *arguments)
        except Refused as refusal:
            return f"1\n{refusal}\n"
        return "0\n"

    def _emergency(self) -> str:
        try:
            self._backup.emergency_thaw()
        except Refused as refusal:
            return f"1\n{refusal}\n"
        return "0\n"

    def _is_trusted(self, client: _Client) -> bool:
        return self._layout.trusts_owner() and client.user == os.geteuid()

    def _licensed_session(self, client: _Client, rest: list[str]) -> str:
        try:
            with self._licence.session() as goes_on:
                answer = self._session(client, rest)
                if answer.startswith("exec\n"):
                    goes_on(client.connection)
                return answer
        except Exceeded:
            return "1\n<LICENSE LIMIT EXCEEDED>\n"

    def _session(self, client: _Client, rest: list[str]) -> str:
        opened = rest.pop(0) if rest and rest[0].startswith("logged=") else ""
        namespace, command = _session_arguments(rest)
        if namespace.upper() not in ("%SYS", "HARNESS", "USER"):
            return f"1\n<NAMESPACE> {namespace}\n"
        try:
            call = parse(command)
        except ValueError as error:
            return f"1\n{error}\n"
        if call.cls == "Harness.Agent":
            return self._agent_verb(call)
        if call.cls == "Backup.General":
            return self._backup_call(client, call, opened)
        return f"1\n<CLASS DOES NOT EXIST> {call.cls}\n"

    def _backup_call(self, client: _Client, call: ClassCall, opened: str) -> str:
        if call.method in ("IsWDSuspendedExt", "IsWDSuspended"):
            return f"{DONE if self._backup.suspended else FAILED}\n"
        if call.method not in _BACKUP_METHODS:
            return f"1\n<METHOD DOES NOT EXIST> {call.method},Backup.General\n"
        if self._backup.blocked and call.method != "ExternalThaw":
            return _no_login()
        log_file, *others = call.arguments or [""]
        if client.user != os.geteuid() and log_file not in ("", "0"):
            if not opened:
                return f"log\n{_in_folder(client.folder, log_file)}"
            if opened == "logged=1":
                done = self._called(call.method, ["0", *others])
                return f"logged\n{done}" if done.startswith(f"{DONE}\n") else done
            if call.method == "ExternalFreeze":
                reason = f"Failed to open logfile {log_file} for output"
                log_message(self._layout, f"Backup.General.{call.method}: {reason}", severity=2)
                return f"{FAILED}\nERROR #7200: {reason}\n"
            log_file = ""
        return self._called(call.method, [_in_folder(client.folder, log_file), *others])

    def _called(self, method: str, arguments: list[str]) -> str:
        try:
            return f"{DONE}\n{_BACKUP_METHODS[method](self._backup, *arguments)}"
        except Refused as refusal:
            return f"{FAILED}\nERROR #7200: {refusal}\n"
        except TypeError:
            return f"1\n<PARAMETER> {method}\n"

    def _agent_verb(self, call: ClassCall) -> str:
        if self._backup.blocked:
            return _no_login()
        try:
            answer = self._agent.verb(call.method)(*call.arguments)
        except (Refused, GTMError, Unreadable, OSError) as error:
            return f"{FAILED}\n{json.dumps({'error': str(error)})}\n"
        except TypeError as error:
            return f"{FAILED}\n{json.dumps({'error': f'<PARAMETER> {error}'})}\n"
        if isinstance(answer, InClient):
            return self._run_in_client(answer)
        return f"{DONE}\n" + "".join(f"{json.dumps(one)}\n" for one in answer)

    def _run_in_client(self, run: InClient) -> str:
        settings = [
            f"{key}={value}"
            for key, value in self._engine.environment.items()
            if os.environ.get(key) != value
        ]
        argv = self._engine.mumps_argv("%XCMD", f"{run.code} zhalt {DONE}")
        return "exec\n" + "\0".join([*settings, "", *argv])


class _TooLong(Exception):
    """A request is longer than one may be, or it is not there in time; the text says so."""


def _request(connection: socket.socket) -> bytes:
    """All that a client says until it shuts its side down; empty if it says nothing. Raises _TooLong, OSError."""
    deadline = time.monotonic() + REQUEST_TIMEOUT_S
    parts: list[bytes] = []
    size = 0
    while part := _received(connection, deadline):
        size += len(part)
        # read to its end all the same: a client that still writes would not see the answer
        if size <= REQUEST_BYTES_MAX:
            parts.append(part)
    if size > REQUEST_BYTES_MAX:
        raise _TooLong(f"<MAXSTRING> a request has {REQUEST_BYTES_MAX} bytes at most, this one has {size}")
    return b"".join(parts)


def _received(connection: socket.socket, deadline: float) -> bytes:
    late = _TooLong(f"<TIMEOUT> a request has to be there within {REQUEST_TIMEOUT_S:.0f} s")
    left = deadline - time.monotonic()
    if left <= 0:
        raise late
    connection.settimeout(left)
    try:
        return connection.recv(REQUEST_BYTES_MAX)
    except TimeoutError:
        raise late from None
    finally:
        connection.settimeout(REQUEST_TIMEOUT_S)


def _refuse(connection: socket.socket) -> None:
    """As many as may be are asking already. Not waited for: this is said by whoever takes the next one in."""
    with connection, contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.sendall(f"1\n<TOO MANY CLIENTS> {CLIENTS_MAX} ask already, ask again\n".encode())
        connection.shutdown(socket.SHUT_WR)


def _session_arguments(rest: list[str]) -> tuple[str, str]:
    """Namespace and command from what follows the instance: `-U%SYS cmd` or `-U %SYS cmd`."""
    namespace, command, words = "USER", "", list(rest)
    while words:
        word = words.pop(0)
        if word == "-U" and words:
            namespace = words.pop(0)
        elif word.startswith("-U"):
            namespace = word[2:]
        elif not word.startswith("-"):
            command = word
    return namespace, command


def _is_thaw(rest: list[str]) -> bool:
    """A thaw given on the command line needs no login (class reference 2024.1, Backup.General.ExternalThaw)."""
    return "##class(backup.general).externalthaw(" in _session_arguments(rest)[1].replace(" ", "").lower()


def _user(connection: socket.socket) -> int:
    """The user at the other end. Source: unix(7), SO_PEERCRED."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", found)[1])


def _in_folder(folder: Path, log_file: str) -> str:
    return log_file if log_file in ("", "0") else str(folder / log_file)


def _no_login() -> str:
    """No new process can log in past ExternalFreezeTimeOut; the words are the stand-in's own."""
    return "1\nSign-on inhibited: updates are blocked by an external freeze\n"
