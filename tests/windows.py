"""A freeze window that held, for tests of what judges one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.evidence.answers import FreezeAnswer, ThawAnswer
from harness.evidence.files import FileStatus
from harness.evidence.window import Window
from harness.snapshot.base import Snapshot

_AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def status(path: str) -> FileStatus:
    return FileStatus(path=Path(path), inode=1, size_bytes=1, modified_ns=1, changed_ns=1)


def window() -> Window:
    """Two database files, which stood still."""
    files = (status("/db/one/IRIS.DAT"), status("/db/two/IRIS.DAT"))
    return Window(
        log=Path("/freeze.log"),
        log_from_byte=0,
        text="harness",
        frozen=FreezeAnswer(called_s=1.0, returned_s=2.0, frozen_utc=_AT),
        thawed=ThawAnswer(suspended=True, called_s=4.0, returned_s=5.0, thawed_utc=_AT, message=""),
        captured_s=3.0,
        capture_duration_s=1.0,
        before=files,
        after=files,
        snapshot=Snapshot(provider="copy", location=Path("/snapshot"), paths=(Path(),)),
    )
