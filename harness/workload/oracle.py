"""What transaction i of a writer does: the same function that RVWORK.m computes, over whole arrays.

Everything here follows from (seed, writer, i) alone, so that a restored database can be judged without having
stored what was written. The shape of a history value is fixed: seven numbers of fixed width, each raised by a
power of ten so that it needs no padding (RVWORK.m, label `body`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

ACCOUNTS = 64
OPENING_BALANCE = 1_000_000
TEMPORARY_EVERY, TEMPORARY_KEPT = 8, 64
LARGE_EVERY, LARGE_SLOTS = 16, 4
COUNTED_EVERY = 16

_WIDTHS = (11, 3, 3, 4, 3, 11, 11)
_RAISED = (10**10, 100, 100, 1000, 100, 10**10, 10**10)
ROW_BYTES = sum(_WIDTHS) + len(_WIDTHS)
"""Length of a history line: the numbers, six commas and a line feed."""


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


def mixed(seed: int, writer: int, sequence: Ints) -> Ints:
    """The number everything else of a transaction is taken from; `sequence` counts from 1."""
    return (sequence * 48271 + writer * 7919 + seed) % 2147483647


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


_ENDS = np.cumsum(np.array(_WIDTHS) + 1)
"""Where the byte after each number's separator is."""
_FIELDS = tuple(zip(_ENDS.tolist(), _WIDTHS, _RAISED, strict=True))
_SEPARATORS = np.frombuffer(b"," * (len(_WIDTHS) - 1) + b"\n", dtype=np.uint8)


def parse_rows(raw: bytes) -> Rows | None:
    """Read whole history lines at once; None if any of them has not the fixed shape."""
    if len(raw) % ROW_BYTES:
        return None
    block = np.frombuffer(raw, dtype=np.uint8).reshape(-1, ROW_BYTES)
    if not (block[:, _ENDS - 1] == _SEPARATORS).all():
        return None
    digits = block.T - np.uint8(ord("0"))  # a byte below "0" wraps round to a big one
    numbers = [_number(digits[end - width - 1 : end - 1], raised) for end, width, raised in _FIELDS]
    return None if any(number is None for number in numbers) else Rows(*numbers)  # type: ignore[arg-type]


def _number(digits: npt.NDArray[np.uint8], raised: int) -> Ints | None:
    """Numbers from their digits, most significant first, one row of the array a place; None if one is no digit,
    or was not raised."""
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
    return ",".join(str(n + r) for n, r in zip(numbers, _RAISED, strict=True)).encode() + b"\n"
