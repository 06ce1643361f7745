"""What an open transaction left in an image is taken back as a recovery does it, and nothing else is forgiven."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from harness.evidence.state import RestoredState
from harness.model import RecoveryMode, Verdict
from harness.stages.open_transactions import taken_back
from harness.workload import oracle
from tests.checks import judge_all
from tests.property.test_histories_model import CHECKS, State, states
from tests.seen import seen
from tests.simulated import SEED, Done, Nodes, lines_of_history, lines_of_summary, walked


def steps(done: Done) -> list[Callable[[Nodes], None]]:
    """The updates of a transaction in the order of RVWORK.m, but for the last one, which ends it for the walk."""
    w, i = done.writer, done.i

    def move(account: int, amount: int) -> Callable[[Nodes], None]:
        return lambda nodes: nodes.balances.__setitem__((w, account), nodes.balances[w, account] + amount)

    found = [move(done.source, -done.amount), move(done.target, done.amount)]
    if i % oracle.TRAIL_EVERY == 0:
        found.append(lambda nodes: nodes.trail.__setitem__((w, i), oracle.trail_row(i, done.amount)))
    found.append(lambda nodes: nodes.history.__setitem__((w, i), done.row))
    if i % oracle.TEMPORARY_EVERY == 0:
        found.append(lambda nodes: nodes.temporaries.__setitem__((w, i), (str(i), "")))
        found.append(lambda nodes: nodes.temporaries.__setitem__((w, i), (str(i), str(-i))))
        found.append(lambda nodes: nodes.temporaries.pop((w, i - oracle.TEMPORARY_KEPT), None) and None)
    if i % oracle.LARGE_EVERY == 0:
        slot = i // oracle.LARGE_EVERY % oracle.LARGE_SLOTS
        value = oracle.large_values(SEED, w, i)[slot]
        found.append(lambda nodes: nodes.large.__setitem__((w, slot), value))
    found.append(lambda nodes: nodes.one.__setitem__(w, i))
    return found


def printed(state: State) -> list[bytes]:
    histories = [lines_of_history(state.nodes, w) for w in range(1, state.writers + 1)]
    return [lines_of_summary(state.nodes), *histories]


def made(state: State, some: list[Callable[[Nodes], None]]) -> State:
    """The state after these steps; the one given is not changed."""
    after = replace(state, nodes=deepcopy(state.nodes))
    for step in some:
        step(after.nodes)
    return after


def failed(state: State, there: RestoredState) -> set[str]:
    evidence = seen(
        mode=RecoveryMode.AS_OF_FREEZE,
        seed=SEED,
        writers=state.writers,
        floor=state.floor,
        ceiling=state.ceiling,
        state=there,
    )
    return {c.name for c in judge_all(evidence) if c.name in CHECKS and c.verdict is Verdict.FAIL}


def following(state: State) -> list[Done]:
    """The next transaction of each writer, which has read what was confirmed by then."""
    there = set(state.nodes.history)
    found = [
        next(one for one in state.every if one.writer == w and (w, one.i) not in there)
        for w in range(1, state.writers + 1)
    ]
    return [replace(one, read=min(one.read, state.nodes.confirmed[one.other])) for one in found]


@given(states(least=1), st.data())
def test_what_was_open_is_taken_back(state: State, data: st.DataObject) -> None:
    """Of any number of writers, after any of its updates: then every check passes."""
    for done in following(state):
        every = steps(done)
        for step in every[: data.draw(st.integers(0, len(every)))]:
            step(state.nodes)
    assert set() == failed(state, taken_back(walked(state.nodes, state.writers), SEED, state.writers))


@given(states(least=1), st.data())
def test_nothing_else_is_forgiven(state: State, data: st.DataObject) -> None:
    """Some of the updates, and not the first ones: no engine leaves that.

    A step may undo or repeat another one's work, so what counts is what is there, not which steps were made.
    """
    done = data.draw(st.sampled_from(following(state)))
    every = steps(done)
    chosen = data.draw(st.lists(st.booleans(), min_size=len(every), max_size=len(every)))
    beginnings = [printed(made(state, every[:count])) for count in range(len(every) + 1)]
    state = made(state, [step for step, wanted in zip(every, chosen, strict=True) if wanted])
    assume(printed(state) not in beginnings)
    assert failed(state, taken_back(walked(state.nodes, state.writers), SEED, state.writers))


@given(states())
def test_a_state_without_an_open_transaction_stays_as_it_is(state: State) -> None:
    there = walked(state.nodes, state.writers)
    back = taken_back(there, SEED, state.writers)
    assert {w: (s.one, s.two, s.balances) for w, s in there.writers.items()} == {
        w: (s.one, s.two, s.balances) for w, s in back.writers.items()
    }
    assert failed(state, there) == failed(state, back) == set()
