"""Faults of the journals: missing, cut, altered, foreign, in the wrong order.

Some are planted in the copies that the harness took: then it knows from the instance what each journal must be.
Others are planted at the instance before anybody copies from there, as by a purge that comes too early: then the
journals themselves are all that tells.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness import destroy
from harness.errors import InstanceError
from harness.fault.base import STATE, Fault, Planted, Specimen, contents, overwrite, planted_in
from harness.instance.iris import Instance
from harness.model import Position, RecoveryMode
from harness.stages.rollforward import roll_forward

_ALL = STATE | {"chain", "marker"}
_HEADER_BYTES = 65536
"""Where the stand-in's journals end their header; on IRIS it is 8192 (Data Integrity Guide 8.1.6)."""


def _damage(work: Callable[[Path, list[str]], str]) -> Callable[[Specimen], Planted]:
    return lambda specimen: specimen.with_journals(work)


def _remove(which: int) -> Callable[[Path, list[str]], str]:
    def remove(folder: Path, names: list[str]) -> str:
        for file in _files(folder, names[which]):
            destroy.file(file, planted_in(folder))
        return f"{names[which]} was removed"

    return remove


def _remove_all(folder: Path, names: list[str]) -> str:
    for name in names:
        for file in _files(folder, name):
            destroy.file(file, planted_in(folder))
    return f"{names[0]} and all later ones were removed"


def _remove_stream(which: slice) -> Callable[[Path, list[str]], str]:
    """The files of the second database."""

    def remove(folder: Path, names: list[str]) -> str:
        removed = [_files(folder, name)[-1] for name in names[which]]
        for file in removed:
            destroy.file(file, planted_in(folder))
        return f"{removed[0].name} was removed"

    return remove


def _truncate(share: float) -> Callable[[Path, list[str]], str]:
    def truncate(folder: Path, names: list[str]) -> str:
        file = folder / names[0]
        size = int(file.stat().st_size * share)
        os.truncate(file, size)
        return f"{file.name} was cut to {size} bytes"

    return truncate


_HISTORY = b"10000000"
"""Begins every history value, and so is in every journal of the second database that holds transactions."""


def _flip(at: Callable[[bytes], int]) -> Callable[[Path, list[str]], str]:
    """One bit, in the largest journal of the second database."""

    def flip(folder: Path, names: list[str]) -> str:
        file = max((_files(folder, name)[-1] for name in names), key=lambda f: f.stat().st_size)
        data = file.read_bytes()
        place = at(data)
        overwrite(file, place, bytes([data[place] ^ 0x10]))
        return f"{file.name} had a bit flipped at {place}"

    return flip


class _Spoiled(Instance):
    """An instance whose journals are damaged after the last switch, before anybody lists or copies them."""

    def __init__(self, real: Instance, spoil: Callable[[], None]) -> None:
        super().__init__(real.place)
        self._spoil = spoil

    def switch_journal(self) -> Position:
        end = super().switch_journal()
        self._spoil()
        return end


def _at_the_instance(damage: Callable[[Path, list[str]], str]) -> Callable[[Specimen], Planted]:
    """The journals of a new backup are damaged where the instance keeps them, and put right when it was made."""

    def plant(specimen: Specimen) -> Planted:
        source, folder = specimen.session.source, specimen.session.description.journal_folder
        before = {journal.name for journal in source.journals(folder)}
        kept = specimen.folder / "kept"
        kept.mkdir()
        evidence: list[str] = []

        def spoil() -> None:
            *closed, _ = (j.name for j in source.journals(folder) if j.name not in before)
            for file in (file for name in closed for file in _files(folder, name)):
                _put_a_copy(file, kept)
            whole = contents(folder)
            changed = damage(folder, closed)
            evidence.extend([f"at the instance: {changed}"] if contents(folder) != whole else [])

        try:
            planted = specimen.back_up(source=_Spoiled(source, spoil))
        finally:
            for file in kept.iterdir():
                destroy.file(folder / file.name, destroy.Ground(folder=folder, right=_PUT_THERE))
                file.rename(folder / file.name)
        planted.evidence.extend(evidence)
        return planted

    return plant


_PUT_THERE = "a fault put copies in the place of these journals"


def _put_a_copy(file: Path, kept: Path) -> None:
    """Move a closed journal, to which nobody writes any more, aside, and put a copy in its place."""
    owner = file.stat()
    aside = kept / file.name
    file.rename(aside)
    shutil.copy2(aside, file)
    os.chown(file, owner.st_uid, owner.st_gid)


def _holding_data(folder: Path, names: list[str]) -> int:
    """Which journal is the last one with transactions in it; those after it only end the set."""
    return max(
        number
        for number, name in enumerate(names)
        if any(_HISTORY in file.read_bytes() for file in _files(folder, name))
    )


def _remove_last_with_data(folder: Path, names: list[str]) -> str:
    """It, and those behind it, which hold none."""
    lost = names[_holding_data(folder, names) :]
    for file in (file for name in lost for file in _files(folder, name)):
        destroy.file(file, planted_in(folder))
    return f"{lost[0]} was removed, and what came after it"


def _cut_at_a_record(folder: Path, names: list[str]) -> str:
    """What is left of the journal is whole, record for record, and the rest is zeros, as where a copy broke off."""
    name = names[_holding_data(folder, names)]
    file = _files(folder, name)[-1]
    begins = _records(file.read_bytes())
    at = begins[len(begins) // 2]
    size = file.stat().st_size
    os.truncate(file, at)
    os.truncate(file, size)
    return f"{file.name} holds nothing from {at} on"


class _Watched(Instance):
    """An instance of whose journal somebody makes a copy while it is being written, at a marker in the load."""

    def __init__(self, real: Instance, copy: Callable[[], None]) -> None:
        super().__init__(real.place)
        self._copy = copy

    def add_marker(self, text: str) -> Position:
        self._copy()
        return super().add_marker(text)


def _copied_early(specimen: Specimen) -> Planted:
    """The copy that was made in the load is taken for the journal."""
    source, live = specimen.session.source, specimen.session.description.journal_folder
    early = specimen.folder / "early"
    early.mkdir()

    def copy() -> None:
        name = source.journals(live)[-1].name
        for file in _files(live, name):
            shutil.copy(file, early / file.name)

    planted = specimen.back_up(source=_Watched(source, copy))
    assert planted.backup.journals
    for file in early.iterdir():
        whole = planted.backup.journals.folder / file.name
        if file.read_bytes() != whole.read_bytes():
            planted.evidence.append(f"{file.name} is what it was before the end of the load")
        shutil.copy(file, whole)
    return planted


def _records(data: bytes) -> list[int]:
    """Where the records of a stand-in's journal begin: after a byte for the kind come three for the length."""
    found, at = [], _HEADER_BYTES
    while at < len(data) and data[at]:
        found.append(at)
        at += int.from_bytes(data[at + 1 : at + 4], "little")
    return found


def _swap(folder: Path, names: list[str]) -> str:
    for one, other in _pairs(folder, names[0], names[1]):
        aside = folder / "aside"
        one.rename(aside)
        other.rename(one)
        aside.rename(other)
    return f"{names[0]} and {names[1]} changed names"


def _double(folder: Path, names: list[str]) -> str:
    for one, other in _pairs(folder, names[0], names[1]):
        shutil.copy(one, other)
    return f"{names[1]} is a copy of {names[0]}"


def _foreign(specimen: Specimen) -> Planted:
    """A journal of another time under the name of ours."""
    assert specimen.earlier.journals
    old = specimen.earlier.journals

    def put(folder: Path, names: list[str]) -> str:
        theirs = _files(old.folder, old.expected[1].name)
        for one, other in zip(theirs, _files(folder, names[1]), strict=True):
            shutil.copy(one, other)
        return f"{names[1]} is another journal under that name"

    return specimen.with_journals(put)


def _newer(specimen: Specimen) -> Planted:
    """As of the freeze was asked for, and the journals that came later were applied."""
    journals = specimen.good.journals
    assert journals

    def roll(target: Instance) -> None:
        _, answer = roll_forward(target, specimen.session.description, journals, None)
        evidence.extend(f"{folder} was rolled forward" for folder in answer.updated)

    evidence: list[str] = []
    return specimen.settled(roll, evidence=evidence)


def _short_set(specimen: Specimen) -> Planted:
    """The set was collected before the load had ended, and is taken for the whole."""
    assert specimen.good.journals
    journals = specimen.good.journals
    first, *rest = journals.expected
    following = rest[0]
    less = replace(
        journals,
        expected=(first,),
        following=following,
        end=replace(journals.start, journal_file=following.name),
    )
    planted = specimen.planted(replace(specimen.good, journals=less))
    planted.evidence.extend(f"{journal.name} is not in the set" for journal in rest)
    return planted


def _pairs(folder: Path, one: str, other: str) -> list[tuple[Path, Path]]:
    """The files of two journals, side by side. Raises InstanceError if one has more than the other."""
    files, others = _files(folder, one), _files(folder, other)
    if len(files) != len(others):
        listed = ", ".join(sorted(path.name for path in folder.iterdir()))
        raise InstanceError(f"journals {one} and {other} are not of the same files: {listed}")
    return list(zip(files, others, strict=True))


def _files(folder: Path, name: str) -> list[Path]:
    """The files that carry a journal: one, or in the stand-in one for each database. A roll-forward that breaks off
    leaves others beside them.
    """
    return [path for path in (folder / name, folder / f"{name}.two") if path.exists()]


def _fault(
    name: str,
    statement: str,
    cause: str,
    plant: Callable[[Specimen], Planted],
    *sees: str,
    mode: RecoveryMode = RecoveryMode.ROLLFORWARD,
    echoes: frozenset[str] = _ALL,
) -> Fault:
    return Fault(
        name=f"journals.{name}",
        statement=statement,
        plant=plant,
        cause=cause,
        sees=frozenset(sees or {"chain"}),
        echoes=echoes,
        mode=mode,
    )


FAULTS = (
    _fault(
        "first_missing",
        "the journal with the marker is missing",
        "chain.missing",
        _damage(_remove(0)),
        "chain",
        "marker",
    ),
    _fault("middle_missing", "a journal between others is missing", "chain.missing", _damage(_remove(1))),
    _fault("last_missing", "the last journal is missing", "chain.missing", _damage(_remove(-1))),
    _fault(
        "last_with_data_missing",
        "the last journal with transactions is missing, and what came after it",
        "chain.missing",
        _damage(_remove_last_with_data),
        "chain",
        "floor",
    ),
    _fault(
        "cut_at_a_record",
        "a journal ends at a record, and zeros follow",
        "recovery_point.broken_off",
        _damage(_cut_at_a_record),
        "recovery_point",
    ),
    _fault(
        "copied_early",
        "a journal was copied while the instance still wrote it",
        "chain.short",
        _copied_early,
    ),
    _fault(
        "purged_first",
        "the instance purged the journal with the marker before it was copied",
        "chain.purged",
        _at_the_instance(_remove(0)),
    ),
    _fault(
        "purged_all",
        "the instance purged all journals of the backup before they were copied",
        "chain.purged",
        _at_the_instance(_remove_all),
    ),
    _fault(
        "purged_middle",
        "a journal between others was gone before it was copied",
        "chain.gap",
        _at_the_instance(_remove(1)),
    ),
    _fault(
        "purged_last",
        "the last journals with transactions were gone before they were copied",
        "chain.gap",
        _at_the_instance(_remove_last_with_data),
        "chain",
        "floor",
    ),
    _fault(
        "source_cut",
        "a journal was cut off in its middle where the instance keeps it",
        "chain.damaged",
        _at_the_instance(_truncate(0.5)),
    ),
    _fault(
        "source_emptied",
        "a journal is empty where the instance keeps it",
        "chain.damaged",
        _at_the_instance(_truncate(0.0)),
    ),
    _fault(
        "source_swapped",
        "two journals changed names where the instance keeps them",
        "chain.gap",
        _at_the_instance(_swap),
    ),
    _fault(
        "source_double",
        "a journal is a copy of another where the instance keeps them",
        "chain.gap",
        _at_the_instance(_double),
    ),
    _fault(
        "source_flipped",
        "a bit in the middle of a journal is flipped where the instance keeps it",
        "recovery_point.broken_off",
        _at_the_instance(
            _flip(lambda data: data.index(_HISTORY, (_HEADER_BYTES + len(data.rstrip(bytes(1)))) // 2) + 9)
        ),
        "recovery_point",
    ),
    _fault("purged", "all journals were purged", "chain.missing", _damage(_remove_all), "chain", "marker"),
    _fault(
        "stream_short",
        "one database's last journal file is missing",
        "chain.damaged",
        _damage(_remove_stream(slice(-1, None))),
    ),
    _fault(
        "stream_missing",
        "one database was not journaled",
        "chain.damaged",
        _damage(_remove_stream(slice(None))),
        "chain",
        "recovery_point",
        "floor",
    ),
    _fault("cut_half", "a journal was cut off in its middle", "chain.damaged", _damage(_truncate(0.5))),
    _fault(
        "cut_header",
        "a journal was cut off in its header",
        "chain.damaged",
        _damage(_truncate(0.001)),
        "chain",
    ),
    _fault("emptied", "a journal is empty", "chain.damaged", _damage(_truncate(0.0)), "chain"),
    _fault(
        "flip_header",
        "a bit of a journal's header is flipped",
        "chain.damaged",
        _damage(_flip(lambda data: 0)),
    ),
    _fault(
        "flip_early",
        "a bit of a journal's first records is flipped",
        "recovery_point.broken_off",
        _damage(_flip(lambda data: data.index(_HISTORY) + 9)),
        "recovery_point",
    ),
    _fault(
        "flip_data",
        "a bit in the middle of a journal is flipped",
        "recovery_point.broken_off",
        _damage(
            _flip(lambda data: data.index(_HISTORY, (_HEADER_BYTES + len(data.rstrip(bytes(1)))) // 2) + 9)
        ),
        "recovery_point",
    ),
    _fault(
        "flip_end",
        "a bit of a journal's last records is flipped",
        "recovery_point.broken_off",
        _damage(_flip(lambda data: data.rindex(_HISTORY) + 9)),
        "recovery_point",
    ),
    _fault("reordered", "two journals changed names", "chain.foreign", _damage(_swap), "chain"),
    _fault("duplicated", "a journal is a copy of another", "chain.foreign", _damage(_double), "chain"),
    _fault("foreign", "a journal of another time has the name of ours", "chain.foreign", _foreign, "chain"),
    _fault("set_short", "the set was copied before the load had ended", "floor.lost", _short_set, "floor"),
    _fault(
        "newer_applied",
        "newer journals were applied to a state that was to be as of the freeze",
        "ceiling.newer",
        _newer,
        "ceiling",
        mode=RecoveryMode.AS_OF_FREEZE,
        echoes=frozenset(),
    ),
)
