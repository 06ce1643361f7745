"""The checks against a naive model, on states that no engine made: what it calls consistent passes, all else is seen.

Uncommitted data, which GT.M never leaves in a file and IRIS does, is among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.evidence.state import RestoredState
from harness.model import RecoveryMode, Verdict
from harness.stages.walk import read_state
from harness.workload import oracle
from tests.checks import judge_all
from tests.seen import history_row, seen
from tests.simulated import (
    SEED,
    Done,
    Nodes,
    beyond,
    in_database_one,
    in_database_two,
    lines_of_history,
    lines_of_summary,
    nodes_after,
    played,
    reads_the_future,
    short_of,
    torn,
    walked,
    wrong_content,
)
from tests.walkers import Printing

CHECKS = ("atomicity", "content", "consistent_cut", "floor", "ceiling")


@dataclass(frozen=True)
class State:
    """Nodes, everything that any writer ever did, and what was promised."""

    writers: int
    every: list[Done]
    nodes: Nodes
    floor: dict[int, int]
    ceiling: dict[int, int]

    @property
    def done(self) -> list[Done]:
        """What is recovered of it when nothing is wrong: up to the ceiling, less the one in flight."""
        return [one for one in self.every if (one.writer, one.i) in self.nodes.history]


@st.composite
def states(draw: st.DrawFn, least: int = 0) -> State:
    """The nodes at one instant of an interleaving of one to four writers; the rest of it comes after."""
    writers = draw(st.integers(1, 4))
    order = draw(st.lists(st.integers(1, writers), min_size=least, max_size=60))
    blocks = draw(st.lists(st.tuples(st.integers(1, writers), st.integers(1, 90)), max_size=4))
    order = [*(w for w, count in blocks for _ in range(count)), *order]
    every = played(writers, [*order, *range(1, writers + 1)])
    at = draw(st.integers(max(0, len(order) - 8), len(order)))
    nodes = nodes_after(writers, every[:at])
    last = dict(nodes.one)
    floor = {w: max(0, i - draw(st.integers(0, 2))) for w, i in last.items()}
    ceiling = {w: i + draw(st.integers(0, 1)) for w, i in last.items()}
    return State(writers, every, nodes, floor, ceiling)


def verdicts(state: State) -> dict[str, Verdict]:
    evidence = seen(
        mode=RecoveryMode.AS_OF_FREEZE,
        seed=SEED,
        writers=state.writers,
        floor=state.floor,
        ceiling=state.ceiling,
        state=walked(state.nodes, state.writers),
    )
    return {check.name: check.verdict for check in judge_all(evidence) if check.name in CHECKS}


def failed(state: State) -> set[str]:
    found = verdicts(state)
    assert set(found.values()) <= {Verdict.PASS, Verdict.FAIL}
    return {name for name, verdict in found.items() if verdict is Verdict.FAIL}


def model(state: State) -> set[str]:
    """The checks that must fail, as the model says it."""
    seen = {
        "atomicity": torn(state.nodes),
        "content": wrong_content(state.nodes, state.writers, state.every),
        "consistent_cut": reads_the_future(state.nodes, state.every),
        "floor": short_of(state.nodes, state.floor),
        "ceiling": beyond(state.nodes, state.ceiling),
    }
    return {name for name, wrong in seen.items() if wrong}


@given(states())
def test_a_consistent_state_passes_every_check(state: State) -> None:
    """Any number of writers after any number of transactions, at any instant, in any order."""
    assert set() == model(state)
    assert set() == failed(state)


@given(states(), st.data())
def test_one_writer_behind_at_its_confirmation_still_passes(state: State, data: st.DataObject) -> None:
    """The update outside of transactions may be one short: a freeze may fall between a commit and it."""
    for writer, last in state.nodes.one.items():
        state.nodes.confirmed[writer] = max(0, last - data.draw(st.integers(0, 1)))
    assert set() == model(state) == failed(state)


Alteration = Callable[[State, Done, "st.DataObject"], None]


def _next(state: State, done: Done) -> Done:
    """The first transaction of that writer which is not there: it was open, or has not begun."""
    return next(one for one in state.every if one.writer == done.writer and one not in state.done)


def open_in_one(state: State, done: Done, data: st.DataObject) -> None:
    """Open at the freeze and not rolled back: database one has it, database two not."""
    in_database_one(state.nodes, _next(state, done))


def open_in_two(state: State, done: Done, data: st.DataObject) -> None:
    in_database_two(state.nodes, _next(state, done))


def open_without_number(state: State, done: Done, data: st.DataObject) -> None:
    """Its history is there, its sequence number is not: it was written last, and what came before was not undone."""
    in_database_two(state.nodes, _next(state, done), sequence=False)


def open_balances(state: State, done: Done, data: st.DataObject) -> None:
    """Only the two balances of an open transaction are there, or one of them."""
    following = _next(state, done)
    state.nodes.balances[done.writer, following.source] -= following.amount
    if data.draw(st.booleans()):
        state.nodes.balances[done.writer, following.target] += following.amount


def lost_in_two(state: State, done: Done, data: st.DataObject) -> None:
    """The last transaction of a writer is only in database one."""
    last = max(one.i for one in state.done if one.writer == done.writer)
    del state.nodes.history[done.writer, last]
    state.nodes.two[done.writer] = last - 1


def hole(state: State, done: Done, data: st.DataObject) -> None:
    del state.nodes.history[done.writer, done.i]


def doubled(state: State, done: Done, data: st.DataObject) -> None:
    """Its updates of the balances were applied twice."""
    state.nodes.balances[done.writer, done.source] -= done.amount
    state.nodes.balances[done.writer, done.target] += done.amount


def undone(state: State, done: Done, data: st.DataObject) -> None:
    """Its updates of the balances are lost."""
    state.nodes.balances[done.writer, done.source] += done.amount
    state.nodes.balances[done.writer, done.target] -= done.amount


def altered(state: State, done: Done, data: st.DataObject) -> None:
    """One digit of its history is another one, but for the number that it read, which nothing can tell."""
    row = bytearray(done.row)
    places = [at for at, byte in enumerate(row) if chr(byte).isdigit() and not 29 <= at <= 39]
    at = data.draw(st.sampled_from(places))
    if done.taken and 41 <= at:
        at = places[0]
    row[at] = ord("0") + (row[at] - ord("0") + data.draw(st.integers(1, 9))) % 10
    state.nodes.history[done.writer, done.i] = bytes(row)


def garbage(state: State, done: Done, data: st.DataObject) -> None:
    text = data.draw(st.binary(max_size=60).filter(lambda raw: b"\n" not in raw))
    state.nodes.history[done.writer, done.i] = text.replace(b"@", b"a").replace(b"end ", b"and ") + b"\n"


def torn_cut(state: State, done: Done, data: st.DataObject) -> None:
    """Database two is of an earlier instant: everything since is missing there."""
    earlier = nodes_after(state.writers, state.done[: state.done.index(done)])
    for part in ("two", "history", "temporaries", "large"):
        setattr(state.nodes, part, getattr(earlier, part))


def writer_behind(state: State, done: Done, data: st.DataObject) -> None:
    """One writer is of an earlier instant, whole in itself."""
    own = [one for one in state.done if one.writer == done.writer and one.i < done.i]
    rest = [one for one in state.done if one.writer != done.writer]
    counter = state.nodes.counter
    kept = nodes_after(state.writers, [*rest, *own])
    for part in ("one", "two", "confirmed", "balances", "history", "temporaries", "large"):
        setattr(state.nodes, part, getattr(kept, part))
    state.nodes.counter = counter


def killed_is_back(state: State, done: Done, data: st.DataObject) -> None:
    number = -data.draw(st.integers(1, 9))
    state.nodes.temporaries[done.writer, number] = (str(number), str(-number))


def large_altered(state: State, done: Done, data: st.DataObject) -> None:
    state.nodes.large[done.writer, 1] = state.nodes.large.get((done.writer, 1), "17:R")[:-1]


def counter_behind(state: State, done: Done, data: st.DataObject) -> None:
    state.nodes.counter -= data.draw(st.integers(1, 3))


def newer(state: State, done: Done, data: st.DataObject) -> None:
    """A whole transaction more than was issued."""
    for one in [one for one in state.every if one.writer == done.writer and one not in state.done][:1]:
        in_database_one(state.nodes, one)
        in_database_two(state.nodes, one)
        state.nodes.confirmed[one.writer] = one.i
    state.ceiling[done.writer] = state.nodes.one[done.writer] - 1


MUST_SEE: dict[Alteration, set[str]] = {
    open_in_one: {"atomicity"},
    open_in_two: {"atomicity"},
    open_without_number: {"atomicity"},
    open_balances: {"content"},
    lost_in_two: {"atomicity"},
    hole: {"atomicity"},
    doubled: {"content"},
    undone: {"content"},
    altered: {"content"},
    garbage: {"content"},
    torn_cut: {"atomicity"},
    writer_behind: set(),
    killed_is_back: {"content"},
    large_altered: {"content"},
    counter_behind: set(),
    newer: {"ceiling"},
}
"""Which check an alteration cannot get past; the model says which others see it, and none besides may."""


@pytest.mark.parametrize("alter", MUST_SEE, ids=lambda alter: alter.__name__)
@settings(max_examples=30)
@given(state=states(least=1), data=st.data())
def test_an_inconsistency_is_seen_by_the_checks_that_must_and_by_no_other(
    alter: Alteration, state: State, data: st.DataObject
) -> None:
    """The checks that fail are those that the model names, for every kind and every place of the alteration."""
    if not state.done:
        return
    alter(state, data.draw(st.sampled_from(state.done)), data)
    expected = model(state)
    assert MUST_SEE[alter] <= expected
    assert expected == failed(state)


@settings(max_examples=100)
@given(
    state=states(least=1),
    alterations=st.lists(st.sampled_from(list(MUST_SEE)), min_size=1, max_size=3),
    data=st.data(),
)
def test_what_passes_is_what_the_model_calls_consistent(
    state: State, alterations: list[Alteration], data: st.DataObject
) -> None:
    """Several at once may undo each other; then, and only then, everything passes."""
    for alter in alterations:
        if not state.done or not all(one.writer in state.nodes.one for one in state.done):
            return
        try:
            alter(state, data.draw(st.sampled_from(state.done)), data)
        except (StopIteration, KeyError, ValueError):  # the second needs what the first took away
            return
    assert (not model(state)) == (not failed(state))


# --- what a walk prints


def outcome(summary: bytes, history: bytes, writers: int, status: int) -> RestoredState | None:
    """The state; None where the walk is refused. Anything but a HarnessError is a defect."""
    try:
        state = read_state(Printing(summary, lambda _: history, status), SEED, writers)  # type: ignore[arg-type]
    except HarnessError as error:
        assert str(error)
        return None
    evidence = seen(
        mode=RecoveryMode.BOOT, seed=SEED, writers=writers, floor={1: 1}, ceiling={1: 1}, state=state
    )
    judge_all(evidence)
    return state


NUMBERS = st.one_of(
    st.integers(-2, 70).map(str),
    st.integers().map(str),
    st.sampled_from(["", "1.5", "9" * 30, "9" * 5000, "²", "٣"]),
)
SUMMARY = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("wsbtlner"), st.lists(NUMBERS, max_size=5)).map(
            lambda d: "|".join([d[0], *d[1]])
        ),
        st.sampled_from(
            [
                "w|1",
                "s|1|3|3|3",
                "n|0",
                "end",
                "b|1|0|1000000",
                "r|",
                "r|1%44;17919",
                "e|1|",
                "e|1|1%44;17919",
            ]
        ),
        st.text(max_size=9),
    ),
    max_size=8,
)
ROWS = st.one_of(
    st.tuples(*[st.integers(-(10 ** (n - 1)), 10 ** (n - 1) * 9 - 1) for n in oracle.HISTORY.widths]).map(
        lambda numbers: oracle.row(*numbers)
    ),
    st.integers(1, 4).map(lambda i: history_row(SEED, 1, i, 1, 2, 3, 1, 0, 0)),
    NUMBERS.map(lambda text: f"@{text}\n".encode()),
    NUMBERS.map(lambda text: f"end {text}\n".encode()),
    st.binary(max_size=50),
    st.sampled_from([b"end 0\n", b"end 1\n", b"\n", b"end \n", b"@\n"]),
)


@settings(max_examples=250)
@given(
    SUMMARY.map(lambda lines: "\n".join([*lines, "end", ""]).encode("utf-8", "replace"))
    | st.binary(max_size=80),
    st.lists(ROWS, max_size=6).map(b"".join),
    st.sampled_from([None, 0, 1, 2]),
    st.integers(1, 3),
    st.sampled_from([5, 5, 5, 1, -9]),
)
def test_any_output_of_a_walk_is_a_state_or_an_error_of_ours(
    summary: bytes, history: bytes, end: int | None, writers: int, status: int
) -> None:
    """And a state that is judged: no node, whatever its value, ends a check with a traceback."""
    closed = history if end is None else history + b"end %d\n" % end
    assert outcome(summary, closed, writers, status) is None or status == 5
    outcome(b"w|1\ns|1|1|1|1\nend\n", closed, writers, status)


@given(states(), st.integers(0, 2**16), st.booleans())
def test_a_walk_that_broke_off_is_no_state(state: State, at: int, of_summary: bool) -> None:
    """Cut anywhere before its last line it is an error, never fewer nodes."""
    summary = lines_of_summary(state.nodes)
    history = lines_of_history(state.nodes, 1)
    cut = (summary if of_summary else history)[:-1]
    place = at % len(cut)
    place = min(place, cut.rfind(b"\n") + 1) if not of_summary else place
    if of_summary:
        assert outcome(cut[:place], history, state.writers, 5) is None
    else:
        assert outcome(b"w|1\nend\n", cut[:place], state.writers, 5) is None
