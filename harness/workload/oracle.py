"""What transaction i of a writer does: the same function that RVWORK.m computes, over whole arrays.

Everything here follows from (seed, writer, i) alone, so that a restored database can be judged without having
stored what was written. The shape of a history value is fixed: eight numbers of fixed width, each raised by a
power of ten so that it needs no padding (RVWORK.m, label `body`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

ACCOUNTS = 64
OPENING_BALANCE = 1_000_000
TEMPORARY_EVERY, TEMPORARY_KEPT = 8, 64
LARGE_EVERY, LARGE_SLOTS = 16, 4
COUNTED_EVERY = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """Lines of numbers of fixed width, between commas; each is raised by a power of ten, so that none needs
    padding.
    """

    widths: tuple[int, ...]
    raised: tuple[int, ...]

    @property
    def line_bytes(self) -> int:
        """Length of a line: the numbers, the commas and a line feed."""
        return sum(self.widths) + len(self.widths)


HISTORY = Shape((11, 3, 3, 4, 3, 11, 11, 5), (10**10, 100, 100, 1000, 100, 10**10, 10**10, 10**4))
TRAIL = Shape((11, 4), (10**10, 1000))
"""The trail in database one: sequence number and amount of every eighth transaction."""
TRAIL_EVERY = 8


@dataclass(frozen=True, slots=True)
class Effects:
    """What transactions do: one array element per transaction."""

    source: Ints
    target: Ints
    amount: Ints
    read_from: Ints


@dataclass(frozen=True, slots=True)
class Rows:
    """Parsed history values, one array element per node, fields as in RVWORK.m."""

    sequence: Ints
    source: Ints
    target: Ints
    amount: Ints
    read_from: Ints
    read: Ints
    counter: Ints
    check: Ints


def mixed(seed: int, writer: int, sequence: Ints) -> Ints:
    """The number everything else of a transaction is taken from; `sequence` counts from 1."""
    return (sequence * 48271 + writer * 7919 + seed) % 2147483647


def check_values(seed: int, writer: int, sequence: Ints, read: Ints, counter: Ints) -> Ints:
    """The last number of history values: what a transaction read and counted depends on the others, so a check is
    stored beside it.
    """
    return (mixed(seed, writer, sequence) + read * 7 + counter * 3) % 9973


def effects(seed: int, writer: int, writers: int, sequence: Ints) -> Effects:
    """What the given transactions of one writer do."""
    x = mixed(seed, writer, sequence)
    source = x % ACCOUNTS
    others = writers - 1
    return Effects(
        source=source,
        target=(x // ACCOUNTS % (ACCOUNTS - 1) + 1 + source) % ACCOUNTS,
        amount=x // 4096 % 997 + 1,
        read_from=(sequence % others + writer) % writers + 1 if others else np.full_like(sequence, writer),
    )


def temporaries(last: int) -> range:
    """Sequence numbers whose temporary nodes exist after transaction `last`."""
    newest = last - last % TEMPORARY_EVERY
    return range(max(TEMPORARY_EVERY, newest - TEMPORARY_KEPT + TEMPORARY_EVERY), newest + 1, TEMPORARY_EVERY)


def large_values(seed: int, writer: int, last: int) -> dict[int, str]:
    """Slot → value after transaction `last`."""
    newest = last - last % LARGE_EVERY
    oldest = max(LARGE_EVERY, newest - (LARGE_SLOTS - 1) * LARGE_EVERY)
    return {
        i // LARGE_EVERY % LARGE_SLOTS: _large_value(seed, writer, i)
        for i in range(oldest, newest + 1, LARGE_EVERY)
    }


def _large_value(seed: int, writer: int, i: int) -> str:
    length = 1000 + int(mixed(seed, writer, np.array([i]))[0]) % 7000
    return f"{i}:{chr(65 + i % 26) * length}"


def parse_rows(raw: bytes) -> Rows | None:
    """Read whole history lines at once; None if any of them has not the fixed shape."""
    numbers = parse(HISTORY, raw)
    return None if numbers is None else Rows(*numbers)


def parse(shape: Shape, raw: bytes) -> list[Ints] | None:
    """Read whole lines at once: one array a number; None if any line has not the shape."""
    if len(raw) % shape.line_bytes:
        return None
    block = np.frombuffer(raw, dtype=np.uint8).reshape(-1, shape.line_bytes)
    ends = np.cumsum(np.array(shape.widths) + 1)
    separators = np.frombuffer(b"," * (len(shape.widths) - 1) + b"\n", dtype=np.uint8)
    if not (block[:, ends - 1] == separators).all():
        return None
    digits = block.T - np.uint8(ord("0"))  # a byte below "0" wraps round to a big one
    found = []
    for end, width, raised in zip(ends.tolist(), shape.widths, shape.raised, strict=True):
        number = _number(digits[end - width - 1 : end - 1], raised)
        if number is None:
            return None
        found.append(number)
    return found


def _number(digits: npt.NDArray[np.uint8], raised: int) -> Ints | None:
    """Numbers from their digits, most significant first, one row of the array a place; None if one is no digit,
    or was not raised.
    """
    if (digits > 9).any():
        return None
    number: Ints = digits[0].astype(np.int64)
    for digit in digits[1:]:
        number *= 10
        number += digit
    number -= raised
    return None if (number < 0).any() else number


def row(*numbers: int) -> bytes:
    """One history line, as RVWORK.m would store it; the inverse of `parse_rows`."""
    return ",".join(str(n + r) for n, r in zip(numbers, HISTORY.raised, strict=True)).encode() + b"\n"


def trail_row(sequence: int, amount: int) -> bytes:
    """One line of the trail in database one, as RVWORK.m stores it."""
    return b"%d,%d\n" % (sequence + TRAIL.raised[0], amount + TRAIL.raised[1])


Node = tuple[str, ...]
"""Subscripts of a node as text."""


@cache
def cold(seed: int, database: int) -> Mapping[Node, str]:
    """The cold data of database 1 or 2: what RVWORK.m, label `cold`, writes before the load, node for node."""
    return MappingProxyType(dict(_cold(seed, database)))


def _cold(seed: int, database: int) -> Iterator[tuple[Node, str]]:
    def value(i: int, length: int) -> str:
        x = (i * 48271 + database * 7919 + seed) % 2147483647
        return f"{x}:{chr(65 + x % 26) * length}"

    every_byte = "".join(map(chr, range(256)))
    for i in range(1, 601):
        yield ("f", str(i)), value(i, 1000)
    for i in range(-100, 101):
        yield ("n", _canonical(i / 4)), value(i + 200, 20)
    for i in range(584):
        yield ("s", chr(97 + i % 26) + chr(97 + i // 26) + chr(97 + i % 7) * 178), value(i + 1000, 60)
    for i in range(1, 49):
        yield ("u", f"{chr(945 + i % 24)}{i}"), value(i + 2000, 20) + chr(945 + i % 24)
        yield ("e", str(i)), ""
    for i in range(16):
        yield ("b", str(i)), every_byte[i * 16 :] + every_byte[: i * 16 + database - 1]
    for i in range(1, 5):
        yield ("m", str(i)), value(i + 3000, 32700)
    for i in range(1, 9):
        for k in range(1, 21):
            yield ("d", str(i), *map(str, range(1, k + 1))), value(i * 20 + k + 4000, 10)


def _canonical(number: float) -> str:
    """A number as M writes it: no zero before the point, none at the end."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
