"""Faults of single blocks of the image: in both databases, where the load writes and where it never does, in every
recovery mode.

Blocks are those of the stand-in's engine: 4096 bytes each from the beginning of the file on. The fourth byte of a
block is its level: 0 is data, more is index, 255 a bit map; its size follows, and the first key of a block is whole
(measured on GT.M V7.0-005).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.fault.base import EVERYTHING, PATH_OF, Fault, Planted, Specimen, given, overwrite
from harness.model import RecoveryMode

_BLOCK = 4096
_LEVEL, _SIZE, _FIRST_KEY = 3, 4, 20
_BITMAP_BYTES = 144
_VALUE = re.compile(rb"100000\d{5},1\d")
"""Begins every value of history and trail."""

_BALANCES = b"RVA\0\xffb\0"
_BALANCE = re.compile(rb"(?<!\d)(9\d{5}|10\d{5})(?![\d,])")
"""A balance near the opening one."""


@dataclass(frozen=True)
class _Area:
    """Blocks of database `role` whose first key begins so, and the code that names a wrong value in them."""

    role: str
    warmth: str
    key: bytes
    wrong_value: str


_AREAS = (
    _Area("one", "hot", b"RVA\0", "content.trail"),
    _Area("one", "cold", b"RVAK\0", "content.cold"),
    _Area("two", "hot", b"RVB\0", "content.history"),
    _Area("two", "cold", b"RVBK\0", "content.cold"),
)
Damage = Callable[[Path, list[int]], str]
"""Given a database file and the offsets of blocks in it; returns what it changed."""


def _of_level(data: bytes, level: int) -> list[int]:
    return [at for at in range(_BLOCK, len(data), _BLOCK) if data[at + _LEVEL] == level]


def _planted(area: _Area, damage: Damage) -> Callable[[Specimen], Planted]:
    def work(image: Path) -> str:
        file = image / PATH_OF[area.role]
        data = file.read_bytes()
        return damage(file, [at for at in _of_level(data, 0) if _begins(data, at, area.key)])

    return lambda specimen: specimen.with_image(work)


def _begins(data: bytes, at: int, key: bytes) -> bool:
    # the first record of a block begins after its header of 16 bytes with a header of 4
    return data[at + _FIRST_KEY : at + _FIRST_KEY + len(key)] == key


def _zero(file: Path, places: list[int]) -> str:
    return overwrite(file, places[len(places) // 2], bytes(_BLOCK))


def _hole(file: Path, places: list[int]) -> str:
    """A hole where there was data, as a copy leaves that lost an extent."""
    at = places[len(places) // 3]
    overwrite(file, at, bytes(16 * _BLOCK))
    return f"{file.name}: a hole of 64 kB at {at}"


def _exchange(file: Path, places: list[int]) -> str:
    one, other = places[len(places) // 3], places[len(places) // 2]
    data = file.read_bytes()
    overwrite(file, one, data[other : other + _BLOCK])
    return overwrite(file, other, data[one : one + _BLOCK])


def _repeat(file: Path, places: list[int]) -> str:
    one, other = places[len(places) // 3], places[len(places) // 2]
    return overwrite(file, other, file.read_bytes()[one : one + _BLOCK])


def _flip_header(file: Path, places: list[int]) -> str:
    """A bit of the size that a block says it has."""
    at = places[len(places) // 2] + _SIZE + 1
    return overwrite(file, at, bytes([file.read_bytes()[at] ^ 0x20]))


def _flip_value(file: Path, places: list[int]) -> str:
    """A bit of a value: the structure stays whole."""
    data = file.read_bytes()
    for at in places[len(places) // 2 :]:
        block = data[at : at + int.from_bytes(data[at + _SIZE : at + _SIZE + 4], "little")]
        if found := _VALUE.search(block) or re.search(rb"[A-Z]{9}", block):
            place = at + found.start() + 8
            return overwrite(file, place, bytes([data[place] ^ 0x01]))
    raise ValueError(f"no value in the blocks at {places}")


_KINDS: tuple[tuple[str, str, Damage], ...] = (
    ("zeroed", "a data block is zeros", _zero),
    ("hole", "a copy left a hole", _hole),
    ("exchanged", "two data blocks changed places", _exchange),
    ("repeated", "a data block is a copy of another", _repeat),
    ("flip_header", "a bit of a block's header is flipped", _flip_header),
    ("flip_value", "a bit of a value is flipped", _flip_value),
)


def _index(file: Path, places: list[int]) -> str:
    """The first entries of an index block."""
    return overwrite(file, _of_level(file.read_bytes(), 1)[-1] + 16, bytes([0xFF] * 64))


def _bitmap(file: Path, places: list[int]) -> str:
    """The first bit map says that blocks are free that are in use: its size tells it from other bytes."""
    data = file.read_bytes()
    size = _BITMAP_BYTES.to_bytes(4, "little")
    maps = [at for at in _of_level(data, 0xFF) if data[at + _SIZE : at + _SIZE + 4] == size]
    return overwrite(file, maps[0] + 18, bytes([0x55] * 32))


def _older(role: str, change: Callable[[bytes, bytearray, list[int]], int]) -> Callable[[Specimen], Planted]:
    """Blocks that never reached the disk: what they were in the earlier snapshot.

    Args:
        change: Given the older file, this one, and the offsets of data blocks that differ; returns how many it put
        back.
    """

    def plant(specimen: Specimen) -> Planted:
        old = specimen.folder / "old"
        old.mkdir()
        given(specimen.earlier, old)

        def put(image: Path) -> str:
            file = image / PATH_OF[role]
            before, now = (old / PATH_OF[role]).read_bytes(), bytearray(file.read_bytes())
            ends = min(len(before), len(now))
            changed = [
                at
                for at in range(_BLOCK * 130, ends, _BLOCK)
                if before[at : at + _BLOCK] != now[at : at + _BLOCK]
            ]
            count = change(before, now, changed)
            file.write_bytes(now)
            return f"{count} blocks of database {role} are older"

        return specimen.with_image(put)

    return plant


def _every_third(before: bytes, now: bytearray, changed: list[int]) -> int:
    for at in changed[::3]:
        now[at : at + _BLOCK] = before[at : at + _BLOCK]
    return len(changed[::3])


def _older_balances(before: bytes, now: bytearray, changed: list[int]) -> int:
    """Leaves that hold the same balances with older values, so that no structure tells."""
    old = {key: value for at in changed for key, value, _ in _records(before, at)}
    leaves = 0
    for at in changed:
        found = [
            (old[key], place)
            for key, value, place in _records(bytes(now), at)
            if key.startswith(_BALANCES) and len(old.get(key, b"")) == len(value)
        ]
        for value, place in found:
            now[place : place + len(value)] = value
        leaves += bool(found)
    return leaves


def _records(data: bytes, at: int) -> Iterator[tuple[bytes, bytes, int]]:
    """Key, value and place of the value, of each record of a data block.

    A record has a header of four bytes: its size in two, then how many bytes of its key are those of the key
    before. The key ends with two zeros (measured on GT.M V7.0-005).
    """
    if data[at + _LEVEL] != 0:
        return
    place, ends, key = at + 16, at + int.from_bytes(data[at + _SIZE : at + _SIZE + 4], "little"), b""
    while place + 6 < min(ends, at + _BLOCK):
        size, shared = int.from_bytes(data[place : place + 2], "little"), data[place + 2]
        end = data.find(b"\0\0", place + 4, place + size)
        if size < 7 or end < 0:
            return
        key = key[:shared] + data[place + 4 : end]
        yield key, data[end + 2 : place + size], end + 2
        place += size


def _overwritten(specimen: Specimen) -> Planted:
    """Balances of database one are another number of the same length."""

    def put(image: Path) -> str:
        file = image / PATH_OF["one"]
        data = bytearray(file.read_bytes())
        count = 0
        for at in _of_level(bytes(data), 0):
            if _begins(bytes(data), at, _BALANCES):
                for found in _BALANCE.finditer(bytes(data[at : at + _BLOCK])):
                    data[at + found.start() : at + found.end()] = b"1" * len(found[0])
                    count += 1
        file.write_bytes(data)
        return f"{count} balances were overwritten"

    return specimen.with_image(put)


def _fault(
    name: str, statement: str, plant: Callable[[Specimen], Planted], cause: str, mode: RecoveryMode, word: str
) -> Fault:
    return Fault(
        name=f"blocks.{name}",
        statement=statement,
        plant=plant,
        cause=f"image.{cause}",
        sees=frozenset({f"image.{cause.partition('.')[0]}"}),
        echoes=EVERYTHING,
        mode=mode,
        word=word,
    )


_VALUES = {"one": "^RVA", "two": "^RVB"}
"""How the globals of a database begin."""


def _faults() -> Iterator[Fault]:
    for mode in RecoveryMode:
        short = mode.value.replace("-", "_")
        for area in _AREAS:
            for kind, statement, damage in _KINDS:
                yield _fault(
                    f"{kind}_{area.warmth}_{area.role}_{short}",
                    f"{statement}: database {area.role}, {area.warmth}, {mode.value}",
                    _planted(area, damage),
                    area.wrong_value if kind == "flip_value" else "integrity.damaged",
                    mode,
                    _VALUES[area.role] if kind == "flip_value" else f"db/{area.role} ",
                )
        yield _fault(
            f"stale_{short}",
            f"balances of database one are those of an earlier snapshot, {mode.value}",
            _older("one", _older_balances),
            "content.balance",
            mode,
            '^RVA("b"',
        )
        yield _fault(
            f"garbage_{short}",
            f"balances of database one hold another number, {mode.value}",
            _overwritten,
            "content.balance",
            mode,
            "111111",
        )
    rolled = RecoveryMode.ROLLFORWARD
    for area in _AREAS[::2]:
        role = area.role
        yield _fault(
            f"index_{role}",
            f"an index block of database {role} is overwritten",
            _planted(area, _index),
            "integrity.damaged",
            rolled,
            f"db/{role} ",
        )
        yield _fault(
            f"bitmap_{role}",
            f"a bit map of database {role} says that used blocks are free",
            _planted(area, _bitmap),
            "integrity.damaged",
            rolled,
            f"db/{role} ",
        )
        yield _fault(
            f"lost_writes_{role}",
            f"some blocks of database {role} never reached the disk",
            _older(role, _every_third),
            "integrity.damaged",
            rolled,
            f"db/{role} ",
        )


FAULTS = tuple(_faults())
