"""The oracle: rows are read exactly or not at all, and effects are what RVWORK.m computes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.workload import oracle

NUMBERS = st.tuples(
    st.integers(0, 10**10 - 1),
    st.integers(0, 63),
    st.integers(0, 63),
    st.integers(1, 997),
    st.integers(1, 99),
    st.integers(0, 10**10 - 1),
    st.integers(0, 10**10 - 1),
    st.integers(0, 9972),
)


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_rows_are_read_back(numbers: list[tuple[int, ...]]) -> None:
    rows = oracle.parse_rows(b"".join(oracle.row(*one) for one in numbers))
    assert rows is not None
    read = zip(
        rows.sequence,
        rows.source,
        rows.target,
        rows.amount,
        rows.read_from,
        rows.read,
        rows.counter,
        rows.check,
        strict=True,
    )
    assert numbers == [tuple(int(n) for n in one) for one in read]


@given(NUMBERS, st.integers(0, oracle.HISTORY.line_bytes - 1), st.integers(0, 255))
def test_a_changed_byte_is_never_overlooked(numbers: tuple[int, ...], at: int, byte: int) -> None:
    """Any other byte anywhere gives other numbers, or no row."""
    good = oracle.row(*numbers)
    changed = good[:at] + bytes([byte]) + good[at + 1 :]
    if changed == good:
        return
    before, after = oracle.parse_rows(good), oracle.parse_rows(changed)
    assert before is not None
    assert after is None or any(
        getattr(before, name)[0] != getattr(after, name)[0] for name in oracle.Rows.__dataclass_fields__
    )


@given(st.binary(max_size=200))
def test_other_text_is_no_row(raw: bytes) -> None:
    rows = oracle.parse_rows(raw)
    assert rows is None or len(rows.sequence) * oracle.HISTORY.line_bytes == len(raw)


@given(st.integers(0, 2**31 - 1), st.integers(1, 9), st.integers(1, 9), st.integers(1, 10**9))
def test_effects_are_possible(seed: int, writer: int, writers: int, sequence: int) -> None:
    """Money moves between two different accounts, and a writer reads another one if there is one."""
    if writer > writers:
        return
    done = oracle.effects(seed, writer, writers, np.array([sequence]))
    assert 0 <= done.source[0] < oracle.ACCOUNTS and 0 <= done.target[0] < oracle.ACCOUNTS
    assert done.source[0] != done.target[0]
    assert 1 <= done.amount[0] <= 997
    assert 1 <= done.read_from[0] <= writers
    assert (done.read_from[0] == writer) == (writers == 1)


def test_temporaries_are_set_and_killed() -> None:
    assert [] == list(oracle.temporaries(7))
    assert [8] == list(oracle.temporaries(15))
    assert list(range(8, 65, 8)) == list(oracle.temporaries(64))
    assert list(range(16, 73, 8)) == list(oracle.temporaries(79))


def test_large_values_keep_their_slots() -> None:
    assert {} == oracle.large_values(1, 1, 15)
    assert {1, 2, 3, 0} == set(oracle.large_values(1, 1, 64))
    assert oracle.large_values(1, 1, 200)[0].startswith("192:")
