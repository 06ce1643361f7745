"""The checks on histories that no engine made: each alteration is seen, and by the right check.

A history is simulated, printed as RVCHECK.m prints it, altered, and read back by the real reader.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from harness.evidence.answers import Description
from harness.evidence.case import Evidence
from harness.evidence.state import RestoredState
from harness.model import RecoveryMode, Verdict
from harness.stages.walk import read_state
from harness.workload import oracle
from tests.checks import CHECKS, judge_all
from tests.seen import cold_lines, history_row, seen, trail_lines

SEED, WRITERS, LAST = 77, 3, 200


@dataclass
class Database:
    """The nodes of both databases after every writer did LAST transactions, one after another."""

    one: dict[int, int] = field(default_factory=dict)
    two: dict[int, int] = field(default_factory=dict)
    confirmed: dict[int, int] = field(default_factory=dict)
    balances: dict[tuple[int, int], int] = field(default_factory=dict)
    history: dict[tuple[int, int], bytes] = field(default_factory=dict)
    temporaries: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    large: dict[tuple[int, int], str] = field(default_factory=dict)
    trail: dict[tuple[int, int], bytes] = field(default_factory=dict)
    counter: int = 0

    def transact(self, writer: int, i: int) -> None:
        import numpy as np

        done = oracle.effects(SEED, writer, WRITERS, np.array([i]))
        source, target, amount, other = (
            int(a[0]) for a in (done.source, done.target, done.amount, done.read_from)
        )
        taken = 0
        if i % oracle.COUNTED_EVERY == 0:
            self.counter += 1
            taken = self.counter
        self.balances[writer, source] -= amount
        self.balances[writer, target] += amount
        read = self.confirmed.get(other, 0)
        self.history[writer, i] = history_row(SEED, writer, i, source, target, amount, other, read, taken)
        if i % oracle.TRAIL_EVERY == 0:
            self.trail[writer, i] = oracle.trail_row(i, amount)
        self.one[writer] = self.two[writer] = self.confirmed[writer] = i

    def settle(self) -> None:
        for writer in self.one:
            for i in oracle.temporaries(LAST):
                self.temporaries[writer, i] = (str(i), str(-i))
            for slot, value in oracle.large_values(SEED, writer, LAST).items():
                self.large[writer, slot] = value


def simulated() -> Database:
    made = Database()
    for writer in range(1, WRITERS + 1):
        for account in range(oracle.ACCOUNTS):
            made.balances[writer, account] = oracle.OPENING_BALANCE
    for i in range(1, LAST + 1):
        for writer in range(1, WRITERS + 1):
            made.transact(writer, i)
    made.settle()
    return made


class Printed:
    """Stands where an instance stands and prints a database as RVCHECK.m does."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def describe(self) -> Description:
        return Description(
            product="",
            version="",
            stand_in=True,
            root=Path(),
            journal_folder=Path(),
            databases={},
            notes=(),
        )

    def start_state(self, part: str, writer: int) -> _Process:
        return _Process(self.summary() if part == "summary" else self.history(writer))

    def summary(self) -> bytes:
        d = self.database
        lines = []
        for w in sorted({*d.one, *d.two, *(w for w, _ in d.history)}):
            lines += [f"w|{w}", f"s|{w}|{d.one.get(w, '')}|{d.two.get(w, '')}|{d.confirmed.get(w, '')}"]
            lines += [f"b|{w}|{a}|{v}" for (x, a), v in sorted(d.balances.items()) if x == w]
            lines += [f"t|{w}|{i}|{v}|{c}" for (x, i), (v, c) in sorted(d.temporaries.items()) if x == w]
            lines += [f"l|{w}|{s}|{v}" for (x, s), v in sorted(d.large.items()) if x == w]
            lines += [f"e|{w}|"]
        lines += cold_lines(SEED)
        return "\n".join([*lines, "r|", f"n|{d.counter}", "end", ""]).encode()

    def history(self, writer: int) -> bytes:
        out, expected, count = b"", 1, 0
        for (w, i), value in sorted(self.database.history.items()):
            if w == writer:
                out += (b"" if i == expected else b"@%d\n" % i) + value
                expected, count = i + 1, count + 1
        return (
            out
            + b"end %d\n" % count
            + trail_lines({i: t for (w, i), t in self.database.trail.items() if w == writer})
        )


class _Process:
    """Prints bytes through a real pipe-like file and ends with 5."""

    def __init__(self, text: bytes) -> None:
        import os

        self.returncode: int | None = None
        self.stdin = None
        reader, writer = os.pipe()
        import threading

        def feed() -> None:
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(text)

        threading.Thread(target=feed, daemon=True).start()
        self.stdout: io.BufferedReader = os.fdopen(reader, "rb")

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self.returncode = 5
        return 5

    def kill(self) -> None:
        self.returncode = -9


def read(database: Database) -> RestoredState:
    return read_state(Printed(database), SEED, WRITERS)  # type: ignore[arg-type]


def evidence(state: RestoredState) -> Evidence:
    vector = dict.fromkeys(range(1, WRITERS + 1), LAST)
    return seen(
        mode=RecoveryMode.AS_OF_FREEZE, seed=SEED, writers=WRITERS, floor=vector, ceiling=vector, state=state
    )


STATE_CHECKS = {"atomicity", "content", "consistent_cut", "floor", "ceiling"}


def failed(database: Database) -> set[str]:
    return {c.name for c in judge_all(evidence(read(database))) if c.verdict is Verdict.FAIL}


def test_history_without_a_fault_passes() -> None:
    checks = {c.name: c.verdict for c in judge_all(evidence(read(simulated()))) if c.name in STATE_CHECKS}
    assert dict.fromkeys(STATE_CHECKS, Verdict.PASS) == checks


def test_without_evidence_every_check_is_unknown() -> None:
    """Not checked is never passed."""
    empty = seen(image=None)
    assert dict.fromkeys(CHECKS, Verdict.UNKNOWN) == {c.name: c.verdict for c in judge_all(empty)}


def _half(d: Database) -> None:
    d.one[1] = LAST - 1


def _uncommitted(d: Database) -> None:
    d.history[2, LAST + 1] = history_row(SEED, 2, LAST + 1, 1, 2, 3, 1, 0, 0)


def _hole(d: Database) -> None:
    del d.history[1, 100]


def _twice(d: Database) -> None:
    amount = 5
    d.balances[1, 0] += amount
    d.balances[1, 1] -= amount


def _created(d: Database) -> None:
    d.balances[3, 7] += 1


def _altered(d: Database) -> None:
    value = d.history[2, 50]
    d.history[2, 50] = value[:-2] + (b"1" if value[-2:-1] != b"1" else b"2") + b"\n"


def _unreadable(d: Database) -> None:
    d.history[2, 50] = b"garbage\n"


def _ahead(d: Database) -> None:
    d.one[2] += 1
    d.two[2] += 1


def _killed_is_back(d: Database) -> None:
    d.temporaries[1, 8] = ("8", "-8")


def _large_cut(d: Database) -> None:
    d.large[1, 0] = d.large[1, 0][:-1]


def _counter_behind(d: Database) -> None:
    d.counter -= 1


def _foreign_writer(d: Database) -> None:
    d.one[9] = d.two[9] = 0


def _writer_gone(d: Database) -> None:
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
def test_alteration_is_seen(alter: Callable[[Database], None], by: set[str]) -> None:
    database = simulated()
    alter(database)
    found = failed(database)
    assert by <= found, found


def test_older_writer_breaks_the_cut() -> None:
    """Each writer is whole for itself, but one is from an earlier instant than what others read of it."""
    database = simulated()
    short = Database()
    for writer in range(1, WRITERS + 1):
        for account in range(oracle.ACCOUNTS):
            short.balances[writer, account] = oracle.OPENING_BALANCE
    for i in range(1, 101):
        short.transact(1, i)
    state, older = read(database), read(short)
    older_one = older.writers[1]
    older_one.history.reads.clear()
    mixed = replace(state, writers={**state.writers, 1: older_one})
    verdicts = {c.name: c.verdict for c in judge_all(evidence(mixed))}
    assert Verdict.FAIL is verdicts["consistent_cut"]
    assert Verdict.PASS is verdicts["atomicity"]
