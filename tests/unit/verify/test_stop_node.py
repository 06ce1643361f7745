"""The node that stops writers is looked at, too: it may count one more than a writer saw as it began."""

from __future__ import annotations

import pytest

from harness.errors import ParseError
from harness.evidence.state import RestoredState
from harness.stages.walk import read_state
from tests.simulated import SEED, lines_of_history, lines_of_summary, nodes_after, played
from tests.walkers import Printing

WRITERS = 2
NODES = nodes_after(WRITERS, list(played(WRITERS, [1, 2] * 40)))


def told(times: int) -> bytes:
    """As RVWORK.m stores it and RVCHECK.m prints it."""
    return b"%d%%44;%d" % (times, times * 7919 % 9973 + 10000)


def read(stop: bytes, first: bytes, second: bytes) -> RestoredState:
    """A state with that node, and what two writers saw in it."""
    summary = lines_of_summary(NODES)
    for old, new in ((b"r|", stop), (b"e|1|", first), (b"e|2|", second)):
        assert old + told(1) in summary
        summary = summary.replace(old + told(1) + b"\n", (old + new + b"\n") if new != b"gone" else b"")
    printing = Printing(summary, lambda writer: lines_of_history(NODES, writer))
    return read_state(printing, SEED, WRITERS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stop", "began"),
    [
        (b"", b""),
        (told(1), b""),
        (told(1), told(1)),
        (told(2), told(1)),
        (told(10), told(9)),
        (told(123456), told(123456)),
    ],
)
def test_told_not_at_all_or_once(stop: bytes, began: bytes) -> None:
    """Since the load began; never before is no node."""
    assert () == read(stop, began, began).foreign


@pytest.mark.parametrize(
    ("stop", "first", "second"),
    [
        (told(3), told(1), told(1)),  # once too often
        (told(1), told(2), told(2)),  # of an earlier load
        (b"", told(1), told(1)),
        (told(2), told(2), told(0)),
        (told(2), told(2), b""),
        (told(1), told(1), b"gone"),
        (b"1", told(1), told(1)),
        (b"2%44;17919", told(1), told(1)),  # a digit is another
        (b"1%44;17918", told(1), told(1)),
        (b"01%44;17919", told(1), told(1)),
        (b"1%44;17919 ", told(1), told(1)),
        (b"1%44;17919%44;", told(1), told(1)),
        (b"%213;", told(1), told(1)),
        (told(1), told(1), b"1%46;17919"),
        (b"9" * 5000, told(1), told(1)),
    ],
)
def test_every_other_value_is_foreign(stop: bytes, first: bytes, second: bytes) -> None:
    state = read(stop, first, second)
    assert state.foreign
    assert state.foreign[0].startswith(('^RVAX("stop")', '^RVB("e",'))


def test_a_walk_that_does_not_tell_of_it_is_none() -> None:
    with pytest.raises(ParseError, match="stops writers"):
        read(b"gone", told(1), told(1))
