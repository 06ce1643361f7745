"""Balances equal the opening balance plus the recovered history, node for node; totals are conserved; data that was
written once, before the load, is as it was written.

Catches lost, doubled and altered updates, kills that were not replayed or replayed where they should not, and blocks
that are stale or altered where no roll-forward writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.declared import Declaration
from harness.evidence.answers import ROLES
from harness.evidence.case import Evidence
from harness.evidence.state import RestoredState, WriterState
from harness.model import Code, Finding, Upstream
from harness.verify.base import ONE_INSTANT, not_checked
from harness.workload import oracle
from harness.workload.ledger import Vector


class ContentChecker:
    """Every node has the value that the recovered transactions gave it."""

    declared = Declaration(
        name="content",
        order=40,
        of_image=True,
        codes=(
            Code(name="content.unreadable", rank=Upstream.DATA + 150),
            Code(name="content.counter_twice", rank=Upstream.DATA + 160),
            Code(name="content.history", rank=Upstream.DATA + 170),
            Code(name="content.accounts", rank=Upstream.DATA + 180),
            Code(name="content.balance", rank=Upstream.DATA + 190),
            Code(name="content.cold", rank=Upstream.DATA + 200),
            Code(name="content.trail", rank=Upstream.DATA + 210),
            Code(name="content.foreign"),
            Code(name="content.total"),
            Code(name="content.killed"),
            Code(name="content.large"),
            Code(name="content.counter"),
        ),
        remedy=ONE_INSTANT,
        needs=("state",),
        facts=(
            "state.tells_what_work_did",
            "state.other_data_is_seen",
            "restore.place_and_mount",
            "boot.recovers",
        ),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        seed, writers = evidence.seed, evidence.writers
        if evidence.state is None:
            return not_checked("content", evidence, "restored state")
        if seed is None or writers is None:
            return not_checked("content", evidence, "knowledge of what was written")
        findings: list[Finding] = []
        for number, state in sorted(evidence.state.writers.items()):
            if 1 <= number <= writers:
                findings += [
                    *_history(state),
                    *_trail(state),
                    *_balances(state),
                    *_temporaries(state),
                    *_large(state, seed),
                ]
        there = evidence.state
        return [*_cold(there), *_foreign(there), *findings, *_counter(there, evidence.ceiling)]


def _foreign(state: RestoredState) -> Iterator[Finding]:
    if state.foreign:
        yield Finding(
            code="content.foreign",
            message="there are nodes of a kind that no transaction writes",
            witness=", ".join(state.foreign[:5]),
        )


def _cold(state: RestoredState) -> Iterator[Finding]:
    for database, cold in sorted(state.cold.items()):
        if cold.differs:
            node, there, right = cold.differs
            yield Finding(
                code="content.cold",
                message=f"data of database {ROLES[database - 1]}, written once before the load, is not as it was",
                witness=f"{node} is {there}, expected {right}",
            )


def _trail(state: WriterState) -> Iterator[Finding]:
    trail = state.history.trail
    right = state.history.last - state.history.last % oracle.TRAIL_EVERY
    if trail.altered:
        sequence, there, belongs = trail.altered
        yield Finding(
            code="content.trail",
            message="a node of the trail in database one does not say what its transaction did",
            witness=f'^RVA("h",{state.writer},{sequence}): {there}, expected {belongs}',
        )
    elif trail.missing or trail.last != right:
        sequence = trail.missing or min(trail.last, right) + oracle.TRAIL_EVERY
        yield Finding(
            code="content.trail",
            message="the trail in database one and the history in database two do not go together",
            witness=f'^RVA("h",{state.writer},{sequence}) is {"there" if trail.last > right else "absent"}, '
            f"the history ends at {state.history.last}",
        )


def _history(state: WriterState) -> Iterator[Finding]:
    if state.history.altered:
        sequence, there, right = state.history.altered
        yield Finding(
            code="content.history",
            message="a history node does not say what its transaction did",
            witness=f'^RVB("h",{state.writer},{sequence}): {there}, expected {right}',
        )
    if state.history.unreadable:
        subscript, value = state.history.unreadable
        yield Finding(
            code="content.unreadable",
            message="a history node has a value that no transaction wrote",
            witness=f'^RVB("h",{state.writer},{subscript}): {value[:80]!r}',
        )


def _balances(state: WriterState) -> Iterator[Finding]:
    if set(state.balances) != set(range(oracle.ACCOUNTS)):
        odd = sorted(set(state.balances) ^ set(range(oracle.ACCOUNTS)))
        yield Finding(
            code="content.accounts",
            message=f"{len(state.balances)} accounts where there must be {oracle.ACCOUNTS}",
            witness=f'^RVA("b",{state.writer},{odd[0]})',
        )
        return
    for account, moved in enumerate(state.history.flow.tolist()):
        right = oracle.OPENING_BALANCE + moved
        if state.balances[account] != right:
            yield Finding(
                code="content.balance",
                message="a balance differs from the opening balance plus the recovered history: an update was "
                "lost, doubled or altered",
                witness=f'^RVA("b",{state.writer},{account}) is {state.balances[account]}, expected {right}',
            )
            break
    total = sum(state.balances.values())
    if total != oracle.ACCOUNTS * oracle.OPENING_BALANCE:
        yield Finding(
            code="content.total",
            message="the total of all balances is not conserved",
            witness=f"writer {state.writer}: {total}, expected {oracle.ACCOUNTS * oracle.OPENING_BALANCE}",
        )


def _temporaries(state: WriterState) -> Iterator[Finding]:
    right = {i: (str(i), str(-i)) for i in oracle.temporaries(state.history.last)}
    odd = sorted(set(right.items()) ^ set(state.temporaries.items()))
    if odd:
        sequence = odd[0][0]
        yield Finding(
            code="content.killed",
            message="a temporary node does not match the history: it is left over, missing or altered",
            witness=f'^RVB("t",{state.writer},{sequence}) is {state.temporaries.get(sequence)}, '
            f"expected {right.get(sequence)}",
        )


def _large(state: WriterState, seed: int) -> Iterator[Finding]:
    right = oracle.large_values(seed, state.writer, state.history.last)
    for slot in sorted(set(right) | set(state.large)):
        if state.large.get(slot) != right.get(slot):
            yield Finding(
                code="content.large",
                message="a large value differs from the one its transaction wrote",
                witness=f'^RVB("l",{state.writer},{slot}) is {_short(state.large.get(slot))}, '
                f"expected {_short(right.get(slot))}",
            )
            return


def _in_work(state: RestoredState, ceiling: Vector) -> int:
    """How many writers may have taken a value of the counter for a transaction that was not committed: it is the next
    one of theirs, takes a value, and was issued. A value is taken before its transaction begins (RVWORK.m).
    """
    return sum(
        (writer.history.last + 1) % oracle.COUNTED_EVERY == 0
        and (number not in ceiling or ceiling[number] > writer.history.last)
        for number, writer in state.writers.items()
    )


def _counter(state: RestoredState, ceiling: Vector) -> Iterator[Finding]:
    taken = [part for writer in state.writers.values() for part in writer.history.counters]
    values = np.sort(np.concatenate(taken)) if taken else np.zeros(0, dtype=np.int64)
    twice = values[1:][np.diff(values) == 0]
    if len(twice):
        yield Finding(
            code="content.counter_twice",
            message="two transactions took the same value of the counter that $INCREMENT keeps",
            witness=f"value {twice[0]}",
        )
    taken_last = values[-1] if len(values) else 0
    if taken_last > (state.counter or 0):
        yield Finding(
            code="content.counter",
            message="the counter that $INCREMENT keeps is behind the values that transactions took from it",
            witness=f'^RVA("n") is {state.counter}, the transactions took up to {taken_last}',
        )
    elif (state.counter or 0) > taken_last + (in_work := _in_work(state, ceiling)):
        yield Finding(
            code="content.counter",
            message="the counter that $INCREMENT keeps is ahead of what transactions can have taken from it",
            witness=f'^RVA("n") is {state.counter}, the transactions took up to {taken_last}, and at most {in_work} '
            "more for transactions in work",
        )


def _short(value: str | None) -> str:
    return "absent" if value is None else f"{value[:16]!r}… of {len(value)} characters"
