"""A plug-in of pytest that notes which test runs which lines of the code that is changed.

What a fixture of a module or a session runs, and what a function runs that keeps its result (`functools.cache`),
counts for all tests of the file: it is run once for all of them. Watching is slow, so a property is noted with a few
examples, and a function that a test calls again and again is not watched for ever: then all its lines count as run,
so that a test is rather run in vain than left out.
"""

from __future__ import annotations

import functools
import gc
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

SHARED = ""
"""Stands for all tests of a file."""
EXAMPLES_MAX = 10
"""So many examples a property gets for a mutant: what only a hundred would notice survives here."""
_CALLS_MAX, _EXAMPLES = 5, 3
_Left = dict[CodeType, set[int] | None]
"""The lines of each function that nobody has run yet; None for what is of no interest."""


def plain(nodeid: str) -> str:
    """The name of a test function without its parameters: all cases of it are run together."""
    return nodeid.partition("[")[0]


def fewer_examples(items: list[pytest.Item], most: int) -> dict[str, int]:
    """Let no property have more examples than this; returns those that had, with how many."""
    from hypothesis import settings

    had = {}
    for item in items:
        function = getattr(item, "obj", None)
        asked = getattr(function, "_hypothesis_internal_use_settings", None)
        if isinstance(function, FunctionType) and asked and asked.max_examples > most:
            had[plain(item.nodeid)] = asked.max_examples
            function._hypothesis_internal_use_settings = settings(asked, max_examples=most)  # type: ignore[attr-defined]
    return had


class Noting:
    """Lines of files below a folder, for each test function, with its seconds and those of the processor."""

    def __init__(self, root: Path) -> None:
        self._folder = f"{root / 'harness'}/"
        self._left: _Left = {}
        self._calls: dict[CodeType, int] = {}
        self._keeping: frozenset[CodeType] | None = None
        self._root = root
        self.lines: defaultdict[str, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.costs: defaultdict[str, float] = defaultdict(float)
        self.failed: set[str] = set()
        self._times: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A property is watched with few examples; its seconds are reckoned for as many as it gets later."""
        asked = fewer_examples(items, _EXAMPLES)
        self._times = {test: min(number, EXAMPLES_MAX) / _EXAMPLES for test, number in asked.items()}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._begin()
        test, began = plain(item.nodeid), time.process_time()
        try:
            return (yield)
        finally:
            self._end(test)
            self.costs[test] += (time.process_time() - began) * self._times.get(test, 1.0)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: Any) -> Iterator[object]:
        if fixturedef.scope == "function":
            return (yield)
        before, self._left = self._left, {}
        try:
            return (yield)
        finally:
            self._note(SHARED)
            self._left = before

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = plain(report.nodeid)
        self.seconds[test] += report.duration * self._times.get(test, 1.0)
        if report.failed:
            self.failed.add(plain(report.nodeid))

    def _begin(self) -> None:
        self._left = {}
        self._calls = {}
        threading.settrace(self._called)
        sys.settrace(self._called)

    def _end(self, test: str) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        self._note(test)

    def _note(self, test: str) -> None:
        for code, left in list(self._left.items()):
            if left is not None:
                file = Path(code.co_filename).relative_to(self._root).as_posix()
                self.lines[file][test] |= _lines(code) - left
        self._left = {}

    def _called(self, frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        if code in self._that_keep():
            return self._until_returned()
        if code not in self._left:
            self._left[code] = set(_lines(code)) if code.co_filename.startswith(self._folder) else None
            self._calls[code] = 0
        left = self._left[code]
        if not left:
            return None
        self._calls[code] = calls = self._calls.get(code, 0) + 1
        if calls > _CALLS_MAX:
            left.clear()
            return None
        return self._line

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        left = self._left.get(frame.f_code)
        if not left:
            return None
        left.discard(frame.f_lineno)
        return self._line

    def _until_returned(self) -> Any:
        """What is run until a function returns counts for all tests."""
        before, self._left = self._left, {}

        def watch(frame: FrameType, event: str, arg: object) -> Any:
            self._mark(frame)
            if event == "return":
                self._note(SHARED)
                self._left = before
            return watch

        return watch

    def _mark(self, frame: FrameType) -> None:
        code = frame.f_code
        if code.co_filename.startswith(self._folder):
            left = self._left.setdefault(code, set(_lines(code)))
            assert left is not None
            left.discard(frame.f_lineno)

    def _that_keep(self) -> frozenset[CodeType]:
        if self._keeping is None:
            kept = (one for one in gc.get_objects() if isinstance(one, functools._lru_cache_wrapper))
            wrapped = (getattr(one, "__wrapped__", None) for one in kept)
            codes = (getattr(one, "__code__", None) for one in wrapped)
            ours = (str(self._root / "harness"), str(self._root / "tests"))
            self._keeping = frozenset(code for code in codes if code and code.co_filename.startswith(ours))
        return self._keeping


@functools.cache
def _lines(code: CodeType) -> frozenset[int]:
    return frozenset(line for _, _, line in code.co_lines() if line)
