"""The ledger against a list that is searched from end to end, for any looks of any writers."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.workload.ledger import Ledger

WRITERS = 3
ENTRY = struct.Struct("<HddQ")


@dataclass(frozen=True)
class Look:
    """A look at one writer: between two moments every number up to `reached` was found."""

    writer: int
    began: float
    ended: float
    reached: int


@st.composite
def looks(draw: st.DrawFn) -> list[Look]:
    """In order of time for each writer, as one thread takes them: numbers never fall, looks may touch."""
    now, reached = 0.0, dict.fromkeys(range(1, WRITERS + 1), 0)
    taken: list[Look] = []
    for writer, pause, length, more in draw(
        st.lists(
            st.tuples(st.integers(1, WRITERS), st.integers(0, 5), st.integers(1, 5), st.integers(0, 4)),
            max_size=40,
        )
    ):
        began = now + pause
        now = began + length
        reached[writer] += more
        taken.append(Look(writer, began, now, reached[writer]))
    return taken


MOMENTS = st.integers(0, 300).map(lambda half: half / 2)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger") / "ledger.bin"


def filled(file: Path, taken: list[Look]) -> Ledger:
    file.unlink(missing_ok=True)
    ledger = Ledger(WRITERS, file)
    for look in taken:
        ledger.note(look.writer, look.began, look.ended, look.reached)
    return ledger


def floor(taken: list[Look], writer: int, moment: float) -> int:
    """The most that any look which had ended by then found."""
    return max((look.reached for look in taken if look.writer == writer and look.ended <= moment), default=0)


def ceiling(taken: list[Look], writer: int, moment: float) -> int:
    """One more than the first look that began later found; without one, than anything found so far."""
    own = [look for look in taken if look.writer == writer]
    later = [look.reached for look in own if look.began >= moment]
    return (later[0] if later else max((look.reached for look in own), default=0)) + 1


@given(taken=looks(), moments=st.lists(MOMENTS, min_size=1, max_size=6))
def test_bounds_are_those_of_the_model(file: Path, taken: list[Look], moments: list[float]) -> None:
    """Floor, ceiling and what is acknowledged, for each writer; both grow with time, and floor < ceiling."""
    ledger = filled(file, taken)
    numbers = range(1, WRITERS + 1)
    before = ({w: 0 for w in numbers}, {w: 0 for w in numbers})
    for moment in sorted(moments):
        found = ledger.floor(moment), ledger.ceiling(moment)
        assert {w: floor(taken, w, moment) for w in numbers} == found[0]
        assert {w: ceiling(taken, w, moment) for w in numbers} == found[1]
        assert all(found[0][w] < found[1][w] for w in numbers)
        assert all(old[w] <= new[w] for old, new in zip(before, found, strict=True) for w in numbers)
        before = found
    assert {w: floor(taken, w, float("inf")) for w in numbers} == ledger.acknowledged()
    ledger.close()


@given(taken=looks(), writer=st.integers(1, WRITERS), sequence=st.integers(1, 60))
def test_a_number_is_acknowledged_when_the_first_look_that_found_it_ended(
    file: Path, taken: list[Look], writer: int, sequence: int
) -> None:
    """The earliest one; a number that no look found is a KeyError. At that moment it is below the floor."""
    ledger = filled(file, taken)
    ended = [look.ended for look in taken if look.writer == writer and look.reached >= sequence]
    if ended:
        assert ended[0] == ledger.acknowledged_at(writer, sequence)
        assert sequence <= ledger.floor(ended[0])[writer]
    else:
        with pytest.raises(KeyError):
            ledger.acknowledged_at(writer, sequence)
    ledger.close()


@given(taken=looks(), cut=st.integers(0, 30))
def test_a_torn_file_holds_every_look_but_the_last(file: Path, taken: list[Look], cut: int) -> None:
    """Entries have one size, so what a kill cut off is seen, and all before it says what was looked at, in order."""
    filled(file, taken).close()
    raw = file.read_bytes()[: -cut or None]
    whole = len(raw) // ENTRY.size
    assert whole >= len(taken) - (cut + ENTRY.size - 1) // ENTRY.size
    kept = [Look(*ENTRY.unpack_from(raw, number * ENTRY.size)) for number in range(whole)]
    assert taken[:whole] == kept


@given(before=looks(), after=looks(), cut=st.integers(0, ENTRY.size - 1))
def test_a_file_that_was_cut_is_appended_to_and_never_lost(
    file: Path, before: list[Look], after: list[Look], cut: int
) -> None:
    """Opening it again changes nothing of what is there."""
    filled(file, before).close()
    old = file.read_bytes()[: -cut or None]
    file.write_bytes(old)
    ledger = Ledger(WRITERS, file)
    for look in after:
        ledger.note(look.writer, look.began, look.ended, look.reached)
    ledger.close()
    ledger.close()
    raw = file.read_bytes()
    assert raw.startswith(old) and len(raw) == len(old) + ENTRY.size * len(after)
