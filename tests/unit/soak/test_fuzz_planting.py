"""The fuzzer's hands, without an engine: what they change, and that one can follow any other."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.soak.hands.blocks import BLOCK, Blocks, records
from tests.soak.hands.changes import Nothing, altered, noise, of_its_class
from tests.soak.hands.journals import JOURNAL_HANDS, Journals, journal_records
from tests.soak.hands.log import LOG_HANDS
from tests.soak.mutations import KINDS, Mutation

LOG = """\
11/27/2026 02:00:00: Backup.General.ExternalFreeze: Suspending system
Journal file switched to:
/iris/mgr/journal/20261127.008
11/27/2026 02:00:00: Backup.General.ExternalFreeze: Start a journal restore for this backup with journal file: \
/iris/mgr/journal/20261127.008

Journal marker set at
offset 65976 of /iris/mgr/journal/20261127.008
11/27/2026 02:00:00: Backup.General.ExternalFreeze: System suspended
"""
BATCH: Any = SimpleNamespace(
    others={name: SimpleNamespace(log=f"{name}\n") for name in ("earlier", "foreign", "twin")}
)


def mutation(kind: str, on: str | None = None, **words: Any) -> Mutation:
    one = Mutation(kind=kind, on=on or KINDS[kind].on[0], at=0.3, to=0.6, count=2, salt=5)
    return replace(one, **words)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(LOG_HANDS, LOG_HANDS)))
def test_any_change_of_a_log_may_follow_any_other(first: str, second: str) -> None:
    """Whatever bytes the first one left, and also where it left none."""
    for salt, at in itertools.product((4, 5), (0.0, 0.41, 0.97)):
        text = LOG
        for kind in (first, second, "log.bytes"):
            try:
                text = LOG_HANDS[kind](text, mutation(kind, salt=salt, at=at), BATCH)
            except Nothing:
                continue
        text.encode("utf-8", "surrogateescape")


def test_a_number_is_changed_everywhere_or_in_the_marker_alone() -> None:
    every = LOG_HANDS["log.number"](LOG, mutation("log.number", "every"), BATCH)
    assert 0 == every.count(".008") and 3 == every.count(".010")
    marker = LOG_HANDS["log.number"](LOG, mutation("log.number", "marker"), BATCH)
    assert 2 == marker.count(".008") and "offset 65976 of /iris/mgr/journal/20261127.010" in marker


def journals(folder: Path, content: bytes = b"") -> Journals:
    """Two journals of two files each, with three records of 16 bytes, and their list."""
    record = b"\x05\x10\x00\x00" + bytes(8) + b"\x10\x00\x00\xeb"
    names = ["20261127.008", "20261127.009"]
    for name in names:
        for file in (name, f"{name}.two"):
            (folder / file).write_bytes(content or bytes([7]) * 65536 + record * 3 + bytes(64))
    (folder / "journal.log").write_bytes(b"one\n\xa5two\nthree\n")
    return Journals(BATCH, folder, names)


HANDS = [
    kind for kind in JOURNAL_HANDS if kind not in ("journals.earlier", "journals.foreign", "journals.twin")
]


@pytest.mark.parametrize(("first", "second"), list(itertools.product(HANDS, HANDS)))
def test_any_change_of_journals_may_follow_any_other(tmp_path: Path, first: str, second: str) -> None:
    found = journals(tmp_path)
    for kind in (first, second):
        try:
            JOURNAL_HANDS[kind](found, mutation(kind, KINDS[kind].on[-1]))
        except Nothing:
            continue


@pytest.mark.parametrize("kind", [kind for kind in HANDS if kind not in ("journals.double",)])
def test_a_change_of_journals_is_one(tmp_path: Path, kind: str) -> None:
    """Of both files of a journal, or of the list."""
    found = journals(tmp_path)
    (tmp_path / "20261127.009").write_bytes((tmp_path / "20261127.009").read_bytes() + b"1")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    JOURNAL_HANDS[kind](found, mutation(kind, KINDS[kind].on[-1]))
    assert before != {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_records_of_a_journal(tmp_path: Path) -> None:
    journals(tmp_path)
    assert [65536, 65552, 65568, 65584] == journal_records(tmp_path / "20261127.008")


def block(level: int, *found: bytes) -> bytes:
    body = b"".join((len(one) + 4).to_bytes(2, "little") + bytes(2) + one for one in found)
    head = bytes(3) + bytes([level]) + (16 + len(body)).to_bytes(4, "little") + bytes(8)
    return (head + body).ljust(BLOCK, b"\0")


def test_blocks_are_found_by_what_they_hold() -> None:
    """Every global is as likely as the others, however few its blocks are."""
    one, two = block(0, b"AA\0x", b"AA\0y"), block(0, b"BB\0x")
    data = (
        bytes(16 * BLOCK)
        + one * 3
        + two
        + block(1, b"AA\0")
        + block(255, bytes(124))
        + bytes(BLOCK)
        + b"\xff" * BLOCK
    )
    found = Blocks.of(data)
    first = 16 * BLOCK
    assert [[first, first + BLOCK, first + 2 * BLOCK], [first + 3 * BLOCK]] == found.areas["data"]
    assert [first + 3 * BLOCK] == [found.at("data", 0.75)] and first == found.at("data", 0.0)
    assert found.at("index", 0.5) == first + 4 * BLOCK and found.at("map", 0.9) == first + 5 * BLOCK
    assert found.at("free", 0.1) == first + 6 * BLOCK
    assert 0 == found.at("header", 0.0) and first + 7 * BLOCK == found.at("header", 0.5)
    assert [(16, 24), (24, 32)] == records(one)
    with pytest.raises(Nothing):
        Blocks({}).at("data", 0.5)


def test_what_is_altered_differs_in_every_byte() -> None:
    data = bytes(range(256))
    assert all(a != b for a, b in zip(data, altered(data, 3), strict=True))
    assert noise(3, 99) == noise(3, 99) and 0 not in noise(3, 9999)
    text = b"Ab0 ,9z"
    other = of_its_class(text, 1)
    assert all((a == b) == (chr(a) in " ,") for a, b in zip(text, other, strict=True))
    assert [chr(b).isdigit() for b in text] == [chr(b).isdigit() for b in other]
