"""GT.M's journal files, read as bytes: where records begin, and the last transactions at their end.

Only what no program of GT.M gives cheaply: an extract writes every record of a file as text. Measured on GT.M
V7.0-005, files labelled GDSJNL28; `tests/contract/test_agent_protocol.py` compares it with the engine's extract.

    0       header, begins with the label
    65536   records, each: 1 byte type, 3 bytes length …, 3 bytes length again, 0xEB
            at 24: 8 bytes that all records of one transaction share
            updates, at 48: 3 bytes length of the key, the key; then 4 bytes length of the value, the value

A file opens with PINI and EPOCH of the process that made it, and PFIN when that process was a freeze.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LABEL = b"GDSJNL28"
HEADER_BYTES = 65536
_PINI, _PFIN, _SET, _EPOCH, _TSET, _USET, _TCOM = 1, 2, 7, 11, 15, 16, 17
_SUFFIX = 0xEB
_TRANSACTION, _KEY = 24, 48
_RECORD_BYTES_MIN = 8
_DIGITS_MAX = 18


class Unreadable(Exception):
    """The file is not one this module knows, or a record is not where it must be."""


@dataclass(frozen=True)
class JournalRecord:
    """One record: where it begins, its type and its length in bytes."""

    offset: int
    kind: int
    length: int


def records(file: Path) -> Iterator[JournalRecord]:
    """All records in order, by their lengths; ends where the data ends. Raises Unreadable."""
    with _opened(file) as data:
        for record in _forward(data, HEADER_BYTES):
            _require_whole(data, record)
            yield record


def first_offset(file: Path) -> int:
    """Where the first record begins that is not the file's own beginning. Raises Unreadable."""
    with _opened(file) as data:
        for record in _forward(data, HEADER_BYTES):
            if record.kind not in (_PINI, _EPOCH, _PFIN):
                return record.offset  # it need not be whole: the engine may be writing it
            _require_whole(data, record)
            if record.kind == _PFIN:
                return record.offset + record.length
    raise Unreadable(f"{file.name} holds no record that ends its beginning")


def record_at(file: Path, offset: int) -> JournalRecord | None:
    """The record that holds a byte; None before the first and past the last. Raises Unreadable."""
    for record in records(file):
        if record.offset <= offset < record.offset + record.length:
            return record
        if record.offset > offset:
            break
    return None


def last_values(file: Path, end: int, global_name: bytes, wanted: int) -> dict[int, int]:
    """The last committed value of each first subscript of a global, read from the end of the file backwards.

    Args:
        end: Where the data ended when the header was last written; what follows it is read too.
        wanted: Reading ends when this many subscripts were seen.
    Returns:
        Subscript → value, both whole numbers.
    Raises:
        Unreadable: a record is not where it must be.
    """
    found: dict[int, int] = {}
    committed: set[bytes] = set()
    with _opened(file) as data:
        for record in _backward(data, end):
            if len(found) == wanted:
                break
            transaction = data[record.offset + _TRANSACTION : record.offset + _TRANSACTION + 8]
            if record.kind == _TCOM:
                committed.add(transaction)
            elif record.kind == _SET or (record.kind in (_TSET, _USET) and transaction in committed):
                subscript, value = _update(data, record, global_name) or (0, 0)
                if subscript:
                    found.setdefault(subscript, value)
    return found


@contextmanager
def _opened(file: Path) -> Iterator[mmap.mmap]:
    with file.open("rb") as opened:
        if opened.read(len(LABEL)) != LABEL:
            raise Unreadable(f"{file.name} is not a journal file of a known version")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def _forward(data: mmap.mmap, offset: int) -> Iterator[JournalRecord]:
    while offset + _RECORD_BYTES_MIN <= len(data) and data[offset]:
        length = int.from_bytes(data[offset + 1 : offset + 4], "little")
        if length < _RECORD_BYTES_MIN:
            raise Unreadable(f"the record at {offset} has a length of {length}")
        yield JournalRecord(offset, data[offset], length)
        offset += length


def _backward(data: mmap.mmap, end: int) -> Iterator[JournalRecord]:
    for record in _forward(data, end):
        end = record.offset + record.length
    while end > HEADER_BYTES:
        length = int.from_bytes(data[max(0, end - 4) : end - 1], "little")
        start = end - length
        if end > len(data) or length < _RECORD_BYTES_MIN or start < HEADER_BYTES:
            raise Unreadable(f"no record ends at {end}")
        record = JournalRecord(start, data[start], length)
        _require_whole(data, record)
        yield record
        end = start


def _require_whole(data: mmap.mmap, record: JournalRecord) -> None:
    """A record ends inside of the file, and says its length at its end as at its beginning. Raises Unreadable."""
    end = record.offset + record.length
    if end > len(data):
        raise Unreadable(f"the record at {record.offset} is cut off")
    if data[record.offset + 1 : record.offset + 4] != data[end - 4 : end - 1] or data[end - 1] != _SUFFIX:
        raise Unreadable(f"the record at {record.offset} does not end at {end}")


def _update(data: mmap.mmap, record: JournalRecord, global_name: bytes) -> tuple[int, int] | None:
    """Subscript and value, if the record sets a node of the global with one subscript and a whole number."""
    body = data[record.offset : record.offset + record.length]
    length = int.from_bytes(body[_KEY : _KEY + 3], "little")
    value_at = _KEY + 4 + length + 4
    size = int.from_bytes(body[value_at - 4 : value_at], "little")
    if value_at + size > len(body):
        raise Unreadable(f"the update at {record.offset} is longer than its record")
    key, value = body[_KEY + 4 : _KEY + 4 + length], body[value_at : value_at + size]
    if not key.startswith(global_name + b"\0"):
        return None
    subscript = _subscript(key[len(global_name) + 1 : -1])
    if subscript is None:
        raise Unreadable(f"the update at {record.offset} has a subscript that is no whole number")
    return (subscript, int(value)) if value.isdigit() and size <= _DIGITS_MAX else None


def _subscript(encoded: bytes) -> int | None:
    """A positive whole number as GT.M collates it: 0xBE plus the count of digits, then two digits a byte, each
    byte raised by one. None for anything else."""
    count = encoded[0] - 0xBE if encoded else 0
    digits = "".join(f"{byte - 1:02x}" for byte in encoded[1:] if byte)
    fits = 0 < count <= _DIGITS_MAX and len(digits) == 2 * (len(encoded) - 1) and digits.isdecimal()
    return int(digits[:count].ljust(count, "0")) if fits else None
