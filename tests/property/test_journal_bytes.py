"""GT.M's journal files with flipped, cut and foreign bytes: a listing or Unreadable, in time, and inside the file."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.standin import journals
from harness.standin.gtm import Engine, GTMError, installation
from harness.standin.journal_file import (
    HEADER_BYTES,
    LABEL,
    Unreadable,
    first_offset,
    last_values,
    record_at,
    records,
)
from harness.standin.layout import Layout

_LIMIT_S = 5.0
_CODE = "f i=1:1:30 f w=1:1:3 tstart ():serial  s ^RVAS(w)=i,^RVA(w,i#5)=i,^RVBS(w)=i tcommit "
WRITERS, LAST = 3, 30
GLOBALS = {"one": b"RVAS", "two": b"RVBS"}


@dataclass(frozen=True)
class Journal:
    """A journal that GT.M wrote: its bytes, where its header says that the data end, its global."""

    raw: bytes = field(repr=False)
    end: int
    global_name: bytes


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Journal]:
    """One small journal of each database: thirty transactions of three writers."""
    if installation() is None:
        pytest.skip("GT.M is not installed")
    before = os.environ.get("IRISSYS")
    os.environ["IRISSYS"] = str(tmp_path_factory.mktemp("registry"))
    try:
        layout = Layout("JOURNALS", tmp_path_factory.mktemp("instance"))
        layout.create()
        engine = Engine(layout)
        engine.create_databases()
        for database in GLOBALS:
            engine.journal_on(database)
        subprocess.run(
            engine.mumps_argv("%XCMD", _CODE), env=engine.environment, cwd=layout.gtm, check=True, timeout=60
        )
        return [_journal(engine, layout.stream(database), name) for database, name in GLOBALS.items()]
    finally:
        if before is None:
            del os.environ["IRISSYS"]
        else:
            os.environ["IRISSYS"] = before


def _journal(engine: Engine, file: Path, global_name: bytes) -> Journal:
    return Journal(file.read_bytes(), int(journals._header(engine, file)["end"]), global_name)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "20261122.001"


@contextmanager
def in_time() -> Iterator[None]:
    """Fails what does not end within the limit."""

    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it did not end within {_LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, _LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(read: Callable[[], object]) -> object:
    """What it gave; None if it is Unreadable. Any other error is a defect."""
    with in_time():
        try:
            return read()
        except Unreadable as error:
            assert str(error)
            return None


def require_sane(file: Path, end: int, global_name: bytes, at: int) -> None:
    """The claims of this module over one file."""
    size = file.stat().st_size
    listing = attempt(lambda: list(records(file)))
    if isinstance(listing, list):
        assert sum(record.length for record in listing) <= max(0, size - HEADER_BYTES)
        assert all(r.offset >= HEADER_BYTES and r.offset + r.length <= size for r in listing)
        assert all(a.offset + a.length == b.offset for a, b in pairwise(listing))
    first = attempt(lambda: first_offset(file))
    assert first is None or (isinstance(first, int) and HEADER_BYTES <= first <= size)
    held = attempt(lambda: record_at(file, at))
    assert held is None or held in (listing or [held])
    values = attempt(lambda: last_values(file, end, global_name, WRITERS))
    assert values is None or (isinstance(values, dict) and len(values) <= WRITERS)
    assert all(isinstance(part, int) for pair in (values or {}).items() for part in pair)  # type: ignore[attr-defined]


def test_the_originals_are_read_whole(originals: list[Journal], file: Path) -> None:
    """Every record ends where the next begins; each writer's last number is found in both."""
    for journal in originals:
        file.write_bytes(journal.raw)
        listing = list(records(file))
        assert HEADER_BYTES == listing[0].offset and len(listing) > LAST * WRITERS * 2
        assert journal.end <= listing[-1].offset + listing[-1].length <= len(journal.raw)
        assert dict.fromkeys(range(1, WRITERS + 1), LAST) == last_values(
            file, journal.end, journal.global_name, WRITERS
        )
        assert first_offset(file) in [record.offset for record in listing]
        assert all(record == record_at(file, record.offset + record.length - 1) for record in listing[::40])


FLIPS = st.lists(st.tuples(st.integers(0, 2**32), st.integers(0, 255)), min_size=1, max_size=4)


@settings(max_examples=250)
@given(
    which=st.integers(0, 1),
    flips=FLIPS,
    cut=st.one_of(st.none(), st.integers(0, 2**32)),
    near=st.booleans(),
    end=st.one_of(st.none(), st.integers(0, 2**20)),
    at=st.integers(0, 2**18),
)
def test_flips_and_cuts_give_a_listing_or_unreadable(
    originals: list[Journal],
    file: Path,
    which: int,
    flips: list[tuple[int, int]],
    cut: int | None,
    near: bool,
    end: int | None,
    at: int,
) -> None:
    """Bytes changed anywhere, or near the end where reading begins; a file cut anywhere; a header that lies."""
    journal = originals[which]
    raw = bytearray(journal.raw)
    low, high = (journal.end - 800, journal.end + 100) if near else (HEADER_BYTES, len(raw))
    for place, byte in flips:
        raw[low + place % (high - low)] = byte
    file.write_bytes(raw if cut is None else raw[: cut % (len(raw) + 1)])
    require_sane(file, journal.end if end is None else end, journal.global_name, at)


@settings(max_examples=150)
@given(body=st.binary(max_size=400), end=st.integers(-5, 2**17), at=st.integers(-5, 2**17))
def test_any_bytes_after_a_header(file: Path, body: bytes, end: int, at: int) -> None:
    file.write_bytes(LABEL.ljust(HEADER_BYTES, b"\0") + body)
    require_sane(file, end, b"RVAS", at)


@pytest.mark.parametrize(
    "tail", ["0b0000ff000000eb", "ebebebebebebebeb", "00000000000000eb", "0100000000000000eb"]
)
def test_a_length_of_nothing_does_not_go_round_for_ever(file: Path, tail: str) -> None:
    """A last record that says that it has no bytes: the one before it would begin where it ends."""
    raw = LABEL.ljust(HEADER_BYTES, b"\0") + bytes.fromhex(tail)
    for after in (b"", bytes(8)):
        file.write_bytes(raw + after)
        require_sane(file, len(raw), b"RVAS", HEADER_BYTES)
        assert attempt(lambda: last_values(file, len(raw), b"RVAS", 1)) is None


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 100, HEADER_BYTES - 1, HEADER_BYTES])
def test_a_file_without_records_is_unreadable_or_empty(file: Path, length: int) -> None:
    for content in (bytes(length), LABEL.ljust(length, b"\0")[:length]):
        file.write_bytes(content)
        require_sane(file, length, b"RVAS", 0)
        assert attempt(lambda: first_offset(file)) is None


SUBSCRIPTS = st.binary(max_size=12)


@settings(max_examples=200)
@given(writer=st.integers(1, 3), encoded=SUBSCRIPTS, value=st.one_of(st.none(), st.binary(max_size=30)))
def test_an_update_with_another_subscript_or_value_is_never_a_wrong_number(
    originals: list[Journal], file: Path, writer: int, encoded: bytes, value: bytes | None
) -> None:
    """A last update whose key is garbage gives Unreadable or numbers, and those of the other writers stay."""
    journal = originals[0]
    raw = bytearray(journal.raw)
    key = b"RVAS\0" + bytes([0xBF, writer * 16 + 1])
    at = raw.rfind(key, 0, journal.end)
    place = at + 5
    raw[place : place + min(2, len(encoded))] = encoded[:2]
    if value:
        raw[place + 8] = value[0]
    file.write_bytes(raw)
    found = attempt(lambda: last_values(file, journal.end, b"RVAS", WRITERS))
    assert found is None or isinstance(found, dict)
    if encoded[:1] and encoded[0] < 0xBF:
        assert found is None


def test_a_damaged_journal_is_a_problem_in_the_listing(originals: list[Journal], tmp_path: Path) -> None:
    """What the verb `Journals` prints of files that are cut, emptied or overwritten is a problem."""
    layout = Layout("LISTING", tmp_path / "instance")
    layout.create()
    engine = Engine(layout)
    folder = layout.journal
    for number, damage in enumerate(
        (
            lambda raw: raw[: len(raw) // 2],
            lambda raw: b"",
            lambda raw: bytes(len(raw)),
            lambda raw: raw[:HEADER_BYTES],
        )
    ):
        name = f"20261122.{number + 1:03d}"
        for database, journal in zip(GLOBALS, originals, strict=True):
            journals.file_of(folder, name, database).write_bytes(damage(journal.raw))
        assert journals.describe(engine, folder, name)["problem"]
        with pytest.raises(GTMError):
            journals.last_committed(engine, folder, [name], WRITERS)
