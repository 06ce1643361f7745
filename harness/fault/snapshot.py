"""Faults of the image: databases missing, older, of two instants, or with damaged blocks.

Blocks are those of the stand-in's engine: 4096 bytes each from the beginning of the file on. The fourth byte of a
block is its level: 0 is data, more is index, 255 a bit map; its size follows (measured on GT.M V7.0-005).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.fault.base import PATH_OF, STATE, Planted, Scene, fault, overwrite
from harness.files import Method, copy_paths
from harness.model import RecoveryMode

_BLOCK = 4096
_SEEN = frozenset({"integrity"})
_DAMAGED = STATE | {"integrity"}
_LEVEL, _SIZE = 3, 4
_BITMAP_BYTES = 144
_HISTORY = b"1000000"
"""Begins every history value; marks the blocks of the workload's data."""


def _image(damage: Callable[[Path], str], names: str = "") -> Callable[[Scene], Planted]:
    return lambda scene: scene.with_image(damage, names)


def _lose(role: str) -> Callable[[Path], str]:
    def lose(image: Path) -> str:
        shutil.rmtree((image / PATH_OF[role]).parent)
        return f"database {role} was removed"

    return lose


def _lose_all(image: Path) -> str:
    shutil.rmtree(image / "db")
    return "the image is empty"


def _cut(role: str, size: int) -> Callable[[Path], str]:
    def cut(image: Path) -> str:
        os.truncate(image / PATH_OF[role], size)
        return f"database {role} was cut to {size} bytes"

    return cut


def _older(*roles: str) -> Callable[[Scene], Planted]:
    """Databases of the earlier snapshot in the place of ours."""

    def plant(scene: Scene) -> Planted:
        old = scene.folder / "old"
        old.mkdir()
        scene.earlier.provider.expose(scene.earlier.window.taken(), old)

        def put(image: Path) -> str:
            for role in roles:
                shutil.copy(old / PATH_OF[role], image / PATH_OF[role])
            return f"database {' and '.join(roles)} of the earlier snapshot"

        return scene.with_image(put)

    return plant


def _later(scene: Scene) -> Planted:
    """Database two was copied some transactions after database one, in a freeze of its own."""
    later = scene.folder / "later"
    made = scene.back_up()
    later.mkdir()
    made.backup.provider.expose(made.backup.window.taken(), later)
    made.backup.provider.release(made.backup.window.taken())

    def put(image: Path) -> str:
        shutil.copy(later / PATH_OF["two"], image / PATH_OF["two"])
        return "database two is of a later freeze"

    return scene.with_image(put)


def _swapped(image: Path) -> str:
    one, two = (image / PATH_OF[role] for role in ("one", "two"))
    aside = image / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    return "the databases changed places"


def _live(scene: Scene) -> Planted:
    """The database files of the running instance, copied without any freeze, long after."""
    later = scene.folder / "live"
    description = scene.setting.description
    folders = [folder.relative_to(description.root) for folder in description.databases.values()]
    copy_paths(description.root, folders, later, Method.COPY)

    def put(image: Path) -> str:
        for path in PATH_OF.values():
            shutil.copy(later / path, image / path)
        return "both databases as they lay on the disk later"

    return scene.with_image(put)


def _lost_writes(scene: Scene) -> Planted:
    """Every third changed block is still what it was in the earlier snapshot: it never reached the disk."""
    old = scene.folder / "old"
    old.mkdir()
    scene.earlier.provider.expose(scene.earlier.window.taken(), old)

    def put(image: Path) -> str:
        file = image / PATH_OF["two"]
        before, now = (old / PATH_OF["two"]).read_bytes(), bytearray(file.read_bytes())
        changed = [
            at
            for at in range(_BLOCK * 130, min(len(before), len(now)), _BLOCK)
            if before[at : at + _BLOCK] != now[at : at + _BLOCK]
        ]
        for at in changed[::3]:
            now[at : at + _BLOCK] = before[at : at + _BLOCK]
        file.write_bytes(now)
        return f"{len(changed[::3])} blocks of database two are older"

    return scene.with_image(put)


def _of_level(data: bytes, level: int) -> list[int]:
    return [at for at in range(_BLOCK, len(data), _BLOCK) if data[at + _LEVEL] == level]


def _blocks(damage: Callable[[Path, list[int]], str], names: str = "two") -> Callable[[Scene], Planted]:
    """Damage to blocks of database two that hold history; given their offsets."""

    def work(image: Path) -> str:
        file = image / PATH_OF["two"]
        data = file.read_bytes()
        places = [at for at in _of_level(data, 0) if _HISTORY in data[at : at + _BLOCK]]
        return damage(file, places)

    return _image(work, names)


def _zero(file: Path, places: list[int]) -> str:
    return overwrite(file, places[len(places) // 2], bytes(_BLOCK))


def _sparse(file: Path, places: list[int]) -> str:
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


def _flip_value(file: Path, places: list[int]) -> str:
    """A bit of one digit of a history value: the structure stays whole."""
    at = places[len(places) // 2]
    data = file.read_bytes()
    place = data.index(_HISTORY, at) + 8
    return overwrite(file, place, bytes([data[place] ^ 0x01]))


def _flip_header(file: Path, places: list[int]) -> str:
    """A bit of the size that a block says it has."""
    at = places[len(places) // 2] + _SIZE + 1
    return overwrite(file, at, bytes([file.read_bytes()[at] ^ 0x20]))


def _index(file: Path, places: list[int]) -> str:
    """The first entries of an index block."""
    return overwrite(file, _of_level(file.read_bytes(), 1)[-1] + 16, bytes([0xFF] * 64))


def _bitmap(file: Path, places: list[int]) -> str:
    """The first bit map says that blocks are free that are in use: its size tells it from other bytes."""
    data = file.read_bytes()
    size = _BITMAP_BYTES.to_bytes(4, "little")
    maps = [at for at in _of_level(data, 0xFF) if data[at + _SIZE : at + _SIZE + 4] == size]
    return overwrite(file, maps[0] + 18, bytes([0x55] * 32))


def _file_header(image: Path) -> str:
    return overwrite(image / PATH_OF["one"], 0, b"NOTADATABASE")


_fault = partial(fault, "snapshot", echoes=_DAMAGED)


_FREEZE = RecoveryMode.AS_OF_FREEZE

FAULTS = (
    _fault(
        "one_missing",
        "a database is missing from the image",
        "integrity.refused",
        _image(_lose("two"), "two"),
        "integrity",
    ),
    _fault("nothing", "the image is empty", "integrity.refused", _image(_lose_all), "integrity"),
    _fault(
        "older_two",
        "one database is of an earlier snapshot",
        "atomicity.torn",
        _older("two"),
        "atomicity",
        "floor",
        mode=_FREEZE,
    ),
    _fault(
        "older_whole",
        "the image is that of an earlier backup",
        "floor.lost",
        _older("one", "two"),
        "floor",
        "recovery_point",
        mode=_FREEZE,
        echoes=frozenset(),
    ),
    _fault(
        "later_two", "the databases are of two freezes", "atomicity.torn", _later, "atomicity", mode=_FREEZE
    ),
    _fault("swapped", "the databases changed places", "floor.lost", _image(_swapped), mode=_FREEZE),
    _fault(
        "live", "the files were copied again after the thaw", "ceiling.newer", _live, "ceiling", mode=_FREEZE
    ),
    _fault(
        "cut",
        "a database file is cut off",
        "integrity.refused",
        _image(_cut("two", 300_000), "two"),
        "integrity",
    ),
    _fault(
        "cut_end",
        "the end of a database file is missing",
        "integrity.damaged",
        _image(_cut("two", 8_000_000), "two"),
        "integrity",
    ),
    _fault(
        "emptied", "a database file is empty", "integrity.refused", _image(_cut("one", 0), "one"), "integrity"
    ),
    _fault(
        "file_header",
        "the file's own header is overwritten",
        "integrity.refused",
        _image(_file_header, "one"),
        "integrity",
    ),
    _fault("zeroed", "a data block is zeros", "integrity.damaged", _blocks(_zero), "integrity"),
    _fault("hole", "a copy left a hole", "integrity.damaged", _blocks(_sparse), "integrity"),
    _fault(
        "exchanged", "two data blocks changed places", "integrity.damaged", _blocks(_exchange), "integrity"
    ),
    _fault(
        "repeated", "a data block is a copy of another", "integrity.damaged", _blocks(_repeat), "integrity"
    ),
    _fault(
        "flip_header",
        "a bit of a block's header is flipped",
        "integrity.damaged",
        _blocks(_flip_header),
        "integrity",
    ),
    _fault(
        "flip_value", "a bit of a value is flipped", "content.history", _blocks(_flip_value, ""), "content"
    ),
    _fault("index", "an index block is overwritten", "integrity.damaged", _blocks(_index), "integrity"),
    _fault(
        "bitmap",
        "a bit map says that used blocks are free",
        "integrity.damaged",
        _blocks(_bitmap),
        "integrity",
    ),
    _fault(
        "lost_writes",
        "some blocks never reached the disk",
        "integrity.damaged",
        _lost_writes,
        "integrity",
        mode=_FREEZE,
    ),
    _fault(
        "boot_without",
        "the image that a machine boots from lacks a database",
        "atomicity.torn",
        _image(_lose("two")),
        "atomicity",
        mode=RecoveryMode.BOOT,
    ),
)
