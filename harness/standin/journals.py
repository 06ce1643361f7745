"""GT.M's journal files under IRIS's names; what they hold and how they hang together.

GT.M keeps one stream per database: `one.mjl` is the current file, and a switch renames it to
`one.mjl_<time>`. IRIS keeps one file per instance, `yyyymmdd.nnn`. Here each current file gets a hard link
under the IRIS name (a rename keeps the inode, so the link stays right): `yyyymmdd.nnn` for the first database,
`yyyymmdd.nnn.two` for the second. The journal of the model is the name; its files are all that carry it.

`journal.log` lists every journal begun: name, UTC time, reason, and for a freeze or a marker the offset at
which the first record after it begins, and its text.

A journal file opens with a 65536-byte header, then PINI and EPOCH of the process that made it, and PFIN when
that process was a freeze. Each record starts with one byte of type and three of length (measured on GT.M
V7.0-005; `tests/e2e` compares this reading with `mupip journal -extract -detail`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from .gtm import Engine, GTMError
from .layout import DATABASES, Layout

HEADER_BYTES = 65536
_PINI, _PFIN, _EPOCH = 1, 2, 11
_NAME = re.compile(r"(?P<journal>\d{8}\.\d{3})(\.(?P<stream>two))?")
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
    rows = (line.split("^", 4) for line in log.read_text().splitlines())
    return [Entry(journal, begun, reason, int(offset), text) for journal, begun, reason, offset, text in rows]


def _next_name(layout: Layout) -> str:
    today = time.strftime("%Y%m%d")
    numbers = [int(e.journal[-3:]) for e in entries(layout) if e.journal.startswith(today)]
    return f"{today}.{max(numbers, default=0) + 1:03d}"


def file_of(folder: Path, journal: str, database: str) -> Path:
    return folder / (journal if database == DATABASES[0] else f"{journal}.{database}")


def first_offset(file: Path) -> int:
    """Offset of the first record that is not part of the file's own beginning (PINI, EPOCH and, after a
    freeze, PFIN)."""
    for offset, kind, length in _records(file):
        if kind not in (_PINI, _EPOCH, _PFIN):
            return offset
        if kind == _PFIN:
            return offset + length
    raise GTMError(f"{file.name} holds no journal record")


def record_at(file: Path, offset: int) -> tuple[int, int] | None:
    """Start and length of the record that holds a byte; None past the last record."""
    for start, _, length in _records(file):
        if start <= offset < start + length:
            return start, length
        if start > offset:
            return None
    return None


def _records(file: Path) -> Iterator[tuple[int, int, int]]:
    """(offset, type, length) of each record, following the lengths; ends where the data ends."""
    with file.open("rb") as journal:
        offset = HEADER_BYTES
        while True:
            journal.seek(offset)
            head = journal.read(4)
            length = int.from_bytes(head[1:4], "little")
            if len(head) < 4 or head[0] == 0 or length < 8:
                return
            yield offset, head[0], length
            offset += length


def names(folder: Path) -> list[str]:
    """Journals in a folder, in order; files that no journal can have as a name are left out."""
    found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted({match["journal"] for match in found if match})


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
    start, length = held
    if start == offset:
        return {"kind": "record", "text": "", "detail": f"an ordinary record; the marker is at {first}"}
    detail = f"inside the record of {length} bytes that begins at {start}; the marker is at {first}"
    return {"kind": "none", "text": "", "detail": detail}


def chosen(folder: Path, first: str, last: str, stop: str) -> list[str]:
    """The journals from `first` to `last`, without `last` if the stop offset is where its records begin.

    Raises GTMError for a stop offset anywhere else: GT.M cannot stop inside a file.
    """
    found = [name for name in names(folder) if first <= name <= last]
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

    A writer that committed nothing there is absent. Newest journals are read first and the reading of a
    database ends as soon as every writer was seen.
    """
    result: dict[str, dict[int, int]] = {}
    for database, global_name in zip(DATABASES, (b"RVAS", b"RVBS"), strict=True):
        seen: dict[int, int] = {}
        for journal in reversed(journals):
            if len(seen) == writers:
                break
            text = _extract(engine, file_of(folder, journal, database), global_name.decode())
            for writer in set(range(1, writers + 1)) - set(seen):
                if number := _last_set(text, b"\\^%s(%d)=" % (global_name, writer)):
                    seen[writer] = number
        result[database] = seen
    return result


def _extract(engine: Engine, file: Path, global_name: str) -> bytes:
    """GT.M's extract of one global from a journal file: only committed transactions are ever in a journal."""
    output = engine.layout.gtm / f"extract.{file.name}.{time.monotonic_ns()}"
    # only for the live files does mupip find the database that they name
    live = file.parent.samefile(engine.layout.journal)
    try:
        with engine.held_open(global_name) if live else nullcontext():
            engine.mupip(
                "journal",
                f"-extract={output}",
                "-forward",
                "-fences=none",
                f"-global=^{global_name}",
                str(file),
                timeout_s=600.0,
            )
        return output.read_bytes()
    finally:
        output.unlink(missing_ok=True)


def _last_set(text: bytes, node: bytes) -> int:
    at = text.rfind(node)
    if at < 0:
        return 0
    value = text[at + len(node) : text.index(b"\n", at)]
    return int(value.strip(b'"'))
