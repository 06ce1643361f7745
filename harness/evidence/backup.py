"""One backup: its image, the journals after it, the log of its freeze, and what each recovery must bring back."""

from __future__ import annotations

from dataclasses import dataclass

from harness import freeze_log
from harness.evidence.answers import Committed
from harness.evidence.files import FileStatus
from harness.evidence.journals import JournalSet
from harness.evidence.window import Window
from harness.model import Position, RecoveryMode, Stage, Stun
from harness.snapshot.base import SnapshotProvider, Source
from harness.workload.ledger import Vector

NOT_ROLLED = {RecoveryMode.AS_OF_FREEZE, RecoveryMode.BOOT}
"""Modes without a roll-forward of ours: they are held against what was committed before the marker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A recovery point as the ledger saw it.

    `floor` was acknowledged by then and must be there, nothing beyond `ceiling` was issued by then.
    `at_s` is when it was (monotonic); `position` where it is in the journals, None for their end.
    """

    floor: Vector
    ceiling: Vector
    at_s: float
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup, before anything is recovered from it.

    Attributes:
        entry: The freeze as the engine logged it; None with `entry_problem`. `entry_stale` if nothing was
            logged at all.
        journals: From the marker to the end of the load; None if the marker is not known or copying failed.
        journals_gone: Why there are none, if the instance no longer had a journal that is needed; else None.
        committed: What the live journals had committed before the marker; None if no mode asks for it.
        promises: Recovery mode → what a recovery in that mode has to bring back.
        source: What was captured.
        image: Status of the snapshot's files just after the thaw; None if the harness cannot see them.
        stuns: Times in which nothing of the instance ran; None where its host cannot tell.
        open_in_image: Whether this engine writes what is not committed to its database files, so that an image may
            hold a part of a transaction that a recovery takes back.
        issued_later: How many transactions were issued after the freeze.
        stages: What was done, and how long it took.
        problems: Stage → why it could not be done.
    """

    provider: SnapshotProvider
    source: Source
    window: Window
    image: tuple[FileStatus, ...] | None
    stuns: tuple[Stun, ...] | None
    open_in_image: bool
    entry: freeze_log.FreezeEntry | None
    entry_problem: str
    entry_stale: bool
    journals: JournalSet | None
    journals_gone: str | None
    committed: tuple[Committed, ...] | None
    promises: dict[RecoveryMode, Promise]
    issued_later: int
    stages: tuple[Stage, ...]
    problems: tuple[tuple[str, str], ...]
