"""Runs tests in children of a process that has imported everything heavy already: a tenth of a second a child.

This process is one of a few beside each other, each with a tree of its own (`trees`). It reads orders from standard
input and answers on standard output, a line of JSON each. A child is killed when one of its tests takes too long,
with everything that it started: what left its process group comes back to us, since we are the reaper of all below.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.mutants import imports
from tests.mutants.noting import EXAMPLES_MAX, Noting, fewer_examples, plain
from tests.mutants.trees import Tree

_COLLECTING_S = 60.0
"""So long may pass between two tests, and before the first one."""
_MEMORY_BYTES = 6 << 30
_PR_SET_CHILD_SUBREAPER = 36
_PASSED, _NO_TESTS = 0, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Tests for one child or several, until one fails.

    Attributes:
        stages: Names of test functions or files; a stage is a child.
        limits: Seconds for a test function; others have `limit_s`.
        file, start, end, new: What is changed meanwhile; nothing if there is no file.
        note: Note which lines are run.
    """

    stages: Sequence[Sequence[str]]
    limits: dict[str, float] = field(default_factory=dict)
    limit_s: float = 20.0
    file: str = ""
    start: int = 0
    end: int = 0
    new: str = ""
    note: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` is passed, failed or timeout; `by` the test that ended it; `said` the end of what was printed."""

    status: str
    by: str = ""
    said: str = ""
    seconds: float = 0.0
    noted: dict[str, Any] = field(default_factory=dict)


class Server:
    """Our end of such a process."""

    def __init__(self, tree: Tree, file: str = "") -> None:
        """`file` is the one to be changed: whatever does not import it is imported once for all children."""
        self.tree = tree
        self.file = file
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-m", "tests.mutants.forks", str(tree.root.parent), file],
            cwd=tree.root,
            env=tree.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def do(self, order: Order) -> Answer:
        """Raises RuntimeError if the process has ended."""
        assert self._process.stdin and self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(asdict(order)) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process that runs mutants has ended; was it killed for lack of memory?")
        return Answer(**json.loads(line))

    def end(self) -> None:
        """Nothing of it is left, a running child included; whoever waits for an answer gets an error."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """The same, when nobody waits."""
        assert self._process.stdin and self._process.stdout
        self.end()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()


# --- the process itself


def main() -> None:
    """Serve until standard input ends."""
    tree = Tree(Path(sys.argv[1]))
    _prepare(tree, sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing else may come between the answers
    try:
        for line in sys.stdin:
            answer = _done(tree, Order(**json.loads(line)))
            answers.write(json.dumps(asdict(answer)) + "\n")
            answers.flush()
    finally:
        _end_all()


def _prepare(tree: Tree, file: str) -> None:
    """Import what takes long and is not changed, and take in whatever is left behind below us."""
    heavy = (
        "numpy click rich.console yaml jsonschema tabulate junitparser tree_sitter tree_sitter_bash "
        "tree_sitter_batch concurrent.futures xml.dom.minidom importlib.metadata unittest.mock lzma mmap docker "
        "pytest _pytest.assertion.rewrite _pytest.junitxml hypothesis hypothesis.strategies hypothesis.stateful "
        "hypothesis.extra.numpy"
    )
    for name in heavy.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if file:
        _import_others(tree, file)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def _import_others(tree: Tree, file: str) -> None:
    for name in imports.untouched_by(tree.root, file):
        if not name.startswith("tests.mutants"):
            importlib.import_module(name)
    changed = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert changed not in sys.modules, f"{changed} was imported before it is changed"


def _done(tree: Tree, order: Order) -> Answer:
    began = time.monotonic()
    answer = Answer(status="passed")
    with _change(tree, order):
        for stage in order.stages:
            tree.clean()
            answer = _in_child(tree, order, list(stage))
            if answer.status != "passed":
                break
    return Answer(**{**asdict(answer), "seconds": time.monotonic() - began})


@contextlib.contextmanager
def _change(tree: Tree, order: Order) -> Iterator[None]:
    if not order.file:
        yield
        return
    data = (tree.root / order.file).read_bytes()
    with tree.changed(order.file, data[: order.start] + order.new.encode() + data[order.end :]):
        yield


def _in_child(tree: Tree, order: Order, tests: list[str]) -> Answer:
    told, telling = os.pipe()
    log = tree.root.parent / "log"
    child = os.fork()
    if child == 0:
        os.close(told)
        _be_child(tree, order, tests, telling, log)
    os.close(telling)
    try:
        answer = _watch(told, order)
    finally:
        os.close(told)
        _end_all()
    if answer.status != "passed":
        return Answer(**{**asdict(answer), "said": log.read_text(errors="replace")[-2000:]})
    return answer


def _watch(told: int, order: Order) -> Answer:
    """Read what the child tells, until it ends or one of its tests takes too long."""
    begun, test, due = b"", "", time.monotonic() + _COLLECTING_S
    noted: dict[str, Any] = {}
    status, failed = "", ""
    while True:
        if not select.select([told], [], [], max(0.0, due - time.monotonic()))[0]:
            return Answer(status="timeout", by=plain(test) or "(collection)")
        read = os.read(told, 1 << 16)
        if not read:
            break
        *lines, begun = (begun + read).split(b"\n")
        for word, _, rest in (line.decode().partition(" ") for line in lines):
            if word == "begins":
                test, due = rest, time.monotonic() + order.limits.get(plain(rest), order.limit_s)
            elif word == "ended":
                due = time.monotonic() + _COLLECTING_S
            elif word == "failed":
                failed = failed or rest
            elif word == "noted":
                noted = json.loads(rest)
            elif word == "status":
                status = rest
    if status == str(_PASSED) or (noted and status):
        return Answer(status="passed", noted=noted)
    if status == str(_NO_TESTS):
        return Answer(status="passed", by="(no tests)")
    return Answer(status="failed", by=failed or f"(status {status or 'none'})")


def _end_all() -> None:
    """Every process below us ends, in whichever group it is."""
    while children := _children():
        for child in children:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    if kill is os.kill or os.getpgid(child) == child:
                        kill(child, signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> list[int]:
    own = os.getpid()
    found = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    return [int(child) for child in found]


# --- the child


class _Telling:
    """Tells the process above of every test."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._own = os.getpid()

    def tell(self, word: str, rest: str) -> None:
        if os.getpid() == self._own:
            left = memoryview(f"{word} {rest}".replace("\n", "\\n").encode() + b"\n")
            while left:
                left = left[os.write(self._descriptor, left) :]

    def pytest_sessionstart(self) -> None:
        """A failure need not be made small: it is enough that there is one."""
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", settings(), phases=phases, database=None)
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        fewer_examples(items, EXAMPLES_MAX)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.tell("begins", nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.tell("ended", nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.tell("failed", plain(report.nodeid))

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.tell("failed", f"(collection of {report.nodeid})")


def _be_child(tree: Tree, order: Order, tests: list[str], telling: int, log: Path) -> None:
    """Never returns."""
    status = 99
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for here, there in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
            os.dup2(here, there)
        os.set_inheritable(telling, False)
        status = _run(tree, order, tests, _Telling(telling))
    finally:
        sys.stdout.flush()
        os._exit(status)


def _run(tree: Tree, order: Order, tests: list[str], telling: _Telling) -> int:
    import pytest

    sys.dont_write_bytecode = not order.note
    if not order.note:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    noting = Noting(tree.root) if order.note else None
    argv = [
        "-q",
        "--no-header",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--hypothesis-seed=0",
    ]
    argv += ["-W", "ignore::pytest.PytestAssertRewriteWarning", f"--basetemp={tree.temporary / 'pytest'}"]
    argv += [f"--rootdir={tree.root}", "-c", str(tree.root / "pyproject.toml")]
    status = int(
        pytest.main([*argv, *([] if noting else ["-x"]), *tests], [telling, *filter(None, [noting])])
    )
    if noting:
        telling.tell("noted", json.dumps(_noted(noting)))
    telling.tell("status", str(status))
    return status


def _noted(noting: Noting) -> dict[str, Any]:
    lines = {
        file: {test: sorted(run) for test, run in tests.items() if run}
        for file, tests in noting.lines.items()
    }
    return {
        "lines": lines,
        "seconds": dict(noting.seconds),
        "costs": dict(noting.costs),
        "failed": sorted(noting.failed),
    }


if __name__ == "__main__":
    main()
