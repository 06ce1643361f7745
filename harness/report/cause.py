"""Which finding a person must look at first: the cause, not one of its symptoms.

A missing journal also leaves transactions lost, a thaw that came too early also leaves the databases torn. What lies
further up in a backup's life explains what lies further down, so findings are ranked in that order.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.model import IMAGE, CaseRecord, Finding, Verdict

_UPSTREAM_FIRST = (
    "marker.stale",
    "hold.incomplete",
    "hold.self_thaw",
    "snapshot.timeout",
    "snapshot.incomplete",
    "snapshot.altered",
    "marker.incomplete",
    "hold.released",
    "hold.thawed_late",
    "hold.changed",
    "hold.thawed_twice",
    "hold.touched",
    "hold.warned",
    "marker.unreadable",
    "marker.other_freeze",
    "chain.purged",
    "chain.missing",
    "chain.empty",
    "chain.foreign",
    "chain.damaged",
    "chain.short",
    "chain.gap",
    "chain.open",
    "chain.unended",
    "chain.unmarked",
    "marker.wrong_place",
    "marker.none",
    "snapshot.size",
    "integrity.refused",
    "integrity.damaged",
    "integrity.incomplete",
    "recovery_point.skipped",
    "recovery_point.broken_off",
    "ceiling.foreign",
    "atomicity.torn",
    "atomicity.hole",
    "atomicity.half",
    "ceiling.newer",
    "floor.lost",
    "consistent_cut.future",
    "recovery_point.missed",
    "atomicity.confirmation",
    "content.unreadable",
    "content.counter_twice",
    "content.history",
    "content.accounts",
    "content.balance",
    "content.cold",
    "content.trail",
    "snapshot.other_size",
)
"""Codes that explain others; what is not here comes after, in the order of the checks. What a check says of the image
comes before what it says of the recovered state, which was made from it.
"""

_DATA = "integrity.refused"
"""From here on codes speak of restored data: those of the image come first, whatever they are."""

_NEXT = {
    "snapshot": "do not count on this backup. Mend the snapshot so that it holds every file of the source, and take "
    "another; keep the last good one, and the journals since",
    "snapshot.timeout": "there is no backup. Make the snapshot faster, or give the freeze more time: timeout of the "
    "snapshot, wd_suspend_limit, external_freeze_timeout and limits.window in the plan",
    "hold": "do not count on this backup. See that the snapshot is complete before the thaw, and that the freeze "
    "lasts (WDSuspendLimit, other jobs that thaw); take another, and keep the journals since the last good one",
    "marker": "give the roll-forward the log and the journals of this very freeze. A backup without a right marker "
    "can be restored as of the freeze only",
    "chain": "do not purge journals. Bring those named from the instance or its archive, and recover again",
    "integrity": "do not count on this backup. Check the live databases with ^Integrity: if they are sound, the "
    "snapshot damaged them; take another",
    "recovery_point": "bring the journals that are missing, or look in commands.log at what the roll-forward said",
    "floor": "do not count on this backup: restored, it loses what its users were told is stored",
    "limits": "the backup is good and too slow or too old for the plan; see the limits in it",
}
_ONE_INSTANT = (
    "do not count on this backup: its files are not of the one instant of the freeze. See that every file is copied "
    "between freeze and thaw, by one snapshot"
)
_NEXT |= dict.fromkeys(("atomicity", "content", "consistent_cut", "ceiling"), _ONE_INSTANT)


def cause(case: CaseRecord) -> Finding | None:
    """The first thing to look at in a case that did not pass; None if it left no finding."""
    found = [finding for check in case.checks for finding in check.findings]
    return min(found, key=_rank, default=None)


def cause_line(cases: Iterable[CaseRecord]) -> str:
    """The cause of the worst of some cases in a line, with its witness; empty if all passed."""
    found = [finding for case in cases if case.verdict is not Verdict.PASS and (finding := cause(case))]
    if not found:
        return ""
    finding = min(found, key=_rank)
    if finding.code.endswith(".not_checked") and finding.witness:
        return finding.witness  # why nothing could be looked at, said by the stage that failed
    witness = f" ({finding.witness})" if finding.witness else ""
    return f"{finding.code}: {finding.message}{witness}"


def next_step(cases: Iterable[CaseRecord]) -> str:
    """What to do about the cause of the worst of some cases; empty where nothing is wrong, or only unknown."""
    found = [finding for case in cases if case.verdict is Verdict.FAIL and (finding := cause(case))]
    worst = min(found, key=_rank, default=None)
    if worst is None or worst.verdict is not Verdict.FAIL:
        return ""
    code = worst.code.removeprefix(IMAGE)
    return _NEXT.get(code) or _NEXT.get(code.partition(".")[0], "")


def _rank(finding: Finding) -> tuple[bool, bool, int]:
    plain = finding.code.removeprefix(IMAGE)
    known = plain in _UPSTREAM_FIRST
    place = _UPSTREAM_FIRST.index(plain) if known else len(_UPSTREAM_FIRST)
    of_recovered = place >= _UPSTREAM_FIRST.index(_DATA) and plain == finding.code
    return (finding.verdict is not Verdict.FAIL, of_recovered, place)
