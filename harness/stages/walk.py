"""Reads what a restored instance holds and compares it with the oracle while it streams by.

The history is never kept: each block of it is compared with what the transactions must have done, and only
sums and the first of each kind of difference remain. Memory does not grow with the history but for one
counter value per sixteen transactions. Cold data is compared node for node. Walkers run side by side, one per
processor, as far as the licence allows.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from harness import destroy
from harness.command import end
from harness.errors import InstanceError, ParseError
from harness.evidence.state import Cold, History, RestoredState, Trail, WriterState
from harness.instance.iris import DONE, Instance
from harness.workload import oracle

WALK_TIMEOUT_S = 600.0
SUMMARY_TIMEOUT_S = 120.0
"""A summary is small whatever the load was."""
_OTHER_SESSIONS = 2
"""Sessions that go on beside the walkers: the reading of journals, and one to spare."""
_BLOCK_ROWS = 1 << 14
_DIGITS_MAX = 10
"""Sequence numbers, writers and counts of nodes are shorter than this (RVWORK.m)."""
_FIELDS = ("source", "target", "amount", "read_from")
_CODE = re.compile(r"%(\d{1,7});")
"""A character that RVCHECK.m prints by its number."""
_COLD_SHOWN = 60
_OUTPUT_BYTES_MAX = 64 << 20
"""A summary has 2 MB of cold data and some 40 kB for each writer. A walk of a damaged database may never end."""


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
    states, counter, cold, foreign = _summary(instance, seed)
    with ThreadPoolExecutor(max_workers=_walkers(instance)) as pool:
        numbers = sorted(states)
        histories = pool.map(lambda w: _history(instance, seed, w, writers), numbers)
        for number, history in zip(numbers, histories, strict=True):
            states[number].history = history
    return RestoredState(writers=states, counter=counter, cold=cold, foreign=foreign)


def _walkers(instance: Instance) -> int:
    most = instance.describe().sessions_max
    processors = os.cpu_count() or 1
    return processors if most is None else max(1, min(processors, most - _OTHER_SESSIONS))


_Summary = tuple[dict[int, WriterState], int | None, dict[int, Cold], tuple[str, ...]]


def _summary(instance: Instance, seed: int) -> _Summary:
    states: dict[int, WriterState] = {}
    foreign: list[str] = []
    counter: int | None = None
    stop: str | None = None
    began: dict[int, str] = {}
    cold = _ColdNodes(seed)
    lines = _output(instance, "summary", 0).decode("utf-8", "replace").splitlines()
    if not lines or lines[-1] != "end":
        raise InstanceError("the walk of the restored state broke off before its end")
    for number, line in enumerate(lines[:-1], 1):
        try:
            if line.startswith(("k|", "+")):
                cold.take(line)
                continue
            kind, *fields = line.split("|", 4)
            if kind == "x":
                foreign.append("|".join(fields))
            elif kind == "n":
                counter = _number(fields[0])
            elif kind == "r":
                stop = _decoded(fields[0], kind)
            elif kind == "e":
                began[int(fields[0])] = _decoded(fields[1], kind)
            elif kind == "w":
                writer = _writer(fields[0])
                states[writer] = WriterState(writer=writer)
            else:
                _take(states[int(fields[0])], kind, fields[1:])
        except (ValueError, KeyError, IndexError) as error:
            raise ParseError("restored state", number, line[:80], "not a line of RVCHECK") from error
    if stop is None:
        raise ParseError(
            "restored state", len(lines), "end", "the walk says nothing about the node that stops writers"
        )
    foreign += _of_stop(stop, began, states)
    try:
        return states, counter, cold.compared(), tuple(foreign)
    except (ValueError, KeyError, IndexError) as error:
        raise ParseError("restored state", 0, "", "the last cold node is not a line of RVCHECK") from error


def _of_stop(stop: str, began: Mapping[int, str], writers: Iterable[int]) -> Iterator[str]:
    """What is wrong with the node that stops writers, and with what each of them saw in it as it began.

    It counts how often writers were told to stop: since those of this load began not at all, or once at its end.
    """
    told = _times_told(stop)
    if told is None:
        yield f'^RVAX("stop") is {stop!r}'
    for writer in writers:
        seen = _times_told(began.get(writer, "absent"))
        if seen is None:
            yield f'^RVB("e",{writer}) is {began.get(writer, "absent")!r}'
        elif told is not None and told - seen not in (0, 1):
            yield f'^RVAX("stop") is {stop!r}, writer {writer} began at {began[writer]!r}'


def _times_told(text: str) -> int | None:
    """The count in such a node, whose check is right; none was told where the node is not there."""
    if not text:
        return 0
    number, _, _ = text.partition(",")
    if not number.isdecimal() or len(number) > _DIGITS_MAX:
        return None
    return int(number) if text == f"{int(number)},{int(number) * 7919 % 9973 + 10000}" else None


class _ColdNodes:
    """Compares cold nodes with what was written, as their lines come; keeps the first difference of each database."""

    def __init__(self, seed: int) -> None:
        self._left = {database: dict(oracle.cold(seed, database)) for database in (1, 2)}
        self._count = dict.fromkeys(self._left, 0)
        self._differs: dict[int, tuple[str, str, str]] = {}
        self._lines: list[str] = []

    def take(self, line: str) -> None:
        """One line of RVCHECK's label `cold`. Raises ValueError, KeyError."""
        if line.startswith("+"):
            if not self._lines:
                raise ValueError(line)
            self._lines.append(line[1:])
        else:
            self._end_node()
            self._lines = [line]

    def compared(self) -> dict[int, Cold]:
        """What came of it. Raises ValueError, KeyError."""
        self._end_node()
        for database, left in self._left.items():
            for node, value in left.items():
                self._note(database, node, None, value)
                break
        return {
            database: Cold(nodes=count, differs=self._differs.get(database))
            for database, count in self._count.items()
        }

    def _end_node(self) -> None:
        if not self._lines:
            return
        _, number, parts, rest = "".join(self._lines).split("|", 3)
        self._lines = []
        *node, value = rest.split("|")
        if len(node) != int(parts):
            raise ValueError(parts)
        database = int(number)
        self._count[database] += 1
        found, there = tuple(_decoded(part, node[0]) for part in node), _decoded(value, node[0])
        right = self._left[database].pop(found, None)
        if there != right:
            self._note(database, found, there, right)

    def _note(self, database: int, node: oracle.Node, there: str | None, right: str | None) -> None:
        name = f"^RV{'AB'[database - 1]}K({','.join(node)[:_COLD_SHOWN]})"
        self._differs.setdefault(database, (name, _excerpt(there), _excerpt(right)))


def _decoded(text: str, kind: str) -> str:
    """Text as it was before RVCHECK.m made it printable; Unicode is bytes of UTF-8 in an engine without it."""
    if "%" not in text:
        return text
    plain = _CODE.sub(lambda match: chr(int(match[1])), text)
    if kind == "u" and plain.isascii() is False and max(plain) < "\u0100":
        return plain.encode("latin-1").decode("utf-8", "replace")
    return plain


def _excerpt(value: str | None) -> str:
    return "absent" if value is None else f"{value[:_COLD_SHOWN]!r} of {len(value)} characters"


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
    with _walker(instance, "history", writer) as process:
        assert process.stdout
        lines = _Lines(process.stdout.fileno(), f"history of writer {writer}")
        for block in lines.blocks(oracle.HISTORY.line_bytes):
            lines.count += _compare(found, block, seed, writer, writers)
        trail = _Lines(process.stdout.fileno(), f"trail of writer {writer}", lines.rest)
        for block in trail.blocks(oracle.TRAIL.line_bytes):
            trail.count += _compare_trail(found.trail, block, seed, writer, writers)
        if process.wait(timeout=30) != DONE:
            raise InstanceError(
                f"the walk of writer {writer}'s history ended with status {process.returncode}"
            )
    return found


@contextmanager
def _walker(instance: Instance, part: str, writer: int) -> Iterator[subprocess.Popen[bytes]]:
    """A walker that is killed when its time is over: in a damaged database a walk may go round for ever."""
    process = instance.start_state(part, writer)
    seconds = SUMMARY_TIMEOUT_S if part == "summary" else WALK_TIMEOUT_S
    limit = threading.Timer(seconds, destroy.group, (process, f"its walk did not end within {seconds:g} s"))
    limit.daemon = True
    limit.start()
    try:
        yield process
    finally:
        limit.cancel()
        end(process)


class _Lines:
    """The lines of one part of a walk, up to the one that says how many nodes there were.

    Whoever reads the blocks counts the nodes into `count`; `rest` is what came after the part.
    """

    def __init__(self, descriptor: int, what: str, rest: bytes = b"") -> None:
        self._descriptor = descriptor
        self._what = what
        self.count = 0
        self.rest = rest

    def blocks(self, line_bytes: int) -> Iterator[bytes]:
        """Whole lines in blocks. Raises InstanceError if the walk breaks off, ParseError if the number is another."""
        size, part = _BLOCK_ROWS * line_bytes, self.rest
        self.rest = b""
        while part or (part := os.read(self._descriptor, size)):
            looked = len(self.rest)
            held, part = self.rest + part, b""
            if (last := _end_of(held, looked)) is not None:
                if last:
                    yield held[:last]
                line, _, self.rest = held[last:].partition(b"\n")
                self._require(_announced(line.removeprefix(b"end ")))
                return
            if len(held) < size and not held.endswith(b"\n"):
                self.rest = held
                continue
            whole = held.rfind(b"\n") + 1
            last_line = held.rfind(b"\n", 0, max(0, whole - 1)) + 1
            if held.startswith(b"@", last_line):
                whole = last_line  # a subscript stays with its node
            block, self.rest = held[:whole], held[whole:]
            if block:
                yield block
        raise InstanceError(f"the walk of the {self._what} broke off after {self.count} nodes")

    def _require(self, announced: int) -> None:
        if announced != self.count:
            raise ParseError(self._what, 0, "", f"{announced} nodes announced, {self.count} came")


_END = b"\nend "


def _end_of(held: bytes, looked: int) -> int | None:
    """Where the first line begins that says `end`, if it is whole; None if there is none.

    Args:
        looked: Bytes at the beginning that were looked at before; the line may have begun in the last of them.
    """
    if held.startswith(_END[1:]):
        return 0 if b"\n" in held else None
    at = held.find(_END, max(0, held.rfind(b"\n", 0, looked)))
    return at + 1 if at >= 0 and b"\n" in held[at + 1 :] else None


def _announced(number: bytes) -> int:
    """The number in the last line of a part. Raises ParseError."""
    if not number.isdigit() or len(number) > _DIGITS_MAX:
        raise ParseError("history", 0, repr(number[:80]), "no number of nodes")
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


def _compare_trail(found: Trail, block: bytes, seed: int, writer: int, writers: int) -> int:
    """Take one block of lines into the trail; returns how many nodes it had."""
    numbers = None if b"@" in block else oracle.parse(oracle.TRAIL, block)
    if numbers is None:
        return _compare_trail_slowly(found, block, seed, writer, writers)
    sequence, amount = numbers
    first = found.last + oracle.TRAIL_EVERY
    expected = np.arange(
        first, first + len(sequence) * oracle.TRAIL_EVERY, oracle.TRAIL_EVERY, dtype=np.int64
    )
    amounts = oracle.effects(seed, writer, writers, expected).amount
    wrong = (sequence != expected) | (amount != amounts)
    if found.altered is None and wrong.any():
        at = int(np.argmax(wrong))
        right = f"transaction {expected[at]}, amount {amounts[at]}"
        found.altered = (int(expected[at]), f"transaction {sequence[at]}, amount {amount[at]}", right)
    found.last = int(expected[-1])
    return len(sequence)


def _compare_trail_slowly(found: Trail, block: bytes, seed: int, writer: int, writers: int) -> int:
    """Line by line, for a block that holds a gap or a value of another shape."""
    count, subscript = 0, found.last + oracle.TRAIL_EVERY
    for line in block.removesuffix(b"\n").split(b"\n"):
        if line.startswith(b"@"):
            text = line[1:].strip()
            known = text.isdigit() and len(text) <= _DIGITS_MAX
            if not known or int(text) % oracle.TRAIL_EVERY:
                shown = text.decode("utf-8", "replace")
                found.altered = found.altered or (0, f"a node of subscript {shown}", "no such node")
            subscript = int(text) if known else found.last + oracle.TRAIL_EVERY
            continue
        count += 1
        if subscript != found.last + oracle.TRAIL_EVERY and not found.missing:
            found.missing = found.last + oracle.TRAIL_EVERY
        amount = oracle.effects(seed, writer, writers, np.array([subscript])).amount[0]
        right = oracle.trail_row(subscript, int(amount))
        if line + b"\n" != right and found.altered is None:
            found.altered = (subscript, line[:80].decode("utf-8", "replace"), right.decode().strip())
        found.last = max(found.last, subscript)
        subscript += oracle.TRAIL_EVERY
    return count


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
    stray = (rows.counter != 0) != counted
    if found.altered is None and stray.any():
        at = int(np.argmax(stray))
        right = "a value of the counter" if counted[at] else "no counter"
        found.altered = (int(rows.sequence[at]), f"counter {rows.counter[at]}", right)
    checks = oracle.check_values(seed, writer, rows.sequence, rows.read, rows.counter)
    if found.altered is None and not np.array_equal(checks, rows.check):
        at = int(np.argmax(checks != rows.check))
        read = f"it read {rows.read[at]} and counted {rows.counter[at]}"
        found.altered = (int(rows.sequence[at]), f"{read}, check {rows.check[at]}", f"check {checks[at]}")
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
        text = process.stdout.read(_OUTPUT_BYTES_MAX)
        if len(text) == _OUTPUT_BYTES_MAX:
            destroy.group(process, "its output goes on and on")
            raise InstanceError(
                f"the walk of the {part} printed more than {_OUTPUT_BYTES_MAX} bytes: it does not end"
            )
        if process.wait(timeout=60) != DONE:
            raise InstanceError(f"the walk of the {part} ended with status {process.returncode}")
        return text
