"""Fixtures that several unit tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit import foreign as foreign_


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of somebody else: `tests.unit.foreign.is_whole` tells whether it is untouched."""
    return foreign_.made(tmp_path)
