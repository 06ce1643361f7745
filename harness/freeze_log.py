"""The log that ExternalFreeze and ExternalThaw append to: text → freezes.

The log names the journal marker of a freeze, so a roll-forward from a wrong reading of it starts at the wrong
record. This module therefore accepts the layouts that were seen and nothing else: a line it does not know, or
a known line at a place where it was never seen, is a ParseError with its number. Whether the freeze that it
found is the right one, and whether its marker exists, the callers decide.

The log is appended to for years, by every backup of an instance. A caller notes `size_bytes` before a freeze
and reads with `parse_appended` what was written since: nothing there means a stale log.

Layouts. Timestamped lines are `MM/DD/YYYY HH:MM:SS: Backup.General.<Method>: <text>`, in local time without
a zone. The journal switch and the marker write lines without a timestamp; on Caché the path below
`Journal file switched to:` is absent. Captured samples: `tests/data/freeze_log/`.

Unverified: that failures are written to this log at all. Their texts are those of the InterSystems Error
Reference; a line that has one counts as a failure, never as anything better.
Unverified: the text when WDSuspendLimit ends a freeze; the one known here is the stand-in's.
Unverified: the layout on a mirror member, where two journals are switched; what differs is refused.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from harness.errors import ParseError, PreconditionError
from harness.model import Position

APPENDED_BYTES_MAX = 4 * 1024 * 1024
"""More than this written to the log during one freeze is not a freeze log (a freeze writes about 1 KB)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeEntry:
    """One call of ExternalFreeze and the thaw that followed it, as far as they were logged.

    Times are naive: local time of the instance's host, whole seconds, as logged. Paths are kept as logged,
    in the notation of the instance's host. `suspended` None means that the log stops short of the freeze. `notes`
    tell of a freeze that the engine ended by itself; `thaws` is how often a thaw of this freeze began."""

    started: datetime
    warnings: tuple[str, ...]
    switched_to: str | None
    start_file: str | None
    marker: Position | None
    marker_path: str | None
    suspended: datetime | None
    resuming: datetime | None
    resumed: datetime | None
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    thaws: int
    line_numbers: tuple[int, int]

    @property
    def complete(self) -> bool:
        """The system was suspended without a failure, and the log says where a roll-forward starts."""
        named = self.start_file is not None and self.marker is not None
        return named and self.suspended is not None and not self.failures


def parse(text: str, source: str) -> tuple[FreezeEntry, ...]:
    """Read a whole freeze log.

    Args:
        text: The log, lines ended by LF or CR LF; the last end may be missing.
        source: Name of the log for messages.
    Returns:
        One entry per freeze attempt, in order, at least one. The last one may stop short.
    Raises:
        ParseError: empty, an unknown line or date, or lines in an order never seen.
    Source: captured logs of Caché 2015.2 and IRIS 2021.1 in `tests/data/freeze_log/`.
    """
    entries = _assemble(text, source, first_line=1)
    if not entries:
        raise ParseError(source, 0, "", "the freeze log is empty")
    return entries


def parse_appended(path: Path, from_byte: int) -> tuple[FreezeEntry, ...]:
    """Read what was written to a log since it had `from_byte` bytes (see `size_bytes`).

    Returns:
        The entries since then; none if nothing was written, or only blank lines: the log is stale.
    Raises:
        ParseError: as `parse`, with line numbers of the whole file; or the log is shorter than it was.
        PreconditionError: it cannot be read.
    """
    before, appended = _split(path, from_byte)
    # An undecodable byte can only stand in a folder name, which nobody opens: show it, keep reading.
    text = appended.decode("utf-8", "backslashreplace")
    return _assemble(text, str(path), first_line=1 + before.count(b"\n"))


def size_bytes(path: Path) -> int:
    """Bytes in the log now, 0 if there is none yet. Raises PreconditionError if that cannot be told."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unreadable(path, error) from error


def find(
    entries: Sequence[FreezeEntry], source: str, started_not_before: datetime | None = None
) -> FreezeEntry | None:
    """The one freeze that began at or after a moment, None if there is none.

    Args:
        started_not_before: Naive local time as in the log; its fraction of a second is ignored, because
            the log has none. None: every entry counts.
    Raises:
        ParseError: there are two or more, so none of them can be called ours.
    """
    moment = (started_not_before or datetime.min).replace(microsecond=0)
    ours = [entry for entry in entries if entry.started >= moment]
    if len(ours) > 1:
        lines = " and ".join(str(entry.line_numbers[0]) for entry in ours)
        problem = f"{len(ours)} freezes where one was expected, beginning in lines {lines}"
        raise ParseError(source, ours[1].line_numbers[0], "", problem)
    return ours[0] if ours else None


_NOT_JOURNALED = re.compile(r"Warning, (?P<folder>.+) is not being journall?ed")
_NOT_JOURNALED_COUNT = re.compile(
    r"Warning, \d+ databases are not journall?ed, data will be lost in them if system crashes while suspended"
)


def harmless(warning: str, folders: Iterable[str]) -> bool:
    """Whether a warning of a freeze says nothing about the databases in these folders.

    Source: captured log of IRIS 2021.1 in `tests/data/freeze_log/`: a freeze warns of each database that is not
    journaled, and of their number.
    """
    if named := _NOT_JOURNALED.fullmatch(warning):
        return named["folder"].rstrip("/\\") not in {folder.rstrip("/\\") for folder in folders}
    return _NOT_JOURNALED_COUNT.fullmatch(warning) is not None


class _Kind(enum.Enum):
    """What one statement of the log says."""

    STARTED = "Suspending system"
    WARNING = "a warning"
    SWITCHED = "a journal switch"
    START_FILE = "the journal to start a restore with"
    MARKER = "a journal marker"
    SUSPENDED = "System suspended"
    FAILED = "a failure"
    SELF_THAWED = "the end of WDSuspendLimit"
    RESUMING = "Resuming system"
    RESUMED = "System resumed"


_FREEZING = frozenset({_Kind.STARTED, _Kind.SWITCHED, _Kind.START_FILE, _Kind.MARKER})

_MAY_FOLLOW: dict[_Kind, frozenset[_Kind]] = {
    # A freeze may follow one that was never thawed here: its thaw may have named another log.
    _Kind.STARTED: frozenset(
        {_Kind.SUSPENDED, _Kind.FAILED, _Kind.SELF_THAWED, _Kind.RESUMING, _Kind.RESUMED}
    ),
    _Kind.WARNING: _FREEZING,
    _Kind.SWITCHED: frozenset({_Kind.STARTED}),
    _Kind.START_FILE: frozenset({_Kind.STARTED, _Kind.SWITCHED}),
    _Kind.MARKER: frozenset({_Kind.STARTED, _Kind.SWITCHED, _Kind.START_FILE}),
    _Kind.SUSPENDED: _FREEZING,
    _Kind.FAILED: _FREEZING | {_Kind.FAILED, _Kind.SUSPENDED, _Kind.SELF_THAWED, _Kind.RESUMING},
    _Kind.SELF_THAWED: frozenset({_Kind.SUSPENDED}),
    # Twice if the first thaw did not get through. After a failed freeze a careful script thaws all the same.
    _Kind.RESUMING: frozenset({_Kind.SUSPENDED, _Kind.SELF_THAWED, _Kind.FAILED, _Kind.RESUMING}),
    _Kind.RESUMED: frozenset({_Kind.RESUMING}),
}
"""Which statement may stand directly before which (warnings left out); from the captured samples."""

_JOURNAL = r"""
    (?P<path>
        (?: / | [A-Za-z]:[\\/] | \\\\ )             # absolute, Unix or Windows
        (?: [^\x00-\x1f]* [\\/] )?
        (?P<file> [A-Za-z0-9_-]* [0-9]{8} \. [0-9]{3,} )
    )
"""

_STAMPED = re.compile(
    r"""
    (?P<when> [0-9]{2}/[0-9]{2}/[0-9]{4}\ [0-9]{2}:[0-9]{2}:[0-9]{2} ) :\ #
    Backup\.General\.(?P<method> [A-Za-z]+ ) :\ #
    (?P<text> .+ )
    """,
    re.VERBOSE,
)

_START_FILE_TEXT = re.compile(
    r"Start\ a\ journal\ restore\ for\ this\ backup\ with\ journal\ file:\ " + _JOURNAL, re.VERBOSE
)

_FAILURE_TEXT = re.compile(
    r"""
    (?: ERROR\ \#[0-9]+:\ )?
    (?:
        Failed\ to\ open\ logfile\ .+\ for\ output
      | Backup\.General\.ExternalFreeze\ cannot\ run\ with\ switch\ 10\ or\ 13\ already\ set
      | Failed\ to\ switch\ (?: local\ )? journal\ file\.\ Status\ =\ .+
      | Failed\ to\ switch\ journal\ files\ on\ other\ cluster\ members
      | Failed\ to\ place\ journal\ marker
      | System\ failed\ to\ quiesce
      | Backup\ is\ currently\ running
      | Request\ to\ suspend\ write\ daemon\ cleared
    )
    """,
    re.VERBOSE,
)

_TEXTS: tuple[tuple[str, re.Pattern[str], _Kind], ...] = (
    ("ExternalFreeze", re.compile("Suspending system"), _Kind.STARTED),
    ("ExternalFreeze", re.compile("Warning, .+"), _Kind.WARNING),
    ("ExternalFreeze", _START_FILE_TEXT, _Kind.START_FILE),
    ("ExternalFreeze", re.compile("System suspended"), _Kind.SUSPENDED),
    (
        "ExternalFreeze",
        re.compile("WDSuspendLimit of [0-9]+ seconds reached, resuming system"),
        _Kind.SELF_THAWED,
    ),
    ("ExternalThaw", re.compile("Resuming system"), _Kind.RESUMING),
    ("ExternalThaw", re.compile("System resumed"), _Kind.RESUMED),
    ("ExternalFreeze", _FAILURE_TEXT, _Kind.FAILED),
    ("ExternalThaw", _FAILURE_TEXT, _Kind.FAILED),
)

_FREE_TEXT = frozenset({_Kind.WARNING, _Kind.FAILED})
_TWO_LINES = re.compile(
    r"External(?:Freeze|Thaw):|(?:Suspending\ system|System\ suspended|Resuming\ system|System\ resumed)\Z",
    re.VERBOSE,
)
"""A line that was cut off and went on with another one, perhaps of the next freeze, must not pass for a warning."""

_SWITCHED_LINE = "Journal file switched to:"
_MARKER_LINE = "Journal marker set at"
_PATH_LINE = re.compile(_JOURNAL, re.VERBOSE)
_OFFSET_LINE = re.compile(r"offset\ (?P<offset> [0-9]{1,18} )\ of\ " + _JOURNAL, re.VERBOSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """One thing the log says, of one or two lines. `path` and `position` where the kind has them."""

    kind: _Kind
    line: str
    line_numbers: tuple[int, int]
    when: datetime | None = None
    text: str = ""
    path: str | None = None
    position: Position | None = None


def _assemble(text: str, source: str, first_line: int) -> tuple[FreezeEntry, ...]:
    drafts: list[_Draft] = []
    for statement in _statements(text, source, first_line):
        if not drafts:
            _require_start(statement, source)
        else:
            drafts[-1].require_order(statement, source)
        if statement.kind is _Kind.STARTED:
            drafts.append(_Draft())
        drafts[-1].add(statement, source)
    return tuple(draft.entry() for draft in drafts)


def _require_start(statement: _Statement, source: str) -> None:
    if statement.kind is not _Kind.STARTED:
        raise _problem(statement, source, f"{statement.kind.value} outside of a freeze")


def _statements(text: str, source: str, first_line: int) -> Iterator[_Statement]:
    # Not splitlines(): it also splits at characters that may stand in a path.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    index = 0
    while index < len(lines):
        if lines[index].strip():
            statement = _statement(lines, index, source, first_line)
            yield statement
            index = statement.line_numbers[1] - first_line
        index += 1


def _statement(lines: list[str], index: int, source: str, first_line: int) -> _Statement:
    line, number = lines[index], first_line + index
    following = lines[index + 1] if index + 1 < len(lines) else ""
    if line == _SWITCHED_LINE:
        return _switched(line, following, number)
    if line == _MARKER_LINE:
        return _marker(line, following, number, source)
    if _OFFSET_LINE.fullmatch(line):
        raise ParseError(source, number, line, f"an offset that {_MARKER_LINE!r} does not announce")
    return _stamped(line, number, source)


def _switched(line: str, following: str, number: int) -> _Statement:
    match = _PATH_LINE.fullmatch(following)
    if match is None:
        return _Statement(kind=_Kind.SWITCHED, line=line, line_numbers=(number, number))
    return _Statement(kind=_Kind.SWITCHED, line=line, line_numbers=(number, number + 1), path=match["path"])


def _marker(line: str, following: str, number: int, source: str) -> _Statement:
    match = _OFFSET_LINE.fullmatch(following)
    if match is None:
        problem = f"{line!r} is not followed by an offset and a journal file"
        raise ParseError(source, number + 1, following, problem)
    return _Statement(
        kind=_Kind.MARKER,
        line=following,
        line_numbers=(number, number + 1),
        path=match["path"],
        position=Position(journal_file=match["file"], offset_bytes=int(match["offset"])),
    )


def _stamped(line: str, number: int, source: str) -> _Statement:
    match = _STAMPED.fullmatch(line)
    if match is None:
        raise ParseError(source, number, line, "not a line of a freeze log")
    when = _moment(match["when"], line, number, source)
    for method, pattern, kind in _TEXTS:
        known = pattern.fullmatch(match["text"]) if method == match["method"] else None
        if known is not None:
            if kind in _FREE_TEXT and _TWO_LINES.search(match["text"]):
                raise ParseError(source, number, line, "two lines in one: what stood between them is lost")
            path = known.groupdict().get("path")
            return _Statement(
                kind=kind, line=line, line_numbers=(number, number), when=when, text=match["text"], path=path
            )
    raise ParseError(source, number, line, f"unknown message of Backup.General.{match['method']}")


def _moment(when: str, line: str, number: int, source: str) -> datetime:
    try:
        return datetime.strptime(when, "%m/%d/%Y %H:%M:%S")
    except ValueError as error:
        raise ParseError(source, number, line, f"{when!r} is not a date and time") from error


@dataclass(slots=True)
class _Draft:
    """The entry being read. `last` is the latest statement that was not a warning."""

    last: _Kind = _Kind.STARTED
    by_kind: dict[_Kind, list[_Statement]] = field(default_factory=dict)

    def require_order(self, statement: _Statement, source: str) -> None:
        if self.last in _MAY_FOLLOW[statement.kind]:
            return
        if statement.kind is _Kind.STARTED:
            problem = f"a freeze begins before the one of line {self._first_line()} was suspended or failed"
        else:
            problem = f"{statement.kind.value} may not come after {self.last.value}"
        raise _problem(statement, source, problem)

    def add(self, statement: _Statement, source: str) -> None:
        self.by_kind.setdefault(statement.kind, []).append(statement)
        if statement.kind is not _Kind.WARNING:
            self.last = statement.kind
        self._require_one_journal(statement, source)

    def _require_one_journal(self, statement: _Statement, source: str) -> None:
        """Switch, start file and marker name one file; a cut line would otherwise name another, unseen."""
        for kind in (_Kind.SWITCHED, _Kind.START_FILE):
            named = self._path(kind)
            if statement.path is not None and named is not None and named != statement.path:
                raise _problem(statement, source, f"names another journal than {kind.value}, {named}")

    def entry(self) -> FreezeEntry:
        marker = self._first(_Kind.MARKER)
        every = [statement for found in self.by_kind.values() for statement in found]
        return FreezeEntry(
            started=self._when_started(),
            warnings=self._texts(_Kind.WARNING),
            switched_to=self._path(_Kind.SWITCHED),
            start_file=self._path(_Kind.START_FILE),
            marker=marker.position if marker else None,
            marker_path=marker.path if marker else None,
            suspended=self._when(_Kind.SUSPENDED),
            resuming=self._when(_Kind.RESUMING),
            resumed=self._when(_Kind.RESUMED),
            failures=self._texts(_Kind.FAILED),
            notes=self._texts(_Kind.SELF_THAWED),
            thaws=len(self.by_kind.get(_Kind.RESUMING, ())),
            line_numbers=(self._first_line(), max(statement.line_numbers[1] for statement in every)),
        )

    def _first(self, kind: _Kind) -> _Statement | None:
        return next(iter(self.by_kind.get(kind, ())), None)

    def _first_line(self) -> int:
        return self.by_kind[_Kind.STARTED][0].line_numbers[0]

    def _when_started(self) -> datetime:
        started = self._when(_Kind.STARTED)
        assert started is not None, "a draft begins with a timestamped statement"
        return started

    def _when(self, kind: _Kind) -> datetime | None:
        statement = self._first(kind)
        return statement.when if statement else None

    def _path(self, kind: _Kind) -> str | None:
        statement = self._first(kind)
        return statement.path if statement else None

    def _texts(self, kind: _Kind) -> tuple[str, ...]:
        return tuple(statement.text for statement in self.by_kind.get(kind, ()))


def _problem(statement: _Statement, source: str, problem: str) -> ParseError:
    return ParseError(source, statement.line_numbers[1], statement.line, problem)


def _split(path: Path, from_byte: int) -> tuple[bytes, bytes]:
    try:
        with path.open("rb") as log:
            before = log.read(from_byte)
            appended = log.read(APPENDED_BYTES_MAX + 1)
    except FileNotFoundError:
        before, appended = b"", b""
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(before) < from_byte:
        problem = f"has {len(before)} bytes where it had {from_byte} before the freeze: replaced or truncated"
        raise ParseError(str(path), 0, "", problem)
    if len(appended) > APPENDED_BYTES_MAX:
        raise ParseError(
            str(path), 0, "", f"grew by more than {APPENDED_BYTES_MAX} bytes: not a log of one freeze"
        )
    return before, appended


def _unreadable(path: Path, error: OSError) -> PreconditionError:
    return PreconditionError(
        f"freeze log {path} cannot be read: {error.strerror}", "Run as a user who may read what IRIS writes."
    )
