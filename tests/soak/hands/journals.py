"""Hands for the copied journals."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.evidence.journals import order
from harness.stages.rollforward import JOURNAL_LOG
from tests.soak.batch import Batch
from tests.soak.hands.changes import Nothing, altered, got, noise, put, roles, truncate
from tests.soak.mutations import Mutation

_HEAD_BYTES = 65536


class Journals:
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
        found = [self.file(name, role) for role in roles(one.on)]
        return _required([file for file in found if file.is_file()])

    def pairs(self, one: Mutation, name: str, other: str) -> list[tuple[Path, Path]]:
        found = [(self.file(name, role), self.file(other, role)) for role in roles(one.on)]
        return _required([pair for pair in found if pair[0].is_file() and pair[1].is_file()])


def _required(found: list[Any]) -> list[Any]:
    if not found:
        raise Nothing("no such journal")
    return found


def journal_records(file: Path) -> list[int]:
    """Where each record of one of GT.M's journal files begins, and the end of the last (measured, V7.0-005)."""
    data = file.read_bytes()
    at, found = _HEAD_BYTES, []
    while at + 8 <= len(data) and data[at]:
        length = int.from_bytes(data[at + 1 : at + 4], "little")
        if length < 8:
            break
        found.append(at)
        at += length
    return [*found, at]


def _bytes(journals: Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        end = journal_records(file)[-1]
        at = _HEAD_BYTES + int(one.to * max(1, end - _HEAD_BYTES))
        put(file, at, altered(got(file, at, one.count), one.salt))


def _header(journals: Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        used = len(got(file, 0, _HEAD_BYTES).rstrip(b"\0"))
        at = int(one.to * used)
        put(file, at, altered(got(file, at, one.count), one.salt))


def _zero(journals: Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        put(file, int(one.to * journal_records(file)[-1]), bytes(one.count))


def _cut(journals: Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        truncate(file, int(one.to * journal_records(file)[-1]))


def _cut_whole(journals: Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        begins = journal_records(file)
        truncate(file, begins[int(one.to * len(begins))])


def _splice(journals: Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        begins, data = journal_records(file), file.read_bytes()
        first = int(one.to * (len(begins) - 1))
        last = min(first + one.count, len(begins) - 1)
        left = data[: begins[first]] + data[begins[last] :]
        file.write_bytes(left + bytes(len(data) - len(left)))


def _grow(journals: Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        with file.open("ab") as opened:
            opened.write(noise(one.salt, one.count))


def _drop(journals: Journals, one: Mutation) -> None:
    for file in journals.files(one, journals.chosen(one.at)):
        file.unlink()


def _double(journals: Journals, one: Mutation) -> None:
    for mine, other in journals.pairs(one, journals.chosen(one.at), journals.chosen(one.to)):
        if mine != other:
            shutil.copy(mine, other)


def _swap(journals: Journals, one: Mutation) -> None:
    for mine, other in journals.pairs(one, journals.chosen(one.at), journals.chosen(one.to)):
        _exchange(mine, other)


def _exchange(mine: Path, other: Path) -> None:
    data, theirs = mine.read_bytes(), other.read_bytes()
    mine.write_bytes(theirs)
    other.write_bytes(data)


def _rotate(journals: Journals, one: Mutation) -> None:
    for role in roles(one.on):
        files = [file for name in journals.names if (file := journals.file(name, role)).is_file()]
        contents = [file.read_bytes() for file in files]
        for file, data in zip(files, [*contents[-1:], *contents[:-1]], strict=True):
            file.write_bytes(data)


def _rename(journals: Journals, one: Mutation) -> None:
    day, _, number = max(journals.names, key=order, default="").partition(".")
    for file in journals.files(one, journals.chosen(one.at)):
        new = f"{day}.{int(number) + 1:03d}"
        file.rename(file.with_name(f"{new}.two" if file.suffix == ".two" else new))


def _of(source: str) -> Callable[[Journals, Mutation], None]:
    def put(journals: Journals, one: Mutation) -> None:
        other = journals.batch.others[source]
        theirs = other.names[int(one.to * len(other.names))]
        name = journals.chosen(one.at)
        for role in roles(one.on):
            shutil.copy(journals.file(theirs, role, other.journals), journals.file(name, role))

    return put


def _list(journals: Journals, one: Mutation) -> None:
    log = journals.folder / JOURNAL_LOG
    lines = log.read_bytes().splitlines(keepends=True)
    first = int(one.at * len(lines))
    log.write_bytes(b"".join([*lines[:first], *lines[first + one.count :]]))


def _list_bytes(journals: Journals, one: Mutation) -> None:
    log = journals.folder / JOURNAL_LOG
    at = int(one.at * log.stat().st_size)
    put(log, at, altered(got(log, at, one.count), one.salt))


JOURNAL_HANDS: dict[str, Callable[[Journals, Mutation], None]] = {
    "journals.bytes": _bytes,
    "journals.header": _header,
    "journals.zero": _zero,
    "journals.cut": _cut,
    "journals.cut_whole": _cut_whole,
    "journals.splice": _splice,
    "journals.grow": _grow,
    "journals.drop": _drop,
    "journals.double": _double,
    "journals.swap": _swap,
    "journals.rotate": _rotate,
    "journals.rename": _rename,
    "journals.earlier": _of("earlier"),
    "journals.foreign": _of("foreign"),
    "journals.twin": _of("twin"),
    "journals.list": _list,
    "journals.list_bytes": _list_bytes,
}
