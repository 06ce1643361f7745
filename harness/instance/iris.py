"""The one adapter: what the harness says to an instance, and what it understands of the answers.

Only IRIS's command surface is used: `iris session` with class calls, their exit statuses 5 and 3, and the
agent's verbs (protocol.md). Nothing here knows which product answers.

Source: InterSystems class reference 2024.1, Backup.General: a freeze or thaw called from a shell ends the
session with 5 (done) or 3 (failed); any other status means that the session never got there.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.command import Completed, Deadline, Prepared
from harness.errors import (
    FreezeError,
    HarnessError,
    InstanceError,
    InstanceGone,
    InstanceRefused,
    JournalError,
    ParseError,
    RollforwardError,
    ThawError,
)
from harness.evidence.answers import (
    ROLES,
    Committed,
    DatabaseIntegrity,
    Description,
    FreezeAnswer,
    IntegrityReport,
    JournalFile,
    MarkerReading,
    RollforwardAnswer,
    ThawAnswer,
)
from harness.instance.answer import Answer, only, read_answers
from harness.instance.base import CanBeWoken, NeedsLogin, Place
from harness.model import Position
from harness.plan.model import Commit, FreezeSpec

DONE, REFUSED = 5, 3
FREEZE_TIMEOUT_S = 60.0
THAW_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 20.0
"""An instance that is being stopped or started says neither "frozen" nor "running"; then it has ended, or says it."""
_ASK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class _Thaw:
    """The agent's answer to Thaw; `suspended` is from just before it."""

    suspended: bool
    thawed: bool
    message: str

    @staticmethod
    def of(answer: Answer) -> _Thaw:
        return _Thaw(answer.flag("suspended"), answer.flag("thawed"), answer.text("message"))


class Instance:
    """One running instance in a place. Every method is one session unless it says otherwise."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._description: Description | None = None

    def describe(self) -> Description:
        """What it is; asked once, as it does not change while it runs. Raises InstanceError if no agent answers."""
        if self._description is None:
            self._description = self._describe()
        return self._description

    def _describe(self) -> Description:
        answer = self._one("Describe")
        return Description(
            product=answer.text("product"),
            version=answer.text("version"),
            stand_in=answer.flag("stand_in"),
            root=answer.folder("root"),
            journal_folder=answer.folder("journal_directory"),
            databases=answer.roles("databases", ROLES),
            others=answer.folders("other_databases"),
            notes=answer.texts("notes"),
            sessions_max=answer.optional("sessions_max", answer.whole),
        )

    def freeze(self, log: Path, text: str, spec: FreezeSpec) -> FreezeAnswer:
        """Suspend database writes (Backup.General.ExternalFreeze).

        Args:
            log: File the engine appends to; may hold earlier windows.
            text: Stored with the journal marker.
            spec: Timeouts in whole seconds and whether to switch the journal.
        Raises:
            FreezeError: refused (status 3); not frozen by this call.
            InstanceError, CommandError: no answer; it may be frozen.
        """
        arguments = _arguments(
            str(log),
            text,
            int(spec.switch_journal),
            None,
            None,
            None,
            spec.external_freeze_timeout_s,
            None,
            None,
            spec.wd_suspend_limit_s,
        )
        called = time.monotonic()
        done = self._session(f"##class(Backup.General).ExternalFreeze({arguments})", FREEZE_TIMEOUT_S)
        returned = time.monotonic()
        if done.status == REFUSED:
            raise FreezeError(f"ExternalFreeze was refused: {_said(done)}{_log_hint(done, log)}")
        if done.status != DONE:
            raise InstanceError(f"ExternalFreeze ended with status {done.status}: {_said(done)}")
        return FreezeAnswer(called_s=called, returned_s=returned, frozen_utc=datetime.now(UTC))

    def prepare_thaw(self, log: Path) -> Prepared:
        """A thaw that waits for the word, so that the way into the place is not part of the window."""
        return self.place.prepare(self._session_argv(_agent_call("Thaw", str(log))))

    def thaw(self, log: Path, prepared: Prepared | None = None) -> ThawAnswer:
        """Ask whether it is still frozen, and thaw, in one session.

        Args:
            log: File the engine appends to.
            prepared: What `prepare_thaw` gave; if it fails the thaw is asked for as if there were none.
        If the agent cannot be reached (past ExternalFreezeTimeOut nobody can log in) the thaw is asked of
        Backup.General directly, which needs no login; then `suspended` is True only if that succeeded.
        Raises:
            InstanceGone: it has ended, and its freeze with it.
            ThawError: the instance may still be frozen.
        """
        called = time.monotonic()
        try:
            answer = self._thaw_prepared(prepared) if prepared else None
            if answer is None:
                answer = _Thaw.of(self._one("Thaw", str(log), timeout_s=THAW_TIMEOUT_S))
        except InstanceGone:
            raise
        except HarnessError as error:
            return self._thaw_directly(log, called, error)
        if answer.suspended and not answer.thawed:
            self._require_thawed(log, answer.message)
        return _thawed(answer.suspended, called, answer.message)

    def _require_thawed(self, log: Path, refusal: str) -> None:
        """A thaw that reports a failure may have resumed all the same, as when its journals or its log have no room.
        Raises ThawError unless the instance says that it is not frozen; InstanceGone.
        """
        try:
            frozen = self.is_frozen()
        except InstanceGone:
            raise
        except HarnessError as error:
            raise ThawError(
                f"ExternalThaw was refused: {refusal}, and it is not known whether the instance is frozen: {error}",
                self.thaw_by_hand(log),
            ) from error
        if frozen:
            raise ThawError(f"ExternalThaw was refused: {refusal}", self.thaw_by_hand(log))

    def _thaw_prepared(self, prepared: Prepared) -> _Thaw | None:
        """None if it gave no answer that can be relied on."""
        try:
            done = prepared.run(THAW_TIMEOUT_S)
            answer = _Thaw.of(only("Thaw", read_answers("Thaw", done.stdout)))
        except HarnessError:
            return None
        return answer if done.status == DONE else None

    def _thaw_directly(self, log: Path, called_s: float, cause: Exception) -> ThawAnswer:
        """A session that did not get there is waited for and asked for once more: the instance may be stopped, or
        started, this moment.
        """
        call = f"##class(Backup.General).ExternalThaw({_arguments(str(log))})"
        try:
            done = self._session(call, THAW_TIMEOUT_S)
            frozen = True if done.status == DONE else self.is_frozen()
            if frozen and done.status not in (DONE, REFUSED):
                done = self._session(call, THAW_TIMEOUT_S)
                frozen = True if done.status == DONE else self.is_frozen()
        except InstanceGone:
            raise
        except HarnessError as error:
            raise ThawError(f"no thaw could be asked for: {error}", self.thaw_by_hand(log)) from error
        if done.status != DONE and frozen:
            raise ThawError(
                f"ExternalThaw ended with {done.status}: {_said(done)}", self.thaw_by_hand(log)
            ) from cause
        return _thawed(done.status == DONE, called_s, f"thawed without the agent: {cause}")

    def is_frozen(self) -> bool:
        """IsWDSuspendedExt. Waits a while for one of its two answers; raises InstanceError if there is no other."""
        deadline = Deadline.after(ANSWER_TIMEOUT_S)
        while True:
            done = self._session("##class(Backup.General).IsWDSuspendedExt()", 20.0)
            if done.status in (DONE, REFUSED):
                return done.status == DONE
            if deadline.passed:
                raise InstanceError(f"IsWDSuspendedExt ended with status {done.status}: {_said(done)}")
            time.sleep(_ASK_EVERY_S)

    def thaw_by_hand(self, log: Path) -> str:
        """The command a person types to thaw, after the one that lets its surroundings go on if they are stopped."""
        wake = self.place.wake_by_hand() if isinstance(self.place, CanBeWoken) else ""
        return " && ".join(filter(None, (wake, shlex.join(self.thaw_argv(log)))))

    def thaw_argv(self, log: Path) -> list[str]:
        """The thaw as an argument list that works from outside the place, for the watchdog."""
        call = f"##class(Backup.General).ExternalThaw({_arguments(str(log))})"
        return self.place.argv(self._session_argv(call))

    def is_frozen_argv(self) -> list[str]:
        call = "##class(Backup.General).IsWDSuspendedExt()"
        return self.place.argv(self._session_argv(call))

    @property
    def stdin(self) -> str:
        """What the commands of `thaw_argv` and `is_frozen_argv` need on standard input. Never to be shown."""
        return self.place.stdin if isinstance(self.place, NeedsLogin) else ""

    def require_there(self) -> None:
        """After something broke off or was refused: raises InstanceGone if its surroundings have ended meanwhile,
        which explains it.
        """
        self.place.require_there(failed=True)

    @contextmanager
    def _while_there(self) -> Iterator[None]:
        """What breaks off or is refused in here is InstanceGone if the surroundings have ended meanwhile."""
        try:
            yield
        except InstanceGone:
            raise
        except HarnessError:
            self.require_there()
            raise

    def position(self) -> Position:
        return _position(self._one("Position"))

    def switch_journal(self) -> Position:
        return _position(self._one("SwitchJournal"))

    def add_marker(self, text: str) -> Position:
        """Set a recovery point: everything before it is before the returned position."""
        return _position(self._one("AddMarker", text))

    def required_journal(self) -> str:
        """Oldest journal needed to roll back transactions that are open now; empty if none can be needed."""
        return self._one("RequiredJournal").text("journal_file")

    def journals(self, folder: Path) -> tuple[JournalFile, ...]:
        """Every journal in a folder, in order. Raises JournalError, InstanceGone."""
        try:
            with self._while_there():
                answers = self._verb("Journals", f"{folder}/", timeout_s=600)
        except InstanceGone:
            raise
        except InstanceError as error:
            raise JournalError(f"journals in {folder} could not be listed: {error}") from error
        found = tuple(
            JournalFile(
                name=one.text("journal_file"),
                files=one.texts("files"),
                guid=one.text("guid"),
                identity=one.text("identity"),
                previous=one.text("previous"),
                end_bytes=one.whole("end"),
                closed=one.flag("closed"),
                problem=one.text("problem"),
            )
            for one in answers
        )
        if any(journal.problem for journal in found):
            self.require_there()
        return found

    def read_marker(self, folder: Path, position: Position) -> MarkerReading:
        answer = self._one("ReadMarker", f"{folder}/", position.journal_file, position.offset_bytes)
        return MarkerReading(
            kind=answer.text("kind", ("marker", "record", "none")),
            text=answer.text("text"),
            detail=answer.text("detail"),
        )

    def last_committed(
        self, folder: Path, first: str, last: str, stop: int | None, writers: int
    ) -> tuple[Committed, ...]:
        """Last committed sequence numbers between the start of `first` and `stop` in `last` (None: its end)."""
        answers = self._verb(
            "LastCommitted", f"{folder}/", first, last, "" if stop is None else stop, writers, timeout_s=3600
        )
        return tuple(
            Committed(writer=a.whole("writer"), one=a.whole("one"), two=a.whole("two")) for a in answers
        )

    def dismount(self, database: Path) -> None:
        """After this the database's files may be replaced."""
        self._verb("Dismount", f"{database}/")

    def mount(self, database: Path) -> None:
        """Take the files that are now in the folder as the database. Raises InstanceRefused if it does not."""
        with self._while_there():
            self._verb("Mount", f"{database}/")

    def roll_forward(
        self,
        folder: Path,
        start: Position,
        last: str,
        stop: int | None,
        redirect: dict[Path, Path],
    ) -> RollforwardAnswer:
        """Apply journals from a position to the end of `last`, or to offset `stop` in it.

        Args:
            folder: Where the journals are.
            start: First journal and the offset of the marker in it.
            redirect: Database folder the journals speak of → folder to update.
        Raises:
            RollforwardError: refused; the databases are not usable.
            InstanceError: it broke off, which says nothing about the journals; InstanceGone: it was ended from
                outside.
        """
        pairs = [f"{path}/" for pair in redirect.items() for path in pair]
        began = time.monotonic()
        try:
            with self._while_there():
                answer = self._one(
                    "RollForward",
                    f"{folder}/",
                    start.journal_file,
                    start.offset_bytes,
                    last,
                    "" if stop is None else stop,
                    *pairs,
                    timeout_s=3600,
                )
        except InstanceRefused as error:
            raise RollforwardError(str(error)) from error
        return RollforwardAnswer(
            records=answer.optional("records", answer.whole),
            updated=answer.folders("updated"),
            skipped=answer.folders("skipped"),
            duration_s=time.monotonic() - began,
        )

    def integrity(self, databases: Sequence[Path]) -> IntegrityReport:
        """The engine's own structure check, complete if it names these very databases, in this order. Raises
        InstanceError if it gave no verdict.
        """
        began = time.monotonic()
        with self._while_there():
            answers = self._verb("Integrity", *(f"{folder}/" for folder in databases), timeout_s=3600)
        closed = bool(answers) and "complete" in answers[-1] and answers.pop().flag("complete")
        found = tuple(map(_database_integrity, answers))
        complete = closed and [one.database for one in found] == list(databases)
        if not complete or not all(one.clean for one in found):
            self.require_there()
        return IntegrityReport(databases=found, complete=complete, duration_s=time.monotonic() - began)

    def start_writer(
        self,
        *,
        writer: int,
        writers: int,
        seed: int,
        first: int,
        count: int,
        seconds: int,
        commit: Commit,
        pace: int = 0,
    ) -> subprocess.Popen[bytes]:
        """Start one writer; its lines (RVWORK.m) come on standard output. `count` 0 is no limit; with a `pace` it
        rests for 10 ms after each so many transactions.
        """
        return self._open("Work", writer, writers, seed, first, count, seconds, commit.value, pace)

    def stop_writers(self, timeout_s: float = 120.0) -> None:
        """Every writer ends after the transaction it is in."""
        self._verb("Stop", timeout_s=timeout_s)

    def clear(self) -> None:
        """Remove what workloads of earlier runs left in the databases."""
        self._verb("Clear", timeout_s=3600)

    def plant(self, label: str, writer: int, writers: int, seed: int) -> None:
        """Damage a restored state as a label of RVFAULT.m says; only where the verifier itself is verified."""
        self._verb("Plant", label, writer, writers, seed)

    def start_state(self, part: str, writer: int) -> subprocess.Popen[bytes]:
        """Start printing a part of the state (`summary`, `history`), as described in RVCHECK.m."""
        return self._open("State", part, writer)

    def _session(self, call: str, timeout_s: float) -> Completed:
        return self.place.run(self._session_argv(call), accept=None, timeout_s=timeout_s)

    def _session_argv(self, call: str) -> list[str]:
        return ["iris", "session", self.place.name, "-U%SYS", call]

    def _open(self, verb: str, *arguments: object) -> subprocess.Popen[bytes]:
        return self.place.open(self._session_argv(_agent_call(verb, *arguments)))

    def _one(self, verb: str, *arguments: object, timeout_s: float = 120.0) -> Answer:
        """The one object a verb printed. Raises InstanceError as `_verb`."""
        return only(verb, self._verb(verb, *arguments, timeout_s=timeout_s))

    def _verb(self, verb: str, *arguments: object, timeout_s: float = 120.0) -> list[Answer]:
        """The objects a verb printed. Raises InstanceRefused with the agent's words, or InstanceError with what came
        instead.
        """
        done = self._session(_agent_call(verb, *arguments), timeout_s)
        if done.status not in (DONE, REFUSED):
            raise InstanceError(f"{verb}: the session ended with status {done.status}: {_said(done)}")
        answers = read_answers(verb, done.stdout)
        if done.status == REFUSED or any("error" in one for one in answers):
            raise InstanceRefused(f"{verb}: {answers[-1].text('error') if answers else _said(done)}")
        return answers


def ensure_agent(place: Place, folder: Path) -> None:
    """Load the agent into an instance that does not have it.

    Args:
        folder: Where Agent.cls and the routines are, as the instance sees it.
    Raises InstanceError: it has none afterwards.
    Source: class reference 2024.1, %SYSTEM.OBJ.Load. Unverified: with which status a session ends that was given
    this call, so only what the agent answers afterwards counts.
    """
    instance = Instance(place)
    try:
        instance.describe()
        return
    except (InstanceError, ParseError):
        loaded, installed = (instance._session(call, 120.0) for call in agent_calls(folder))
    try:
        if installed.status != DONE:
            raise InstanceError(
                f"Install: the session ended with status {installed.status}: {_said(installed)}"
            )
        instance.describe()
    except InstanceGone:
        raise
    except (InstanceError, ParseError) as error:
        raise InstanceError(f"the agent could not be loaded: {_said(loaded)}; then {error}") from error


def agent_calls(folder: Path) -> tuple[str, str]:
    """The two calls that load the agent from a folder, each in a session of its own."""
    return f'##class(%SYSTEM.OBJ).Load("{folder}/Agent.cls","ck")', _agent_call("Install", f"{folder}/")


def _agent_call(verb: str, *arguments: object) -> str:
    return f"##class(Harness.Agent).{verb}({_arguments(*(str(a) for a in arguments))})"


def _arguments(*values: str | int | None) -> str:
    """An ObjectScript argument list: strings quoted, quotes doubled, None left empty."""
    quoted = (
        "" if v is None else str(v) if isinstance(v, int) else '"' + v.replace('"', '""') + '"'
        for v in values
    )
    return ",".join(quoted)


def _position(answer: Answer) -> Position:
    return Position(journal_file=answer.text("journal_file"), offset_bytes=answer.whole("offset"))


def _database_integrity(answer: Answer) -> DatabaseIntegrity:
    clean, errors = answer.flag("clean"), answer.texts("errors")
    if clean and errors:
        raise answer.problem("is clean and has errors")
    return DatabaseIntegrity(database=answer.folder("database"), clean=clean, errors=errors)


def _thawed(suspended: bool, called_s: float, message: str) -> ThawAnswer:
    return ThawAnswer(
        suspended=suspended,
        called_s=called_s,
        returned_s=time.monotonic(),
        thawed_utc=datetime.now(UTC),
        message=message,
    )


def _log_hint(done: Completed, log: Path) -> str:
    """Error Reference: `Failed to open logfile`. The instance may run as a user that does not come to our folder."""
    if "logfile" not in done.stdout + done.stderr:
        return ""
    return (
        f"; the user that the instance runs as must be able to write {log}: choose another folder with --out"
    )


def _said(done: Completed) -> str:
    return (done.stdout + done.stderr).strip()[-400:] or "it said nothing"
