"""Probes of sessions, freeze and thaw. Each leaves the instance thawed, or whoever runs it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from harness.command import Deadline
from harness.conform.bench import TEXT, Bench, Observation, Probe, ask, one_freeze, state_word
from harness.conform.family import ProbeFamily
from harness.errors import CommandTimeout, ParseError
from harness.facts import freezes, lists, sessions
from harness.freeze_log import FreezeEntry
from harness.instance.iris import DONE, REFUSED
from harness.model import Position

FAMILY = ProbeFamily()
_NEITHER, _NO_ANSWER = "neither 5 nor 3", "no answer"
_ASK_EVERY_S = 0.1
_LOGIN_TIMEOUT_S = 5.0
_LATE_S = 15.0
"""An engine may notice that a limit of one second has passed some seconds later."""


@FAMILY.tries(sessions.AGENT_ANSWERS)
def agent_answers(bench: Bench) -> Observation:
    found = bench.instance.describe()
    names = sorted(found.databases)
    files = all(any(p.is_file() for p in folder.iterdir()) for folder in found.databases.values())
    where = "their files where it says" if files else "no files where it says"
    count = {2: "two"}.get(len(names), str(len(names)))
    return Observation(observed=f"{count} databases, {where}", holds=files and names == ["one", "two"])


@FAMILY.tries(sessions.AGENT_REFUSES_WITH_3)
def agent_refuses_with_3(bench: Bench) -> Observation:
    status, objects = bench.agent("Journals", f"{bench.session.work}/absent/")
    reason = bool(objects) and bool(objects[-1].get("error"))
    said = "with a reason" if reason else "without a reason"
    return Observation(observed=f"status {status}, {said}", holds=status == REFUSED and reason)


@FAMILY.tries(sessions.SESSION_ERROR_IS_NO_ANSWER)
def error_is_no_answer(bench: Bench) -> Observation:
    return _neither(bench.backup_call("NoSuchMethodOfThisClass()").status)


@FAMILY.tries(sessions.SESSION_FREEZE_EXIT_STATUS)
def freeze_exit_status(bench: Bench) -> Observation:
    status = bench.freeze(bench.log()).status
    now = state_word(bench.suspended())
    return Observation(observed=f"status {status}, {now}", holds=(status, now) == (DONE, "frozen"))


@FAMILY.tries(sessions.SESSION_IS_SUSPENDED_EXIT_STATUS)
def is_suspended_exit_status(bench: Bench) -> Observation:
    before = bench.suspended().status
    bench.freeze(bench.log())
    during = bench.suspended().status
    observed = f"{during} while frozen, {before} while running"
    return Observation(observed=observed, holds=(before, during) == (REFUSED, DONE))


@FAMILY.tries(sessions.SESSION_THAW_EXIT_STATUS)
def thaw_exit_status(bench: Bench) -> Observation:
    log = bench.log()
    bench.freeze(log)
    status = bench.thaw(log).status
    now = state_word(bench.suspended())
    return Observation(observed=f"status {status}, {now}", holds=(status, now) == (DONE, "running"))


@FAMILY.tries(sessions.THAW_ASKS_FIRST)
def thaw_asks_first(bench: Bench) -> Observation:
    log = bench.log()
    bench.freeze(log)
    (frozen,) = bench.agent("Thaw", str(log))[1]
    (running,) = bench.agent("Thaw", str(log))[1]
    words = ["yes" if one["suspended"] else "no" for one in (frozen, running)]
    observed = f"{words[0]} while frozen, {words[1]} while running"
    return Observation(observed=observed, holds=words == ["yes", "no"] and frozen["thawed"] is True)


@FAMILY.tries(sessions.THAW_WHEN_RUNNING)
def thaw_when_running(bench: Bench) -> Observation:
    status = bench.thaw(bench.log()).status
    now = state_word(bench.suspended())
    return Observation(observed=f"status {status}, {now}", holds=(status, now) == (REFUSED, "running"))


@FAMILY.tries(freezes.FREEZE_SECOND_IS_REFUSED)
def second_is_refused(bench: Bench) -> Observation:
    bench.freeze(bench.log())
    status = bench.freeze(bench.log()).status
    now = state_word(bench.suspended())
    observed = f"status {status}, still frozen" if now == "frozen" else f"status {status}, {now}"
    return Observation(observed=observed, holds=(status, now) == (REFUSED, "frozen"))


@FAMILY.tries(freezes.FREEZE_LOG_UNWRITABLE)
def log_unwritable(bench: Bench) -> Observation:
    status = bench.freeze(bench.session.work / "absent" / "freeze.log").status
    now = state_word(bench.suspended())
    return Observation(observed=f"status {status}, {now}", holds=(status, now) == (REFUSED, "running"))


@FAMILY.tries(freezes.FREEZE_LOG_LAYOUT)
def log_layout(bench: Bench) -> Observation:
    log = bench.log()
    bench.freeze(log, TEXT)
    bench.thaw(log)
    return _logged(log.read_text(), lambda e: _named(e, "start file", "marker", "suspended", "resumed"))


@FAMILY.tries(freezes.FREEZE_LOG_ZERO_IS_STDOUT)
def log_zero_is_stdout(bench: Bench) -> Observation:
    done = bench.freeze("0")
    if not done.stdout.strip():
        return Observation(observed=f"status {done.status}, nothing", holds=False)
    parsed = _logged(done.stdout, lambda entry: _named(entry, "start file", "marker", "suspended"))
    what = "a whole freeze log" if parsed.holds else parsed.observed
    return Observation(
        observed=f"status {done.status}, {what}", holds=done.status == DONE and parsed.holds is True
    )


@FAMILY.tries(freezes.FREEZE_WITHOUT_SWITCH)
def without_switch(bench: Bench) -> Observation:
    log = bench.log()
    status = bench.freeze(log, switch=0).status
    parsed = _logged(log.read_text(), _suspended_without_marker)
    return Observation(
        observed=f"status {status}, {parsed.observed}", holds=status == DONE and parsed.holds is True
    )


@FAMILY.tries(freezes.FREEZE_TEXT_IN_MARKER)
def text_in_marker(bench: Bench) -> Observation:
    folder, position = bench.description.journal_folder, _marked(bench)
    text = bench.instance.read_marker(folder, position).text
    return Observation(observed="the same text" if text == TEXT else f"the text {text!r}", holds=text == TEXT)


@FAMILY.tries(freezes.MARKER_OFFSET_BEGINS_RECORD)
def offset_begins_record(bench: Bench) -> Observation:
    folder, position = bench.description.journal_folder, _marked(bench)
    before = Position(journal_file=position.journal_file, offset_bytes=position.offset_bytes - 1)
    there, beside = (bench.instance.read_marker(folder, p).kind for p in (position, before))
    observed = f"{there} there, {beside} one byte before"
    return Observation(observed=observed, holds=(there, beside) == ("marker", "none"))


@FAMILY.tries(freezes.FREEZE_FILES_STAND_STILL)
def files_stand_still(bench: Bench) -> Observation:
    log = bench.log()
    with bench.driver(None, rate=2000) as driver:
        driver.wait_for(100)
        if bench.freeze(log).status != DONE:
            return Observation(observed="not frozen", holds=None)
        before = bench.digests()
        driver.wait_for(200)
        same = bench.digests() == before
        held = state_word(bench.suspended()) == "frozen"
        bench.thaw(log)
        driver.finish()
    if not held:
        return Observation(observed="the freeze did not last", holds=None)
    files = "unchanged" if same else "changed"
    return Observation(observed=f"files {files}, updates went on", holds=same)


@FAMILY.tries(freezes.FILES_TIME_SHOWS_WRITES)
def time_shows_writes(bench: Bench) -> Observation:
    before = bench.statuses()
    bench.work()
    log = bench.log()
    bench.freeze(log)  # makes the engine write what it holds in memory
    after = bench.statuses()
    bench.thaw(log)
    changed = after != before
    return Observation(
        observed="size or time changed" if changed else "neither size nor time changed", holds=changed
    )


@FAMILY.tries(freezes.FREEZE_SELF_THAW)
def self_thaw(bench: Bench) -> Observation:
    log = bench.log()
    if bench.freeze(log, resume_after_s=1).status != DONE:
        return Observation(observed="not frozen", holds=None)
    if not _comes_true(lambda: state_word(bench.suspended()) == "running"):
        return Observation(observed="still frozen", holds=False)
    (answer,) = bench.agent("Thaw", str(log))[1]
    word = "still frozen" if answer["suspended"] else "not frozen any more"
    return Observation(observed=f"running; {word} at the thaw", holds=answer["suspended"] is False)


@FAMILY.tries(freezes.FREEZE_SELF_THAW_IS_LOGGED)
def self_thaw_is_logged(bench: Bench) -> Observation:
    log = bench.log()
    bench.freeze(log, resume_after_s=1)
    if not _comes_true(lambda: state_word(bench.suspended()) == "running"):
        return Observation(observed="still frozen", holds=None)
    return _logged(
        log.read_text(),
        lambda entry: Observation(
            observed="logged, and understood" if entry.notes else "not logged", holds=bool(entry.notes)
        ),
    )


@FAMILY.tries(freezes.LOGIN_BLOCKED_STATUS)
def blocked_status(bench: Bench) -> Observation:
    observed = _blocked(bench, bench.log())
    if observed is None:
        return Observation(observed="sessions go on", holds=None)
    return Observation(observed=observed, holds=observed in (_NEITHER, _NO_ANSWER))


@FAMILY.tries(freezes.THAW_WITHOUT_LOGIN)
def thaw_without_login(bench: Bench) -> Observation:
    log = bench.log()
    if _blocked(bench, log) is None:
        return Observation(observed="sessions go on", holds=None)
    status = bench.thaw(log).status
    now = state_word(bench.suspended())
    return Observation(observed=f"status {status}, {now}", holds=(status, now) == (DONE, "running"))


@FAMILY.tries(freezes.LOGIN_INSTANCE_DOWN_STATUS)
def instance_down_status(bench: Bench) -> Observation:
    with bench.target() as target:
        target.place.run(["iris", "stop", target.place.name, "quietly"], accept=None)
        return _neither(ask(target, "##class(Backup.General).IsWDSuspendedExt()").status)


@FAMILY.tries(lists.LIST_QLIST_FIELDS)
def qlist_fields(bench: Bench) -> Observation:
    fields = bench.place.run(["iris", "qlist", bench.place.name]).stdout.strip().split("^")
    name, status = fields[0] == bench.place.name, len(fields) > 3 and fields[3].startswith("running")
    count = "8 to 14" if 8 <= len(fields) <= 14 else str(len(fields))
    observed = (
        f"{count} fields, name {'first' if name else 'not first'}, status {'' if status else 'not '}fourth"
    )
    return Observation(observed=observed, holds=count == "8 to 14" and name and status)


@FAMILY.tries(lists.LIST_QALL_HEADER)
def qall_header(bench: Bench) -> Observation:
    lines = bench.place.run(["iris", "qall"]).stdout.splitlines()
    heads = [number for number, line in enumerate(lines, 1) if "Instance Name" in line or "-----" in line]
    rows = [line for line in lines if line[4:].split(" ")[0] == bench.place.name]
    placed = bool(rows) and rows[0].startswith("up >")
    place = "state and name in their columns" if placed else "state or name in other columns"
    observed = f"headings in lines {' and '.join(map(str, heads))}, {place}"
    return Observation(observed=observed, holds=placed and heads == [1, 2])


def _neither(status: int) -> Observation:
    observed = _status_word(status)
    return Observation(observed=observed, holds=observed == _NEITHER)


def _status_word(status: int) -> str:
    return f"status {status}" if status in (DONE, REFUSED) else _NEITHER


def _comes_true(condition: Callable[[], bool]) -> bool:
    deadline = Deadline.after(_LATE_S)
    while not deadline.passed:
        if condition():
            return True
        time.sleep(_ASK_EVERY_S)
    return False


def _blocked(bench: Bench, log: Path) -> str | None:
    """Freeze, and wait until a session no longer gets through: how it ended then. None: all got through."""
    bench.freeze(log, block_after_s=1)
    ended: list[str] = []

    def refused() -> bool:
        try:
            status = bench.ask("##class(Harness.Agent).Describe()", timeout_s=_LOGIN_TIMEOUT_S).status
        except CommandTimeout:
            ended.append(_NO_ANSWER)
        else:
            ended.append(_status_word(status))
        return ended[-1] != f"status {DONE}"

    return ended[-1] if _comes_true(refused) else None


def _marked(bench: Bench) -> Position:
    """Freeze with a text and thaw; the marker that the log names."""
    log = bench.log()
    bench.freeze(log, TEXT)
    bench.thaw(log)
    position = one_freeze(log.read_text(), log.name).marker
    if position is None:
        raise ParseError(log.name, 0, "", "the freeze log names no marker")
    return position


def _logged(text: str, judge: Callable[[FreezeEntry], Observation]) -> Observation:
    try:
        return judge(one_freeze(text, "freeze log"))
    except ParseError as error:
        return Observation(observed=f"not understood: {error}", holds=False)


def _named(entry: FreezeEntry, *wanted: str) -> Observation:
    parts = {
        "start file": entry.start_file,
        "marker": entry.marker,
        "suspended": entry.suspended,
        "resumed": entry.resumed,
    }
    there = [name for name in wanted if parts[name] is not None]
    return Observation(observed=f"one freeze: {', '.join(there)}", holds=len(there) == len(wanted))


def _suspended_without_marker(entry: FreezeEntry) -> Observation:
    words = ["suspended" if entry.suspended else "not suspended", "a marker" if entry.marker else "no marker"]
    return Observation(observed=", ".join(words), holds=words == ["suspended", "no marker"])


PROBES: dict[str, Probe] = FAMILY.probes
