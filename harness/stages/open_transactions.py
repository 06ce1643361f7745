"""Takes back what open transactions left in an image, as the engine does when it recovers it.

An engine that writes uncommitted data to its database files (IRIS) leaves, at a freeze, some of the updates of each
transaction that is open then. That is no fault of the image: a recovery rolls them back. RVWORK.m makes the updates
of a transaction in a fixed order, and one writer has one transaction open at most, so what may be there is a
beginning of that order, of the transaction after the last one committed. Anything else stays as it is, for the checks
to find.

Source: Data Integrity Guide 2024.1, "Journaling": incomplete transactions are rolled back at the end of a restore.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.evidence.state import History, RestoredState, WriterState
from harness.workload import oracle


def taken_back(state: RestoredState, seed: int, writers: int) -> RestoredState:
    """The state without open transactions; the one given is not changed."""
    states = {
        number: _without(writer, seed, writers) if 1 <= number <= writers else writer
        for number, writer in state.writers.items()
    }
    return replace(state, writers=states)


def _without(state: WriterState, seed: int, writers: int) -> WriterState:
    i = (state.two or 0) + 1
    done = oracle.effects(seed, state.writer, writers, np.array([i]))
    source, target, amount = (int(part[0]) for part in (done.source, done.target, done.amount))
    before = _before(state, i, seed, source, target, amount)
    steps = [
        *_balances(state, before, source, target, amount),
        *_records(state.history, i),
        *_temporary(state, before, i),
        *_large(state, before, i, seed),
        (state.one == state.two, state.one == i),
    ]
    begun = [after for _, after in steps]
    known = all(was or after for was, after in steps)
    return before if known and begun == sorted(begun, reverse=True) else state


_Step = tuple[bool, bool]
"""Whether a node is as it was before the transaction, and as it is after it."""


def _balances(
    state: WriterState, before: WriterState, source: int, target: int, amount: int
) -> Iterator[_Step]:
    for account, moved in ((source, -amount), (target, amount)):
        was, found = before.balances[account], state.balances.get(account)
        yield found == was, found == was + moved


def _records(history: History, i: int) -> Iterator[_Step]:
    if i % oracle.TRAIL_EVERY == 0:
        yield history.trail.last == i - oracle.TRAIL_EVERY, history.trail.last == i
    yield history.last == i - 1, history.last == i


def _temporary(state: WriterState, before: WriterState, i: int) -> Iterator[_Step]:
    if i % oracle.TEMPORARY_EVERY == 0:
        found, old = state.temporaries.get(i), i - oracle.TEMPORARY_KEPT
        yield found is None, found is not None and found[0] == str(i)
        yield found is None or found[1] == "", found == (str(i), str(-i))
        if old > 0:
            yield old in state.temporaries, old not in state.temporaries


def _large(state: WriterState, before: WriterState, i: int, seed: int) -> Iterator[_Step]:
    if i % oracle.LARGE_EVERY == 0:
        slot = i // oracle.LARGE_EVERY % oracle.LARGE_SLOTS
        found = state.large.get(slot)
        yield found == before.large.get(slot), found == oracle.large_values(seed, state.writer, i)[slot]


def _before(state: WriterState, i: int, seed: int, source: int, target: int, amount: int) -> WriterState:
    """The state as transaction i found it."""
    history = _history_before(state.history, i, source, target, amount)
    temporaries, large = dict(state.temporaries), dict(state.large)
    balances = dict(state.balances)
    for account in (source, target):
        balances[account] = oracle.OPENING_BALANCE + int(history.flow[account])
    if i % oracle.TEMPORARY_EVERY == 0:
        temporaries.pop(i, None)
        old = i - oracle.TEMPORARY_KEPT
        if old > 0:
            temporaries[old] = (str(old), str(-old))
    if i % oracle.LARGE_EVERY == 0:
        slot, old = i // oracle.LARGE_EVERY % oracle.LARGE_SLOTS, i - oracle.LARGE_EVERY * oracle.LARGE_SLOTS
        large.pop(slot, None)
        if old > 0:
            large[slot] = oracle.large_values(seed, state.writer, i - oracle.LARGE_EVERY)[slot]
    return replace(
        state, one=state.two, balances=balances, temporaries=temporaries, large=large, history=history
    )


def _history_before(history: History, i: int, source: int, target: int, amount: int) -> History:
    trail = history.trail
    if trail.last == i:
        trail = replace(trail, last=i - oracle.TRAIL_EVERY)
    if history.last != i:
        return replace(history, trail=trail)
    flow = history.flow.copy()
    flow[source] += amount
    flow[target] -= amount
    counters = history.counters
    if i % oracle.COUNTED_EVERY == 0 and counters:
        counters = [*counters[:-1], counters[-1][:-1]]
    return replace(history, last=i - 1, flow=flow, counters=counters, trail=trail)
