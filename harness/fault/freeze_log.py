"""Faults of the freeze log: not there, not ours, cut off, altered on its way."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from harness.fault.base import STATE, Fault, Planted, Specimen
from harness.model import RecoveryMode, Verdict

_OFFSET = re.compile(r"(?<=offset )\d+")
_SUSPENDED = re.compile(
    r"^(?P<when>.{19}): Backup\.General\.ExternalFreeze: System suspended\n", re.MULTILINE
)
_UNREAD = STATE - {"recovery_point"}


def _rewritten(change: Callable[[str], str], names: str = "freeze.log") -> Callable[[Specimen], Planted]:
    return lambda specimen: specimen.with_log(change(specimen.own_log()), names)


def _before(words: str) -> Callable[[str], str]:
    """The text up to a line that holds these words."""
    return lambda text: text[: text.rindex("\n", 0, text.index(words)) + 1]


def _after_suspended(method: str, text: str) -> Callable[[str], str]:
    """A line in the window, at the time of the suspension."""

    def add(log: str) -> str:
        when = _SUSPENDED.search(log)
        assert when
        line = f"{when['when']}: Backup.General.{method}: {text}\n"
        return log[: when.end()] + line + log[when.end() :]

    return add


def _after_started(text: str) -> Callable[[str], str]:
    """A line of the freeze, before the suspension."""

    def add(log: str) -> str:
        first, rest = log.split("\n", 1)
        return f"{first}\n{first[:19]}: Backup.General.ExternalFreeze: {text}\n{rest}"

    return add


def _offset_by(records: int, byte: int = 0) -> Callable[[Specimen], Planted]:
    """The marker's offset, some bytes later; a record here is what a transaction needs at least."""

    def plant(specimen: Specimen) -> Planted:
        entry = specimen.good.logged.entry
        assert entry and entry.marker
        right = entry.marker.offset_bytes
        wrong = right + records * _RECORD_BYTES + byte
        return specimen.with_log(_OFFSET.sub(str(wrong), specimen.own_log()), str(wrong))

    return plant


_RECORD_BYTES = 64


def _other_file(specimen: Specimen) -> Planted:
    assert specimen.good.journals
    right, other = (journal.name for journal in specimen.good.journals.expected[:2])
    return specimen.with_log(specimen.own_log().replace(right, other), other)


def _stale(specimen: Specimen) -> Planted:
    """The log ends with an earlier freeze: this one wrote nothing, or somewhere else."""
    log = specimen.folder / "freeze.log"
    log.write_text(specimen.earlier_log)
    planted = specimen.with_log_of(log, log.stat().st_size, names="stale")
    if specimen.own_log() not in log.read_text():
        planted.evidence.append("the log ends before this freeze")
    return planted


def _missing(specimen: Specimen) -> Planted:
    log = specimen.folder / "freeze.log"
    planted = specimen.with_log_of(log)
    planted.evidence.extend([] if log.exists() else [f"there is no {log.name}"])
    return planted


def _earlier(specimen: Specimen) -> Planted:
    """Yesterday's log; its marker is one that the instance still has."""
    planted = specimen.with_log(specimen.earlier_log, "another freeze")
    planted.backup = replace(planted.backup, journals=_with_start(specimen, planted))
    return planted


def _with_start(specimen: Specimen, planted: Planted):  # type: ignore[no-untyped-def]
    """The earlier backup's journals, so that its marker is found."""
    return specimen.earlier.journals


def _fault(
    name: str,
    statement: str,
    cause: str,
    plant: Callable[[Specimen], Planted],
    *,
    sees: str = "marker",
    verdict: Verdict = Verdict.FAIL,
    echoes: frozenset[str] = STATE | {"chain", "hold"},
    mode: RecoveryMode = RecoveryMode.ROLLFORWARD,
) -> Fault:
    return Fault(
        name=f"log.{name}",
        statement=statement,
        plant=plant,
        cause=cause,
        sees=frozenset({sees}),
        echoes=echoes,
        verdict=verdict,
        mode=mode,
    )


FAULTS = (
    _fault("missing", "there is no freeze log", "marker.stale", _missing, echoes=frozenset()),
    _fault("stale", "the log tells of no freeze since this one", "marker.stale", _stale, echoes=frozenset()),
    _fault("earlier", "the log is that of an earlier freeze", "marker.other_freeze", _earlier),
    _fault(
        "cut_before_marker",
        "the log ends before the marker's offset",
        "marker.unreadable",
        _rewritten(_before("offset ")),
        verdict=Verdict.UNKNOWN,
        echoes=frozenset(),
    ),
    _fault(
        "never_completed",
        "the log has a marker and not that the system was suspended",
        "marker.incomplete",
        _rewritten(_before("System suspended")),
        echoes=frozenset(),
    ),
    _fault(
        "two_freezes",
        "the log tells of two freezes where one was asked for",
        "marker.unreadable",
        _rewritten(lambda text: text + text),
        verdict=Verdict.UNKNOWN,
        echoes=frozenset(),
    ),
    _fault("offset_1_byte", "the offset is one byte too far", "marker.wrong_place", _offset_by(0, 1)),
    _fault("offset_1_record", "the offset is one record too far", "marker.wrong_place", _offset_by(1)),
    _fault("offset_far", "the offset is some transactions too far", "marker.wrong_place", _offset_by(40)),
    _fault("other_file", "the log names the journal after the right one", "marker.wrong_place", _other_file),
    _fault(
        "other_date",
        "the dates are those of another locale",
        "marker.unreadable",
        _rewritten(lambda text: re.sub(r"^(\d\d)/(\d\d)/(\d{4})", r"\3-\1-\2", text, flags=re.MULTILINE)),
        verdict=Verdict.UNKNOWN,
        echoes=frozenset(),
    ),
    _fault(
        "self_thaw_note",
        "the log says that the engine ended the freeze by itself",
        "hold.self_thaw",
        _rewritten(
            _after_suspended("ExternalFreeze", "WDSuspendLimit of 300 seconds reached, resuming system"),
            "WDSuspendLimit",
        ),
        sees="hold",
        echoes=frozenset(),
    ),
    _fault(
        "thawed_twice",
        "the log tells of a thaw before ours",
        "hold.thawed_twice",
        _rewritten(_after_suspended("ExternalThaw", "Resuming system"), ""),
        sees="hold",
        verdict=Verdict.UNKNOWN,
        echoes=frozenset(),
    ),
    _fault(
        "warned",
        "the freeze log holds an unknown warning",
        "hold.warned",
        _rewritten(_after_started("Warning, write daemon is not responding"), "write daemon"),
        sees="hold",
        verdict=Verdict.UNKNOWN,
        echoes=frozenset(),
    ),
    _fault(
        "failure_beside",
        "the log tells of a failure behind the suspension",
        "marker.incomplete",
        _rewritten(
            _after_suspended("ExternalFreeze", "Failed to place journal marker"), "place journal marker"
        ),
        echoes=frozenset(),
    ),
    _fault(
        "failure_line",
        "the log says that the freeze failed",
        "marker.incomplete",
        _rewritten(lambda text: text.replace("System suspended", "System failed to quiesce")),
        echoes=frozenset(),
    ),
)
