"""Names of journals and the stand-in's list of them, whatever they are: an order or an entry, or a GTMError."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.journals import order
from harness.standin.gtm import GTMError
from harness.standin.journals import Entry, _read_log

GOOD = (
    b"20261122.001^2026-11-22T10:00:00Z^start^65976^\n20261122.002^2026-11-22T10:01:00Z^freeze^65976^a text\n"
)
NAMES = st.one_of(
    st.text(max_size=12),
    st.builds(
        "{}{}.{}{}".format,
        st.sampled_from(["", "P_"]),
        st.just("20261122"),
        st.integers(0),
        st.sampled_from(["", "z"]),
    ),
    st.sampled_from(["20261122.²", "20261122.٣", "20261122." + "9" * 5000, ".", "..", "20261122.z"]),
)


@given(st.lists(NAMES, max_size=8))
def test_any_names_have_an_order(names: list[str]) -> None:
    """An agent or a log may name a journal as it likes: sorting is no error, and the order is one."""
    assert list(map(order, sorted(names, key=order))) == list(map(order, sorted(reversed(names), key=order)))


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_are_counted(one: int, two: int) -> None:
    """However many digits they have."""
    names = [f"20261122.{number:03d}" for number in (one, two)]
    assert (one < two) == (order(names[0]) < order(names[1]))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "journal.log"


@given(raw=st.binary(max_size=60), at=st.integers(0, len(GOOD)), cut=st.integers(0, 40))
def test_any_list_of_journals_is_read_or_refused(log: Path, raw: bytes, at: int, cut: int) -> None:
    """A copy of journal.log with foreign bytes, or cut: entries, or the error that a session reports."""
    log.write_bytes(GOOD[:at] + raw + GOOD[at + cut :])
    try:
        found = _read_log(log)
    except GTMError as error:
        assert str(log) in str(error)
        return
    assert all(isinstance(one, Entry) and isinstance(one.offset, int) for one in found)
