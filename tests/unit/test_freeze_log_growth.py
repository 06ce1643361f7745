"""A log of one freeze is small: one that grew by more than it can is not read as one, nor is memory filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ParseError
from harness.freeze_log import parse_appended

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
