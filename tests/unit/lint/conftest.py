"""What the tests of the lint rules share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.lint import lint

Broken = Callable[[str, str], list[str]]


@pytest.fixture
def broken(tmp_path: Path) -> Broken:
    """The rules that a script breaks, in the order of its lines."""

    def found(text: str, name: str) -> list[str]:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return [one.rule for one in lint([file], shellcheck=False).violations]

    return found
