"""The ledger's two bounds, for any sequence of looks."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.workload.ledger import Ledger

LOOKS = st.lists(
    st.tuples(st.integers(1, 50), st.integers(0, 20), st.integers(1, 9)), min_size=1, max_size=30
)


def _ledger(folder: Path) -> Ledger:
    return Ledger(1, folder / "ledger.bin")


@given(LOOKS, st.floats(0, 2000))
def test_bounds_hold_the_truth(
    tmp_path_factory: pytest.TempPathFactory, looks: list[tuple[int, int, int]], moment: float
) -> None:
    """Whatever the looks: what a writer had acknowledged when a look began lies between floor and ceiling.

    The writer acknowledges at the very instant each look begins; the truth at a moment is the last of these.
    """
    ledger = _ledger(tmp_path_factory.mktemp("ledger"))
    now, reached, truth = 0.0, 0, 0
    for pause, length, more in looks:
        now += pause
        reached += more
        if now <= moment:
            truth = reached
        ledger.note(1, now, now + length / 100, reached)
        now += length / 100
    assert ledger.floor(moment)[1] <= truth
    assert truth <= ledger.ceiling(moment)[1]
    assert ledger.acknowledged() == {1: reached}
    ledger.close()


def test_time_of_an_acknowledgement(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path)
    ledger.note(1, 1.0, 1.5, 10)
    ledger.note(1, 2.0, 2.5, 20)
    assert [1.5, 1.5, 2.5] == [ledger.acknowledged_at(1, n) for n in (1, 10, 11)]
    with pytest.raises(KeyError):
        ledger.acknowledged_at(1, 21)
    ledger.close()


def test_ledger_survives_on_disk(tmp_path: Path) -> None:
    """One entry a look is in the file: writer, when it began and ended, the number reached."""
    ledger = _ledger(tmp_path)
    looks = [(1, number + 0.25, number + 0.5, 100 * number) for number in range(1, 6)]
    for look in looks:
        ledger.note(*look)
    ledger.close()
    assert looks == list(struct.iter_unpack("<HddQ", (tmp_path / "ledger.bin").read_bytes()))


def test_slices_of_time_hold_what_was_acknowledged_and_how_long_a_writer_waited(tmp_path: Path) -> None:
    """Two writers; the first stands still from 10.2 to 11.4, as in a freeze. What was before does not count."""
    ledger = Ledger(2, tmp_path / "ledger.bin")
    for writer, ended_s, reached in (
        (1, 9.0, 5),
        (1, 10.2, 7),
        (2, 10.4, 1),
        (1, 11.4, 8),
        (2, 12.1, 4),
        (2, 13.5, 9),
    ):
        ledger.note(writer, ended_s - 0.01, ended_s, reached)
    acknowledged, waited_s = ledger.slices(10.0, 1.0, 3)
    assert [3, 1, 3] == acknowledged
    assert pytest.approx([1.7, 1.7, 1.7]) == waited_s
    alone, waited_s = ledger.slices(10.0, 0.5, 2)
    assert [3, 0] == alone
    assert pytest.approx([0.4, 0.0]) == waited_s
    assert ([0, 0], [0.0, 0.0]) == ledger.slices(20.0, 1.0, 2)
    ledger.close()
