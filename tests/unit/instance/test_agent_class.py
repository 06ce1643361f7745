"""Agent.cls, as far as it can be judged without IRIS: it parses, and it has the verbs of the protocol.

The grammar is InterSystems' own (tree-sitter-objectscript). That the class works is for a real IRIS to show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_objectscript
from tree_sitter import Language, Node, Parser

AGENT = Path(__file__).parents[3] / "harness" / "instance" / "agent"
SOURCE = (AGENT / "Agent.cls").read_text()
PARSER = Parser(Language(tree_sitter_objectscript.language_objectscript()))


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def mistakes(source: str) -> list[str]:
    """Place and text of everything the grammar does not accept."""
    root = PARSER.parse(source.encode()).root_node
    return [
        f"line {node.start_point.row + 1}: {node.type} {(node.text or b'').decode()[:60]!r}"
        for node in nodes(root)
        if node.type == "ERROR" or node.is_missing
    ]


def methods(private: bool) -> dict[str, str]:
    """Source of each class method by name."""
    pattern = re.compile(
        r"^ClassMethod (\w+)\(.*?\)(?: As [%\w.]+)?( \[ Private \])?\n\{\n(.*?)^\}", re.M | re.S
    )
    found = pattern.findall(SOURCE)
    assert len(found) == SOURCE.count("\nClassMethod "), "a class method that this pattern does not find"
    return {name: body for name, is_private, body in found if bool(is_private) == private}


def verbs() -> dict[str, str]:
    """Verbs of the protocol's table with their column of arguments."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", (AGENT / "protocol.md").read_text(), re.M)
    return dict(rows)


def test_class_parses() -> None:
    """The class has no line that InterSystems' grammar does not accept."""
    assert mistakes(SOURCE) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("set problem = ..TextOf(error)", "set problem = = ..TextOf(error)"),
        ("} catch error {", "} catch error"),
        ("do ..EmitPosition()", "do ..EmitPosition("),
        ("ClassMethod Position()", "ClassMethod Position("),
    ],
)
def test_grammar_notices(good: str, bad: str) -> None:
    """The grammar is strict enough for the test above to mean something."""
    assert good in SOURCE
    assert mistakes(SOURCE.replace(good, bad, 1)) != []


def test_verbs_are_those_of_the_protocol() -> None:
    """Every verb of the protocol is a class method, and every public class method a verb."""
    assert sorted(methods(private=False)) == sorted(verbs())


@pytest.mark.parametrize("verb", sorted(methods(private=False)))
def test_verb_ends_the_session(verb: str) -> None:
    """A verb catches what goes wrong and ends through Finish, and nowhere else."""
    body = methods(private=False)[verb]
    assert body.startswith('    set problem = ""\n    try {\n')
    assert body.endswith("    do ..Finish(problem)\n")
    assert body.count("..Finish(") == 1
    assert "} catch error {" in body
    assert not re.search(r"^\s*(return|halt)\b", body, re.M)


def test_exit_statuses_stand_in_one_place() -> None:
    """Only Finish ends the process, with 5 or 3."""
    assert SOURCE.count("Process.Terminate(") == 1
    assert 'Terminate($job, $select(problem = "": 5, 1: 3))' in methods(private=True)["Finish"]


def test_every_private_method_is_used() -> None:
    """No dead code, and no call of a method that is not there."""
    called = set(re.findall(r"(?<![\w)])\.\.(\w+)\(", SOURCE))
    assert called == set(methods(private=True))


def test_no_verb_names_a_global_of_the_workload() -> None:
    """What the workload writes is known to RVWORK and RVCHECK; the class only reads journals of it."""
    assert re.findall(r"\^RV[AB]\w*\(", re.sub(r"^///.*$", "", SOURCE, flags=re.M)) == []
