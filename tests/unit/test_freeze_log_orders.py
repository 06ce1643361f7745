"""The order of a freeze log: all ten statements after all ten, and texts that nearly are one.

The table is written out by hand, from what the captured logs show and what ExternalFreeze and ExternalThaw do one
after another; it is not read from the parser. A parser that accepts one order more would read a marker into a freeze
that failed, or take an engine for suspended that said so about another freeze.
"""

from __future__ import annotations

import pytest

from harness.errors import ParseError
from harness.freeze_log import parse

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
