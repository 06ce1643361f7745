"""Hands for the image as it was given out."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.soak.batch import Batch
from tests.soak.hands.blocks import BLOCK, HEAD, SIZE, blocks_of, records
from tests.soak.hands.changes import DATABASE, Nothing, altered, got, noise, of_its_class, put
from tests.soak.mutations import Mutation


class Image:
    """The image as it was given out."""

    def __init__(self, batch: Batch, folder: Path) -> None:
        self.batch = batch
        self.folder = folder

    def file(self, role: str) -> Path:
        file = self.folder / DATABASE[role]
        if not file.is_file():
            raise Nothing(f"{file.name} of {role} is gone")
        return file

    def another(self) -> list[Path]:
        """Every file but those of the databases."""
        databases = [self.folder / path for path in DATABASE.values()]
        found = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return sorted(path for path in found if path not in databases)


def _where(image: Image, one: Mutation, share: float) -> tuple[Path, int]:
    role, _, area = one.on.partition(".")
    return image.file(role), blocks_of(image.batch, role).at(area, share)


def _bytes(image: Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    at += int(one.to * BLOCK)
    put(file, at, altered(got(file, at, one.count), one.salt))


def _letters(image: Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    block = got(file, at, BLOCK)
    used = block[: int.from_bytes(block[SIZE], "little")]
    places = [found.start() for found in re.finditer(rb"[0-9A-Za-z]", used[HEAD:])]
    if not places:
        raise Nothing("no digit and no letter in the block")
    at += HEAD + places[int(one.to * len(places))]
    put(file, at, of_its_class(got(file, at, one.count), one.salt))


def _lose(image: Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    found = records(got(file, at, BLOCK))
    if len(found) < 2:
        raise Nothing("a block of one record")
    left = max(1, len(found) - one.count)
    put(file, at + SIZE.start, found[left - 1][1].to_bytes(4, "little"))


def _zero(image: Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    put(file, at + int(one.to * BLOCK), bytes(one.count))


def _hole(image: Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    length = min(one.count * BLOCK, file.stat().st_size - at)
    if length <= 0:
        raise Nothing("behind the end")
    argv = ["fallocate", "--punch-hole", "--offset", str(at), "--length", str(length), str(file)]
    subprocess.run(argv, check=True, timeout=20)


def _swap(image: Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    _, to = _where(image, one, one.to)
    mine, other = got(file, at, one.count * BLOCK), got(file, to, one.count * BLOCK)
    put(file, at, other)
    put(file, to, mine)


def _repeat(image: Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    put(file, _where(image, one, one.to)[1], got(file, at, one.count * BLOCK))


def _across(image: Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    role, _, area = one.on.partition(".")
    other = {"one": "two", "two": "one"}[role]
    put(file, at, got(image.file(other), blocks_of(image.batch, other).at(area, one.to), one.count * BLOCK))


def _mix(image: Image, one: Mutation) -> None:
    role, _, source = one.on.partition(".")
    file, other = image.file(role), image.batch.images[source] / DATABASE[role]
    mine, theirs = file.read_bytes(), other.read_bytes()
    differ = [
        at
        for at in range(0, min(len(mine), len(theirs)), BLOCK)
        if mine[at : at + BLOCK] != theirs[at : at + BLOCK]
    ]
    if not differ:
        raise Nothing("no block differs")
    first = int(one.at * len(differ))
    for at in differ[first : first + one.count]:
        put(file, at, theirs[at : at + BLOCK])


def _cut(image: Image, one: Mutation) -> None:
    file = image.file(one.on)
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.truncate(max(0, size - one.count * BLOCK + int(one.at * 8) % 2 * int(one.to * BLOCK)))


def _grow(image: Image, one: Mutation) -> None:
    file = image.file(one.on)
    with file.open("ab") as opened:
        opened.write(bytes(one.count * BLOCK) if one.salt % 2 else noise(one.salt, one.count * BLOCK))


def _file(image: Image, one: Mutation) -> None:
    role, _, source = one.on.partition(".")
    shutil.copy(image.batch.images[source] / DATABASE[role], image.file(role))


def _whole(image: Image, one: Mutation) -> None:
    for path in image.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    argv = ["cp", "-a", "--sparse=auto", f"{image.batch.images[one.on]}/.", str(image.folder)]
    subprocess.run(argv, check=True, timeout=60)


def _exchange(image: Image, one: Mutation) -> None:
    first, second = map(image.file, DATABASE)
    aside = image.folder / "aside"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def _missing(image: Image, one: Mutation) -> None:
    image.file(one.on).unlink()


def _other(image: Image, one: Mutation) -> Path:
    found = image.another()
    if not found:
        raise Nothing("no other file")
    return found[int(one.at * len(found))]


def _other_gone(image: Image, one: Mutation) -> None:
    _other(image, one).unlink()


def _other_bytes(image: Image, one: Mutation) -> None:
    file = _other(image, one)
    at = int(one.to * file.stat().st_size)
    put(file, at, altered(got(file, at, one.count), one.salt))


def _other_cut(image: Image, one: Mutation) -> None:
    file = _other(image, one)
    with file.open("r+b") as opened:
        opened.truncate(int(one.to * file.stat().st_size))


def _other_of(image: Image, one: Mutation) -> None:
    file = _other(image, one)
    other = image.batch.images[one.on] / file.relative_to(image.folder)
    if not other.is_file():
        raise Nothing("the other image has no such file")
    shutil.copy(other, file)


IMAGE_HANDS: dict[str, Callable[[Image, Mutation], None]] = {
    "image.bytes": _bytes,
    "image.letters": _letters,
    "image.lose": _lose,
    "image.zero": _zero,
    "image.hole": _hole,
    "image.swap": _swap,
    "image.repeat": _repeat,
    "image.across": _across,
    "image.mix": _mix,
    "image.cut": _cut,
    "image.grow": _grow,
    "image.file": _file,
    "image.whole": _whole,
    "image.exchange": _exchange,
    "image.missing": _missing,
    "image.other_gone": _other_gone,
    "image.other_bytes": _other_bytes,
    "image.other_cut": _other_cut,
    "image.other_of": _other_of,
}
