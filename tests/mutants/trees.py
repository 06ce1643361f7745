"""A private copy of the checkout, in which a mutant lives for a moment. Nothing else is ever changed.

A copy has what git would keep, not what was installed or made. Its compiled files stay valid: only the one of the
changed file is taken away while it is changed, so that no process, however it is started, runs the wrong code.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_COPIED = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".mutants",
    ".hypothesis",
    ".*_cache",
    "__pycache__",
    "*.egg-info",
    "build",
    "node_modules",
)


class Tree:
    """The copy, and beside it the folders for everything that a test leaves."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self.state = folder / "state"
        self.temporary = folder / "tmp"

    @contextmanager
    def changed(self, file: str, data: bytes) -> Iterator[None]:
        """A file holds something else in the body, and whoever imports it there gets that."""
        path = self.root / file
        compiled = Path(importlib.util.cache_from_source(str(path)))
        before, status = path.read_bytes(), path.stat()
        kept = compiled.read_bytes() if compiled.exists() else None
        try:
            compiled.unlink(missing_ok=True)
            path.write_bytes(data)
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            if kept is not None:
                compiled.write_bytes(kept)

    def environment(self) -> dict[str, str]:
        """For whatever runs in it: nothing is kept elsewhere, and chance is the same each time."""
        return {
            **{
                key: value for key, value in os.environ.items() if not key.startswith(("HARNESS_", "PYTEST_"))
            },
            "PYTHONPATH": str(self.root),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
            "XDG_STATE_HOME": str(self.state),
            "TMPDIR": str(self.temporary),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.state / "hypothesis"),
        }

    def clean(self) -> None:
        """Nothing that a test left is there for the next one."""
        for folder in (self.state, self.temporary):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(exist_ok=True)


@contextmanager
def trees(root: Path, number: int) -> Iterator[list[Tree]]:
    """Copies of a checkout; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        made = [Tree(folder / str(n)) for n in range(number)]
        for tree in made:
            tree.root.parent.mkdir()
            shutil.copytree(root, tree.root, ignore=_ignored(root), symlinks=True)
            tree.clean()
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ignored(root: Path) -> object:
    def ignored(folder: str, names: list[str]) -> set[str]:
        results = {name for name in names if Path(folder) == root / "results" and name != "README.md"}
        return _NOT_COPIED(folder, names) | results

    return ignored
