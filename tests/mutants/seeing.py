"""Which tests see a line: noted by running each test file once by itself, and remembered while nothing has changed.

What is remembered lies in .mutants/ in the checkout, a file for each test file, under a name that is made from the
test file, all that tests share, and the whole harness. A test that fails without a mutant is not used, and said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants import imports
from tests.mutants.noting import SHARED
from tests.mutants.operators import Mutant

CACHE = ".mutants"
_LEAST_LIMIT_S, _TIMES = 15.0, 2.0
"""A test may take so many times longer than when it was watched, at least so many seconds: a machine may be busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of one test file.

    Attributes:
        lines: File → test function → lines; `SHARED` stands for all of them.
        seconds: How long each took; `costs`: how long the processor was at it, which is the same on a busy machine.
    """

    lines: dict[str, dict[str, frozenset[int]]]
    seconds: dict[str, float]
    costs: dict[str, float]
    failed: tuple[str, ...]

    @staticmethod
    def of(noted: dict[str, Any]) -> Seen:
        return Seen(
            lines={
                file: {test: frozenset(run) for test, run in tests.items()}
                for file, tests in noted["lines"].items()
            },
            seconds=noted["seconds"],
            costs=noted["costs"],
            failed=tuple(noted["failed"]),
        )

    def tests(self, test_file: str, mutant: Mutant, *, named: bool) -> set[str]:
        """Names of the functions that run the line; for what runs at import those that run anything of the module,
        and all of a file that names the module, since they may read what was made then.
        """
        usable = set(self.seconds) - set(self.failed)
        if test_file in imports.ANYWAY.get(mutant.file, ()) or (named and mutant.run_lines is None):
            return usable
        found: set[str] = set()
        for test, run in self.lines.get(mutant.file, {}).items():
            if mutant.run_lines is None or not run.isdisjoint(mutant.run_lines):
                found |= usable if test == SHARED else {test}
        return found & usable


class Memory:
    """What is remembered, by test file."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / CACHE / "seen"
        self._common = _digest(root, _shared_files(root))

    def get(self, test_file: str) -> Seen | None:
        path = self._path(test_file)
        return Seen.of(json.loads(path.read_text())) if path.exists() else None

    def put(self, test_file: str, noted: dict[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(test_file)
        for old in self._folder.glob(f"{_stem(test_file)}.*"):
            old.unlink()
        path.write_text(json.dumps(noted))

    def _path(self, test_file: str) -> Path:
        digest = _digest(self._root, [test_file], self._common)
        return self._folder / f"{_stem(test_file)}.{digest}.json"


def _stem(test_file: str) -> str:
    return test_file.removesuffix(".py").replace("/", "-")


def _shared_files(root: Path) -> list[str]:
    """The harness, and what lies in tests and is no test; without the mutator itself."""
    found = [file for folder in ("harness", "tests") for file in (root / folder).rglob("*")]
    names = (file.relative_to(root).as_posix() for file in found if file.is_file())
    mutator = ("tests/mutants/", "tests/unit/mutants/")
    return sorted(
        name
        for name in names
        if not name.startswith(mutator)
        and "__pycache__" not in name
        and not Path(name).name.startswith("test_")
    )


def _digest(root: Path, files: Iterable[str], more: str = "") -> str:
    whole = hashlib.sha256(more.encode())
    for file in files:
        whole.update(file.encode() + b"\0" + hashlib.sha256((root / file).read_bytes()).digest())
    return whole.hexdigest()[:20]


class Killers:
    """Which test noticed a mutant the last time: it is tried first."""

    def __init__(self, root: Path) -> None:
        self._file = root / CACHE / "killers.json"
        self._known: dict[str, str] = {}
        if self._file.exists():
            self._known = json.loads(self._file.read_text())

    def of(self, mutant: Mutant) -> str:
        return self._known.get(_name(mutant), "")

    def note(self, mutant: Mutant, test: str) -> None:
        self._known[_name(mutant)] = test

    def keep(self) -> None:
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_text(json.dumps(self._known))


def _name(mutant: Mutant) -> str:
    return "\n".join((mutant.file, mutant.function, mutant.was, mutant.becomes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What all test files see together."""

    root: Path
    by_file: dict[str, Seen]

    def limits(self, tests: Iterable[str]) -> dict[str, float]:
        return {test: max(_LEAST_LIMIT_S, _TIMES * self._of(test).seconds[test]) for test in tests}

    def cost(self, test: str) -> float:
        return self._of(test).costs[test]

    def _of(self, test: str) -> Seen:
        return self.by_file[test.partition("::")[0]]

    def failed(self) -> list[str]:
        return sorted(test for seen in self.by_file.values() for test in seen.failed)

    def tests(self, mutant: Mutant) -> list[str]:
        """Those that may notice a mutant; those of files that name the module first, and the cheapest first."""
        named = {file: imports.names_it(self.root, file, mutant.file) for file in self.by_file}
        found = {
            test: not named[file]
            for file, seen in self.by_file.items()
            for test in seen.tests(file, mutant, named=named[file])
        }
        return sorted(found, key=lambda test: (found[test], self.cost(test), test))
