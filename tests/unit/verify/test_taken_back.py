"""A transaction that was open at the freeze is taken back after each of its updates; anything else stays as it is.

Too little is taken back: a good backup of IRIS fails. Too much: a bad one passes.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from harness.evidence.state import RestoredState, WriterState
from harness.stages.open_transactions import taken_back
from harness.workload import oracle
from tests.simulated import SEED
from tests.whole import WRITERS, state_after

WRITER = 2
OF_EACH_KIND = (1, 7, 8, 16, 64, 72, 80, 144)
"""The first; plain; with a trail and a temporary node; counted, with a large value; the first ones for which an older
node is killed or overwritten; all of it.
"""

Step = Callable[[WriterState], object]


def writer_after(transactions: int) -> WriterState:
    return state_after(transactions).writers[WRITER]


def steps(i: int) -> list[Step]:
    """The updates of transaction i in the order of RVWORK.m; its last one, in database two, ends it for a walk."""
    before, after = writer_after(i - 1), writer_after(i)
    found: list[Step] = []

    def balance(account: int) -> Step:
        return lambda one: one.balances.update({account: after.balances[account]})

    def record(one: WriterState) -> None:
        one.history = replace(after.history, trail=one.history.trail)

    done = oracle.effects(SEED, WRITER, WRITERS, np.array([i]))
    found += [balance(int(done.source[0])), balance(int(done.target[0]))]
    if i % 8 == 0:
        found.append(lambda one: setattr(one.history, "trail", after.history.trail))
    found.append(record)
    if i % 8 == 0:
        found.append(lambda one: one.temporaries.update({i: (str(i), "")}))
        found.append(lambda one: one.temporaries.update({i: (str(i), str(-i))}))
        found += [lambda one: one.temporaries.pop(i - 64, None)] if i - 64 in before.temporaries else []
    if i % 16 == 0:
        found.append(lambda one: one.large.update({i // 16 % 4: after.large[i // 16 % 4]}))
    return [*found, lambda one: setattr(one, "one", i)]


def made(i: int, chosen: list[Step]) -> WriterState:
    there = writer_after(i - 1)
    for step in chosen:
        step(there)
    return there


def plain(one: WriterState) -> object:
    """All that a check looks at, but for what was read: nobody can tell who else had read it."""
    history = one.history
    numbers = (one.one, one.two, one.confirmed, one.balances, one.temporaries, one.large)
    counters = [int(value) for part in history.counters for value in part]
    found = (
        history.last,
        history.missing,
        history.altered,
        history.unreadable,
        history.flow.tolist(),
        counters,
    )
    return deepcopy((numbers, found, history.trail))


def back(one: WriterState) -> WriterState:
    """What is taken back of a state in which this writer had begun something."""
    before = plain(one)
    state = replace(state_after(0), writers={WRITER: one})
    found = taken_back(state, SEED, WRITERS).writers[WRITER]
    assert before == plain(one), "the state that was given is another one now"
    return found


@pytest.mark.parametrize("i", OF_EACH_KIND)
def test_after_each_update_the_transaction_is_taken_back_whole(i: int) -> None:
    every = steps(i)
    for count in range(len(every) + 1):
        assert plain(writer_after(i - 1)) == plain(back(made(i, every[:count])))


@pytest.mark.parametrize("i", OF_EACH_KIND)
def test_updates_that_are_no_beginning_of_the_order_stay(i: int) -> None:
    """No engine leaves these: each is a fault of the image, which the checks must find."""
    every = steps(i)
    beginnings = [plain(made(i, every[:count])) for count in range(len(every) + 1)]
    tried = 0
    for chosen in product((False, True), repeat=len(every)):
        there = made(i, [step for step, wanted in zip(every, chosen, strict=True) if wanted])
        if plain(there) not in beginnings:
            assert there is back(there)
            tried += 1
    assert tried


DAMAGE: list[tuple[int, Step]] = [
    *((i, lambda one: one.balances.update(dict.fromkeys(one.balances, 5))) for i in (7, 144)),
    *((i, lambda one: one.balances.clear()) for i in (7, 144)),
    *((i, lambda one: setattr(one.history, "last", one.history.last - 1)) for i in (8, 144)),
    *((i, lambda one: setattr(one.history, "last", one.history.last + 3)) for i in (8, 144)),
    *((i, lambda one: setattr(one.history.trail, "last", one.history.trail.last + 16)) for i in (8, 144)),
    *((i, lambda one: setattr(one.history.trail, "last", one.history.trail.last - 8)) for i in (72, 144)),
    (144, lambda one: one.temporaries.update({144: ("999", "")})),
    (144, lambda one: one.temporaries.update({144: ("999", "-144")})),
    (144, lambda one: one.temporaries.update({144: ("144", "-999")})),
    (144, lambda one: one.temporaries.update({144: ("", "144")})),
    (144, lambda one: one.large.update({1: "another"})),
    *((i, lambda one: setattr(one, "one", 999)) for i in (7, 144)),
    *((i, lambda one: setattr(one, "one", None)) for i in (7, 144)),
]


@pytest.mark.parametrize("begun", [0, 1, 2, 4, 5, 6, 99])
@pytest.mark.parametrize(("i", "damage"), DAMAGE)
def test_a_node_that_no_update_leaves_is_not_healed(i: int, damage: Step, begun: int) -> None:
    there = made(i, steps(i)[:begun])
    damage(there)
    assert there is back(there) or plain(there) == plain(back(there))


@pytest.mark.parametrize("number", [0, WRITERS + 1])
def test_a_writer_of_another_load_stays(number: int) -> None:
    """It is foreign, and whatever it did is told."""
    opening = dict.fromkeys(range(oracle.ACCOUNTS), oracle.OPENING_BALANCE)
    done = oracle.effects(SEED, number, WRITERS, np.array([1]))
    opening[int(done.source[0])] -= int(done.amount[0])
    there = WriterState(writer=number, one=0, two=0, confirmed=0, balances=opening)
    state = replace(state_after(0), writers={number: there})
    assert there is taken_back(state, SEED, WRITERS).writers[number]


@pytest.mark.parametrize("absent", [("one",), ("two",), ("one", "two")])
def test_a_sequence_number_that_is_not_there_breaks_nothing(absent: tuple[str, ...]) -> None:
    there = writer_after(0)
    for name in absent:
        setattr(there, name, None)
    found = back(there)
    assert (there.balances, there.temporaries, there.large) == (
        found.balances,
        found.temporaries,
        found.large,
    )


def test_of_counter_values_the_last_one_alone_is_taken_back() -> None:
    """A long history is compared in blocks: each has its own, and one may have none."""
    empty, i = np.array([], dtype=np.int64), 144
    for parts in ([3, 6], [9], [12, 15, 27]), ([3], [27]), ([3, 6, 27],), ([3, 6], [], [27]):
        there = made(i, steps(i))
        there.history.counters = [np.array(part, dtype=np.int64) if part else empty for part in parts]
        found = back(there).history.counters
        assert [n for part in parts for n in part][:-1] == [int(n) for part in found for n in part]


def test_without_any_counter_value_nothing_breaks() -> None:
    """The record that took one may be unreadable, which is told."""
    there = made(144, steps(144))
    there.history.counters = []
    assert [] == back(there).history.counters


def test_every_writer_is_looked_at() -> None:
    state: RestoredState = state_after(100)
    found = taken_back(state, SEED, WRITERS)
    assert [1, 2, 3] == list(found.writers) and found is not state
    assert (state.counter, state.cold, state.foreign) == (found.counter, found.cold, found.foreign)
