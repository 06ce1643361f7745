"""Each number of a history node is compared, also where the balances were altered to go with it."""

from __future__ import annotations

from copy import deepcopy

import pytest

from harness.evidence.state import History
from harness.stages.walk import read_state
from tests.simulated import SEED, Nodes, lines_of_history, lines_of_summary, nodes_after, played
from tests.walkers import Printing

WRITERS, AT = 2, 32
NODES = nodes_after(WRITERS, list(played(WRITERS, [1, 2] * 60)))
FIELDS = ("sequence", "source", "target", "amount", "read_from", "read", "counter", "check")
"""In the order in which a node holds them (RVWORK.m); transaction 32 takes a value of the counter."""


def read(nodes: Nodes, number: int, line: bytes) -> History:
    """What is read of writer 1 if this stands in the place of the line of a transaction."""
    lines = lines_of_history(nodes, 1).split(b"\n")
    lines[number - 1] = line
    text = b"\n".join(lines)
    printing = Printing(lines_of_summary(nodes), lambda w: text if w == 1 else lines_of_history(nodes, w))
    return read_state(printing, SEED, WRITERS).writers[1].history  # type: ignore[arg-type]


def history(change: dict[str, int], gap: bool) -> History:
    """With numbers of transaction 32 so much larger; and a gap behind it, if asked for."""
    nodes = deepcopy(NODES)
    if gap:
        del nodes.history[1, AT + 6]
    numbers = [int(number) for number in lines_of_history(nodes, 1).split(b"\n")[AT - 1].split(b",")]
    altered = [number + change.get(name, 0) for name, number in zip(FIELDS, numbers, strict=True)]
    return read(nodes, AT, b",".join(b"%d" % number for number in altered))


@pytest.mark.parametrize("gap", [False, True])
@pytest.mark.parametrize("field", FIELDS)
def test_every_number_of_a_node_is_compared(field: str, gap: bool) -> None:
    found = history({field: 1}, gap)
    assert found.altered is not None and found.altered[0] == AT
    assert found.altered[1] != found.altered[2]


@pytest.mark.parametrize("gap", [False, True])
def test_nothing_is_altered_where_nothing_was(gap: bool) -> None:
    found = history({}, gap)
    assert found.altered is None
    assert found.missing == (AT + 6 if gap else 0)


def test_a_check_that_was_altered_to_go_with_the_counter_is_right_by_itself() -> None:
    """So that two transactions with one value of the counter are left to `content.counter_twice`."""
    assert history({"counter": 9973}, gap=False).altered is None


@pytest.mark.parametrize("line", [b"garbage", b"", b"1,2,3", b"10000000032"])
def test_a_node_of_another_shape_is_unreadable(line: bytes) -> None:
    """And the nodes around it are compared all the same."""
    found = read(NODES, AT, line)
    assert found.unreadable == (str(AT), line.decode())
    assert found.altered is None and found.last == 60


def test_the_first_of_two_unreadable_nodes_is_told() -> None:
    nodes = deepcopy(NODES)
    nodes.history[1, AT + 9] = b"later\n"
    assert read(nodes, AT, b"first").unreadable == (str(AT), "first")
