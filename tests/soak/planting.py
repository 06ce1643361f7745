"""Hands that make mutations: on copies of a batch's image, journals and log, and on the steps of a recovery.

Mutations of the log come first, since the log says which journals are needed; then those of the journals; those of
the image are made when it is given out, and those of steps take the place of a step. What is made is what `back_up`
would have left had things been so from the beginning: with another marker in its log it copies other journals.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.backup import Backup, freeze_entry, new_folder_to_read
from harness.command import Deadline
from harness.errors import HarnessError
from harness.instance.base import CanRestart
from harness.instance.iris import Instance, RollforwardAnswer
from harness.model import Position, RecoveryMode, RollforwardSummary
from harness.recovery import Steps
from harness.rollforward import JOURNAL_LOG, JournalSet, between, order, roll_forward
from harness.snapshot.base import Snapshot, SnapshotProvider, Source
from tests.soak.batch import Batch
from tests.soak.mutations import Case, Mutation

BLOCK = 4096
_LEVEL, _SIZE, _HEAD = 3, slice(4, 8), 16
_RECORD_HEAD = 4
_DATA, _MAP, _MAP_BYTES = 0, 0xFF, 144
_JOURNAL_HEAD = 65536
DATABASE = {"one": Path("db/one/IRIS.DAT"), "two": Path("db/two/IRIS.DAT")}


class Nothing(Exception):
    """There is nothing that could be changed so."""


@dataclass(slots=True)
class Planted:
    """A backup with mutations in it, and what shows that they changed something."""

    backup: Backup
    steps: Steps
    changed: list[str] = field(default_factory=list)


# --- blocks of a database file, as they are in the good image


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
            size = int.from_bytes(block[_SIZE], "little")
            if not any(block):
                areas.setdefault("free", []).append(at)
            elif block[_LEVEL] == _MAP:
                # the header ends with a map of these maps, which is not made of blocks
                areas.setdefault("map" if size == _MAP_BYTES else "maps", []).append(at)
            elif block[_LEVEL] != _DATA:
                areas.setdefault("index", []).append(at)
            elif _HEAD + _RECORD_HEAD < size <= BLOCK:
                name = block[_HEAD + _RECORD_HEAD :].partition(b"\0")[0][:8]
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
    found, at, end = [], _HEAD, min(int.from_bytes(block[_SIZE], "little"), len(block))
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
        _maps[key] = Blocks.of((batch.good.window.taken().location / DATABASE[role]).read_bytes())
    return _maps[key]


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


# --- the image


class _Image:
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


def _put(file: Path, at: int, data: bytes) -> None:
    size = file.stat().st_size
    if at >= size:
        raise Nothing(f"{file.name} ends before {at}")
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data[: size - at])


def _got(file: Path, at: int, count: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(at)
        return opened.read(count)


def _where(image: _Image, one: Mutation, share: float) -> tuple[Path, int]:
    role, _, area = one.on.partition(".")
    return image.file(role), blocks_of(image.batch, role).at(area, share)


def _image_bytes(image: _Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    at += int(one.to * BLOCK)
    _put(file, at, altered(_got(file, at, one.count), one.salt))


def _image_letters(image: _Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    block = _got(file, at, BLOCK)
    used = block[: int.from_bytes(block[_SIZE], "little")]
    places = [found.start() for found in re.finditer(rb"[0-9A-Za-z]", used[_HEAD:])]
    if not places:
        raise Nothing("no digit and no letter in the block")
    at += _HEAD + places[int(one.to * len(places))]
    _put(file, at, of_its_class(_got(file, at, one.count), one.salt))


def _image_lose(image: _Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    found = records(_got(file, at, BLOCK))
    if len(found) < 2:
        raise Nothing("a block of one record")
    left = max(1, len(found) - one.count)
    _put(file, at + _SIZE.start, found[left - 1][1].to_bytes(4, "little"))


def _image_zero(image: _Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    _put(file, at + int(one.to * BLOCK), bytes(one.count))


def _image_hole(image: _Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    length = min(one.count * BLOCK, file.stat().st_size - at)
    if length <= 0:
        raise Nothing("behind the end")
    argv = ["fallocate", "--punch-hole", "--offset", str(at), "--length", str(length), str(file)]
    subprocess.run(argv, check=True, timeout=20)


def _image_swap(image: _Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    _, to = _where(image, one, one.to)
    mine, other = _got(file, at, one.count * BLOCK), _got(file, to, one.count * BLOCK)
    _put(file, at, other)
    _put(file, to, mine)


def _image_repeat(image: _Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    _put(file, _where(image, one, one.to)[1], _got(file, at, one.count * BLOCK))


def _image_across(image: _Image, one: Mutation) -> None:
    file, at = _where(image, one, one.at)
    role, _, area = one.on.partition(".")
    other = {"one": "two", "two": "one"}[role]
    _put(file, at, _got(image.file(other), blocks_of(image.batch, other).at(area, one.to), one.count * BLOCK))


def _image_mix(image: _Image, one: Mutation) -> None:
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
        _put(file, at, theirs[at : at + BLOCK])


def _image_cut(image: _Image, one: Mutation) -> None:
    file = image.file(one.on)
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.truncate(max(0, size - one.count * BLOCK + int(one.at * 8) % 2 * int(one.to * BLOCK)))


def _image_grow(image: _Image, one: Mutation) -> None:
    file = image.file(one.on)
    with file.open("ab") as opened:
        opened.write(bytes(one.count * BLOCK) if one.salt % 2 else noise(one.salt, one.count * BLOCK))


def _image_file(image: _Image, one: Mutation) -> None:
    role, _, source = one.on.partition(".")
    shutil.copy(image.batch.images[source] / DATABASE[role], image.file(role))


def _image_whole(image: _Image, one: Mutation) -> None:
    for path in image.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    argv = ["cp", "-a", "--sparse=auto", f"{image.batch.images[one.on]}/.", image.folder]
    subprocess.run(argv, check=True, timeout=60)


def _image_exchange(image: _Image, one: Mutation) -> None:
    first, second = map(image.file, DATABASE)
    aside = image.folder / "aside"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def _image_missing(image: _Image, one: Mutation) -> None:
    image.file(one.on).unlink()


def _other(image: _Image, one: Mutation) -> Path:
    found = image.another()
    if not found:
        raise Nothing("no other file")
    return found[int(one.at * len(found))]


def _image_other_gone(image: _Image, one: Mutation) -> None:
    _other(image, one).unlink()


def _image_other_bytes(image: _Image, one: Mutation) -> None:
    file = _other(image, one)
    at = int(one.to * file.stat().st_size)
    _put(file, at, altered(_got(file, at, one.count), one.salt))


def _image_other_cut(image: _Image, one: Mutation) -> None:
    file = _other(image, one)
    with file.open("r+b") as opened:
        opened.truncate(int(one.to * file.stat().st_size))


def _image_other_of(image: _Image, one: Mutation) -> None:
    file = _other(image, one)
    other = image.batch.images[one.on] / file.relative_to(image.folder)
    if not other.is_file():
        raise Nothing("the other image has no such file")
    shutil.copy(other, file)


# --- journals


class _Journals:
    """The copied set, and what it is made of."""

    def __init__(self, batch: Batch, folder: Path, names: list[str]) -> None:
        self.batch = batch
        self.folder = folder
        self.names = names

    def chosen(self, share: float) -> str:
        if not self.names:
            raise Nothing("no journals")
        return self.names[int(share * len(self.names))]

    def file(self, name: str, role: str, folder: Path | None = None) -> Path:
        """In the stand-in a journal is a file for each database."""
        return (folder or self.folder) / (name if role == "one" else f"{name}.two")

    def files(self, one: Mutation, name: str) -> list[Path]:
        found = [self.file(name, role) for role in _roles(one.on)]
        return _required([file for file in found if file.is_file()])

    def pairs(self, one: Mutation, name: str, other: str) -> list[tuple[Path, Path]]:
        roles = _roles(one.on)
        found = [(self.file(name, role), self.file(other, role)) for role in roles]
        return _required([pair for pair in found if pair[0].is_file() and pair[1].is_file()])


def _roles(on: str) -> tuple[str, ...]:
    return ("one", "two") if on == "both" else (on,)


def _required(found: list[Any]) -> list[Any]:
    if not found:
        raise Nothing("no such journal")
    return found


def journal_records(file: Path) -> list[int]:
    """Where each record of one of GT.M's journal files begins, and the end of the last (measured, V7.0-005)."""
    data = file.read_bytes()
    at, found = _JOURNAL_HEAD, []
    while at + 8 <= len(data) and data[at]:
        length = int.from_bytes(data[at + 1 : at + 4], "little")
        if length < 8:
            break
        found.append(at)
        at += length
    return [*found, at]


def _journals_bytes(journals: _Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        end = journal_records(file)[-1]
        at = _JOURNAL_HEAD + int(one.to * max(1, end - _JOURNAL_HEAD))
        _put(file, at, altered(_got(file, at, one.count), one.salt))


def _journals_header(journals: _Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        used = len(_got(file, 0, _JOURNAL_HEAD).rstrip(b"\0"))
        at = int(one.to * used)
        _put(file, at, altered(_got(file, at, one.count), one.salt))


def _journals_zero(journals: _Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        _put(file, int(one.to * journal_records(file)[-1]), bytes(one.count))


def _journals_cut(journals: _Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        _truncate(file, int(one.to * journal_records(file)[-1]))


def _journals_cut_whole(journals: _Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        begins = journal_records(file)
        _truncate(file, begins[int(one.to * len(begins))])


def _truncate(file: Path, size: int) -> None:
    with file.open("r+b") as opened:
        opened.truncate(size)


def _journals_splice(journals: _Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        begins, data = journal_records(file), file.read_bytes()
        first = int(one.to * (len(begins) - 1))
        last = min(first + one.count, len(begins) - 1)
        left = data[: begins[first]] + data[begins[last] :]
        file.write_bytes(left + bytes(len(data) - len(left)))


def _journals_grow(journals: _Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        with file.open("ab") as opened:
            opened.write(noise(one.salt, one.count))


def _journals_drop(journals: _Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        file.unlink()


def _journals_double(journals: _Journals, one: Mutation) -> None:
    for mine, other in journals.pairs(one, journals.chosen(one.at), journals.chosen(one.to)):
        if mine != other:
            shutil.copy(mine, other)


def _journals_swap(journals: _Journals, one: Mutation) -> None:
    for mine, other in journals.pairs(one, journals.chosen(one.at), journals.chosen(one.to)):
        _exchange(mine, other)


def _exchange(mine: Path, other: Path) -> None:
    data, theirs = mine.read_bytes(), other.read_bytes()
    mine.write_bytes(theirs)
    other.write_bytes(data)


def _journals_rotate(journals: _Journals, one: Mutation) -> None:
    for role in _roles(one.on):
        files = [file for name in journals.names if (file := journals.file(name, role)).is_file()]
        contents = [file.read_bytes() for file in files]
        for file, data in zip(files, [*contents[-1:], *contents[:-1]], strict=True):
            file.write_bytes(data)


def _journals_rename(journals: _Journals, one: Mutation) -> None:
    day, _, number = max(journals.names, key=order, default="").partition(".")
    for file in journals.files(one, journals.chosen(one.at)):
        new = f"{day}.{int(number) + 1:03d}"
        file.rename(file.with_name(f"{new}.two" if file.suffix == ".two" else new))


def _journals_of(source: str) -> Callable[[_Journals, Mutation], None]:
    def put(journals: _Journals, one: Mutation) -> None:
        other = journals.batch.others[source]
        theirs = other.names[int(one.to * len(other.names))]
        name = journals.chosen(one.at)
        for role in _roles(one.on):
            shutil.copy(journals.file(theirs, role, other.journals), journals.file(name, role))

    return put


def _journals_list(journals: _Journals, one: Mutation) -> None:
    log = journals.folder / JOURNAL_LOG
    lines = log.read_bytes().splitlines(keepends=True)
    first = int(one.at * len(lines))
    log.write_bytes(b"".join([*lines[:first], *lines[first + one.count :]]))


def _journals_list_bytes(journals: _Journals, one: Mutation) -> None:
    log = journals.folder / JOURNAL_LOG
    at = int(one.at * log.stat().st_size)
    _put(log, at, altered(_got(log, at, one.count), one.salt))


# --- the freeze log

_NAMED = re.compile(r"(?<=/)(\d{8}\.)(\d{3,})")
_OFFSET = re.compile(r"(?<=offset )\d+")


def _log_bytes(text: str, one: Mutation, batch: Batch) -> str:
    data = bytearray(text.encode("utf-8", "surrogateescape"))
    at = int(one.at * len(data))
    data[at : at + one.count] = altered(bytes(data[at : at + one.count]), one.salt)
    return data.decode("utf-8", "surrogateescape")


def _lines(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    if not lines:
        raise Nothing("an empty log")
    return lines


def _log_drop(text: str, one: Mutation, batch: Batch) -> str:
    lines = _lines(text)
    first = int(one.at * len(lines))
    return "".join([*lines[:first], *lines[first + one.count :]])


def _log_repeat(text: str, one: Mutation, batch: Batch) -> str:
    lines = _lines(text)
    lines.insert(int(one.to * (len(lines) + 1)), lines[int(one.at * len(lines))])
    return "".join(lines)


def _log_swap(text: str, one: Mutation, batch: Batch) -> str:
    lines = _lines(text)
    mine, other = int(one.at * len(lines)), int(one.to * len(lines))
    lines[mine], lines[other] = lines[other], lines[mine]
    return "".join(lines)


def _log_cut(text: str, one: Mutation, batch: Batch) -> str:
    return text[: int(one.at * len(text))]


def _log_offset(text: str, one: Mutation, batch: Batch) -> str:
    sign = 1 if one.salt % 2 else -1
    return _OFFSET.sub(lambda found: str(max(0, int(found[0]) + sign * one.count)), text)


def _log_number(text: str, one: Mutation, batch: Batch) -> str:
    sign = 1 if one.salt % 2 else -1

    def other(found: re.Match[str]) -> str:
        return f"{found[1]}{max(1, int(found[2]) + sign * one.count):03d}"

    if one.on == "every":
        return _NAMED.sub(other, text)
    lines = _lines(text)
    return "".join(_NAMED.sub(other, line) if line.startswith("offset ") else line for line in lines)


def _log_window(text: str, one: Mutation, batch: Batch) -> str:
    return batch.others[one.on].log


def _log_both(text: str, one: Mutation, batch: Batch) -> str:
    theirs = batch.others[one.on].log
    return theirs + text if one.salt % 2 else text + theirs


# --- steps


@dataclass(slots=True)
class _Doing:
    """The steps of a recovery, as far as they are others than ever."""

    batch: Batch
    mode: RecoveryMode
    roll: Callable[..., tuple[RollforwardSummary, RollforwardAnswer]] = roll_forward
    settle_image: list[Callable[[Instance], object]] = field(default_factory=list)
    settle: list[Callable[[Instance], object]] = field(default_factory=list)
    expected: int | None = None

    def point(self, name: str, journals: JournalSet) -> Position | None:
        if name == "end":
            return None
        if name == "marker":
            return journals.start
        return self.batch.good.promises[RecoveryMode.POINT_IN_TIME].position


Roll = Callable[..., tuple[RollforwardSummary, RollforwardAnswer]]


def _step_skipped(doing: _Doing, one: Mutation) -> None:
    def claim(target: Any, source: Any, journals: JournalSet, until: Any) -> Any:
        summary = RollforwardSummary(
            from_file=journals.start.journal_file,
            from_offset_bytes=journals.start.offset_bytes,
            to_file=journals.expected[-1].name,
            files=(),
            records=None,
            duration_s=0.0,
        )
        updated = tuple(target.describe().databases.values())
        return summary, RollforwardAnswer(records=None, updated=updated, skipped=(), duration_s=0.0)

    doing.roll = claim


def _step_twice(doing: _Doing, one: Mutation) -> None:
    doing.roll = _before(doing.roll, doing.roll)


def _before(first: Roll, then: Roll) -> Roll:
    def both(*arguments: Any) -> Any:
        first(*arguments)
        return then(*arguments)

    return both


def _step_stopped(doing: _Doing, one: Mutation) -> None:
    roll = doing.roll

    def less(target: Any, source: Any, journals: JournalSet, until: Any) -> Any:
        left = journals.expected[: max(1, int(one.at * len(journals.expected)))]
        return roll(target, source, replace(journals, expected=left), None)

    doing.roll = less


def _step_later(doing: _Doing, one: Mutation) -> None:
    roll = doing.roll

    def later(target: Any, source: Any, journals: JournalSet, until: Any) -> Any:
        first = int(one.at * len(journals.expected))
        start = replace(journals.start, journal_file=journals.expected[first].name)
        return roll(target, source, replace(journals, start=start, expected=journals.expected[first:]), until)

    doing.roll = later


def _step_one_database(doing: _Doing, one: Mutation) -> None:
    roll = doing.roll

    def only(target: Any, source: Any, journals: JournalSet, until: Any) -> Any:
        databases = {one.on: source.databases[one.on]}
        return roll(target, replace(source, databases=databases), journals, until)

    doing.roll = only


def _step_until(doing: _Doing, one: Mutation) -> None:
    roll = doing.roll

    def to_another(target: Any, source: Any, journals: JournalSet, until: Any) -> Any:
        return roll(target, source, journals, doing.point(one.on, journals))

    doing.roll = to_another


def _applied(doing: _Doing, one: Mutation) -> Callable[[Instance], object]:
    def apply(target: Instance) -> object:
        journals = doing.batch.good.journals
        assert journals
        return roll_forward(target, doing.batch.setting.description, journals, doing.point(one.on, journals))

    return apply


def _step_rolled(doing: _Doing, one: Mutation) -> None:
    doing.settle.append(_applied(doing, one))


def _step_rolled_before(doing: _Doing, one: Mutation) -> None:
    doing.settle_image.append(_applied(doing, one))


def _step_restored_again(doing: _Doing, one: Mutation) -> None:
    def again(target: Instance) -> None:
        image = doing.batch.good.window.taken().location
        for role in _roles(one.on):
            folder = target.describe().databases[role]
            target.dismount(folder)
            shutil.copyfile(image / DATABASE[role], folder / "IRIS.DAT")
            target.mount(folder)

    doing.settle.append(again)


def _step_restarted(doing: _Doing, one: Mutation) -> None:
    def again(target: Instance) -> None:
        assert isinstance(target.place, CanRestart)
        target.place.crash() if one.on == "crash" else target.place.stop()
        target.place.restart()

    doing.settle.append(again)


# --- all of it

IMAGE_HANDS: dict[str, Callable[[_Image, Mutation], None]] = {
    "image.bytes": _image_bytes,
    "image.letters": _image_letters,
    "image.lose": _image_lose,
    "image.zero": _image_zero,
    "image.hole": _image_hole,
    "image.swap": _image_swap,
    "image.repeat": _image_repeat,
    "image.across": _image_across,
    "image.mix": _image_mix,
    "image.cut": _image_cut,
    "image.grow": _image_grow,
    "image.file": _image_file,
    "image.whole": _image_whole,
    "image.exchange": _image_exchange,
    "image.missing": _image_missing,
    "image.other_gone": _image_other_gone,
    "image.other_bytes": _image_other_bytes,
    "image.other_cut": _image_other_cut,
    "image.other_of": _image_other_of,
}
JOURNAL_HANDS: dict[str, Callable[[_Journals, Mutation], None]] = {
    "journals.bytes": _journals_bytes,
    "journals.header": _journals_header,
    "journals.zero": _journals_zero,
    "journals.cut": _journals_cut,
    "journals.cut_whole": _journals_cut_whole,
    "journals.splice": _journals_splice,
    "journals.grow": _journals_grow,
    "journals.drop": _journals_drop,
    "journals.double": _journals_double,
    "journals.swap": _journals_swap,
    "journals.rotate": _journals_rotate,
    "journals.rename": _journals_rename,
    "journals.earlier": _journals_of("earlier"),
    "journals.foreign": _journals_of("foreign"),
    "journals.twin": _journals_of("twin"),
    "journals.list": _journals_list,
    "journals.list_bytes": _journals_list_bytes,
}
LOG_HANDS: dict[str, Callable[[str, Mutation, Batch], str]] = {
    "log.bytes": _log_bytes,
    "log.drop": _log_drop,
    "log.repeat": _log_repeat,
    "log.swap": _log_swap,
    "log.cut": _log_cut,
    "log.offset": _log_offset,
    "log.number": _log_number,
    "log.window": _log_window,
    "log.both": _log_both,
}
STEP_HANDS: dict[str, Callable[[_Doing, Mutation], None]] = {
    "steps.skipped": _step_skipped,
    "steps.twice": _step_twice,
    "steps.stopped": _step_stopped,
    "steps.later": _step_later,
    "steps.one_database": _step_one_database,
    "steps.until": _step_until,
    "steps.rolled": _step_rolled,
    "steps.rolled_before": _step_rolled_before,
    "steps.restored_again": _step_restored_again,
    "steps.restarted": _step_restarted,
}


def planted(batch: Batch, case: Case, folder: Path, given: Callable[[Path], None]) -> Planted:
    """The backup of a batch with the mutations of a case.

    Args:
        folder: Of the case, in which a log can lie.
        given: Called with the image when it is given out, with the mutations in it.
    """
    made = Planted(backup=batch.good, steps=Steps())
    _plant_log(batch, case, folder, made)
    _plant_journals(batch, case, made)
    _plant_steps(batch, case, made)
    provider = _Damaging(batch, case, made, given)
    made.backup = replace(made.backup, provider=provider)
    return made


def _hands(case: Case, hands: dict[str, Any]) -> Iterator[tuple[Any, Mutation]]:
    return ((hands[one.kind], one) for one in case.mutations if one.kind in hands)


def _plant_log(batch: Batch, case: Case, folder: Path, made: Planted) -> None:
    text = batch.log
    for hand, one in _hands(case, LOG_HANDS):
        try:
            text = hand(text, one, batch)
        except Nothing:
            continue
    if text == batch.log:
        return
    made.changed.append("the freeze log")
    log = folder / "freeze.log"
    log.write_bytes(text.encode("utf-8", "surrogateescape"))
    window = replace(batch.good.window, log=log, log_from_byte=0)
    entry, problem, stale = freeze_entry(window)
    marker = entry.marker if entry else None
    own = batch.good.entry.marker if batch.good.entry else None
    made.backup = replace(batch.good, window=window, entry=entry, entry_problem=problem, entry_stale=stale)
    if marker != own:
        made.backup = _with_marker(batch, made.backup, marker)


def _with_marker(batch: Batch, backup: Backup, marker: Position | None) -> Backup:
    """What `back_up` leaves with that marker in the log."""
    journals = batch.good.journals
    assert journals
    if marker is None:
        return replace(backup, journals=None, committed=None)
    problems = list(backup.problems)
    committed = None
    try:
        committed = batch.setting.source.last_committed(
            batch.stash, batch.listed[0].name, marker.journal_file, marker.offset_bytes, len(_writers(batch))
        )
    except HarnessError as error:
        problems.append(("read journals", str(error)))
    backup = replace(backup, committed=committed, problems=tuple(problems))
    expected = between(batch.listed, marker.journal_file, journals.end)
    if marker.journal_file not in [journal.name for journal in expected]:
        gone = f"the instance no longer has journal {marker.journal_file}, where the marker is"
        problems.append(("collect journals", gone))
        return replace(backup, journals=None, journals_gone=gone, problems=tuple(problems))
    folder = new_folder_to_read(batch.work, "set")
    for journal in expected:
        for file in journal.files:
            shutil.copy2(batch.stash / file, folder)
    shutil.copy2(batch.stash / JOURNAL_LOG, folder)
    return replace(backup, journals=replace(journals, folder=folder, start=marker, expected=expected))


def _writers(batch: Batch) -> range:
    return range(batch.setting.plan.workload.writers)


def _plant_journals(batch: Batch, case: Case, made: Planted) -> None:
    mutations = list(_hands(case, JOURNAL_HANDS))
    journals = made.backup.journals
    if not mutations or journals is None:
        return
    folder = new_folder_to_read(batch.work, "set")
    shutil.copytree(journals.folder, folder, dirs_exist_ok=True)
    before = _contents(folder)
    for hand, one in mutations:
        try:
            hand(_Journals(batch, folder, [journal.name for journal in journals.expected]), one)
        except Nothing:
            continue
    if _contents(folder) != before:
        made.changed.append("journals")
    made.backup = replace(made.backup, journals=replace(journals, folder=folder))


def _plant_steps(batch: Batch, case: Case, made: Planted) -> None:
    doing = _Doing(batch=batch, mode=case.mode)
    mutations = list(_hands(case, STEP_HANDS))
    for hand, one in mutations:
        hand(doing, one)
    if not mutations:
        return
    made.changed.append("steps")
    steps = replace(made.steps, roll_forward=doing.roll)
    if doing.settle_image:
        steps = replace(steps, settle_image=_all(doing.settle_image))
    if doing.settle:
        steps = replace(steps, settle=_all(doing.settle))
    made.steps = steps


def _all(calls: list[Callable[[Instance], object]]) -> Callable[[Instance], object]:
    def each(target: Instance) -> None:
        for call in calls:
            try:
                call(target)
            except HarnessError:  # an engine that refuses a step leaves what is there, and that is looked at
                return

    return each


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class _Damaging:
    """Gives out what another provider gives out, with the mutations of a case."""

    def __init__(self, batch: Batch, case: Case, made: Planted, given: Callable[[Path], None]) -> None:
        self._real: SnapshotProvider = batch.good.provider
        self.options_schema = self._real.options_schema
        self._batch = batch
        self._case = case
        self._made = made
        self._given = given

    def probe(self, source: Source) -> None:
        self._real.probe(source)

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        return self._real.capture(source, deadline)

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        copied = self._real.expose(snapshot, target)
        image = _Image(self._batch, target)
        for hand, one in _hands(self._case, IMAGE_HANDS):
            try:
                hand(image, one)
            except Nothing:
                continue
            self._made.changed.append("the image")
        self._given(target)
        return copied

    def release(self, snapshot: Snapshot) -> None:
        """The batch keeps it."""
