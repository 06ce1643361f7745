"""The verbs of Harness.Agent, answered by the stand-in (protocol: harness/instance/agent/protocol.md).

Each method is a verb: string arguments in, JSON objects out. `Work` and `State` are not run here but return
what the client must run in its own place, so that their output goes straight to whoever called.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import journals
from .backup import BackupGeneral, Refused
from .gtm import Engine, GTMError, InUse, version
from .journal_file import first_offset
from .layout import DATABASES, Layout

Objects = list[dict[str, object]]
ROUTINES = ("RVWORK", "RVCHECK", "RVFAULT")
Verb = Callable[..., "Objects | InClient"]


@dataclass(frozen=True)
class InClient:
    """M code for the client to run in place of itself."""

    code: str


class Agent:
    """One object per instance. Verbs raise Refused or GTMError; the text becomes the `error` object."""

    def __init__(self, layout: Layout, engine: Engine, backup: BackupGeneral) -> None:
        self._layout = layout
        self._engine = engine
        self._backup = backup

    def verb(self, name: str) -> Verb:
        """The method of a verb. Raises Refused for a name that is no verb."""
        method = _VERBS.get(name)
        if method is None:
            raise Refused(f"<METHOD DOES NOT EXIST> {name},Harness.Agent")
        return lambda *arguments: method(self, *arguments)

    def describe(self) -> Objects:
        return [
            {
                "agent": 1,
                "product": "GT.M",
                "version": version(self._engine.dist).removeprefix("GT.M "),
                "stand_in": True,
                "root": f"{self._layout.root}/",
                "journal_directory": f"{self._layout.journal}/",
                "databases": {name: f"{self._layout.database(name)}/" for name in DATABASES},
                "other_databases": [f"{self._layout.database(name)}/" for name in self._layout.others()],
                "notes": [],
                "sessions_max": self._layout.sessions_max(),
            }
        ]

    def position(self) -> Objects:
        entry = journals.current(self._layout)
        file = journals.file_of(self._layout.journal, entry.journal, DATABASES[0])
        return [{"journal_file": entry.journal, "offset": file.stat().st_size}]

    def switch_journal(self) -> Objects:
        self._backup.add_marker("")
        return self._position_of(journals.current(self._layout))

    def add_marker(self, text: str) -> Objects:
        return self._position_of(self._backup.add_marker(text))

    def required_journal(self) -> Objects:
        """None: GT.M writes no uncommitted data to its files, so nothing before a freeze is ever rolled back."""
        return [{"journal_file": ""}]

    def list_journals(self, folder: str) -> Objects:
        place = _folder(folder)
        with ThreadPoolExecutor(max_workers=2) as pool:
            return list(pool.map(lambda j: journals.describe(self._engine, place, j), journals.names(place)))

    def read_marker(self, folder: str, file: str, offset: str) -> Objects:
        place = _folder(folder)
        return [dict(journals.marker(place, _log_of(place), file, _number(offset)))]

    def last_committed(self, folder: str, first: str, last: str, stop: str, writers: str) -> Objects:
        place = _folder(folder)
        found = journals.chosen(place, first, last, stop)
        seen = journals.last_committed(self._engine, place, found, _number(writers))
        numbers = sorted(set(seen["one"]) | set(seen["two"]))
        return [{"writer": w, "one": seen["one"].get(w, 0), "two": seen["two"].get(w, 0)} for w in numbers]

    def dismount(self, database: str) -> Objects:
        """GT.M holds no database open when no process uses it, so this only checks the name."""
        return [{"database": f"{self._layout.database(self._database(database))}/"}]

    def mount(self, database: str) -> Objects:
        """A database of this instance, or any other folder that holds one."""
        if self._layout.database_named(database) is None:
            file = _database_file(database)
            self._engine.forget(file)
            return [{"database": f"{file.parent}/"}]
        name = self._database(database)
        self._engine.make_usable(name)
        self._engine.journal_off(name)
        return [{"database": f"{self._layout.database(name)}/"}]

    def roll_forward(
        self, folder: str, first: str, offset: str, last: str, stop: str, *redirections: str
    ) -> Objects:
        place = _folder(folder)
        targets = {self._database(t): s for s, t in zip(redirections[::2], redirections[1::2], strict=True)}
        found = journals.chosen(place, first, last, stop)
        if not found or found[0] != first:
            raise Refused(f"journal {first} is not in {folder}")
        begins = first_offset(journals.file_of(place, first, DATABASES[0]))
        if _number(offset) != begins:
            what = journals.marker(place, _log_of(place), first, _number(offset))
            raise Refused(f"cannot start at offset {offset} of {first}: {what['detail']}")
        streams = {d: [f for j in found if (f := journals.file_of(place, j, d)).exists()] for d in targets}
        self._apply({d: files for d, files in streams.items() if files}, targets)
        folders = {d: f"{self._layout.database(d)}/" for d in targets}
        return [
            {
                "records": None,
                "updated": [folders[d] for d in targets if streams[d]],
                "skipped": [folders[d] for d in targets if not streams[d]],
            }
        ]

    def _apply(self, streams: dict[str, list[Path]], sources: dict[str, str]) -> None:
        redirect = ",".join(
            f"{Path(sources[d]) / 'IRIS.DAT'}={self._layout.database_file(d)}" for d in streams
        )
        files = ",".join(str(f) for names in streams.values() for f in names)
        # -nochecktn: a roll-forward may be repeated, as on IRIS; the harness checks the chain itself
        options = ["-recover", "-forward", "-nochecktn", f"-redirect={redirect}"]
        # what of a transaction is not whole is written down: not beside the journals, which may be only to be read
        options += [f"-{kind}trans={self._layout.gtm}/{kind}.mjf" for kind in ("broken", "lost")]
        try:
            self._engine.mupip("journal", *options, files, timeout_s=3600.0)
        except GTMError as error:
            if "MUSTANDALONE" in str(error):  # a session that nobody ended says nothing about the journals
                raise InUse(str(error)) from error
            raise

    def integrity(self, *folders: str) -> Objects:
        files = [_folder(folder) / "IRIS.DAT" for folder in folders]
        with ThreadPoolExecutor(max_workers=2) as pool:
            errors = list(pool.map(self._structure, files))
        found: Objects = [
            {"database": f"{file.parent}/", "clean": not e, "errors": e}
            for file, e in zip(files, errors, strict=True)
        ]
        return [*found, {"complete": True}]

    def _structure(self, file: Path) -> list[str]:
        return self._engine.integrity(file) if file.is_file() else [f"there is no file {file.name}"]

    def thaw(self, log_file: str) -> Objects:
        suspended = self._backup.suspended
        try:
            self._backup.external_thaw(log_file)
        except Refused as refusal:
            return [{"suspended": suspended, "thawed": False, "message": str(refusal)}]
        return [{"suspended": suspended, "thawed": True, "message": ""}]

    def work(
        self,
        writer: str,
        writers: str,
        seed: str,
        first: str,
        count: str,
        seconds: str,
        commit: str,
        pace: str,
    ) -> InClient:
        numbers = ",".join(str(_number(n)) for n in (writer, writers, seed, first, count, seconds))
        if commit not in ("durable", "buffered"):
            raise Refused(f"commit is durable or buffered, not {commit}")
        return InClient(f'do write^RVWORK({numbers},"{commit}",{_number(pace)})')

    def stop(self) -> InClient:
        return InClient("do stop^RVWORK")

    def clear(self) -> InClient:
        return InClient("do clear^RVWORK")

    def plant(self, label: str, writer: str, writers: str, seed: str) -> InClient:
        if not re.fullmatch("[a-z]+", label):
            raise Refused(f"{label} is no label of RVFAULT")
        return InClient(f"do {label}^RVFAULT({_number(writer)},{_number(writers)},{_number(seed)})")

    def state(self, part: str, writer: str) -> InClient:
        if part not in ("summary", "history"):
            raise Refused(f"the state has the parts summary and history, not {part}")
        return InClient(f"do {part}^RVCHECK({_number(writer)})")

    def install(self, folder: str) -> Objects:
        """The stand-in runs the routines it came with: others would not be run, so they are refused."""
        place = _folder(folder)
        for name in ROUTINES:
            file = place / f"{name}.m"
            if not file.is_file():
                raise Refused(f"there is no file {file}")
            if file.read_bytes() != (self._engine.routines / file.name).read_bytes():
                raise Refused(f"{file} is not the {name} that the stand-in runs")
        self._engine.compile(*ROUTINES)
        return [{"namespace": "HARNESS", "routines": list(ROUTINES)}]

    def _position_of(self, entry: journals.Entry) -> Objects:
        return [{"journal_file": entry.journal, "offset": entry.offset}]

    def _database(self, folder: str) -> str:
        name = self._layout.database_named(folder)
        if name is None:
            raise Refused(f"<DIRECTORY> {folder} is not a database of {self._layout.name}")
        return name


_VERBS: dict[str, Verb] = {
    "Describe": Agent.describe,
    "Position": Agent.position,
    "SwitchJournal": Agent.switch_journal,
    "AddMarker": Agent.add_marker,
    "RequiredJournal": Agent.required_journal,
    "Journals": Agent.list_journals,
    "ReadMarker": Agent.read_marker,
    "LastCommitted": Agent.last_committed,
    "Dismount": Agent.dismount,
    "Mount": Agent.mount,
    "RollForward": Agent.roll_forward,
    "Integrity": Agent.integrity,
    "Thaw": Agent.thaw,
    "Work": Agent.work,
    "Stop": Agent.stop,
    "Clear": Agent.clear,
    "Plant": Agent.plant,
    "State": Agent.state,
    "Install": Agent.install,
}


def _folder(path: str) -> Path:
    place = Path(path)
    if not place.is_dir():
        raise Refused(f"there is no folder {path}")
    return place


def _database_file(folder: str) -> Path:
    file = _folder(folder) / "IRIS.DAT"
    if not file.is_file():
        raise Refused(f"<DIRECTORY> {folder} is not a database: it holds no IRIS.DAT")
    return file


def _log_of(place: Path) -> Path:
    """The journal.log that lists the journals in a folder: beside them in a copy, one folder up in an instance."""
    beside = place / "journal.log"
    return beside if beside.exists() else place.parent / "journal.log"


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Refused(f"{text!r} is not a whole number") from error
