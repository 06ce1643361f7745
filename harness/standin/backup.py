"""Backup.General of one running instance: freeze and thaw, their timers, their log.

Words, order of lines and exit conventions follow the class reference (IRIS 2024.1, Backup.General) and the
log of IRIS 2021.1 printed in the public azure_backup_script. Where no text is public the stand-in uses words of
its own, in `_refuse` and `_self_thaw`; no check of the harness rests on them.

Unverified on IRIS, chosen here: a second freeze is refused; a thaw of a running instance is refused (3).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import journals
from .gtm import Barrier, Engine, GTMError
from .layout import Layout, log_message

DEFAULT_EXTERNAL_FREEZE_TIMEOUT_S = 600
MAXIMUM_EXTERNAL_FREEZE_TIMEOUT_S = 1200


class Refused(Exception):
    """The call fails, as an IRIS %Status error would; the text says why."""


@dataclass(frozen=True)
class Frozen:
    """What is known of the freeze in force."""

    user: str
    password: str
    log_file: str


class BackupGeneral:
    """The class methods of Backup.General. One object per instance; calls are serialized.

    `written` collects the lines that go to standard output when the log file is called `0`.
    """

    def __init__(self, layout: Layout, engine: Engine) -> None:
        self._layout = layout
        self._engine = engine
        self._clock = 1.0
        self._lock = threading.RLock()
        self._frozen: Frozen | None = None
        self._timers: list[tuple[float, threading.Timer, Callable[[], None]]] = []
        self._barrier: Barrier | None = None

    @property
    def suspended(self) -> bool:
        """IsWDSuspended."""
        return self._frozen is not None

    @property
    def blocked(self) -> bool:
        """Past ExternalFreezeTimeOut: updaters wait and no new session may begin."""
        return self._barrier is not None

    def external_freeze(
        self,
        log_file: str = "",
        text: str = "",
        switch_journal_file: str = "1",
        time_out: str = "10",
        hibernate: str = "0",
        verbose: str = "0",
        external_freeze_timeout: str = "0",
        username: str = "",
        password: str = "",
        wd_suspend_limit: str = "0",
        required_file: str = "",
    ) -> str:
        """Suspend database writes. Returns the lines for standard output (log file `0`). Raises Refused: then
        the instance is running and not frozen. Arguments 4 to 6 matter on clusters only and are ignored."""
        with self._lock:
            log = _FreezeLog(self._layout, log_file, "ExternalFreeze")
            if self._frozen:
                raise log.refuse("the write daemon is already suspended")
            blocked_after_s, self_thaw_after_s = _seconds(external_freeze_timeout), _seconds(wd_suspend_limit)
            log.open()
            self._frozen = Frozen(username, password, log_file)
            try:
                log.event("Suspending system")
                self._engine.freeze()
                entry = journals.begin(self._layout, "freeze", text)
                if switch_journal_file != "0":
                    self._announce_marker(log, entry)
                log.event("System suspended")
            except Exception as error:
                # documented: after an error the system is not left frozen; if this fails IsWDSuspended says so
                self._engine.thaw()
                self._frozen = None
                log.optional = True
                log.event("System failed to quiesce")
                raise log.refuse(f"System failed to quiesce: {error}") from error
            self._start_timers(blocked_after_s, self_thaw_after_s)
            return log.output

    def _announce_marker(self, log: _FreezeLog, entry: journals.Entry) -> None:
        path = self._layout.journal / entry.journal
        switched = f"INTERSYSTEMS IRIS JOURNALING SYSTEM MESSAGE\nJournaling switched to: {path}"
        log_message(self._layout, switched, category="Generic.Event")
        log.bare("", "Journal file switched to:", str(path))
        log.event(f"Start a journal restore for this backup with journal file: {path}")
        log.bare("", "Journal marker set at", f"offset {entry.offset} of {path}")

    def external_thaw(self, log_file: str = "", username: str = "", password: str = "") -> str:
        """Resume. User and password must be those of the freeze. Raises Refused: then nothing changed, or
        GT.M would not thaw and the instance is still frozen."""
        with self._lock:
            log = _FreezeLog(self._layout, log_file, "ExternalThaw")
            if self._frozen is None:
                raise log.refuse("the write daemon is not suspended")
            if (username, password) != (self._frozen.user, self._frozen.password):
                raise log.refuse("username or password differs from the one given to ExternalFreeze")
            log.optional = True
            log.event("Resuming system")
            try:
                self._resume()
            except (GTMError, OSError) as error:
                raise log.refuse(f"System failed to resume: {error}") from error
            log.event("System resumed")
            return log.output

    def emergency_thaw(self) -> None:
        """`irisstat -W`: the same effect without any question, noted in messages.log. Raises Refused."""
        with self._lock:
            if self._frozen is None:
                raise Refused("the write daemon is not suspended")
            try:
                self._resume()
            except (GTMError, OSError) as error:
                raise Refused(f"System failed to resume: {error}") from error
            log_message(self._layout, "Request to suspend write daemon cleared", severity=1)

    def external_set_history(self, log_file: str = "", description: str = "") -> str:
        """Always succeeds (class reference); the stand-in only notes it, since it purges no journals."""
        log_message(self._layout, f"Backup.General.ExternalSetHistory: {description}")
        return ""

    def add_marker(self, text: str) -> journals.Entry:
        """Begin a new journal at one instant for both databases: everything before it is before the marker.
        Raises Refused while frozen."""
        with self._lock:
            if self._frozen:
                raise Refused("no marker can be set while the write daemon is suspended")
            self._frozen = Frozen("", "", "")
            try:
                self._engine.freeze()
                entry = journals.begin(self._layout, "marker", text)
            finally:
                self._engine.thaw()
                self._frozen = None
            journals.begin(self._layout, "switch")
            return entry

    def hurry(self, clock: float) -> None:
        """From now on the limits of a freeze pass so many times faster, those of one that is in force too."""
        with self._lock:
            due, self._clock = [(left_s * self._clock, does) for left_s, does in self._due()], clock
            self._stop_timers()
            for seconds, does in due:
                self._start_timer(seconds, does)

    def _start_timers(self, external_freeze_timeout_s: int, wd_suspend_limit_s: int) -> None:
        frozen = self._frozen
        assert frozen
        blocked_after_s = min(
            external_freeze_timeout_s or DEFAULT_EXTERNAL_FREEZE_TIMEOUT_S, MAXIMUM_EXTERNAL_FREEZE_TIMEOUT_S
        )
        self._start_timer(blocked_after_s, lambda: self._block(frozen))
        if wd_suspend_limit_s:
            self._start_timer(wd_suspend_limit_s, lambda: self._self_thaw(frozen, wd_suspend_limit_s))

    def _start_timer(self, seconds: float, does: Callable[[], None]) -> None:
        timer = threading.Timer(seconds / self._clock, does)
        timer.daemon = True
        timer.start()
        self._timers.append((time.monotonic() + seconds / self._clock, timer, does))

    def _due(self) -> list[tuple[float, Callable[[], None]]]:
        """What is still to come, with the seconds until then."""
        now = time.monotonic()
        return [(max(at - now, 0.0), does) for at, timer, does in self._timers if not timer.finished.is_set()]

    def _stop_timers(self) -> None:
        for _, timer, _ in self._timers:
            timer.cancel()
        self._timers = []

    def _block(self, frozen: Frozen) -> None:
        with self._lock:
            if self._frozen is frozen and self._barrier is None:
                self._barrier = Barrier(self._engine)
                log_message(self._layout, "ExternalFreezeTimeOut reached, updates are blocked", severity=2)

    def _self_thaw(self, frozen: Frozen, limit_s: int) -> None:
        with self._lock:
            if self._frozen is frozen:
                self._resume()
                log = _FreezeLog(self._layout, frozen.log_file, "ExternalFreeze")
                log.optional = True
                log.event(f"WDSuspendLimit of {limit_s} seconds reached, resuming system")

    def _resume(self) -> None:
        if self._barrier:
            self._barrier.release()
            self._barrier = None
        self._engine.thaw()
        self._frozen = None
        self._stop_timers()
        try:
            journals.begin(self._layout, "switch")
        except (GTMError, OSError) as error:
            # no room for a new journal: updates go on, and whoever looks for their journals does not find them
            log_message(self._layout, f"Journaling: {error}", severity=2)


class _FreezeLog:
    """Lines of one call: appended to the log file, events also to messages.log; `0` is standard output.

    With `optional` set, a log file that cannot be written does not stop the call: a thaw matters more.
    """

    def __init__(self, layout: Layout, log_file: str, method: str) -> None:
        self._layout = layout
        self._log_file = log_file
        self._method = method
        self.optional = False
        self.output = ""

    def open(self) -> None:
        """Raise Refused if the log file cannot be opened (text as in the Error Reference)."""
        try:
            self._write([])
        except OSError as error:
            raise self.refuse(f"Failed to open logfile {self._log_file} for output") from error

    def event(self, text: str) -> None:
        line = f"Backup.General.{self._method}: {text}"
        log_message(self._layout, line)
        self._write([f"{time.strftime('%m/%d/%Y %H:%M:%S')}: {line}"])

    def bare(self, *lines: str) -> None:
        self._write(lines)

    def refuse(self, reason: str) -> Refused:
        log_message(self._layout, f"Backup.General.{self._method}: {reason}", severity=2)
        return Refused(reason)

    def _write(self, lines: Sequence[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        if self._log_file == "0":
            self.output += text
        elif self._log_file:
            forgiving = contextlib.suppress(OSError) if self.optional else contextlib.nullcontext()
            with forgiving, Path(self._log_file).open("a") as log:
                log.write(text)


def _seconds(argument: str) -> int:
    """A %Numeric argument as IRIS takes it; raises Refused for text that is no number."""
    try:
        return int(float(argument or "0"))
    except ValueError as error:
        raise Refused(f"{argument!r} is not a number of seconds") from error
