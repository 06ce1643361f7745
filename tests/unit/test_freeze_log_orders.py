"""The order of a freeze log: all ten statements after all ten, and texts that nearly are one.

The table is written out by hand, from what the captured logs show and what ExternalFreeze and ExternalThaw do one
after another; it is not read from the parser. A parser that accepts one order more would read a marker into a freeze
that failed, or take an engine for suspended that said so about another freeze.
"""

from __future__ import annotations

import pytest

from harness.errors import ParseError
from harness.freeze_log import harmless, parse

AT = "11/22/2026 10:00:00: Backup.General."
FILE = "/iris/journal/20261122.002"
TEXTS = {
    "started": f"{AT}ExternalFreeze: Suspending system\n",
    "warning": f"{AT}ExternalFreeze: Warning, /iris/mgr/temp/ is not being journalled\n",
    "switched": f"Journal file switched to:\n{FILE}\n",
    "start file": f"{AT}ExternalFreeze: Start a journal restore for this backup with journal file: {FILE}\n",
    "marker": f"Journal marker set at\noffset 197192 of {FILE}\n",
    "suspended": f"{AT}ExternalFreeze: System suspended\n",
    "failed": f"{AT}ExternalFreeze: System failed to quiesce\n",
    "self-thawed": f"{AT}ExternalFreeze: WDSuspendLimit of 600 seconds reached, resuming system\n",
    "resuming": f"{AT}ExternalThaw: Resuming system\n",
    "resumed": f"{AT}ExternalThaw: System resumed\n",
}
BEGUN = ["started", "switched", "start file", "marker"]
HELD = [*BEGUN, "suspended"]
UP_TO = {
    "started": ["started"],
    "warning": ["started", "warning"],
    "switched": ["started", "switched"],
    "start file": ["started", "switched", "start file"],
    "marker": BEGUN,
    "suspended": HELD,
    "failed": ["started", "failed"],
    "self-thawed": [*HELD, "self-thawed"],
    "resuming": [*HELD, "resuming"],
    "resumed": [*HELD, "resuming", "resumed"],
}
"""Statement → the shortest log known to be in order that ends with it."""
ORDER = """
               started warning switched start-file marker suspended failed self-thawed resuming resumed
started           .       .       .         .         .       x        x        x          x       x
warning           x       x       x         x         x       .        .        .          .       .
switched          x       x       .         .         .       .        .        .          .       .
start-file        x       x       x         .         .       .        .        .          .       .
marker            x       x       x         x         .       .        .        .          .       .
suspended         x       x       x         x         x       .        .        .          .       .
failed            x       x       x         x         x       x        x        x          x       .
self-thawed       .       .       .         .         .       x        .        .          .       .
resuming          .       .       .         .         .       x        x        x          x       .
resumed           .       .       .         .         .       .        .        .          x       .
"""
"""Row: a statement; column: what may stand before it, x accepted. A warning changes nothing of what may follow; here
it stands behind "started".
"""


def table() -> list[tuple[str, str, bool]]:
    head, *rows = [line.replace("start-file", "start_file").split() for line in ORDER.strip().split("\n")]
    named = [name.replace("_", " ") for name in head]
    cells = [
        (row[0].replace("_", " "), before, cell == "x")
        for row in rows
        for before, cell in zip(named, row[1:], strict=True)
    ]
    assert len(cells) == 100 and {cell[0] for cell in cells} == set(TEXTS) == set(named)
    return cells


def log(statements: list[str]) -> str:
    return "".join(TEXTS[name] for name in statements)


@pytest.mark.parametrize(("statement", "before", "accepted"), table())
def test_every_statement_after_every_other(statement: str, before: str, accepted: bool) -> None:
    """What is accepted stands in the entry; what is refused names its line and both statements."""
    statements = [*UP_TO[before], statement]
    if accepted:
        entries = parse(log(statements), "freeze.log")
        assert len(entries) == (2 if statement == "started" else 1)
        assert entries[-1].line_numbers[1] == log(statements).count("\n")
        return
    with pytest.raises(ParseError) as caught:
        parse(log(statements), "freeze.log")
    assert f"line {log(statements).count(chr(10))}" in str(caught.value)


@pytest.mark.parametrize("statement", [name for name in TEXTS if name != "started"])
def test_no_log_begins_with_anything_but_a_freeze(statement: str) -> None:
    """The rest of a log whose head was cut off belongs to nobody."""
    with pytest.raises(ParseError, match=r"outside of a freeze|line 1"):
        parse(TEXTS[statement], "freeze.log")


@pytest.mark.parametrize("later", ["marker", "suspended", "resumed", "self-thawed"])
@pytest.mark.parametrize("before", ["failed", "resumed", "self-thawed"])
def test_a_freeze_that_failed_or_ended_takes_nothing_more(before: str, later: str) -> None:
    """Also behind a whole freeze: neither a marker nor a suspension is read into what is over."""
    head = [*HELD, "failed"] if before == "failed" else UP_TO[before]
    with pytest.raises(ParseError):
        parse(log([*head, later]), "freeze.log")


FIXED = ["started", "suspended", "self-thawed", "resuming", "resumed", "start file", "switched", "marker"]
"""Statements whose text says one thing and ends there; a warning's and some failures' go on freely."""


def near(line: str) -> dict[str, str]:
    """What a careless parser would take for this line."""
    return {
        "something behind it": f"{line} not",
        "a full stop": f"{line}.",
        "a blank behind it": f"{line} ",
        "a blank before it": f" {line}",
        "cut by one letter": line[:-1],
        "upper case": line.upper(),
        "a doubled word": f"{line} {line.split(' ')[-1]}",
        "a zero byte": f"{line}\x00",
        "a blank more": line.replace(" ", "  "),
        "a tab": line.replace(" ", "\t"),
    }


@pytest.mark.parametrize("how", list(near("a b")))
@pytest.mark.parametrize("statement", FIXED)
def test_a_text_that_nearly_is_one_is_none(statement: str, how: str) -> None:
    """Each line of a statement altered by itself: refused, or (a cut journal name) at least not read as the same."""
    following = {
        "started": "switched",
        "start file": "marker",
        "switched": "start file",
        "marker": "suspended",
    }
    good = [*UP_TO[statement], *([following[statement]] if statement in following else [])]
    whole = parse(log(good), "freeze.log")
    lines = TEXTS[statement].rstrip("\n").split("\n")
    changed = [(number, line) for number, line in enumerate(lines) if near(line)[how] != line]
    assert changed
    for number, line in changed:
        altered = "\n".join([*lines[:number], near(line)[how], *lines[number + 1 :]]) + "\n"
        text = log(UP_TO[statement][:-1]) + altered + log(good[len(UP_TO[statement]) :])
        try:
            read = parse(text, "freeze.log")
        except ParseError:
            continue
        assert read != whole, (how, line)
        assert not read[-1].complete, (how, line)


@pytest.mark.parametrize(
    ("statement", "method"),
    [
        ("started", "ExternalThaw"),
        ("suspended", "ExternalThaw"),
        ("start file", "ExternalThaw"),
        ("warning", "ExternalThaw"),
        ("self-thawed", "ExternalThaw"),
        ("resuming", "ExternalFreeze"),
        ("resumed", "ExternalFreeze"),
        ("resumed", "ExternalSetHistory"),
        ("failed", "ExternalSetHistory"),
    ],
)
def test_a_text_of_another_method_is_none(statement: str, method: str) -> None:
    """ "System suspended" that a thaw writes is no suspension."""
    head, _, text = TEXTS[statement].partition("Backup.General.")
    altered = f"{head}Backup.General.{method}:{text.partition(':')[2]}"
    with pytest.raises(ParseError, match="unknown message of Backup"):
        parse(log(UP_TO[statement][:-1]) + altered, "freeze.log")


FAILURES = [
    "Failed to open logfile /x/freeze.log for output",
    "ERROR #1234: Failed to open logfile /x/freeze.log for output",
    "Backup.General.ExternalFreeze cannot run with switch 10 or 13 already set",
    "Failed to switch journal file. Status = 0",
    "Failed to switch local journal file. Status = 0",
    "Failed to switch journal files on other cluster members",
    "Failed to place journal marker",
    "System failed to quiesce",
    "Backup is currently running",
    "Request to suspend write daemon cleared",
]


@pytest.mark.parametrize("text", FAILURES)
@pytest.mark.parametrize("place", ["started", "marker", "suspended", "resuming"])
def test_every_failure_is_kept_wherever_it_stands(place: str, text: str) -> None:
    """A log with a failure in it is not complete, whatever else it says."""
    method = "ExternalThaw" if place == "resuming" else "ExternalFreeze"
    (entry,) = parse(log(UP_TO[place]) + f"{AT}{method}: {text}\n", "freeze.log")
    assert entry.failures == (text,) and not entry.complete


@pytest.mark.parametrize("text", [text for text in FAILURES if not text.endswith(("output", "0"))])
def test_a_failure_with_more_behind_it_is_refused(text: str) -> None:
    """ "Backup is currently running" and something else is a line that nobody has seen."""
    with pytest.raises(ParseError):
        parse(log(["started"]) + f"{AT}ExternalFreeze: {text} now\n", "freeze.log")


NO_LINE, UNKNOWN = "not a line of a freeze log", "unknown message of Backup.General"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"{AT}ExternalFreeze: ", NO_LINE),
        (f"{AT}: Suspending system", NO_LINE),
        (f"offset 197192 of {FILE} more", NO_LINE),
        (f"once more offset 197192 of {FILE}", NO_LINE),
        (f"offset 197192 of {FILE}", "does not announce"),
        (f"{AT}ExternalFreeze: Warning, ", UNKNOWN),
        (f"{AT}ExternalFreeze: ERROR #: System failed to quiesce", UNKNOWN),
        (f"{AT}ExternalFreeze: Failed to open logfile  for output", UNKNOWN),
        (f"{AT}ExternalFreeze: Failed to switch journal file. Status = ", UNKNOWN),
        (f"{AT}ExternalFreeze: WDSuspendLimit of  seconds reached, resuming system", UNKNOWN),
        (f"Journal marker set at\noffset  of {FILE}", "is not followed by an offset and a journal file"),
        (
            f"Journal marker set at\noffset {'1' * 19} of {FILE}",
            "is not followed by an offset and a journal file",
        ),
        (
            "Journal marker set at\noffset 1 of /iris/journal/2026112.002",
            "is not followed by an offset and a journal file",
        ),
        (
            f"{AT}ExternalFreeze: Failed to switch journal file. Status = 0 {AT}ExternalThaw: Resuming system",
            "two lines in one",
        ),
        (
            f"{AT}ExternalFreeze: Failed to open logfile /x {AT}ExternalFreeze: y for output",
            "two lines in one",
        ),
        (f"{AT}ExternalFreeze: Warning, /db/{AT}ExternalFreeze: System suspended", "two lines in one"),
        (f"{AT}ExternalFreeze: Warning, /db/ is not beSystem suspended", "two lines in one"),
    ],
)
def test_a_line_that_lacks_something_is_refused_and_told_as_what_it_is(line: str, problem: str) -> None:
    """Whoever reads it must know whether the log is none, or says something that the harness does not know."""
    head = log(["started", "suspended"] if "WDSuspend" in line else ["started"])
    with pytest.raises(ParseError, match=problem):
        parse(f"{head}{line}\n", "freeze.log")


def test_a_folder_may_be_named_like_what_the_log_says() -> None:
    line = f"{AT}ExternalFreeze: Warning, /System suspended/db/ is not being journalled\n"
    (entry,) = parse(log(["started"]) + line + log(["suspended"]), "freeze.log")
    assert entry.suspended and ("Warning, /System suspended/db/ is not being journalled",) == entry.warnings


@pytest.mark.parametrize(
    "folder", ["/", "//", "/iris//journal/", "C:\\", "C:\\jrn\\", "C:/", "\\\\host\\jrn\\"]
)
def test_journals_may_lie_in_any_folder(folder: str) -> None:
    text = log([*HELD]).replace("/iris/journal/", folder)
    (entry,) = parse(text, "freeze.log")
    assert entry.complete and f"{folder}20261122.002" == entry.marker_path == entry.switched_to


@pytest.mark.parametrize("last", ["switched", "marker"])
def test_a_log_may_end_without_the_end_of_its_last_line(last: str) -> None:
    whole, cut = log(UP_TO[last]), log(UP_TO[last]).removesuffix("\n")
    assert parse(whole, "freeze.log") == parse(cut, "freeze.log")


COUNT = "Warning, 3 databases are not journaled, data will be lost in them if system crashes while suspended"


@pytest.mark.parametrize(
    ("warning", "expected"),
    [
        (COUNT, True),
        (COUNT.replace("3", "1234"), True),
        (COUNT.replace("journaled", "journalled"), True),
        (COUNT.replace("3", ""), False),
        (COUNT.replace("3", "few"), False),
        (f"{COUNT}.", False),
        (f"once more {COUNT}", False),
        ("Warning, /db/other is not being journaled", True),
        ("Warning, /db/other/ is not being journalled", True),
        ("Warning, /db/one/ is not being journalled", False),
        ("Warning, C:\\db\\two\\ is not being journalled", False),
        ("Warning, C:\\db\\two is not being journalled", False),
        ("Warning, C:\\db\\other is not being journalled", True),
        ("Warning,  is not being journaled", False),
        ("Warning, /db/other is not being journaled, nor is it there", False),
        ("once more Warning, /db/other is not being journaled", False),
        ("Warning, the disk is full", False),
    ],
)
@pytest.mark.parametrize("end", ["", "/", "\\"])
def test_a_warning_is_harmless_if_it_is_known_and_of_no_database_of_ours(
    warning: str, expected: bool, end: str
) -> None:
    """Whatever ends the name of a folder. Any other warning is a doubt, for a person to judge."""
    assert expected is harmless(warning, [f"/db/one{end}", f"C:\\db\\two{end}"])
