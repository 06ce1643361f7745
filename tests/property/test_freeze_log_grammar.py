"""The freeze log reader over logs of a grammar, whole and damaged: entries or a ParseError, and no other marker."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ParseError
from harness.freeze_log import FreezeEntry, find, parse, parse_appended
from tests.property.freeze_logs import DAMAGES, Window, logs, text_of, windows


def read(text: str) -> tuple[FreezeEntry, ...]:
    """Entries; none for what is refused. Any other error is a defect."""
    try:
        return parse(text, "freeze.log")
    except ParseError as error:
        assert "freeze.log" in str(error)
        return ()


def require_literal(text: str, entry: FreezeEntry) -> None:
    """A complete entry's marker stands in its own window, announced, before the suspension and with its journal."""
    first, last = entry.line_numbers
    lines = [line.removesuffix("\r") for line in text.split("\n")[first - 1 : last]]
    assert lines[0].endswith("ExternalFreeze: Suspending system")
    assert 1 == sum(line.endswith(": Suspending system") for line in lines)
    assert entry.marker and entry.marker_path
    wanted = rf"offset 0*{entry.marker.offset_bytes} of {re.escape(entry.marker_path)}"
    at = next(number for number, line in enumerate(lines) if re.fullmatch(wanted, line))
    assert "Journal marker set at" == lines[at - 1]
    assert entry.marker_path.endswith(entry.marker.journal_file)
    assert any(line.endswith("ExternalFreeze: System suspended") for line in lines[at:])
    assert any(line.endswith(f"with journal file: {entry.marker_path}") for line in lines[:at])


@given(logs(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_whole_log_says_what_was_written(log: list[Window], end: str, last_end: bool) -> None:
    """Each window gives its entry, with its own lines, whatever ends a line."""
    text = text_of(log, end)
    found = parse(text if last_end else text.removesuffix(end), "log")
    assert [one.entry for one in log] == [replace(one, line_numbers=(0, 0)) for one in found]
    for window, entry in zip(log, found, strict=True):
        first, last = entry.line_numbers
        assert list(window.lines) == [line.removesuffix("\r") for line in text.split("\n")[first - 1 : last]]
        assert window.completed == entry.complete


@given(logs(3), st.lists(st.tuples(st.sampled_from(DAMAGES), st.integers(0), st.integers(0)), max_size=3))
def test_a_damaged_log_never_names_a_marker_that_is_not_in_its_window(
    log: list[Window], damages: list[tuple[object, int, int]]
) -> None:
    """Lines lost, doubled, exchanged, cut, with other dates, flipped bits or two freezes in each other."""
    lines = [line for window in log for line in window.lines]
    for damage, place, other in damages:
        assert callable(damage)
        if lines:
            lines = damage(lines, place % len(lines), other % len(lines))
    text = "\n".join(lines)
    for entry in read(text):
        assert isinstance(entry.started, datetime)
        if entry.complete:
            require_literal(text, entry)


@given(logs(2), st.integers(0))
def test_bytes_may_be_anything(
    tmp_path_factory: pytest.TempPathFactory, log: list[Window], noise: int
) -> None:
    """A file with a changed byte, read as a run reads it: entries whose marker is in the text, or a ParseError."""
    raw = bytearray(text_of(log).encode())
    raw[noise % len(raw)] = noise // len(raw) % 256
    file = tmp_path_factory.mktemp("log") / "freeze.log"
    file.write_bytes(raw)
    try:
        entries = parse_appended(file, 0)
    except ParseError:
        return
    text = raw.decode("utf-8", "backslashreplace")
    for entry in entries:
        if entry.complete:
            require_literal(text, entry)


@given(logs(3), windows(), st.integers(0))
def test_no_cut_before_the_suspension_gives_a_freeze(before: list[Window], last: Window, at: int) -> None:
    """Wherever the log ends before the end of `System suspended`, its last window is no freeze; earlier ones stay."""
    whole = "\n".join(last.lines)
    limit = whole.find("System suspended")
    limit = len(whole) if limit < 0 else limit + len("System suspended") - 1
    cut = whole[: at % (limit + 1)]
    entries = read(text_of(before) + cut)
    assert not [one for one in entries[len(before) :] if one.suspended or one.complete]
    assert not entries or [w.entry for w in before] == [
        replace(one, line_numbers=(0, 0)) for one in entries[: len(before)]
    ]


@given(logs(2), windows(), st.integers(0, 200), windows())
def test_a_window_that_goes_on_in_another_one_is_refused(
    before: list[Window], first: Window, at: int, second: Window
) -> None:
    """The engine was killed in the middle of a line, and the next freeze appended to it: not one freeze of both."""
    lines = list(first.lines[: 1 + len(first.entry.warnings)])
    lines[-1] = lines[-1][: at % len(lines[-1])]
    text = text_of(before) + "\n".join(lines) + "\n".join(second.lines)
    for entry in read(text):
        if entry.complete:
            require_literal(text, entry)
            assert entry.started in [window.entry.started for window in (*before, second)]


@given(logs(3), st.integers(1, 10**6), st.sampled_from(["switched", "start", "marker"]))
def test_the_marker_line_of_another_journal_is_refused(log: list[Window], more: int, which: str) -> None:
    """A window that names two journals says nothing about where a roll-forward starts."""
    window = log[-1]
    if not window.completed:
        return
    other = f"{window.entry.marker_path}{more}"
    start = {"switched": "/", "start": "Start a journal", "marker": "offset "}[which]
    places = [
        number
        for number, line in enumerate(window.lines)
        if (line == window.entry.switched_to if which == "switched" else start in line)
    ]
    if not places:
        return
    lines = list(window.lines)
    lines[places[0]] = lines[places[0]].replace(str(window.entry.marker_path), other)
    assert () == read(text_of([*log[:-1], Window(tuple(lines), window.entry)]))


@given(logs(3), logs(3))
def test_only_what_was_appended_is_read(
    tmp_path_factory: pytest.TempPathFactory, before: list[Window], after: list[Window]
) -> None:
    """Windows from before the mark are not seen, lines count through the file, and a shorter file is refused."""
    file = tmp_path_factory.mktemp("log") / "freeze.log"
    old, new = text_of(before).encode(), text_of(after).encode()
    file.write_bytes(old + new)
    assert parse(text_of([*before, *after]), "log")[len(before) :] == parse_appended(file, len(old))
    assert () == parse_appended(file, len(old + new))
    with pytest.raises(ParseError, match="replaced or truncated"):
        parse_appended(file, len(old + new) + 1)


@given(logs(5), st.datetimes(datetime(2026, 11, 21), datetime(2028, 12, 1)))
def test_find_gives_the_only_one_or_none(log: list[Window], moment: datetime) -> None:
    """Of the windows that began at or after a moment: none is None, one is it, more are refused."""
    entries = parse(text_of(log), "log")
    since = [one for one in entries if one.started + timedelta(seconds=1) > moment]
    if len(since) > 1:
        with pytest.raises(ParseError, match=f"{len(since)} freezes"):
            find(entries, "log", moment)
    else:
        assert (since[0] if since else None) == find(entries, "log", moment)


def test_nothing_there_is_an_empty_read(tmp_path: Path) -> None:
    assert () == parse_appended(tmp_path / "none.log", 0)
