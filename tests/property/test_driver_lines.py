"""What a writer prints, split anywhere: its numbers in order, or an error; no number that was not printed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, InstanceError, ParseError
from harness.plan.model import WorkloadSpec
from harness.stages.load import Driver, _Writer

FIRST = 7


class FakeLedger:
    """Keeps the numbers that were noted."""

    def __init__(self) -> None:
        self.noted: list[int] = []

    def note(self, writer: int, began_s: float, ended_s: float, reached: int) -> None:
        assert began_s <= ended_s
        self.noted.append(reached)


class FakeInstance:
    """One that is there."""

    def require_there(self) -> None: ...


@dataclass
class FakeProcess:
    """A process whose standard output is a pipe of ours."""

    stdout: Any

    def wait(self) -> int:
        return 0


@dataclass(frozen=True)
class Outcome:
    """How far the writer was seen to come, whether it said that it ended, what was noted and what went wrong."""

    reached: int
    ended: bool
    noted: list[int]
    error: Exception | None


def read(parts: list[bytes], *, closed: bool = False) -> Outcome:
    """Let the driver look after each part, as it does every few milliseconds."""
    output, own = os.pipe()
    os.set_blocking(output, False)
    ledger = FakeLedger()
    driver = Driver(FakeInstance(), WorkloadSpec(writers=1), 1, ledger)  # type: ignore[arg-type]
    with os.fdopen(output, "rb") as stdout, os.fdopen(own, "wb", buffering=0) as stdin:
        writer = _Writer(1, FakeProcess(stdout), FIRST - 1)  # type: ignore[arg-type]
        driver._writers.append(writer)
        for part in parts:
            stdin.write(part)
            if driver._failure is None:
                driver._look()
        if closed:
            stdin.close()
            driver._look()
    return Outcome(writer.reached, writer.ended, ledger.noted, driver._failure)


def split(raw: bytes, places: list[int]) -> list[bytes]:
    at = [0, *sorted(place % (len(raw) + 1) for place in places), len(raw)]
    return [raw[a:b] for a, b in pairwise(at)]


def promised(raw: bytes) -> int:
    """The last number up to which a stream is what a writer prints: ready, then each number on its line."""
    lines = raw.split(b"\n")[:-1]
    if not lines or lines[0] != b"ready":
        return FIRST - 1
    last = FIRST - 1
    for line in lines[1:]:
        if line != str(last + 1).encode():
            break
        last += 1
    return last


PLACES = st.lists(st.integers(0, 2**16), max_size=6)


@given(st.integers(0, 60), PLACES, st.booleans())
def test_a_good_stream_gives_every_number_however_it_is_split(
    count: int, places: list[int], end: bool
) -> None:
    raw = b"ready\n" + b"".join(b"%d\n" % n for n in range(FIRST, FIRST + count)) + (b"end\n" if end else b"")
    found = read(split(raw, places))
    assert (FIRST + count - 1, end, None) == (found.reached, found.ended, found.error)
    assert sorted(set(found.noted)) == found.noted
    assert (found.noted or [FIRST - 1])[-1] == FIRST + count - 1


LINES = st.one_of(
    st.integers(FIRST, FIRST + 9).map(lambda n: b"%d" % n),
    st.sampled_from([b"ready", b"end", b"", b"07", b" 8", b"8 ", b"-1", b"8\r", b"<ERROR>", b"9" * 5000]),
    st.binary(max_size=6),
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """A good stream with a line lost, doubled, exchanged or foreign; or any lines; or any bytes."""
    kind = draw(st.sampled_from(["edited", "edited", "lines", "bytes"]))
    if kind == "bytes":
        return draw(st.sampled_from([b"", b"ready\n"])) + draw(st.binary(max_size=60))
    if kind == "lines":
        return b"".join(line + b"\n" for line in draw(st.lists(LINES, max_size=12)))
    lines = [b"ready", *(b"%d" % n for n in range(FIRST, FIRST + draw(st.integers(0, 12)))), b"end"]
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        other = draw(st.one_of(LINES, st.sampled_from(lines)))
        lines[at : at + draw(st.integers(0, 1))] = [other] * draw(st.integers(0, 2))
        lines = lines or [b""]
    return b"\n".join(lines) + draw(st.sampled_from([b"\n", b""]))


@settings(max_examples=400)
@given(streams(), PLACES)
def test_no_number_is_noted_that_was_not_printed_in_its_turn(raw: bytes, places: list[int]) -> None:
    """Whatever came: what is reached is what the stream says in order from its beginning, or less and an error."""
    found = read(split(raw, places))
    assert found.error is None or isinstance(found.error, ParseError | InstanceError)
    assert found.reached <= promised(raw)
    assert all(number <= promised(raw) for number in found.noted)
    assert sorted(set(found.noted)) == found.noted
    whole = raw[: raw.rfind(b"\n") + 1]
    good = promised(raw)
    said = b"ready\n" + b"".join(b"%d\n" % n for n in range(FIRST, good + 1))
    if whole not in (b"", said, said + b"end\n") and not found.ended:
        assert found.error is not None
    if found.error is None and whole:
        assert found.reached == good


@given(st.integers(0, 9), PLACES, st.sampled_from([b"", b"8", b"en"]))
def test_an_output_that_closes_before_its_end_is_an_error(count: int, places: list[int], rest: bytes) -> None:
    """The numbers that came stay acknowledged; what stood on the last line is shown."""
    raw = b"ready\n" + b"".join(b"%d\n" % n for n in range(FIRST, FIRST + count)) + rest
    found = read(split(raw, places), closed=True)
    assert FIRST + count - 1 == found.reached
    assert isinstance(found.error, HarnessError) and "ended by itself" in str(found.error)
