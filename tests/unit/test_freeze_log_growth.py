"""A log of one freeze is small: one that grew by more than it can is not read as one, nor is memory filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ParseError, PreconditionError
from harness.freeze_log import parse, parse_appended, size_bytes

MOST = 4 << 20


@pytest.mark.parametrize("before", [0, 10])
def test_four_megabytes_are_the_most(tmp_path: Path, before: int) -> None:
    """A blank line says nothing, so what is read of them is no freeze."""
    log = tmp_path / "freeze.log"
    log.write_bytes(b" " * (before + MOST))
    assert () == parse_appended(log, before)
    log.write_bytes(b" " * (before + MOST + 1))
    with pytest.raises(ParseError, match=f"grew by more than {MOST} bytes"):
        parse_appended(log, before)


def test_a_freeze_without_a_journal_to_start_with_is_not_complete() -> None:
    """A marker alone names no file that a roll-forward could begin with."""
    stamp = "11/25/2026 12:00:00: Backup.General.ExternalFreeze: "
    start = f"{stamp}Start a journal restore for this backup with journal file: /mgr/journal/20261122.001\n"
    marker = "Journal marker set at\noffset 50 of /mgr/journal/20261122.001\n"
    for text, complete in ((start + marker, True), (marker, False), (start, False)):
        (entry,) = parse(f"{stamp}Suspending system\n{text}{stamp}System suspended\n", "log")
        assert complete is entry.complete


def test_a_log_that_cannot_be_read_is_an_error_and_no_empty_one(tmp_path: Path) -> None:
    """A stale log fails a backup; that nobody could look does not."""
    (tmp_path / "file").touch()
    for log in (tmp_path / "file" / "freeze.log", tmp_path):
        with pytest.raises(PreconditionError, match="cannot be read"):
            parse_appended(log, 0)
    with pytest.raises(PreconditionError, match="cannot be read"):
        size_bytes(tmp_path / "file" / "freeze.log")
    assert 0 == size_bytes(tmp_path / "none")
