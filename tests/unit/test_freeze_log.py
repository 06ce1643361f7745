"""The freeze log parser: what it reads, and above all what it refuses."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import freeze_log
from harness.errors import ParseError
from harness.freeze_log import FreezeEntry, find, parse, parse_appended, size_bytes
from harness.model import Position

DATA = Path(__file__).parents[1] / "data" / "freeze_log"
CACHE = (DATA / "cache-2015.2.log").read_text()
IRIS = (DATA / "iris-2021.1.log").read_text()
CACHE_JOURNAL = "/trak/jnl/jrnpri/h20152/H20152_20170104.011"


def without(text: str, part: str) -> str:
    lines = [line for line in text.split("\n") if part not in line]
    assert len(lines) < len(text.split("\n"))
    return "\n".join(lines)


def up_to(text: str, part: str) -> str:
    return text[: text.index(part) + len(part)]


def log_of(number: int, folder: str = "/iris/journal/") -> str:
    """A log in the layout of IRIS 2021.1, each with its own journal file and marker."""
    at = datetime(2026, 11, 22, 10, 0, 0) + timedelta(minutes=number)
    stamps = [(at + timedelta(seconds=s)).strftime("%m/%d/%Y %H:%M:%S") for s in range(4)]
    journal = f"{folder}20261122.{number + 1:03d}"
    return (
        f"{stamps[0]}: Backup.General.ExternalFreeze: Suspending system\n"
        f"{stamps[0]}: Backup.General.ExternalFreeze: Warning, /iris/mgr/t{number}/ is not being journalled\n"
        "\n"
        "Journal file switched to:\n"
        f"{journal}\n"
        f"{stamps[0]}: Backup.General.ExternalFreeze: Start a journal restore for this backup with journal"
        f" file: {journal}\n"
        "\n"
        "Journal marker set at\n"
        f"offset {197192 + 100 * number} of {journal}\n"
        f"{stamps[1]}: Backup.General.ExternalFreeze: System suspended\n"
        f"{stamps[2]}: Backup.General.ExternalThaw: Resuming system\n"
        f"{stamps[3]}: Backup.General.ExternalThaw: System resumed\n"
    )


class TestRead:
    def test_cache_log_without_a_path_below_the_switch(self) -> None:
        """The layout of Caché 2015.2 is read whole."""
        assert parse(CACHE, "log") == (
            FreezeEntry(
                started=datetime(2017, 1, 4, 16, 30, 35),
                warnings=(),
                switched_to=None,
                start_file=CACHE_JOURNAL,
                marker=Position(journal_file="H20152_20170104.011", offset_bytes=197192),
                marker_path=CACHE_JOURNAL,
                suspended=datetime(2017, 1, 4, 16, 30, 36),
                resuming=datetime(2017, 1, 4, 16, 30, 41),
                resumed=datetime(2017, 1, 4, 16, 30, 42),
                failures=(),
                notes=(),
                thaws=1,
                line_numbers=(1, 10),
            ),
        )

    def test_iris_log_with_warnings(self) -> None:
        """The layout of IRIS 2021.1 is read whole; its warnings are kept."""
        (entry,) = parse(IRIS, "log")
        assert entry.switched_to == "/iris/journal1/20210811.003"
        assert entry.start_file == "/iris/journal1/20210811.003"
        assert entry.marker == Position(journal_file="20210811.003", offset_bytes=262272)
        assert len(entry.warnings) == 2
        assert entry.warnings[0] == "Warning, /usr/irissys/mgr/irislocaldata/ is not being journalled"
        assert entry.line_numbers == (1, 13)
        assert entry.complete

    def test_entries_in_order(self) -> None:
        """A log of several backups gives one entry each, with lines counted through the file."""
        entries = parse(CACHE + IRIS, "log")
        assert [entry.started.year for entry in entries] == [2017, 2021]
        assert [entry.line_numbers for entry in entries] == [(1, 10), (11, 23)]

    @pytest.mark.parametrize("text", [CACHE, IRIS])
    def test_line_ends_do_not_matter(self, text: str) -> None:
        """CR LF and a missing end of the last line change nothing."""
        expected = parse(text, "log")
        assert parse(text.replace("\n", "\r\n"), "log") == expected
        assert parse(text.rstrip("\n"), "log") == expected

    def test_windows_path(self) -> None:
        """A path in Windows notation is kept as logged, and its file name found (made-up sample)."""
        path = "C:\\InterSystems\\IRIS\\mgr\\journal\\20210811.003"
        (entry,) = parse(IRIS.replace("/iris/journal1/20210811.003", path), "log")
        assert entry.marker == Position(journal_file="20210811.003", offset_bytes=262272)
        assert entry.marker_path == path

    def test_log_that_stops_before_the_freeze(self) -> None:
        """A last entry without `System suspended` is read, and is visibly not a freeze."""
        (entry,) = parse(up_to(IRIS, "offset 262272 of /iris/journal1/20210811.003\n"), "log")
        assert entry.suspended is None
        assert entry.marker == Position(journal_file="20210811.003", offset_bytes=262272)
        assert not entry.complete

    def test_freeze_without_switch_has_no_marker(self) -> None:
        """A freeze whose log names no marker is read, and is visibly not complete."""
        text = without(without(CACHE, "Journal marker set at"), "offset 197192")
        (entry,) = parse(text, "log")
        assert (entry.marker, entry.marker_path) == (None, None)
        assert entry.suspended is not None
        assert not entry.complete

    @pytest.mark.parametrize(
        "failure",
        [
            "Failed to switch journal file. Status = 0 ERROR #1111: no space",
            "Failed to place journal marker",
            "ERROR #7200: Backup is currently running",
            "System failed to quiesce",
        ],
    )
    def test_failed_freeze(self, failure: str) -> None:
        """A known error text is a failure, whatever else the entry says (made-up sample)."""
        start = CACHE.splitlines()[0]
        line = f"01/04/2017 16:30:36: Backup.General.ExternalFreeze: {failure}"
        failed, whole = parse(f"{start}\n{line}\n{IRIS}", "log")
        assert failed.failures == (failure,)
        assert (failed.suspended, failed.complete) == (None, False)
        assert whole.complete

    def test_failure_after_suspension_is_not_complete(self) -> None:
        """An entry that was suspended and then failed may not pass for a freeze."""
        line = "01/04/2017 16:30:37: Backup.General.ExternalFreeze: Request to suspend write daemon cleared\n"
        (entry,) = parse(up_to(CACHE, "System suspended\n") + line, "log")
        assert entry.suspended is not None
        assert not entry.complete

    def test_self_thaw_is_noted(self) -> None:
        """The end of WDSuspendLimit is a note (text of the stand-in); a late thaw may follow."""
        text = "WDSuspendLimit of 300 seconds reached, resuming system"
        line = f"08/11/2021 05:54:44: Backup.General.ExternalFreeze: {text}\n"
        freeze, thaw = IRIS.split("08/11/2021 05:49:54", 1)
        (entry,) = parse(freeze + line + "08/11/2021 05:54:54" + thaw, "log")
        assert entry.notes == (text,)
        assert entry.resumed is not None

    def test_thaw_that_needed_a_second_try(self) -> None:
        """`Resuming system` may stand twice; the first time counts."""
        again = "01/04/2017 16:30:42: Backup.General.ExternalThaw: Resuming system\n"
        (entry,) = parse(up_to(CACHE, "Resuming system\n") + again, "log")
        assert entry.resuming == datetime(2017, 1, 4, 16, 30, 41)
        assert entry.resumed is None


class TestRefuse:
    @pytest.mark.parametrize("text", ["", "\n", "\r\n\r\n", "  \n"])
    def test_empty(self, text: str) -> None:
        """A log that says nothing is not an answer."""
        with pytest.raises(ParseError, match="empty"):
            parse(text, "log")

    @pytest.mark.parametrize(
        ("text", "line_number", "problem"),
        [
            (without(CACHE, "System suspended"), 8, "Resuming system may not come after a journal marker"),
            (up_to(CACHE, "Suspending system\n") + IRIS, 2, "begins before the one of line 1"),
            (up_to(IRIS, "Journal marker set at"), 10, "not followed by an offset"),
            (up_to(IRIS, "Journal marker set at\n") + "\noffset 1 of /20210811.003\n", 10, "not followed"),
            (without(IRIS, "Journal marker set at"), 9, "an offset that"),
            (IRIS.replace("262272", "26227x"), 10, "not followed by an offset"),
            (IRIS.replace("262272", "9" * 5000), 10, "not followed by an offset"),
            (IRIS.replace("262272", "-1"), 10, "not followed by an offset"),
            (IRIS.replace("08/11/2021 05:49:44", "13/11/2021 05:49:44"), 11, "is not a date"),
            (IRIS.replace("08/11/2021 05:49:44", "11.08.2021 05:49:44"), 11, "not a line of a freeze log"),
            (IRIS.replace("System suspended", "System half suspended"), 11, "unknown message"),
            (IRIS.replace("ExternalThaw: Resuming", "ExternalHug: Resuming"), 12, "ExternalHug"),
            (IRIS.replace("ExternalFreeze: System", "ExternalThaw: System"), 11, "unknown message"),
            (without(IRIS, "Journal file switched to:"), 5, "not a line of a freeze log"),
            (without(IRIS, "Suspending system"), 1, "outside of a freeze"),
            (without(IRIS, "Resuming system"), 12, "System resumed may not come after System suspended"),
            (IRIS + IRIS.splitlines()[-1], 14, "System resumed may not come after System resumed"),
            (IRIS.replace("of /iris/journal1/20210811.003", "of /iris/journal1/20210811.03"), 10, "not fol"),
            (IRIS.replace("of /iris/journal1/20210811.003", "of /iris/journal1/20210811.002"), 10, "another"),
            (IRIS.replace("of /iris/", "of iris/"), 10, "not followed by an offset"),
        ],
    )
    def test_place_and_problem(self, text: str, line_number: int, problem: str) -> None:
        """What is refused is refused with the line and the reason."""
        with pytest.raises(ParseError, match=problem) as caught:
            parse(text, "freeze.log")
        assert (caught.value.source, caught.value.line_number) == ("freeze.log", line_number)

    def test_marker_of_a_later_freeze(self) -> None:
        """A marker after `System suspended` is not the marker of that freeze."""
        marker = "Journal marker set at\noffset 1 of /iris/journal1/20210811.003\n"
        with pytest.raises(ParseError, match="may not come after System suspended"):
            parse(up_to(IRIS, "System suspended\n") + marker, "log")


class TestAppended:
    def test_only_what_was_appended(self, tmp_path: Path) -> None:
        """Entries before the mark are not read, and lines are counted through the file."""
        log = tmp_path / "freeze.log"
        log.write_text(CACHE)
        mark = size_bytes(log)
        log.write_text(CACHE + IRIS)
        assert parse_appended(log, mark) == parse(CACHE + IRIS, "log")[1:]

    def test_stale_log(self, tmp_path: Path) -> None:
        """Nothing appended, or no log at all, gives no entry."""
        log = tmp_path / "freeze.log"
        assert size_bytes(log) == 0
        assert parse_appended(log, 0) == ()
        log.write_text(CACHE)
        assert parse_appended(log, size_bytes(log)) == ()

    @pytest.mark.parametrize("now", [None, ""])
    def test_log_that_shrank(self, tmp_path: Path, now: str | None) -> None:
        """A log that is shorter than before, or gone, was replaced: not a stale log."""
        log = tmp_path / "freeze.log"
        if now is not None:
            log.write_text(now)
        with pytest.raises(ParseError, match="replaced or truncated"):
            parse_appended(log, 10)

    def test_error_has_the_line_of_the_whole_file(self, tmp_path: Path) -> None:
        """An error points into the file that a person opens."""
        log = tmp_path / "freeze.log"
        log.write_text(CACHE + "nonsense\n")
        with pytest.raises(ParseError) as caught:
            parse_appended(log, len(CACHE))
        assert (caught.value.line_number, caught.value.line) == (11, "nonsense")

    def test_too_much_appended(self, tmp_path: Path) -> None:
        """A log that grew beyond reason is refused, not read into memory."""
        log = tmp_path / "freeze.log"
        log.write_bytes(b"\n" * (freeze_log.APPENDED_BYTES_MAX + 1))
        with pytest.raises(ParseError, match="grew by more"):
            parse_appended(log, 0)

    def test_undecodable_folder(self, tmp_path: Path) -> None:
        """A folder name that is not UTF-8 does not hide the marker."""
        log = tmp_path / "freeze.log"
        log.write_bytes(IRIS.encode().replace(b"/journal1/", b"/j\xf6urnal/"))
        (entry,) = parse_appended(log, 0)
        assert entry.marker == Position(journal_file="20210811.003", offset_bytes=262272)
        assert entry.marker_path == "/iris/j\\xf6urnal/20210811.003"


class TestFind:
    ENTRIES = parse(CACHE + IRIS, "log")

    def test_the_one_since_a_moment(self) -> None:
        """The moment's fraction of a second is ignored: the log has none."""
        moment = datetime(2021, 8, 11, 5, 49, 43, 999999)
        assert find(self.ENTRIES, "log", moment) == self.ENTRIES[1]

    def test_none(self) -> None:
        """A stale log has no freeze since."""
        assert find(self.ENTRIES, "log", datetime(2021, 8, 11, 5, 49, 44)) is None
        assert find((), "log") is None

    def test_two_freezes(self) -> None:
        """Two freezes where one was expected are not an answer."""
        with pytest.raises(ParseError, match="2 freezes where one was expected, beginning in lines 1 and 11"):
            find(self.ENTRIES, "log")


LINES = st.one_of(
    st.sampled_from([*CACHE.split("\n"), *IRIS.split("\n")]),
    st.text(max_size=80),
    st.from_regex(r"[0-9/]{10} [0-9:]{8}: Backup\.General\.External(Freeze|Thaw): .*", fullmatch=True),
)


@given(st.lists(LINES, max_size=30), st.sampled_from(["\n", "\r\n"]))
def test_anything_gives_entries_or_a_parse_error(lines: list[str], end: str) -> None:
    """No text makes the parser raise anything but ParseError."""
    try:
        entries = parse(end.join(lines), "log")
    except ParseError:
        return
    assert all(entry.started for entry in entries)


def drop(lines: list[str], place: int, _: int) -> list[str]:
    return lines[:place] + lines[place + 1 :]


def duplicate(lines: list[str], place: int, other: int) -> list[str]:
    return [*lines[:other], lines[place], *lines[other:]]


def swap(lines: list[str], place: int, other: int) -> list[str]:
    changed = list(lines)
    changed[place], changed[other] = lines[other], lines[place]
    return changed


def cut(lines: list[str], place: int, other: int) -> list[str]:
    return [*lines[:place], lines[place][: other % (len(lines[place]) + 1)], *lines[place + 1 :]]


@given(
    st.integers(min_value=1, max_value=3),
    st.sampled_from([drop, duplicate, swap, cut]),
    st.data(),
)
def test_a_damaged_log_never_names_another_marker(count: int, damage: object, data: st.DataObject) -> None:
    """After one line is lost, doubled, exchanged or cut, a complete entry still has the marker it had."""
    lines = "".join(log_of(number) for number in (0, 998, 999)[:count]).split("\n")
    places = st.integers(min_value=0, max_value=len(lines) - 1)
    place, other = data.draw(places), data.draw(st.one_of(places, st.integers(min_value=0, max_value=200)))
    other = other if damage is cut else other % len(lines)
    assert callable(damage)
    good = {entry.start_file: entry.marker for entry in parse("\n".join(lines), "log")}
    try:
        entries = parse("\n".join(damage(lines, place, other)), "log")
    except ParseError:
        return
    for entry in entries:
        assert not entry.complete or good.get(entry.start_file) == entry.marker
