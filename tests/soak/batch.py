"""A good backup with all that mutations may take from elsewhere, made once for hundreds of cases.

Under load are made an earlier backup and the good one, and around the freeze of the good one the whole instance is
copied as it lies on the disk: just before it and just after the thaw. Two other instances are backed up the same way,
one of another seed and one of the same. All of it lies in `kept` below the batch's folder, so that a batch can be
opened again later: an instance is started at the same place, and the copies are put back where they were.
"""

from __future__ import annotations

import pickle
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.command import Deadline
from harness.evidence.answers import JournalFile
from harness.evidence.backup import OwnBackup
from harness.evidence.journals import order
from harness.fault.base import MODES, SNAPSHOT
from harness.instance.base import TO_READ
from harness.model import RecoveryMode
from harness.plan.model import InstanceSpec, WorkloadSpec
from harness.session.opening import opened
from harness.session.progress import SilentProgress
from harness.session.session import Session
from harness.snapshot.base import Snapshot
from harness.stages.backup import back_up, own_freezer
from harness.stages.window import Held, image_status
from tests.soak.extracts import Extractor

_SNAPSHOT_LIMIT_S = 60.0
_TARGETS_AHEAD = 1000
_COPY_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A backup that is not the good one: its image, its journals in order, and what its freeze logged."""

    image: Path
    journals: Path
    names: tuple[str, ...]
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What the cases of a batch share.

    Attributes:
        kept: Folder of everything but the snapshot and the set of journals.
        good: The backup; its log is a copy in `kept`.
        log: What its freeze and thaw logged.
        stash: Every journal of the instance, with the list of them.
        listed: What the live instance said of each, in order.
        images: Name of another image → its folder.
        others: Name of another backup → what it is.
    """

    session: Session
    kept: Path
    good: OwnBackup
    log: str
    stash: Path
    listed: tuple[JournalFile, ...]
    images: dict[str, Path]
    others: dict[str, Other]
    extractor: Extractor

    @property
    def work(self) -> Path:
        return self.session.work

    @property
    def snapshot(self) -> Snapshot:
        """That of the good backup."""
        return snapshot_of(self.good)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """What a batch is made again from; `looks` are those of the ledger."""

    good: OwnBackup
    log: str
    listed: tuple[JournalFile, ...]
    images: dict[str, Path]
    others: dict[str, Other]
    seed: int
    looks: dict[int, Any]
    put_back: tuple[tuple[Path, Path], ...]


def _session(seed: int, folder: Path) -> AbstractContextManager[Session]:
    """Small, with an instance to restore into made ready for each case."""
    return opened(
        InstanceSpec(),
        folder,
        seed=seed,
        progress=SilentProgress(),
        workload=WorkloadSpec(writers=3, duration_s=0.7, rate=3000),
        recoveries=_TARGETS_AHEAD * len(RecoveryMode),
        name="fuzz",
    )


@contextmanager
def made(seed: int, folder: Path) -> Iterator[Batch]:
    """A new batch. Raises HarnessError if a backup could not be made."""
    kept = folder / "kept"
    kept.mkdir(parents=True)
    others = {
        "foreign": _elsewhere(seed + 1, folder / "foreign", kept / "foreign"),
        "twin": _elsewhere(seed, folder / "twin", kept / "twin"),
    }
    with _session(seed, folder) as session:
        earlier = _backed_up(session)
        others["earlier"] = _taken(earlier, kept / "earlier")
        early, late = kept / "early", kept / "late"
        freezer = _Copying(session, early, late)
        good = back_up(session, SNAPSHOT, MODES, session.stages("fuzz"), freezer=freezer)
        log = _own_log(good)
        stored = _Stored(
            good=_with_log(good, log, kept),
            log=log,
            listed=_stashed(session, kept / "stash"),
            images={
                **{name: other.image for name, other in others.items()},
                "early": early,
                "late": late,
            },
            others=others,
            seed=seed,
            looks=session.ledger._looks,
            put_back=_put_back(session, good, kept),
        )
        yield _batch(session, stored, kept)


@contextmanager
def opened_again(folder: Path) -> Iterator[Batch]:
    """The batch of a folder that `keep` was called for."""
    kept = folder / "kept"
    stored: _Stored = pickle.loads((kept / "batch.pickle").read_bytes())
    shutil.rmtree(folder / "work", ignore_errors=True)
    with _session(stored.seed, folder) as session:
        for place, copy in stored.put_back:
            _copy(copy, place)
        session.ledger._looks = stored.looks
        image = stored.good.image
        assert image
        good = replace(stored.good, image=replace(image, watched=image_status(image.snapshot)))
        yield _batch(session, replace(stored, good=good), kept)


def keep(batch: Batch) -> None:
    """Let the batch be opened again, once it is closed."""
    put_back = _put_back(batch.session, batch.good, batch.kept)
    for place, copy in put_back:
        if not copy.exists():
            _copy(place, copy)
    stored = _Stored(
        good=batch.good,
        log=batch.log,
        listed=batch.listed,
        images=batch.images,
        others=batch.others,
        seed=batch.session.seed,
        looks=batch.session.ledger._looks,
        put_back=put_back,
    )
    (batch.kept / "batch.pickle").write_bytes(pickle.dumps(stored))


def _batch(session: Session, stored: _Stored, kept: Path) -> Batch:
    return Batch(
        session=session,
        kept=kept,
        good=stored.good,
        log=stored.log,
        stash=kept / "stash",
        listed=stored.listed,
        images=stored.images,
        others=stored.others,
        extractor=Extractor.make(session.work / TO_READ / "any.gld"),
    )


def snapshot_of(backup: OwnBackup) -> Snapshot:
    assert backup.image
    return backup.image.snapshot


@dataclass(frozen=True, slots=True)
class _Copying:
    """The harness freezes, and copies of the whole root are made before and after the window."""

    session: Session
    early: Path
    late: Path

    def held(self, take: Callable[[Deadline], None], limit_s: float) -> Held:
        root = self.session.description.root
        _copy(root, self.early)
        held = own_freezer(self.session).held(take, _SNAPSHOT_LIMIT_S)
        _copy(root, self.late)
        return held


def _backed_up(session: Session) -> OwnBackup:
    return back_up(session, SNAPSHOT, MODES, session.stages("fuzz"))


def _elsewhere(seed: int, folder: Path, kept: Path) -> Other:
    """A backup of another instance, which is gone afterwards."""
    folder.mkdir()
    with _session(seed, folder) as session:
        other = _taken(_backed_up(session), kept)
    shutil.rmtree(folder)
    return other


def _taken(backup: OwnBackup, kept: Path) -> Other:
    assert backup.journals
    kept.mkdir()
    image, journals = kept / "image", kept / "journals"
    image.mkdir()
    assert backup.image
    backup.image.give_out(image)
    _copy(backup.journals.folder, journals)
    names = tuple(journal.name for journal in backup.journals.expected)
    return Other(image=image, journals=journals, names=names, log=_own_log(backup))


def _own_log(backup: OwnBackup) -> str:
    with backup.window.log.open() as log:
        log.seek(backup.window.log_from_byte)
        return log.read()


def _with_log(backup: OwnBackup, log: str, kept: Path) -> OwnBackup:
    """The backup with a log that nobody else writes."""
    file = kept / "freeze.log"
    file.write_text(log, newline="")
    return replace(backup, window=replace(backup.window, log=file, log_from_byte=0))


def _stashed(session: Session, folder: Path) -> tuple[JournalFile, ...]:
    """Copies of all journals, and what the instance says of each."""
    there = session.source.journals(session.description.journal_folder)
    _copy(session.description.journal_folder, folder)
    shutil.copy(session.description.journal_folder.parent / "journal.log", folder)
    return tuple(sorted(there, key=lambda journal: order(journal.name)))


def _put_back(session: Session, backup: OwnBackup, kept: Path) -> tuple[tuple[Path, Path], ...]:
    """Folders of the run's work that a backup needs, and where copies of them are kept."""
    assert backup.journals
    places = (snapshot_of(backup).location, backup.journals.folder)
    return tuple((place, kept / "work" / place.relative_to(session.work)) for place in places)


def _copy(source: Path, target: Path) -> None:
    """All of a folder; what comes and goes meanwhile may be missing."""
    target.mkdir(parents=True)
    subprocess.run(
        ["cp", "-a", "--sparse=auto", f"{source}/.", target],
        check=False,
        stderr=subprocess.DEVNULL,
        timeout=_COPY_TIMEOUT_S,
    )
