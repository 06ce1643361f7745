"""The results folder: one folder a run, and the runs that are in it.

A record is replaced in one step, so that whoever reads it, or finds it after a crash, sees a whole one. What
is read back is checked against the schema: a report made of half a record could claim what no run found.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import destroy
from harness.errors import PreconditionError, UsageError
from harness.model import Record
from harness.owners import require_ours
from harness.record_json import RECORDS

RECORD_FILE = "record.json"
SCRIPTS_FILE = "scripts.json"
"""What `harness scripts check` leaves in its folder, which is no run of a plan."""
FREEZE_LOG = "freeze.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run folder. Either `record` is there or `problem` says why it cannot be read."""

    folder: Path
    record: Record | None
    problem: str = ""


def create_folder(out: Path, plan: str, started_utc: datetime, seed: int) -> Path:
    """Make the folder of a new run, `<out>/<plan>/<UTC start>-<seed>/`.

    Raises:
        UsageError: `out` or a part of it is a file, or that run is already there.
        PreconditionError: the folder cannot be made here, or another user could replace it.
    """
    started = started_utc.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = out / plan / f"{started}-{seed}"
    require_ours(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except NotADirectoryError as error:
        raise UsageError(f"cannot make {folder}: a part of it is a file, not a folder") from error
    except FileExistsError as error:
        raise UsageError(f"cannot make {folder}: {error.filename} is already there") from error
    except OSError as error:
        raise PreconditionError(
            f"cannot make the run folder {folder}: {error.strerror}", "Name another folder with --out."
        ) from error
    return folder


def save(record: Record, folder: Path) -> None:
    """Write `record.json` in one step; the previous one stays whole until the new one is on disk.

    Raises:
        PreconditionError: it cannot be written; the previous one is untouched.
    """
    text = RECORDS.dumps(record)
    try:
        _replace(folder / RECORD_FILE, text.encode())
    except OSError as error:
        raise PreconditionError(
            f"cannot write {folder / RECORD_FILE}: {error.strerror}",
            "Free some room or allow writing there, and run again.",
        ) from error


def keep_log(log: Path, folder: Path) -> Path:
    """Copy a freeze log to its place with the record, readable for all: who wrote it may not change the copy.

    Raises:
        PreconditionError: it cannot be read, or not be written there; a copy of earlier is untouched.
    """
    kept = folder / FREEZE_LOG
    try:
        _replace(kept, log.read_bytes(), sync=False)
    except OSError as error:
        raise PreconditionError(
            f"cannot keep {log} as {kept}: {error.strerror}",
            "Free some room or allow writing there, and run again.",
        ) from error
    return kept


def load(place: Path) -> Record:
    """The record of a run, named by its folder or by its `record.json`.

    Raises:
        UsageError: there is none, it cannot be read, or it is not a record of this version.
    """
    path = place
    try:
        path = place / RECORD_FILE if place.is_dir() else place
        return RECORDS.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        several = f". Name the runs: {place}/*" if any(place.glob(f"*/{RECORD_FILE}")) else ""
        raise UsageError(f"cannot read the run {path}: {error.strerror}{several}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not the record of a run: {error}") from error


def history(out: Path) -> tuple[Run, ...]:
    """All runs below a results folder, oldest first; one that cannot be read is listed with its problem.

    Raises:
        UsageError: there is no such folder, or it cannot be read.
    """
    try:
        plans = [plan for plan in out.iterdir() if plan.is_dir()]
        folders = [
            folder
            for plan in plans
            for folder in plan.iterdir()
            if folder.is_dir() and not (folder / SCRIPTS_FILE).exists()
        ]
    except OSError as error:
        raise UsageError(f"cannot list the runs in {out}: {error.strerror}") from error
    return tuple(_run(folder) for folder in sorted(folders, key=lambda folder: (folder.name, str(folder))))


def _run(folder: Path) -> Run:
    try:
        return Run(folder=folder, record=load(folder))
    except UsageError as error:
        return Run(folder=folder, record=None, problem=str(error))


def _replace(target: Path, content: bytes, *, sync: bool = True) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException:
        destroy.file(temporary, destroy.Ground(folder=target.parent, right="a file on its way here"))
        raise
    if sync:
        _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
