"""What all hands do to bytes and files; whatever is random follows from a salt."""

from __future__ import annotations

import random
from pathlib import Path

DATABASE = {"one": Path("db/one/IRIS.DAT"), "two": Path("db/two/IRIS.DAT")}


class Nothing(Exception):
    """There is nothing that could be changed so."""


def noise(salt: int, count: int) -> bytes:
    """Bytes none of which is zero."""
    return bytes(random.Random(salt).randrange(1, 256) for _ in range(count))


def altered(data: bytes, salt: int) -> bytes:
    """Every byte another one."""
    return bytes(a ^ b for a, b in zip(data, noise(salt, len(data)), strict=True))


def of_its_class(data: bytes, salt: int) -> bytes:
    """Every digit another digit, every letter another letter; what is neither stays."""
    chance = random.Random(salt)

    def other(byte: int) -> int:
        for alike in (b"0123456789", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz"):
            if byte in alike:
                return chance.choice(alike.replace(bytes([byte]), b""))
        return byte

    return bytes(map(other, data))


def put(file: Path, at: int, data: bytes) -> None:
    size = file.stat().st_size
    if at >= size:
        raise Nothing(f"{file.name} ends before {at}")
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data[: size - at])


def got(file: Path, at: int, count: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(at)
        return opened.read(count)


def truncate(file: Path, size: int) -> None:
    with file.open("r+b") as opened:
        opened.truncate(size)


def roles(on: str) -> tuple[str, ...]:
    return ("one", "two") if on == "both" else (on,)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
