"""Which test files can see a module at all, told from imports alone: the others need not be run to find out.

Adapters are found by entry point, so whatever imports `harness.plugins` counts as importing all of them. What a
conftest imports does not count: its fixtures start engines, and tests with an engine are not run for mutants.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

FOLDERS = ("tests/unit", "tests/property")
ALONE = ("tests/detection/test_evidence.py",)
"""Tests of other folders that need no engine."""
ANYWAY = {"harness/session/watchdog.py": ("tests/unit/test_watchdog.py",)}
"""Modules that run as a process of their own, where nobody notes lines: these tests see all of them."""


def test_files(root: Path) -> list[str]:
    """Every test file that may be run for a mutant, as paths below the root."""
    found = [file for folder in FOLDERS for file in sorted((root / folder).rglob("test_*.py"))]
    kept = [file.relative_to(root).as_posix() for file in found]
    # the tests of the mutator start mutators
    kept = [file for file in kept if not file.startswith("tests/unit/mutants/")]
    return [*kept, *(file for file in ALONE if (root / file).exists())]


def that_may_see(root: Path, files: Iterable[str]) -> list[str]:
    """The test files that import, by however many steps, one of some files."""
    wanted = set(files)
    return [test for test in test_files(root) if wanted & reached(root, test)]


def untouched_by(root: Path, file: str) -> list[str]:
    """Names of the modules that can be imported without importing a file: adapters are found only when asked for."""
    folders = (root / "harness", root / "tests")
    found = (one.relative_to(root) for folder in folders for one in sorted(folder.rglob("*.py")))
    plain = [one for one in found if not one.name.startswith(("test_", "__main__")) and _is_module(root, one)]
    kept = [one for one in plain if file not in reached(root, one.as_posix(), adapters=False)]
    return [".".join(one.with_suffix("").parts).removesuffix(".__init__") for one in kept]


def _is_module(root: Path, file: Path) -> bool:
    return all((root / folder / "__init__.py").exists() for folder in list(file.parents)[:-1])


def names_it(root: Path, test: str, file: str) -> bool:
    """Whether a test file imports a file itself."""
    return file in _imported(root, test, False)


@cache
def reached(root: Path, file: str, *, adapters: bool = True) -> frozenset[str]:
    """The files of this project that a file imports, and those that they import, itself included."""
    found: set[str] = set()
    left = [file]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left.extend(_imported(root, one, adapters))
    return frozenset(found)


@cache
def _imported(root: Path, file: str, adapters: bool) -> frozenset[str]:
    names = set(_above(".".join(Path(file).with_suffix("").parts)))
    for node in ast.walk(ast.parse((root / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    names |= {above for name in names for above in _above(name)}
    if adapters and "harness.plugins" in names:
        names |= _adapters(root)
    return frozenset(path for name in names if name and (path := _file_of(root, file, name)))


def _above(name: str) -> list[str]:
    """The packages that a module lies in: they are imported before it."""
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _file_of(root: Path, importer: str, name: str) -> str | None:
    """A module of the project, or one that lies beside its importer, as modules of tests do."""
    below = name.replace(".", "/")
    beside = (Path(importer).parent / below).as_posix()
    for path in (f"{below}.py", f"{below}/__init__.py", f"{beside}.py"):
        if (root / path).is_file():
            return path
    return None


@cache
def _adapters(root: Path) -> frozenset[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = project.get("entry-points", {}).values()
    return frozenset(value.partition(":")[0] for group in groups for value in group.values())
