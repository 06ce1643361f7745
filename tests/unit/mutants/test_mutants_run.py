"""The whole of it on a toy module: a weak test leaves a survivor, a strong one none, and nothing is left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.mutants.forks import Answer, Order, Server
from tests.mutants.operators import Mutant, mutants_of
from tests.mutants.seeing import Seen
from tests.mutants.spans import Source
from tests.mutants.trees import ROOT, Tree, trees

TOY = "harness/toy.py"
TEXT = '''"""A toy."""

def is_short(size):
    if size <= 3:
        return True
    return False

def never(size):
    return size + 1
'''
WEAK = """
import harness.toy

def test_weak():
    assert harness.toy.is_short(1)
    assert not harness.toy.is_short(9)
"""
STRONG = """
import harness.toy

def test_strong():
    assert [True, True, False] == [harness.toy.is_short(n) for n in (2, 3, 4)]
"""
HANGS = """
import os, subprocess, time

def test_hangs():
    process = subprocess.Popen(["sleep", "300"], start_new_session=True)
    open("{pid}", "w").write(str(process.pid))
    time.sleep(300)
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A checkout of almost nothing, with the mutator in it."""
    root = tmp_path_factory.mktemp("checkout")
    for name in (
        "tests/__init__.py",
        *(f"tests/mutants/{one.name}" for one in (ROOT / "tests/mutants").glob("*.py")),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text((ROOT / name).read_text())
    (root / "harness").mkdir()
    (root / "harness/__init__.py").write_text("")
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (root / TOY).write_text(TEXT)
    (root / "tests/test_weak.py").write_text(WEAK)
    (root / "tests/test_strong.py").write_text(STRONG)
    (root / "tests/test_hangs.py").write_text(HANGS.format(pid=root / "pid"))
    with trees(root, 1) as (made,):
        yield made
    assert not made.root.parent.exists()


@pytest.fixture(scope="module")
def server(tree: Tree) -> object:
    made = Server(tree)
    yield made
    made.close()


def tried(server: Server, mutant: Mutant, test: str) -> Answer:
    change = {"file": TOY, "start": mutant.span.start, "end": mutant.span.end, "new": mutant.new}
    return server.do(Order(stages=[[test]], **change))  # type: ignore[arg-type]


def test_a_weak_test_leaves_a_survivor_and_a_strong_one_none(server: Server, tree: Tree) -> None:
    found = [one for one in mutants_of(Source(TOY, TEXT)) if one.function == "is_short"]
    weak = {one.becomes: tried(server, one, "tests/test_weak.py").status for one in found}
    strong = {one.becomes: tried(server, one, "tests/test_strong.py").status for one in found}
    assert {"if size < 3:", "if size <= 4:", "if size <= 2:"} == {k for k, v in weak.items() if v == "passed"}
    assert {"failed"} == set(strong.values())
    assert TEXT == (tree.root / TOY).read_text(), "each is taken back"


def test_which_test_noticed_is_told(server: Server) -> None:
    mutant = next(one for one in mutants_of(Source(TOY, TEXT)) if one.becomes == "if size < 3:")
    assert "tests/test_strong.py::test_strong" == tried(server, mutant, "tests/test_strong.py").by


def test_a_module_that_cannot_be_imported_is_noticed(server: Server) -> None:
    answer = server.do(Order(stages=[["tests/test_weak.py"]], file=TOY, start=0, end=0, new="1/0\n"))
    assert "failed" == answer.status


def test_without_a_change_the_tests_pass(server: Server) -> None:
    assert "passed" == server.do(Order(stages=[["tests/test_weak.py"], ["tests/test_strong.py"]])).status


def test_one_that_hangs_is_ended_with_all_that_it_started(server: Server, tree: Tree) -> None:
    began = time.monotonic()
    answer = server.do(Order(stages=[["tests/test_hangs.py"]], limit_s=2.0))
    assert ("timeout", "tests/test_hangs.py::test_hangs") == (answer.status, answer.by)
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(_pid_of(tree), 0)


def _pid_of(tree: Tree) -> int:
    text = (tree.root / "tests/test_hangs.py").read_text()
    return int(Path(text.split('open("')[1].split('"')[0]).read_text())


def test_lines_are_noted_for_each_test(server: Server) -> None:
    noted = server.do(Order(stages=[["tests/test_weak.py"]], note=True)).noted
    seen = Seen.of(noted)
    by_line = {
        one.line: seen.tests("tests/test_weak.py", one, named=True) for one in mutants_of(Source(TOY, TEXT))
    }
    test = {"tests/test_weak.py::test_weak"}
    assert {4: test, 5: test, 6: test, 9: set()} == by_line


def test_the_checkout_itself_is_not_changed(tree: Tree) -> None:
    assert ROOT not in tree.root.parents
    with tree.changed(TOY, b"other"):
        assert "other" == (tree.root / TOY).read_text()
    assert TEXT == (tree.root / TOY).read_text()
    assert str(tree.state) == tree.environment()["XDG_STATE_HOME"]
