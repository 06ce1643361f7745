"""Blocks of the stand-in's database files, as they are in the good image of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.soak.batch import Batch
from tests.soak.hands.changes import DATABASE, Nothing

BLOCK = 4096
LEVEL, SIZE, HEAD = 3, slice(4, 8), 16
_RECORD_HEAD = 4
_DATA, _MAP, _MAP_BYTES = 0, 0xFF, 144


@dataclass(frozen=True, slots=True)
class Blocks:
    """Offsets of the blocks of a database file by what they hold: groups, each as likely as the others.

    Measured on GT.M V7.0-005: blocks of 4096 bytes from the beginning of the file on; the fourth byte of one is its
    level (0 data, more is index, 255 a bit map), its size follows; records begin after 16 bytes, each with its length
    in two, and how many bytes of its key are those of the key before; the first key of a block is whole.
    """

    areas: dict[str, list[list[int]]]

    @staticmethod
    def of(data: bytes) -> Blocks:
        by_global: dict[bytes, list[int]] = {}
        areas: dict[str, list[int]] = {"header": list(range(0, 16 * BLOCK, BLOCK))}
        for at in range(16 * BLOCK, len(data) - BLOCK + 1, BLOCK):
            block = data[at : at + BLOCK]
            size = int.from_bytes(block[SIZE], "little")
            if not any(block):
                areas.setdefault("free", []).append(at)
            elif block[LEVEL] == _MAP:
                # the header ends with a map of these maps, which is not made of blocks
                areas.setdefault("map" if size == _MAP_BYTES else "maps", []).append(at)
            elif block[LEVEL] != _DATA:
                areas.setdefault("index", []).append(at)
            elif HEAD + _RECORD_HEAD < size <= BLOCK:
                name = block[HEAD + _RECORD_HEAD :].partition(b"\0")[0][:8]
                by_global.setdefault(name, []).append(at)
        groups = {name: [places] for name, places in areas.items()}
        groups["header"] += groups.pop("maps", [])
        return Blocks({**groups, "data": [by_global[name] for name in sorted(by_global)]})

    def at(self, area: str, share: float) -> int:
        groups = self.areas.get(area)
        if not groups:
            raise Nothing(f"no blocks of {area}")
        group = groups[int(share * len(groups))]
        return group[int(share * len(groups) % 1 * len(group))]


def records(block: bytes) -> list[tuple[int, int]]:
    """Begin and end of each record of a block."""
    found, at, end = [], HEAD, min(int.from_bytes(block[SIZE], "little"), len(block))
    while at + _RECORD_HEAD < end:
        length = int.from_bytes(block[at : at + 2], "little")
        if length <= _RECORD_HEAD or at + length > end:
            break
        found.append((at, at + length))
        at += length
    return found


_maps: dict[tuple[Path, str], Blocks] = {}


def blocks_of(batch: Batch, role: str) -> Blocks:
    """Of the good image, whatever was done to the one at hand: places mean the same when a case is made smaller."""
    key = (batch.kept, role)
    if key not in _maps:
        _maps[key] = Blocks.of((batch.snapshot.location / DATABASE[role]).read_bytes())
    return _maps[key]
