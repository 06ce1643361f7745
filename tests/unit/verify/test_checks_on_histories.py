"""The checks on histories that no engine made: each alteration is seen, and by the right check.

A history is simulated, printed as RVCHECK.m prints it, altered, and read back by the real reader.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.evidence.case import Evidence
from harness.evidence.state import RestoredState
from harness.model import RecoveryMode, Verdict
from tests.checks import CHECKS, judge_all
from tests.seen import history_row, seen
from tests.simulated import SEED, Nodes, nodes_after, played, walked

WRITERS, LAST = 3, 200


def simulated(last: int = LAST) -> Nodes:
    """After so many transactions of each writer, who take turns."""
    return nodes_after(WRITERS, played(WRITERS, list(range(1, WRITERS + 1)) * last))


def evidence(state: RestoredState) -> Evidence:
    vector = dict.fromkeys(range(1, WRITERS + 1), LAST)
    return seen(
        mode=RecoveryMode.AS_OF_FREEZE, seed=SEED, writers=WRITERS, floor=vector, ceiling=vector, state=state
    )


STATE_CHECKS = {"atomicity", "content", "consistent_cut", "floor", "ceiling"}


def failed(database: Nodes) -> set[str]:
    return {c.name for c in judge_all(evidence(walked(database, WRITERS))) if c.verdict is Verdict.FAIL}


def test_history_without_a_fault_passes() -> None:
    checks = {
        c.name: c.verdict for c in judge_all(evidence(walked(simulated(), WRITERS))) if c.name in STATE_CHECKS
    }
    assert dict.fromkeys(STATE_CHECKS, Verdict.PASS) == checks


def test_without_evidence_every_check_is_unknown() -> None:
    """Not checked is never passed."""
    empty = seen(image=None)
    assert dict.fromkeys(CHECKS, Verdict.UNKNOWN) == {c.name: c.verdict for c in judge_all(empty)}


def _half(d: Nodes) -> None:
    d.one[1] = LAST - 1


def _uncommitted(d: Nodes) -> None:
    d.history[2, LAST + 1] = history_row(SEED, 2, LAST + 1, 1, 2, 3, 1, 0, 0)


def _hole(d: Nodes) -> None:
    del d.history[1, 100]


def _twice(d: Nodes) -> None:
    amount = 5
    d.balances[1, 0] += amount
    d.balances[1, 1] -= amount


def _created(d: Nodes) -> None:
    d.balances[3, 7] += 1


def _altered(d: Nodes) -> None:
    value = d.history[2, 50]
    d.history[2, 50] = value[:-2] + (b"1" if value[-2:-1] != b"1" else b"2") + b"\n"


def _unreadable(d: Nodes) -> None:
    d.history[2, 50] = b"garbage\n"


def _ahead(d: Nodes) -> None:
    d.one[2] += 1
    d.two[2] += 1


def _killed_is_back(d: Nodes) -> None:
    d.temporaries[1, 8] = ("8", "-8")


def _large_cut(d: Nodes) -> None:
    d.large[1, 0] = d.large[1, 0][:-1]


def _counter_behind(d: Nodes) -> None:
    d.counter -= 1


def _foreign_writer(d: Nodes) -> None:
    d.one[9] = d.two[9] = 0


def _writer_gone(d: Nodes) -> None:
    for nodes in (d.one, d.two, d.confirmed):
        del nodes[3]
    for pairs in (d.balances, d.history, d.temporaries, d.large, d.trail):
        for key in [key for key in pairs if key[0] == 3]:
            del pairs[key]


@pytest.mark.parametrize(
    ("alter", "by"),
    [
        (_half, {"atomicity", "floor"}),
        (_uncommitted, {"atomicity", "ceiling"}),
        (_hole, {"atomicity", "content", "floor", "consistent_cut"}),
        (_twice, {"content"}),
        (_created, {"content"}),
        (_altered, {"content"}),
        (_unreadable, {"content"}),
        (_ahead, {"atomicity", "ceiling"}),
        (_killed_is_back, {"content"}),
        (_large_cut, {"content"}),
        (_counter_behind, {"content"}),
        (_foreign_writer, {"ceiling"}),
        (_writer_gone, {"floor", "consistent_cut"}),
    ],
)
def test_alteration_is_seen(alter: Callable[[Nodes], None], by: set[str]) -> None:
    database = simulated()
    alter(database)
    found = failed(database)
    assert by <= found, found


def test_older_writer_breaks_the_cut() -> None:
    """Each writer is whole for itself, but one is from an earlier instant than what others read of it."""
    state, older = walked(simulated(), WRITERS), walked(simulated(100), WRITERS)
    older_one = older.writers[1]
    older_one.history.reads.clear()
    mixed = replace(state, writers={**state.writers, 1: older_one})
    verdicts = {c.name: c.verdict for c in judge_all(evidence(mixed))}
    assert Verdict.FAIL is verdicts["consistent_cut"]
    assert Verdict.PASS is verdicts["atomicity"]
