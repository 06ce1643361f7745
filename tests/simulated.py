"""What a restored pair of databases holds, made in memory, and a naive model that says whether that is consistent.

Writers take turns; after each transaction their nodes are what RVWORK.m leaves. A state is the nodes after s(w)
transactions of each writer, taken from one interleaving. The model looks at the nodes alone, one by one, with whole
numbers and dictionaries; it shares with the checks only the function that says what a transaction does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from harness.evidence.state import RestoredState
from harness.stages.walk import read_state
from harness.workload import oracle
from tests.seen import cold_lines, history_row, trail_lines
from tests.walkers import Printing

SEED = 77


@dataclass(frozen=True)
class Done:
    """One transaction: what it moved, whom it read, how far that one was, and the counter value that it took."""

    writer: int
    i: int
    source: int
    target: int
    amount: int
    other: int
    read: int
    taken: int

    @property
    def row(self) -> bytes:
        return history_row(
            SEED,
            self.writer,
            self.i,
            self.source,
            self.target,
            self.amount,
            self.other,
            self.read,
            self.taken,
        )


def played(writers: int, order: list[int]) -> list[Done]:
    """The transactions of an interleaving, in order; each reads how far another one is."""
    reached, counter = dict.fromkeys(range(1, writers + 1), 0), 0
    done = []
    for writer in order:
        i = reached[writer] = reached[writer] + 1
        found = oracle.effects(SEED, writer, writers, np.array([i]))
        counted = i % oracle.COUNTED_EVERY == 0
        counter += counted
        other = int(found.read_from[0])
        read = reached[other] - (other == writer)
        done.append(
            Done(
                writer,
                i,
                int(found.source[0]),
                int(found.target[0]),
                int(found.amount[0]),
                other,
                read,
                counter if counted else 0,
            )
        )
    return done


@dataclass(repr=False)
class Nodes:
    """The nodes of both databases, by writer."""

    one: dict[int, int] = field(default_factory=dict)
    two: dict[int, int] = field(default_factory=dict)
    confirmed: dict[int, int] = field(default_factory=dict)
    balances: dict[tuple[int, int], int] = field(default_factory=dict)
    history: dict[tuple[int, int], bytes] = field(default_factory=dict)
    temporaries: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    large: dict[tuple[int, int], str] = field(default_factory=dict)
    trail: dict[tuple[int, int], bytes] = field(default_factory=dict)
    counter: int = 0


def nodes_after(writers: int, done: list[Done]) -> Nodes:
    """What the transactions leave, each whole in both databases."""
    nodes = Nodes()
    for writer in range(1, writers + 1):
        nodes.one[writer] = nodes.two[writer] = nodes.confirmed[writer] = 0
        for account in range(oracle.ACCOUNTS):
            nodes.balances[writer, account] = oracle.OPENING_BALANCE
    for one in done:
        in_database_one(nodes, one)
        in_database_two(nodes, one)
        nodes.confirmed[one.writer] = one.i
    return nodes


def in_database_one(nodes: Nodes, done: Done) -> None:
    """The half of a transaction that is in ^RVA."""
    nodes.one[done.writer] = done.i
    nodes.balances[done.writer, done.source] -= done.amount
    nodes.balances[done.writer, done.target] += done.amount
    nodes.counter = max(nodes.counter, done.taken)
    if done.i % oracle.TRAIL_EVERY == 0:
        nodes.trail[done.writer, done.i] = oracle.trail_row(done.i, done.amount)


def in_database_two(nodes: Nodes, done: Done, *, sequence: bool = True) -> None:
    """The half that is in ^RVB; without its sequence number it looks as if it were still open."""
    if sequence:
        nodes.two[done.writer] = done.i
    nodes.history[done.writer, done.i] = done.row
    if done.i % oracle.TEMPORARY_EVERY == 0:
        nodes.temporaries[done.writer, done.i] = (str(done.i), str(-done.i))
        old = done.i - oracle.TEMPORARY_KEPT
        nodes.temporaries.pop((done.writer, old), None)
    if done.i % oracle.LARGE_EVERY == 0:
        slot = done.i // oracle.LARGE_EVERY % oracle.LARGE_SLOTS
        nodes.large[done.writer, slot] = oracle.large_values(SEED, done.writer, done.i)[slot]


def torn(nodes: Nodes) -> bool:
    """Some transaction has left something and not everything: what atomicity must see."""
    for writer in nodes.one.keys() | nodes.two.keys():
        numbers = {i for w, i in nodes.history if w == writer}
        last = nodes.one.get(writer, 0)
        if nodes.two.get(writer, 0) != last or numbers != set(range(1, last + 1)):
            return True
        if nodes.confirmed.get(writer, -1) not in (last, last - 1):
            return True
    return False


def wrong_content(nodes: Nodes, writers: int, every: list[Done]) -> bool:
    """Some node is not what the history that is there made it: what content must see."""
    written = {(one.writer, one.i): one for one in every}
    there = [written.get(key) for key in nodes.history]
    if any(one is None for one in there):
        return True
    found = [one for one in there if one]
    if any(nodes.history[one.writer, one.i] != one.row for one in found):
        return True
    moved: Counter[tuple[int, int]] = Counter()
    for one in found:
        moved[one.writer, one.source] -= one.amount
        moved[one.writer, one.target] += one.amount
    right = {
        (writer, account): oracle.OPENING_BALANCE + moved[writer, account]
        for writer in range(1, writers + 1)
        for account in range(oracle.ACCOUNTS)
    }
    fresh = Nodes(balances=dict.fromkeys(right, 0), one=dict.fromkeys(range(1, writers + 1), 0))
    for one in sorted(found, key=lambda one: one.i):
        in_database_two(fresh, one)
        if one.i % oracle.TRAIL_EVERY == 0:
            fresh.trail[one.writer, one.i] = oracle.trail_row(one.i, one.amount)
    parts = (
        (right, nodes.balances),
        (fresh.temporaries, nodes.temporaries),
        (fresh.large, nodes.large),
        (fresh.trail, nodes.trail),
    )
    return any(a != b for a, b in parts) or nodes.counter < max((one.taken for one in found), default=0)


def recovered(nodes: Nodes, writer: int) -> int:
    """Every transaction up to here is in both databases and in the history."""
    last = 0
    while (writer, last + 1) in nodes.history:
        last += 1
    return min(last, nodes.one.get(writer, 0), nodes.two.get(writer, 0))


def reads_the_future(nodes: Nodes, every: list[Done]) -> bool:
    """Some transaction that is there read one that is not recovered: what consistent_cut must see."""
    return any(
        one.read > recovered(nodes, one.other) for one in every if (one.writer, one.i) in nodes.history
    )


def short_of(nodes: Nodes, floor: dict[int, int]) -> bool:
    return any(recovered(nodes, writer) < promised for writer, promised in floor.items())


def beyond(nodes: Nodes, ceiling: dict[int, int]) -> bool:
    traces = [*nodes.history, *nodes.one.items(), *nodes.two.items()]
    return any(writer not in ceiling or i > ceiling[writer] for writer, i in traces)


def lines_of_summary(nodes: Nodes) -> bytes:
    """As RVCHECK.m prints all but the history."""
    lines = []
    for w in sorted({*nodes.one, *nodes.two, *(w for w, _ in nodes.history)}):
        lines += [
            f"w|{w}",
            f"s|{w}|{nodes.one.get(w, '')}|{nodes.two.get(w, '')}|{nodes.confirmed.get(w, '')}",
        ]
        lines += [f"b|{w}|{a}|{v}" for (x, a), v in sorted(nodes.balances.items()) if x == w]
        lines += [f"t|{w}|{i}|{v}|{c}" for (x, i), (v, c) in sorted(nodes.temporaries.items()) if x == w]
        lines += [f"l|{w}|{slot}|{v}" for (x, slot), v in sorted(nodes.large.items()) if x == w]
        lines += [f"e|{w}|1%44;17919"]
    return "\n".join([*lines, "r|1%44;17919", *cold_lines(SEED), f"n|{nodes.counter}", "end", ""]).encode()


def lines_of_history(nodes: Nodes, writer: int) -> bytes:
    """As RVCHECK.m prints the history of a writer: a gap has a line of its own."""
    out, expected, count = b"", 1, 0
    for (w, i), value in sorted(nodes.history.items()):
        if w == writer:
            out += (b"" if i == expected else b"@%d\n" % i) + value
            expected, count = i + 1, count + 1
    return out + b"end %d\n" % count + trail_lines({i: t for (w, i), t in nodes.trail.items() if w == writer})


def walked(nodes: Nodes, writers: int) -> RestoredState:
    """The nodes as the real reader sees them."""
    printing = Printing(lines_of_summary(nodes), lambda writer: lines_of_history(nodes, writer))
    return read_state(printing, SEED, writers)  # type: ignore[arg-type]
