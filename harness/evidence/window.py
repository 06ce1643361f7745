"""One freeze window as it was seen from outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import SnapshotError
from harness.evidence.answers import FreezeAnswer, ThawAnswer
from harness.evidence.files import ExpectedFile, FileStatus, written
from harness.snapshot.base import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One freeze window that ended with a confirmed thaw. Times are monotonic seconds.

    `snapshot` is None if none was made, and `snapshot_problem` says why, or that it came too late; `watchdog_thawed`
    if the harness did not thaw for longer than the window may last, `in_time` if the snapshot had ended before the
    watchdog could begin to. `files` are those that the image must hold; None if they could not be listed.
    """

    log: Path
    log_from_byte: int
    text: str
    frozen: FreezeAnswer
    thawed: ThawAnswer
    captured_s: float
    capture_duration_s: float
    before: tuple[FileStatus, ...]
    after: tuple[FileStatus, ...]
    snapshot: Snapshot | None
    snapshot_problem: SnapshotError | None = None
    watchdog_thawed: bool = False
    in_time: bool = False
    files: tuple[ExpectedFile, ...] | None = None

    @property
    def duration_s(self) -> float:
        """From the freeze call's return to the thaw call's: what production feels."""
        return self.thawed.returned_s - self.frozen.returned_s

    @property
    def held(self) -> bool:
        """Whether the freeze was in force just before the thaw, and no database file was written in the window."""
        pairs = zip(self.before, self.after, strict=True)
        return self.thawed.suspended and bool(self.before) and not any(written(*pair) for pair in pairs)
