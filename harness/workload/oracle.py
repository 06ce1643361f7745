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


def _layout() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
    """Weights that turn the bytes of a row into its seven numbers, where digits stand, and the separators."""
    weights = np.zeros((ROW_BYTES, len(_WIDTHS)))
    digits = np.zeros(ROW_BYTES, dtype=bool)
    at = 0
    for field, width in enumerate(_WIDTHS):
        weights[at : at + width, field] = 10.0 ** np.arange(width - 1, -1, -1)
        digits[at : at + width] = True
        at += width + 1
    separators = np.full(len(_WIDTHS), ord(","), dtype=np.uint8)
    separators[-1] = ord("\n")
    return weights, digits, separators


_WEIGHTS, _DIGITS, _SEPARATORS = _layout()
_OFFSETS = np.array(_RAISED, dtype=np.float64) + 48 * _WEIGHTS.sum(axis=0)


def parse_rows(raw: bytes) -> Rows | None:
    """Read whole history lines at once; None if any of them has not the fixed shape."""
    if len(raw) % ROW_BYTES:
        return None
    block = np.frombuffer(raw, dtype=np.uint8).reshape(-1, ROW_BYTES)
    if not (block[:, ~_DIGITS] == _SEPARATORS).all():
        return None
    figures = block[:, _DIGITS]
    if ((figures - 48) > 9).any():
        return None
    # exact: every product and sum stays below 2**53
    numbers = block.astype(np.float64) @ _WEIGHTS - _OFFSETS
    return Rows(*np.ascontiguousarray(numbers.T.astype(np.int64)))


def row(*numbers: int) -> bytes:
    """One history line, as RVWORK.m would store it; the inverse of `parse_rows`."""
    return ",".join(str(n + r) for n, r in zip(numbers, _RAISED, strict=True)).encode() + b"\n"
