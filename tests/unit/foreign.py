"""What belongs to somebody else, beside what a test may remove."""

from __future__ import annotations

from pathlib import Path

_CONTENT = "last year's backup"


def made(parent: Path) -> Path:
    """A folder with a file in it that must stay."""
    folder = parent / "foreign"
    folder.mkdir()
    (folder / "precious").write_text(_CONTENT)
    return folder


def is_whole(folder: Path) -> bool:
    return (folder / "precious").read_text() == _CONTENT
