"""What is read of restored databases, line by line: every number of a history, every gap, every odd line is seen.

Histories are long, so whole blocks are compared at once and odd ones line by line: both ways must say the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness import destroy
from harness.errors import InstanceError, InstanceGone, ParseError
from harness.evidence.answers import Description
from harness.evidence.state import History, RestoredState, Trail, WriterState
from harness.stages import walk as module
from harness.stages.walk import read_state
from harness.workload import oracle
from tests.seen import history_row
from tests.simulated import SEED, Nodes, lines_of_history, lines_of_summary, nodes_after, played
from tests.walkers import DESCRIPTION, Printing

WRITERS, LAST = 2, 48
DONE = played(WRITERS, [1, 2] * LAST)
ALMOST_NOTHING = b"w|1\ns|1|48|48|48\nw|2\ns|2|48|48|48\nr|\nn|\nend\n"
NUMBERS = ("source", "target", "amount", "other", "read", "taken")
NAMES = {"source": "source", "target": "target", "amount": "amount", "other": "read_from", "taken": "counter"}


def nodes() -> Nodes:
    return nodes_after(WRITERS, list(DONE))


def read(there: Nodes, summary: bytes | None = None, history: Any = None, status: int = 5) -> RestoredState:
    printing = Printing(
        lines_of_summary(there) if summary is None else summary,
        history or (lambda writer: lines_of_history(there, writer)),
        status,
    )
    return read_state(printing, SEED, WRITERS)  # type: ignore[arg-type]


def of(there: Nodes, writer: int = 1) -> History:
    """One history; whatever else there is plays no part."""
    return read(there, summary=ALMOST_NOTHING).writers[writer].history


def transaction(writer: int, i: int) -> Any:
    return next(one for one in DONE if (one.writer, one.i) == (writer, i))


@pytest.fixture(params=["at once", "line by line"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of comparing."""
    if request.param == "line by line":
        monkeypatch.setattr(module, "_compare", module._compare_slowly)
        monkeypatch.setattr(module, "_compare_trail", module._compare_trail_slowly)
    return str(request.param)


def test_a_history_without_a_fault(way: str) -> None:
    for writer in (1, 2):
        found = of(nodes(), writer)
        assert (LAST, 0, None, None) == (found.last, found.missing, found.altered, found.unreadable)
        assert (LAST, 0, None) == (found.trail.last, found.trail.missing, found.trail.altered)
        moved = np.zeros(oracle.ACCOUNTS, dtype=np.int64)
        for one in DONE:
            if one.writer == writer:
                moved[one.source] -= one.amount
                moved[one.target] += one.amount
        assert moved.tolist() == found.flow.tolist()
        taken = [one.taken for one in DONE if one.writer == writer and one.taken]
        assert taken == np.concatenate(found.counters).tolist()
        other = 3 - writer
        reads = max((one.read, one.i) for one in DONE if one.writer == writer and one.other == other)
        assert reads[0] == found.reads[other][0]


@pytest.mark.parametrize("number", [name for name in NUMBERS if name != "read"])
@pytest.mark.parametrize("i", [1, 17, LAST - 1])
def test_a_number_that_is_another_is_seen_where_it_is(way: str, number: str, i: int) -> None:
    """Its check is made anew: nothing else tells. Balances could agree with it."""
    there, one = nodes(), transaction(1, i)
    values = {name: getattr(one, name) for name in NUMBERS}
    values[number] += 1
    there.history[1, i] = history_row(SEED, 1, i, *values.values())
    found = of(there).altered
    assert found and i == found[0]
    assert found[1].startswith(f"{NAMES[number]} {values[number]}")
    assert str(getattr(one, number)) in found[2] or number == "taken"


def test_a_counted_transaction_without_its_counter_is_seen(way: str) -> None:
    there, one = nodes(), transaction(1, 32)
    values = (one.source, one.target, one.amount, one.other, one.read, 0)
    there.history[1, 32] = history_row(SEED, 1, 32, *values)
    assert (32, "counter 0", "a value of the counter") == of(there).altered


@pytest.mark.parametrize("i", [1, 16, 31])
def test_what_was_read_carries_a_check(way: str, i: int) -> None:
    """What a transaction read and counted follows from nothing, so a check is stored beside it."""
    there, one = nodes(), transaction(1, i)
    check = int(oracle.check_values(SEED, 1, np.array([i]), np.array([one.read]), np.array([one.taken]))[0])
    values = (one.source, one.target, one.amount, one.other, one.read + 1, one.taken)
    there.history[1, i] = oracle.row(i, *values, check)
    found = of(there).altered
    assert (
        found
        and i == found[0]
        and found[1].startswith(f"it read {one.read + 1} and counted {one.taken}, check")
    )


def test_the_first_of_several_is_told(way: str) -> None:
    there = nodes()
    for i in (20, 9, 33):
        one = transaction(1, i)
        there.history[1, i] = history_row(
            SEED, 1, i, one.source, one.target, one.amount + 1, one.other, one.read, one.taken
        )
    found = of(there).altered
    assert found and 9 == found[0]


@pytest.mark.parametrize("number", ["source", "taken", "check"])
def test_an_earlier_difference_is_not_hidden_by_a_later_one_of_another_kind(number: str) -> None:
    """Where two blocks differ, the first one is told."""
    there = nodes()
    first, then = transaction(1, 5), transaction(1, 40)
    there.history[1, 5] = history_row(
        SEED, 1, 5, first.source, first.target, first.amount + 1, first.other, first.read, first.taken
    )
    values = {name: getattr(then, name) for name in NUMBERS}
    values["read" if number == "check" else number] += 1
    there.history[1, 40] = oracle.row(40, *values.values(), 1)
    blocks = [b"".join(there.history[1, i] for i in part) for part in (range(1, 21), range(21, LAST + 1))]
    found = History()
    for block in blocks:
        module._compare(found, block, SEED, 1, WRITERS)
    assert found.altered and 5 == found.altered[0]


def test_a_line_that_is_none_is_unreadable_where_it_is() -> None:
    there = nodes()
    there.history[1, 7] = b"garbage\n"
    found = of(there)
    assert ("7", "garbage") == found.unreadable
    assert (LAST, 0, None) == (found.last, found.missing, found.altered), "the others are read all the same"


def test_the_first_unreadable_line_is_told() -> None:
    there = nodes()
    there.history[1, 7], there.history[1, 12] = b"garbage\n", b"more\n"
    assert ("7", "garbage") == of(there).unreadable


def test_a_node_of_another_transaction_is_altered() -> None:
    """Two nodes that changed places: each is right in itself, and no balance differs."""
    there = nodes()
    there.history[1, 7], there.history[1, 8] = there.history[1, 8], there.history[1, 7]
    assert (7, "transaction 8", "transaction 7") == of(there).altered


@pytest.mark.parametrize("gone", [(1,), (24,), (LAST - 1,), (3, 30)])
def test_a_gap_is_told_by_its_first_number(gone: tuple[int, ...]) -> None:
    there = nodes()
    for i in gone:
        del there.history[1, i]
    found = of(there)
    assert (gone[0], LAST, None, None) == (found.missing, found.last, found.altered, found.unreadable)
    assert gone[0] - 1 == read(there, summary=ALMOST_NOTHING).writers[1].recovered


def test_an_end_that_is_missing_is_no_gap() -> None:
    there = nodes()
    del there.history[1, LAST]
    found = of(there)
    assert (0, LAST - 1) == (found.missing, found.last)


@pytest.mark.parametrize("text", [b"-1", b"x", b"1.5", b"12345678901"])
def test_a_subscript_that_no_writer_made_is_unreadable(text: bytes) -> None:
    there = nodes()
    plain = lines_of_history(there, 1)
    odd = plain.replace(
        b"end %d\n" % LAST, b"@" + text + b"\n" + there.history[1, 1] + b"end %d\n" % (LAST + 1), 1
    )
    found = read(
        there, ALMOST_NOTHING, lambda writer: odd if writer == 1 else lines_of_history(there, writer)
    )
    assert (text.decode(), "a subscript that is no sequence number") == found.writers[1].history.unreadable


# --- the trail in database one


@pytest.mark.parametrize("i", [8, 24, LAST])
def test_an_amount_of_the_trail_that_is_another_is_seen_where_it_is(way: str, i: int) -> None:
    there = nodes()
    there.trail[1, i] = oracle.trail_row(i, transaction(1, i).amount + 1)
    found = of(there).trail
    assert found.altered and i == found.altered[0] and (LAST, 0) == (found.last, found.missing)


def test_the_first_difference_of_a_trail_is_told(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = nodes()
    for i in (32, 16):
        there.trail[1, i] = oracle.trail_row(i, transaction(1, i).amount + 1)
    for rows in (1, 1000):
        monkeypatch.setattr(module, "_BLOCK_ROWS", rows)
        found = of(there).trail.altered
        assert found and 16 == found[0]


def test_a_node_of_the_trail_that_says_another_number_is_altered(way: str) -> None:
    there = nodes()
    there.trail[1, 16] = oracle.trail_row(24, transaction(1, 24).amount)
    found = of(there).trail.altered
    assert found and 16 == found[0]


@pytest.mark.parametrize("gone", [(8,), (24,), (16, 40)])
def test_a_gap_of_a_trail_is_told_by_its_first_number(gone: tuple[int, ...]) -> None:
    there = nodes()
    for i in gone:
        del there.trail[1, i]
    found = of(there).trail
    assert (gone[0], LAST, None) == (found.missing, found.last, found.altered)


@pytest.mark.parametrize("text", [b"x", b"12", b"12345678901"])
def test_a_node_of_a_trail_that_no_transaction_wrote_is_altered(text: bytes) -> None:
    there = nodes()
    row = oracle.trail_row(16, 1)
    plain = lines_of_history(there, 1)
    number = LAST // oracle.TRAIL_EVERY
    odd = plain[: -len(b"end %d\n" % number)] + b"@" + text + b"\n" + row + b"end %d\n" % (number + 1)
    found = read(
        there, ALMOST_NOTHING, lambda writer: odd if writer == 1 else lines_of_history(there, writer)
    )
    altered = found.writers[1].history.trail.altered
    assert altered and (0, f"a node of subscript {text.decode()}", "no such node") == altered


# --- walks that break off, and lines that are none


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"end 48\n", b"end 47\n"),
        (b"end 48\n", b"end 49\n"),
        (b"end 6\n", b"end 5\n"),
        (b"end 48\n", b"end x\n"),
        (b"end 48\n", b"end 99999999999\n"),
    ],
)
def test_a_number_of_nodes_that_is_another_is_no_state(old: bytes, new: bytes) -> None:
    there = nodes()
    with pytest.raises(ParseError):
        read(there, ALMOST_NOTHING, lambda writer: lines_of_history(there, writer).replace(old, new, 1))


@pytest.mark.parametrize("cut", [1, 5, 8, 40, 1000])
def test_a_walk_that_broke_off_is_no_state(cut: int) -> None:
    there = nodes()
    with pytest.raises(InstanceError):
        read(there, ALMOST_NOTHING, lambda writer: lines_of_history(there, writer)[:-cut])
    with pytest.raises(InstanceError):
        read(there, summary=lines_of_summary(there)[: -cut - 4])


@pytest.mark.parametrize("status", [0, 1, 3, 137])
def test_a_walk_that_ended_badly_is_no_state(status: int) -> None:
    with pytest.raises(InstanceError):
        read(nodes(), status=status)


@pytest.mark.parametrize(
    "line",
    [
        "s|1|2|3",
        "s|1|2|3|4|5",
        "s|9|1|1|1",
        "s|1|x|1|1",
        "b|1|2",
        "b|1|x|5",
        "t|1|8|8",
        "l|1|2",
        "q|1|2",
        "w|x",
        "w|12345678901",
        "n|x",
        "n",
        "+more",
        "",
    ],
)
def test_a_line_that_rvcheck_does_not_print_is_no_state(line: str) -> None:
    """With its number and itself."""
    lines = lines_of_summary(nodes()).decode().splitlines()
    at = next(n for n, text in enumerate(lines) if text.startswith("s|"))
    lines.insert(at, line)
    with pytest.raises(ParseError) as raised:
        read(nodes(), summary="\n".join([*lines, ""]).encode())
    assert f"{at + 1}" in str(raised.value) and (line or "RVCHECK") in str(raised.value)


@pytest.mark.parametrize("line", ["k|3|1|x|y", "k|1|2|x|y", "k|x|1|x|y", "k|1|x|x|y", "k|1|1", "k|1|0|y"])
def test_a_cold_node_that_rvcheck_does_not_print_is_no_state(line: str) -> None:
    """It is known to be whole when the next one begins, or everything ends."""
    lines = lines_of_summary(nodes()).decode().splitlines()
    for at in (len(lines) - 2, len(lines) - 1):
        with pytest.raises(ParseError):
            read(nodes(), summary="\n".join([*lines[:at], line, *lines[at:], ""]).encode())


def test_every_kind_of_node_is_read() -> None:
    there = nodes()
    found = read(there)
    for writer, one in found.writers.items():
        assert (LAST, LAST, LAST) == (one.one, one.two, one.confirmed)
        assert {a: v for (w, a), v in there.balances.items() if w == writer} == one.balances
        assert {i: v for (w, i), v in there.temporaries.items() if w == writer} == one.temporaries
        assert {s: v for (w, s), v in there.large.items() if w == writer} == one.large
    assert (there.counter, (), {1, 2}) == (found.counter, found.foreign, set(found.writers))
    assert [None, None] == [cold.differs for cold in found.cold.values()]
    assert [len(oracle.cold(SEED, n)) for n in (1, 2)] == [cold.nodes for cold in found.cold.values()]
    assert WRITERS * LAST == found.recovered


def test_nodes_that_are_not_there_are_none() -> None:
    there = nodes()
    text = (
        lines_of_summary(there)
        .replace(b"s|1|48|48|48", b"s|1|||")
        .replace(b"n|%d\n" % there.counter, b"n|\n")
    )
    found = read(there, summary=text)
    assert (None, None, None) == (found.writers[1].one, found.writers[1].two, found.writers[1].confirmed)
    assert found.counter is None and 0 == found.writers[1].recovered and LAST == found.writers[1].highest


def test_a_node_of_a_foreign_kind_is_shown() -> None:
    text = lines_of_summary(nodes()).replace(b"\nn|", b"\nx|^RVZ|1|2\nn|", 1)
    assert ("^RVZ|1|2",) == read(nodes(), summary=text).foreign


# --- data that was written once


def cold_after(change: Any) -> Any:
    lines = lines_of_summary(nodes()).decode().splitlines()
    return read(nodes(), summary="\n".join([*change(lines), ""]).encode()).cold


def first_of(lines: list[str], start: str) -> int:
    return next(n for n, line in enumerate(lines) if line.startswith(start))


@pytest.mark.parametrize("database", [1, 2])
def test_a_cold_node_that_is_gone_altered_or_too_many_is_told(database: int) -> None:
    start, other = f"k|{database}|2|f|7|", 3 - database

    def without(lines: list[str]) -> list[str]:
        return [line for line in lines if not line.startswith(start)]

    def altered(lines: list[str]) -> list[str]:
        at = first_of(lines, start)
        return [*lines[:at], f"{lines[at]}x", *lines[at + 1 :]]

    def more(lines: list[str]) -> list[str]:
        at = first_of(lines, start)
        return [*lines[:at], f"k|{database}|2|f|7777|new", *lines[at:]]

    name = f"^RV{'AB'[database - 1]}K"
    right = oracle.cold(SEED, database)["f", "7"]
    for change, there, belongs in (
        (without, "absent", right[:60]),
        (altered, right[:60], right[:60]),
        (more, "'new' of 3 characters", "absent"),
    ):
        cold = cold_after(change)
        assert cold[other].differs is None
        node, found, expected = cold[database].differs
        assert node == f"{name}(f,{7777 if change is more else 7})"
        assert there in found and belongs in expected


def test_the_first_cold_node_that_differs_is_told() -> None:
    def both(lines: list[str]) -> list[str]:
        return [line for line in lines if not line.startswith(("k|1|2|f|9|", "k|1|2|f|12|"))]

    assert "^RVAK(f,9)" == cold_after(both)[1].differs[0]


def test_every_cold_node_counts() -> None:
    def without(lines: list[str]) -> list[str]:
        return [line for line in lines if not line.startswith("k|2|2|n|")]

    there = oracle.cold(SEED, 2)
    assert len([node for node in there if node[0] != "n"]) == cold_after(without)[2].nodes


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("plain", "f", "plain"),
        ("100", "f", "100"),
        ("a%44;b", "f", "a,b"),
        ("%945;", "u", "\u03b1"),
        ("%206;%177;", "u", "\u03b1"),
        ("%206;%177;", "b", "\u00ce\u00b1"),
        ("%300;%200;", "u", "\u012c\u00c8"),
        ("%255;", "u", "\ufffd"),
        ("%37;1;", "f", "%1;"),
        ("%65;", "u", "A"),
        ("%256;%255;", "u", "\u0100\u00ff"),
        ("\u00e9", "u", "\u00e9"),
        ("%;", "f", "%;"),
    ],
)
def test_text_is_as_it_was_before_it_was_made_printable(text: str, kind: str, expected: str) -> None:
    """Unicode is bytes of UTF-8 in an engine without it."""
    assert expected == module._decoded(text, kind)


# --- blocks of a walk, wherever they are cut


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 48, 49, 1000])
def test_a_walk_is_the_same_in_blocks_of_any_size(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_ROWS", rows)
    found = of(nodes())
    assert (LAST, 0, None, None, LAST) == (
        found.last,
        found.missing,
        found.altered,
        found.unreadable,
        found.trail.last,
    )
    there = nodes()
    del there.history[1, 24]
    there.history[1, 30] = b"garbage\n"
    odd = of(there)
    assert (LAST, 24, ("30", "garbage")) == (odd.last, odd.missing, odd.unreadable)


@pytest.mark.parametrize(
    ("held", "looked", "at"),
    [
        (b"end 3\n", 0, 0),
        (b"end 3", 0, None),
        (b"x\nend 3\n", 0, 2),
        (b"x\nend 3", 0, None),
        (b"x\ny\n", 0, None),
        (b"xend 3\n", 0, None),
        (b"x\nend 3\n", 2, 2),
        (b"x\nend 3\n", 5, 2),
        (b"x\nend 3\nend 4\n", 0, 2),
    ],
)
def test_where_a_part_of_a_walk_ends(held: bytes, looked: int, at: int | None) -> None:
    assert at == module._end_of(held, looked)


@pytest.mark.parametrize(("digits", "known"), [(10, True), (11, False)])
def test_numbers_have_ten_digits_at_most(digits: int, known: bool) -> None:
    """The oracle cannot count with longer ones."""
    text = "1" * digits
    for read_it in (module._writer, lambda text: module._announced(text.encode())):
        if known:
            assert int(text) == read_it(text)
        else:
            with pytest.raises((ValueError, ParseError)):
                read_it(text)


def test_of_a_long_value_sixty_characters_are_shown() -> None:
    assert f"{'x' * 60!r} of 99 characters" == module._excerpt("x" * 99)
    assert "absent" == module._excerpt(None)


def test_cold_data_of_an_engine_without_unicode_is_as_it_was_written() -> None:
    """It keeps the bytes of UTF-8, in subscripts and in values."""
    lines = lines_of_summary(nodes()).decode().splitlines()

    def as_bytes(line: str) -> str:
        plain = re.sub(r"%([0-9]+);", lambda match: chr(int(match[1])), line)
        return "".join(
            byte if byte.isascii() else f"%{ord(byte)};" for byte in plain.encode().decode("latin-1")
        )

    changed = [as_bytes(line) if "|u|" in line else line for line in lines]
    assert changed != lines
    found = read(nodes(), summary="\n".join([*changed, ""]).encode()).cold
    assert [None, None] == [cold.differs for cold in found.values()]


@pytest.mark.parametrize(
    ("one", "two", "last", "missing", "recovered", "highest"),
    [
        (5, 5, 5, 0, 5, 5),
        (None, 5, 5, 0, 0, 5),
        (5, None, 5, 0, 0, 5),
        (0, 5, 5, 0, 0, 5),
        (5, 0, 5, 0, 0, 5),
        (5, 5, 5, 3, 2, 5),
        (3, 6, 5, 0, 3, 6),
        (7, 6, 5, 0, 5, 7),
        (4, 2, 5, 0, 2, 5),
        (None, None, 0, 0, 0, 0),
    ],
)
def test_how_far_a_writer_is_recovered_and_how_far_its_traces_go(
    one: int | None, two: int | None, last: int, missing: int, recovered: int, highest: int
) -> None:
    found = WriterState(writer=1, one=one, two=two, history=History(last=last, missing=missing))
    assert (recovered, highest) == (found.recovered, found.highest)


def test_accounts_that_nothing_moved_are_whole_numbers() -> None:
    """They are shown to people, beside those that were read."""
    assert [0] * oracle.ACCOUNTS == History().flow.tolist()
    assert all(isinstance(moved, int) for moved in History().flow.tolist())


def test_a_count_of_ten_digits_is_one() -> None:
    """The longest number that RVWORK.m makes."""
    for number, told in ((1234567890, 1234567890), (12345678901, None)):
        assert told == module._times_told(f"{number},{number * 7919 % 9973 + 10000}")


# --- the walkers


class Ending:
    """A timer that never fires, and says what it would do."""

    def __init__(self, seconds: float, function: Callable[..., object], args: tuple[object, ...]) -> None:
        self.seconds, self.function, self.args = seconds, function, args
        self.daemon = self.started = self.cancelled = False

    def start(self) -> None:
        self.started = True

    def cancel(self) -> None:
        self.cancelled = True


class Counting(Printing):
    """Notes which walks were begun, how they end, and how many there were at a time."""

    def __init__(self, sessions: int | None = None, histories: int = 5) -> None:
        super().__init__(lines_of_summary(nodes()), lambda writer: lines_of_history(nodes(), writer))
        self.begun: list[tuple[str, int]] = []
        self.waited: list[float | None] = []
        self.processes: list[object] = []
        self._sessions, self._histories = sessions, histories

    def describe(self) -> Description:
        return replace(DESCRIPTION, sessions_max=self._sessions)

    def start_state(self, part: str, writer: int) -> Any:
        process = super().start_state(part, writer)
        self.begun.append((part, writer))
        self.processes.append(process)
        if part == "history":
            process.returncode = self._histories

        def wait(timeout: float | None = None) -> int:
            self.waited.append(timeout)
            return int(process.returncode)

        process.wait = wait
        return process


def test_a_walk_that_goes_round_is_ended_after_a_time_for_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two minutes for a summary, ten for a history; and nobody waits for ever for a process that printed its end."""
    timers: list[Ending] = []

    def timer(*said: Any) -> Ending:
        timers.append(Ending(*said))
        return timers[-1]

    monkeypatch.setattr(module.threading, "Timer", timer)
    instance = Counting(sessions=3)
    read_state(instance, SEED, WRITERS)  # type: ignore[arg-type]
    assert [("summary", 0), ("history", 1), ("history", 2)] == instance.begun
    assert [120.0, 600.0, 600.0] == [one.seconds for one in timers]
    assert all(one.started and one.daemon and one.cancelled for one in timers)
    for one, process in zip(timers, instance.processes, strict=True):
        assert destroy.group is one.function and process is one.args[0]
        assert f"within {one.seconds:g} s" in str(one.args[1])
    assert None not in instance.waited and max(s for s in instance.waited if s) <= 60


@pytest.mark.parametrize("status", [0, 1, 137])
def test_a_history_whose_walk_ended_badly_is_no_state(status: int) -> None:
    """All of it came, and still its walker says that something was wrong."""
    with pytest.raises(InstanceError, match=f"writer [12]'s history ended with status {status}"):
        read_state(Counting(histories=status), SEED, WRITERS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sessions", "processors", "walkers"),
    [(None, 4, 4), (None, None, 1), (9, 4, 4), (5, 4, 3), (3, 4, 1), (1, 4, 1), (9, None, 1)],
)
def test_walkers_are_as_many_as_processors_and_licence_allow(
    sessions: int | None, processors: int | None, walkers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sessions are left for others: without one of these the reading of journals would be refused."""
    monkeypatch.setattr(module.os, "cpu_count", lambda: processors)
    asked: list[int] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, max_workers: int = 99) -> None:
            asked.append(max_workers)
            super().__init__(max_workers)

    monkeypatch.setattr(module, "ThreadPoolExecutor", Pool)
    read_state(Counting(sessions), SEED, WRITERS)  # type: ignore[arg-type]
    assert [walkers] == asked


def test_a_walk_that_broke_off_because_the_instance_ended_says_so() -> None:
    """The image is not to blame."""

    class Gone(Counting):
        def require_there(self) -> None:
            raise InstanceGone("killed")

    with pytest.raises(InstanceGone):
        read_state(Gone(histories=137), SEED, WRITERS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pieces", "blocks"),
    [
        (["1111\n22", "22\n", "end 2\n"], ["1111\n2222\n"]),
        (["1111\n", "2222\n", "end 2\n"], ["1111\n", "2222\n"]),
        (["1111\n2222\n3", "333\n4444\n", "end 4\n"], ["1111\n2222\n3333\n4444\n"]),
        (["1111\n2222\n3333\n", "end 3\n"], ["1111\n2222\n3333\n"]),
        (["1111\n2222\n33", "33\n44", "44\n5", "555\nend 5\n"], ["1111\n2222\n3333\n", "4444\n5555\n"]),
        (["1111\n2222\n@7\n33", "33\n", "end 3\n"], ["1111\n2222\n", "@7\n3333\n"]),
    ],
)
def test_blocks_are_of_whole_lines_and_about_one_size(
    pieces: list[str], blocks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is a line compared in parts, nor a whole history kept: three rows are a block here."""
    monkeypatch.setattr(module, "_BLOCK_ROWS", 3)
    parts = [piece.encode() for piece in pieces]
    monkeypatch.setattr(module.os, "read", lambda *_: parts.pop(0) if parts else b"")
    lines, found = module._Lines(0, "history"), []
    for block in lines.blocks(5):
        found.append(block.decode())
        lines.count += sum(not line.startswith(b"@") for line in block.splitlines())
    assert blocks == found


# --- what is told of a difference, and what is not hidden by another one


def test_a_history_that_is_shifted_as_a_whole_is_altered() -> None:
    """Each row is right in itself, and they follow each other: they stand at the wrong nodes."""
    there = nodes()
    for i in range(1, LAST):
        there.history[1, i] = there.history[1, i + 1]
    del there.history[1, LAST]
    assert (1, "transaction 2", "transaction 1") == of(there).altered


@pytest.mark.parametrize("odd", [b"@x\n", b"@-1\n", b"@12345678901\n"])
def test_nodes_of_odd_subscripts_come_after_all_others_and_the_first_one_is_told(odd: bytes) -> None:
    """They make no gap, and what follows them is counted on."""
    there, found = nodes(), History()
    rows = b"".join(there.history[1, i] for i in (1, 2, 3))
    block = rows + odd + b"garbage\n" + b"@y\n" + b"garbage\n"
    assert 5 == module._compare(found, block, SEED, 1, WRITERS)
    told = (odd[1:-1].decode(), "a subscript that is no sequence number")
    assert (told, 0, 5, None) == (found.unreadable, found.missing, found.last, found.altered)


def test_a_subscript_of_ten_digits_is_a_sequence_number() -> None:
    found = History()
    block = nodes().history[1, 1] + b"@1234567890\n" + b"garbage\n"
    assert 2 == module._compare(found, block, SEED, 1, WRITERS)
    assert (("1234567890", "garbage"), 2, 1234567890) == (found.unreadable, found.missing, found.last)


@pytest.mark.parametrize("text", [b"x", b"12345678904", b"8" * 40])
def test_nodes_of_odd_subscripts_in_a_trail_make_no_gap_and_the_first_one_is_told(text: bytes) -> None:
    there, found = nodes(), Trail()
    block = there.trail[1, 8] + b"@" + text + b"\n" + b"garbage\n" + b"@y\n" + b"garbage\n"
    assert 3 == module._compare_trail(found, block, SEED, 1, WRITERS)
    assert (0, f"a node of subscript {text.decode()}", "no such node") == found.altered
    assert (0, 24) == (found.missing, found.last)


def test_a_subscript_of_ten_digits_may_stand_in_a_trail() -> None:
    found = Trail()
    module._compare_trail(found, nodes().trail[1, 8] + b"@1234567896\n" + b"garbage\n", SEED, 1, WRITERS)
    assert found.altered and (1234567896, "garbage") == found.altered[:2]
    assert (16, 1234567896) == (found.missing, found.last)


def test_a_node_of_a_trail_is_told_with_what_belongs_there() -> None:
    """As numbers where it has them, else as it is, cut off after eighty characters."""
    there, amount = nodes(), transaction(1, 16).amount
    there.trail[1, 16] = oracle.trail_row(24, amount + 1)
    right = f"transaction 16, amount {amount}"
    assert (16, f"transaction 24, amount {amount + 1}", right) == of(there).trail.altered
    there.trail[1, 16] = b"x" * 99 + b"\n"
    right = oracle.trail_row(16, amount).decode().strip()
    assert (16, "x" * 80, right) == of(there).trail.altered


def test_a_counter_that_no_transaction_took_is_told_as_that(way: str) -> None:
    there, one = nodes(), transaction(1, 17)
    values = (one.source, one.target, one.amount, one.other, one.read, 9)
    there.history[1, 17] = history_row(SEED, 1, 17, *values)
    assert (17, "counter 9", "no counter") == of(there).altered


@pytest.mark.parametrize("other", [0, WRITERS + 1])
def test_a_read_of_a_writer_that_there_is_not_is_altered_and_no_read(way: str, other: int) -> None:
    """Nobody could say how far that one was."""
    there, one = nodes(), transaction(1, 17)
    values = (one.source, one.target, one.amount, other, 40, one.taken)
    there.history[1, 17] = history_row(SEED, 1, 17, *values)
    found = of(there)
    assert (17, f"read_from {other}", f"read_from {one.other}") == found.altered and [2] == list(found.reads)


@pytest.mark.parametrize("rows", [1, 5, 1000])
def test_the_first_of_the_highest_reads_is_told(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what an inconsistent image has seen of the future: neither a later nor a lower one hides it."""
    monkeypatch.setattr(module, "_BLOCK_ROWS", rows)
    there = nodes()
    for i, read in ((3, 50), (10, 90), (20, 90), (30, 60)):
        one = transaction(1, i)
        values = (one.source, one.target, one.amount, one.other, read, one.taken)
        there.history[1, i] = history_row(SEED, 1, i, *values)
    found = of(there)
    assert ({2: (90, 10)}, None) == (found.reads, found.altered)


def test_who_read_nothing_has_read_nothing() -> None:
    found = History()
    there, one = nodes(), transaction(1, 1)
    there.history[1, 1] = history_row(SEED, 1, 1, one.source, one.target, one.amount, one.other, 0, one.taken)
    module._compare(found, there.history[1, 1], SEED, 1, WRITERS)
    assert {} == found.reads


def test_a_summary_that_goes_on_and_on_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a damaged database a walk may go round: neither time nor memory is without an end."""
    text = lines_of_summary(nodes())
    ended: list[object] = []
    monkeypatch.setattr(module.destroy, "group", lambda process, why: ended.append(process))
    monkeypatch.setattr(module, "_OUTPUT_BYTES_MAX", len(text) + 1)
    instance = Counting()
    read_state(instance, SEED, WRITERS)  # type: ignore[arg-type]
    assert [] == ended
    monkeypatch.setattr(module, "_OUTPUT_BYTES_MAX", len(text))
    with pytest.raises(InstanceError, match="it does not end"):
        read_state(instance, SEED, WRITERS)  # type: ignore[arg-type]
    assert [instance.processes[-1]] == ended


def test_a_summary_of_a_thousand_writers_may_be_read() -> None:
    """2 MB of cold data, and some 40 kB for each writer; a machine has as much memory as it takes."""
    assert (2 << 20) + 1000 * 40_000 < module._OUTPUT_BYTES_MAX == 1 << 26


@pytest.mark.parametrize("status", [0, 1, 137])
def test_a_summary_whose_walk_ended_badly_is_no_state(status: int) -> None:
    with pytest.raises(InstanceError, match=f"walk of the summary ended with status {status}"):
        read(nodes(), status=status)
