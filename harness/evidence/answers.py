"""The answers of an instance to the calls of protocol.md, as plain data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ROLES = ("one", "two")
"""The two databases of a workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What an instance is and where it keeps its data; `databases` by their role, `one` and `two`; `others` are the
    folders of its other databases, which a backup must bring back, too.

    `sessions_max` is how many sessions its licence allows at a time, None if that is not known or not limited.
    """

    product: str
    version: str
    stand_in: bool
    root: Path
    journal_folder: Path
    databases: dict[str, Path]
    notes: tuple[str, ...]
    sessions_max: int | None = None
    others: tuple[Path, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of all databases."""
        return (*self.databases.values(), *self.others)

    @property
    def volume(self) -> Path:
        """What a snapshot of the databases is taken of: the root, or what holds them all if one lies outside."""
        folders = self.folders
        inside = all(folder.is_relative_to(self.root) for folder in folders)
        return self.root if inside else Path(os.path.commonpath(list(folders)))


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFile:
    """One journal: its name, the files that carry it, and how it links to its neighbours (protocol.md)."""

    name: str
    files: tuple[str, ...]
    guid: str
    identity: str
    previous: str
    end_bytes: int
    closed: bool
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerReading:
    """What stands at a journal position: `kind` is marker, record or none."""

    kind: str
    text: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeAnswer:
    """An accepted freeze: monotonic times around the call, and the moment it returned."""

    called_s: float
    returned_s: float
    frozen_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ThawAnswer:
    """A confirmed thaw. `suspended` is what the instance said just before it."""

    suspended: bool
    called_s: float
    returned_s: float
    thawed_utc: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseIntegrity:
    """The engine's verdict on one database folder."""

    database: Path
    clean: bool
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityReport:
    """`complete` only if the engine said at the end that it looked at everything asked for."""

    databases: tuple[DatabaseIntegrity, ...]
    complete: bool
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RollforwardAnswer:
    """What the engine says it did; paths are database folders."""

    records: int | None
    updated: tuple[Path, ...]
    skipped: tuple[Path, ...]
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """Last sequence number a writer committed in each database's journaled updates; 0 if none there."""

    writer: int
    one: int
    two: int
