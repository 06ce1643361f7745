"""GT.M's journal files under IRIS's names; what they hold and how they hang together.

GT.M keeps one stream per database: `one.mjl` is the current file, and a switch renames it to
`one.mjl_<time>`. IRIS keeps one file per instance, `yyyymmdd.nnn`. Here each current file gets a hard link
under the IRIS name (a rename keeps the inode, so the link stays right): `yyyymmdd.nnn` for the first database,
`yyyymmdd.nnn.two` for the second. The journal of the model is the name; its files are all that carry it.

`journal.log` lists every journal begun: name, UTC time, reason, and for a freeze or a marker the offset at
which the first record after it begins, and its text.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from .gtm import Engine, GTMError
from .journal_file import Unreadable, first_offset, last_values, record_at
from .layout import DATABASES, Layout

_NAME = re.compile(r"(?P<journal>\d{8}\.\d{3,})(\.(?P<stream>two))?")
_FIELDS = {
    "database": r"Database file name\s+(\S+)",
    "end": r"End of Data\s+(\d+)",
    "created": r"Journal Creation Time\s+(\S+ \S+)",
    "seed": r"Journal file checksum seed\s+(\d+)",
    "begin_tn": r"Begin Transaction\s+(\d+)",
    "end_tn": r"End Transaction\s+(\d+)",
    "closed": r"Last EOF Written\s+(TRUE|FALSE)",
    "crash": r"Crash\s+(TRUE|FALSE)",
}


@dataclass(frozen=True)
class Entry:
    """One line of journal.log."""

    journal: str
    begun_utc: str
    reason: str
    offset: int
    text: str


def begin(layout: Layout, reason: str, text: str = "") -> Entry:
    """Give the current files of both streams the next journal name, after GT.M has switched.

    Raises GTMError if a current file already has a name: then nothing was switched.
    """
    name = _next_name(layout)
    for database in DATABASES:
        stream = layout.stream(database)
        if stream.stat().st_nlink > 1:
            raise GTMError(f"the journal of database {database} was not switched")
        file_of(layout.journal, name, database).hardlink_to(stream)
    offset = first_offset(layout.stream(DATABASES[0]))
    entry = Entry(name, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), reason, offset, text)
    with (layout.manager / "journal.log").open("a") as log:
        log.write("^".join((entry.journal, entry.begun_utc, entry.reason, str(offset), text)) + "\n")
    return entry


def current(layout: Layout) -> Entry:
    """The journal being written. GTMError if there is none yet."""
    if found := entries(layout):
        return found[-1]
    raise GTMError("no journal has been begun")


def entries(layout: Layout) -> list[Entry]:
    """journal.log, oldest first."""
    return _read_log(layout.manager / "journal.log")


def _read_log(log: Path) -> list[Entry]:
    if not log.exists():
        return []
    try:
        rows = (line.split("^", 4) for line in log.read_text().splitlines())
        return [Entry(name, begun, reason, int(offset), text) for name, begun, reason, offset, text in rows]
    except ValueError as error:
        raise GTMError(f"{log} is not a list of journals: {error}") from error


def _next_name(layout: Layout) -> str:
    today = time.strftime("%Y%m%d")
    numbers = [_order(e.journal)[1] for e in entries(layout) if e.journal.startswith(today)]
    return f"{today}.{max(numbers, default=0) + 1:03d}"


def file_of(folder: Path, journal: str, database: str) -> Path:
    return folder / (journal if database == DATABASES[0] else f"{journal}.{database}")


def names(folder: Path) -> list[str]:
    """Journals in a folder, in order; files that no journal can have as a name are left out."""
    found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted({match["journal"] for match in found if match}, key=_order)


def _order(journal: str) -> tuple[str, int]:
    """.999 comes before .1000."""
    day, _, number = journal.partition(".")
    return day, int(number)


def describe(engine: Engine, folder: Path, journal: str) -> dict[str, object]:
    """One object of the verb `Journals`: what carries the name, and how it hangs together with others."""
    files = [file_of(folder, journal, database) for database in DATABASES]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        problem = f"{', '.join(missing)} is missing: without it that database's updates are lost"
        return _journal_object(journal, [f.name for f in files if f.exists()], problem=problem)
    headers: list[dict[str, str]] = []
    for file in files:
        try:
            headers.append(_header(engine, file))
        except GTMError as error:
            return _journal_object(journal, [f.name for f in files], problem=f"{file.name}: {error}")
    short = [
        f"{file.name} is {file.stat().st_size} bytes, its last record ends at {header['end']}"
        for file, header in zip(files, headers, strict=True)
        if file.stat().st_size < int(header["end"])
    ]
    return _journal_object(
        journal,
        [file.name for file in files],
        guid=";".join(f"{h['created']} {h['seed']}" for h in headers),
        identity=";".join(f"{h['database']}#{h['end_tn']}" for h in headers),
        previous=";".join(f"{h['database']}#{h['begin_tn']}" for h in headers),
        end=int(headers[0]["end"]),
        closed=all(h["closed"] == "TRUE" for h in headers),
        problem="; ".join(short),
    )


def _journal_object(
    journal: str,
    files: list[str],
    *,
    guid: str = "",
    identity: str = "",
    previous: str = "",
    end: int = 0,
    closed: bool = False,
    problem: str = "",
) -> dict[str, object]:
    return {
        "journal_file": journal,
        "files": files,
        "guid": guid,
        "identity": identity,
        "previous": previous,
        "end": end,
        "closed": closed,
        "problem": problem,
    }


def _header(engine: Engine, file: Path) -> dict[str, str]:
    text = engine.mupip("journal", "-show=header", "-forward", "-fences=none", str(file))
    found = {key: re.search(pattern, text) for key, pattern in _FIELDS.items()}
    lacking = [key for key, match in found.items() if match is None]
    if lacking:
        raise GTMError(f"its header shows no {', '.join(lacking)}")
    return {key: match[1] for key, match in found.items() if match}


def marker(folder: Path, log: Path, journal: str, offset: int) -> dict[str, str]:
    """What is at a position, for the verb `ReadMarker`; `log` is the journal.log that lists the file."""
    file = file_of(folder, journal, DATABASES[0])
    if not file.exists():
        return {"kind": "none", "text": "", "detail": f"{journal} is not in {folder}"}
    first = first_offset(file)
    entry = next((e for e in reversed(_read_log(log)) if e.journal == journal), None)
    if offset == first:
        is_marker = entry is not None and entry.reason in ("freeze", "marker") and entry.offset == offset
        text = entry.text if entry and is_marker else ""
        return {
            "kind": "marker" if is_marker else "record",
            "text": text,
            "detail": f"the first record of {journal}",
        }
    held = record_at(file, offset)
    if held is None:
        return {"kind": "none", "text": "", "detail": f"{journal} ends before it; its marker is at {first}"}
    if held.offset == offset:
        return {"kind": "record", "text": "", "detail": f"an ordinary record; the marker is at {first}"}
    detail = (
        f"inside the record of {held.length} bytes that begins at {held.offset}; the marker is at {first}"
    )
    return {"kind": "none", "text": "", "detail": detail}


def chosen(folder: Path, first: str, last: str, stop: str) -> list[str]:
    """The journals from `first` to `last`, without `last` if the stop offset is where its records begin.

    Raises GTMError for a stop offset anywhere else: GT.M cannot stop inside a file.
    """
    found = [name for name in names(folder) if _order(first) <= _order(name) <= _order(last)]
    if stop and found and found[-1] == last:
        begins = first_offset(file_of(folder, last, DATABASES[0]))
        if int(stop) != begins:
            raise GTMError(
                f"the stand-in can stop only where a journal begins: at offset {begins} of {last}, not {stop}"
            )
        found.pop()
    return found


def last_committed(
    engine: Engine, folder: Path, journals: list[str], writers: int
) -> dict[str, dict[int, int]]:
    """Highest sequence number each writer committed, per database, in the given journals.

    A writer that committed nothing there is absent. Newest journals are read first, from their ends, and the
    reading of a database ends as soon as every writer was seen. Raises GTMError.
    """
    result: dict[str, dict[int, int]] = {}
    for database, global_name in zip(DATABASES, (b"RVAS", b"RVBS"), strict=True):
        seen: dict[int, int] = {}
        for journal in reversed(journals):
            if len(seen) == writers:
                break
            file = file_of(folder, journal, database)
            try:
                end = int(_header(engine, file)["end"])
                seen = {**last_values(file, end, global_name, writers), **seen}
            except (Unreadable, OSError) as error:
                raise GTMError(f"{file.name} cannot be read: {error}") from error
        result[database] = {writer: number for writer, number in seen.items() if number}
    return result
