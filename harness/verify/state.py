"""Reads what a restored instance holds and compares it with the oracle while it streams by.

The history is never kept: each block of it is compared with what the transactions must have done, and only
sums and the first of each kind of difference remain. Memory does not grow with the history but for one
counter value per sixteen transactions. Walkers run side by side, one per processor, as far as the licence allows.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from harness.command import end, kill
from harness.errors import InstanceError, ParseError
from harness.instance.iris import DONE, Instance
from harness.workload import oracle
from harness.workload.oracle import Ints

WALK_TIMEOUT_S = 600.0
_OTHER_SESSIONS = 2
"""Sessions that go on beside the walkers: the reading of journals, and one to spare."""
_BLOCK_ROWS = 1 << 14
_DIGITS_MAX = 10
"""Sequence numbers, writers and counts of nodes are shorter than this (RVWORK.m)."""
_FIELDS = ("source", "target", "amount", "read_from")


@dataclass(slots=True)
class History:
    """What the history nodes of one writer say.

    Attributes:
        last: Highest sequence number found, 0 if none.
        missing: First number below `last` that is not there, 0 if none.
        altered: First (sequence, what is there, what belongs there) that differs from the oracle.
        unreadable: First (subscript, value) that has not the shape of a history value.
        flow: Net amount moved into each account by the nodes found.
        reads: Other writer → (highest number read from it, by which transaction).
        counters: Counter values taken, in order.
    """

    last: int = 0
    missing: int = 0
    altered: tuple[int, str, str] | None = None
    unreadable: tuple[str, str] | None = None
    flow: Ints = field(default_factory=lambda: np.zeros(oracle.ACCOUNTS, dtype=np.int64))
    reads: dict[int, tuple[int, int]] = field(default_factory=dict)
    counters: list[Ints] = field(default_factory=list)


@dataclass(slots=True)
class WriterState:
    """All nodes of one writer; sequence numbers are None if the node is not there."""

    writer: int
    one: int | None = None
    two: int | None = None
    confirmed: int | None = None
    balances: dict[int, int] = field(default_factory=dict)
    temporaries: dict[int, tuple[str, str]] = field(default_factory=dict)
    large: dict[int, str] = field(default_factory=dict)
    history: History = field(default_factory=History)

    @property
    def recovered(self) -> int:
        """Every transaction up to here left its traces in both databases."""
        whole = self.history.missing - 1 if self.history.missing else self.history.last
        return min(self.one or 0, self.two or 0, whole)

    @property
    def highest(self) -> int:
        """The last transaction that left any trace."""
        return max(self.one or 0, self.two or 0, self.history.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredState:
    """What the restored databases hold."""

    writers: dict[int, WriterState]
    counter: int | None

    @property
    def recovered(self) -> int:
        """Transactions recovered, over all writers."""
        return sum(writer.recovered for writer in self.writers.values())


def read_state(instance: Instance, seed: int, writers: int) -> RestoredState:
    """Walk the restored databases.

    Raises:
        InstanceError: a walk broke off, for example on a damaged block; InstanceGone: it was ended from outside.
        ParseError: a walker printed something that RVCHECK.m does not describe.
    """
    try:
        return _read_state(instance, seed, writers)
    except InstanceError:
        instance.require_there()
        raise


def _read_state(instance: Instance, seed: int, writers: int) -> RestoredState:
    states, counter = _summary(instance)
    with ThreadPoolExecutor(max_workers=_walkers(instance)) as pool:
        numbers = sorted(states)
        histories = pool.map(lambda w: _history(instance, seed, w, writers), numbers)
        for number, history in zip(numbers, histories, strict=True):
            states[number].history = history
    return RestoredState(writers=states, counter=counter)


def _walkers(instance: Instance) -> int:
    most = instance.describe().sessions_max
    processors = os.cpu_count() or 1
    return processors if most is None else max(1, min(processors, most - _OTHER_SESSIONS))


def _summary(instance: Instance) -> tuple[dict[int, WriterState], int | None]:
    states: dict[int, WriterState] = {}
    counter: int | None = None
    lines = _output(instance, "summary", 0).decode("utf-8", "replace").splitlines()
    if not lines or lines[-1] != "end":
        raise InstanceError("the walk of the restored state broke off before its end")
    for number, line in enumerate(lines[:-1], 1):
        kind, *fields = line.split("|", 4)
        try:
            if kind == "n":
                counter = _number(fields[0])
            elif kind == "w":
                writer = _writer(fields[0])
                states[writer] = WriterState(writer=writer)
            else:
                _take(states[int(fields[0])], kind, fields[1:])
        except (ValueError, KeyError, IndexError) as error:
            raise ParseError("restored state", number, line[:80], "not a line of RVCHECK") from error
    return states, counter


def _take(state: WriterState, kind: str, fields: list[str]) -> None:
    match kind, fields:
        case "s", [one, two, confirmed]:
            state.one, state.two, state.confirmed = _number(one), _number(two), _number(confirmed)
        case "b", [account, balance]:
            state.balances[int(account)] = int(balance)
        case "t", [sequence, value, child]:
            state.temporaries[int(sequence)] = (value, child)
        case "l", [slot, value]:
            state.large[int(slot)] = value
        case _:
            raise ValueError(kind)


def _writer(text: str) -> int:
    """Raises ValueError for what is no writer, and for a number that the oracle cannot count with."""
    if len(text) > _DIGITS_MAX:
        raise ValueError(text)
    return int(text)


def _number(text: str) -> int | None:
    return int(text) if text else None


def _history(instance: Instance, seed: int, writer: int, writers: int) -> History:
    """Stream one writer's history through the comparison."""
    found = History()
    count = 0
    with _walker(instance, "history", writer) as process:
        for block in _blocks(process):
            if isinstance(block, int):
                if block != count:
                    raise ParseError(
                        f"history of writer {writer}", 0, "", f"{block} nodes announced, {count} came"
                    )
                break
            count += _compare(found, block, seed, writer, writers)
        else:
            raise InstanceError(f"the walk of writer {writer}'s history broke off after {count} nodes")
        if process.wait(timeout=30) != DONE:
            raise InstanceError(
                f"the walk of writer {writer}'s history ended with status {process.returncode}"
            )
    return found


@contextmanager
def _walker(instance: Instance, part: str, writer: int) -> Iterator[subprocess.Popen[bytes]]:
    """A walker that is killed after WALK_TIMEOUT_S: in a damaged database a walk may go round for ever."""
    process = instance.start_state(part, writer)
    limit = threading.Timer(WALK_TIMEOUT_S, kill, (process,))
    limit.daemon = True
    limit.start()
    try:
        yield process
    finally:
        limit.cancel()
        end(process)


def _blocks(process: subprocess.Popen[bytes]) -> Iterator[bytes | int]:
    """Whole lines in blocks; at the end the number of nodes announced. Ends early if the walk broke off."""
    assert process.stdout
    descriptor = process.stdout.fileno()
    rest = b""
    size = _BLOCK_ROWS * oracle.ROW_BYTES
    while part := os.read(descriptor, size):
        rest += part
        if len(rest) < size and not rest.endswith(b"\n"):
            continue
        whole = rest.rfind(b"\n") + 1
        block, rest = rest[:whole], rest[whole:]
        last = block.rfind(b"end ")
        if last >= 0 and (last == 0 or block[last - 1 : last] == b"\n"):
            if last:
                yield block[:last]
            yield _announced(block[last + 4 :])
            return
        if block:
            yield block


def _announced(text: bytes) -> int:
    """The number in the last line of a walk. Raises ParseError."""
    number = text.removesuffix(b"\n")
    if not number.isdigit() or len(number) > _DIGITS_MAX:
        raise ParseError("history", 0, repr(text[:80]), "no number of nodes")
    return int(number)


def _compare(found: History, block: bytes, seed: int, writer: int, writers: int) -> int:
    """Take one block of lines into the history; returns how many nodes it had."""
    rows = None if b"@" in block else oracle.parse_rows(block)
    if rows is not None and rows.sequence[0] == found.last + 1 and (np.diff(rows.sequence) == 1).all():
        _compare_rows(found, rows, seed, writer, writers)
        return len(rows.sequence)
    return _compare_slowly(found, block, seed, writer, writers)


def _compare_slowly(found: History, block: bytes, seed: int, writer: int, writers: int) -> int:
    """Line by line, for a block that holds a gap or a value of another shape."""
    count, subscript = 0, found.last + 1
    for line in (part + b"\n" for part in block.removesuffix(b"\n").split(b"\n")):
        if line.startswith(b"@"):
            subscript = _subscript(line, found)
            continue
        count += 1
        if subscript != found.last + 1 and not found.missing:
            found.missing = found.last + 1
        rows = oracle.parse_rows(line)
        if rows is None:
            found.unreadable = found.unreadable or (str(subscript), line.decode("utf-8", "replace").strip())
        elif rows.sequence[0] != subscript:
            found.altered = found.altered or (
                subscript,
                f"transaction {rows.sequence[0]}",
                f"transaction {subscript}",
            )
        else:
            _compare_rows(found, rows, seed, writer, writers)
        found.last = max(found.last, subscript)
        subscript += 1
    return count


def _subscript(line: bytes, found: History) -> int:
    """The subscript in a gap line; one that no writer could have made counts as unreadable, after all others."""
    text = line[1:].strip()
    if text.isdigit() and len(text) <= _DIGITS_MAX:
        return int(text)
    found.unreadable = found.unreadable or (
        text.decode("utf-8", "replace"),
        "a subscript that is no sequence number",
    )
    return found.last + 1


def _compare_rows(found: History, rows: oracle.Rows, seed: int, writer: int, writers: int) -> None:
    expected = oracle.effects(seed, writer, writers, rows.sequence)
    for name in _FIELDS:
        there, right = getattr(rows, name), getattr(expected, name)
        if found.altered is None and not np.array_equal(there, right):
            at = int(np.argmax(there != right))
            found.altered = (int(rows.sequence[at]), f"{name} {there[at]}", f"{name} {right[at]}")
    weights = rows.amount.astype(np.float64)
    moved = np.bincount(rows.target, weights, oracle.ACCOUNTS)[: oracle.ACCOUNTS]
    moved -= np.bincount(rows.source, weights, oracle.ACCOUNTS)[: oracle.ACCOUNTS]
    found.flow += moved.astype(np.int64)
    for other in range(1, writers + 1):
        _note_reads(found, rows, other)
    counted = rows.sequence % oracle.COUNTED_EVERY == 0
    found.counters.append(rows.counter[counted])
    stray = (rows.counter != 0) & ~counted
    if found.altered is None and stray.any():
        at = int(np.argmax(stray))
        found.altered = (int(rows.sequence[at]), f"counter {rows.counter[at]}", "no counter")
    found.last = max(found.last, int(rows.sequence[-1]))


def _note_reads(found: History, rows: oracle.Rows, other: int) -> None:
    of_other = np.where(rows.read_from == other, rows.read, 0)
    at = int(np.argmax(of_other))
    highest = int(of_other[at])
    if highest > found.reads.get(other, (0, 0))[0]:
        found.reads[other] = (highest, int(rows.sequence[at]))


def _output(instance: Instance, part: str, writer: int) -> bytes:
    with _walker(instance, part, writer) as process:
        assert process.stdout
        text = process.stdout.read()
        if process.wait(timeout=60) != DONE:
            raise InstanceError(f"the walk of the {part} ended with status {process.returncode}")
        return text
