"""The freeze held: database files did not change in the window, and it was still in force just before the thaw.

Catches a self-thaw, a thaw by somebody else, no freeze at all, and a snapshot that was not complete by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.declared import Declaration
from harness.evidence.case import Evidence
from harness.evidence.files import written
from harness.evidence.window import Window
from harness.freeze_log import harmless
from harness.model import Code, Finding, Upstream, Verdict
from harness.verify.base import not_checked


class HoldChecker:
    """Database files stood still while the snapshot was taken."""

    declared = Declaration(
        name="hold",
        order=100,
        codes=(
            Code(name="hold.incomplete", rank=Upstream.WINDOW + 20),
            Code(name="hold.self_thaw", rank=Upstream.WINDOW + 30),
            Code(name="hold.released", rank=Upstream.WINDOW + 80),
            Code(name="hold.thawed_late", rank=Upstream.WINDOW + 90),
            Code(name="hold.changed", rank=Upstream.WINDOW + 100),
            Code(name="hold.thawed_twice", rank=Upstream.WINDOW + 110),
            Code(name="hold.touched", rank=Upstream.WINDOW + 120),
            Code(name="hold.warned", rank=Upstream.WINDOW + 130),
        ),
        remedy="do not count on this backup. See that the snapshot is complete before the thaw, and that "
        "the freeze lasts (WDSuspendLimit, other jobs that thaw); take another, and keep the "
        "journals since the last good one",
        needs=("window",),
        facts=(
            "agent.answers",
            "session.error_is_no_answer",
            "session.freeze_exit_status",
            "session.is_suspended_exit_status",
            "session.thaw_exit_status",
            "thaw.asks_first",
            "thaw.when_running",
            "freeze.files_stand_still",
            "files.time_shows_writes",
            "freeze.self_thaw",
            "login.blocked_status",
            "login.instance_down_status",
        ),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        window = evidence.window
        if window is None:
            return not_checked("hold", evidence, "freeze window")
        findings = [
            *_released(evidence, window),
            *_logged(evidence, window),
            *_changed(window),
            *_went_on(evidence),
        ]
        return findings or _not_looked(evidence, window)


def _not_looked(evidence: Evidence, window: Window) -> list[Finding]:
    """An image that nobody could watch is proved by the look at it alone; that shows when it was taken only if there
    is something that it must not hold.
    """
    if len({status.path.parent for status in window.before}) < evidence.databases:
        return not_checked("hold", evidence, "status of the database files in the window")
    watched = evidence.watched is not None and evidence.watched_now is not None
    looked = evidence.image is not None and evidence.image.state is not None
    if window.snapshot is not None and not watched and not looked:
        return not_checked("hold", evidence, "look at the image, and nobody could watch it in the window")
    if window.snapshot is not None and not watched and not evidence.issued_later:
        return not_checked(
            "hold",
            evidence,
            "transaction after the freeze by which a later image could be told, and nobody could watch it in the "
            "window; let the load go on longer (workload.duration, workload.transactions)",
        )
    return []


def _released(evidence: Evidence, window: Window) -> list[Finding]:
    if window.thawed.suspended:
        return []
    if window.watchdog_thawed and window.in_time:
        return [
            Finding(
                code="hold.thawed_late",
                message="the harness could not thaw when the snapshot had ended, so its watchdog did; whether the "
                "freeze was in force until then is not known",
                witness="see watchdog.log",
                verdict=Verdict.UNKNOWN,
            )
        ]
    if window.watchdog_thawed:
        return [
            Finding(
                code="hold.released",
                message="the harness was stopped for longer than the window may last, so its watchdog thawed",
                witness="see watchdog.log",
            )
        ]
    notes = "; ".join(evidence.entry.notes) if evidence.entry else ""
    return [
        Finding(
            code="hold.released",
            message="the freeze was over before our thaw: the engine or somebody else had resumed writes",
            witness=notes or window.thawed.message or "IsWDSuspended said no just before the thaw",
        )
    ]


def _logged(evidence: Evidence, window: Window) -> list[Finding]:
    """What the engine logged of this freeze, beside its beginning and its end."""
    entry = evidence.entry
    if entry is None:
        return []
    findings = [
        Finding(
            code="hold.self_thaw",
            message="the engine's log says that it ended this freeze by itself",
            witness=note,
        )
        for note in entry.notes
    ]
    if entry.thaws > 1:
        findings.append(
            Finding(
                code="hold.thawed_twice",
                message=f"the engine logged {entry.thaws} thaws of this freeze, one of them before ours",
                verdict=Verdict.UNKNOWN,
            )
        )
    for warning in entry.warnings:
        if not harmless(warning, _folders(window)):
            findings.append(
                Finding(
                    code="hold.warned",
                    message="the engine logged a warning about this freeze that the harness cannot judge",
                    witness=warning,
                    verdict=Verdict.UNKNOWN,
                )
            )
    return findings


def _folders(window: Window) -> list[str]:
    return [str(status.path.parent) for status in window.before]


def _changed(window: Window) -> list[Finding]:
    pairs = list(zip(window.before, window.after, strict=True))
    for before, after in pairs:
        if difference := written(before, after):
            return [
                Finding(
                    code="hold.changed",
                    message=f"{before.path} changed while the snapshot was taken",
                    witness=difference,
                )
            ]
    for before, after in pairs:
        if before != after:
            moved = (after.changed_ns - before.changed_ns) / 1e9
            return [
                Finding(
                    code="hold.touched",
                    message=f"the change time of {before.path} moved while the snapshot was taken; its size and time "
                    "of writing did not. A copy that sets access times back does that, a write does not: copy "
                    "without that",
                    witness=f"changed {moved:.3f} s later than at the freeze",
                    verdict=Verdict.UNKNOWN,
                )
            ]
    return []


def _went_on(evidence: Evidence) -> list[Finding]:
    if evidence.watched is None or evidence.watched_now is None:
        return []
    then = {status.path: status for status in evidence.watched}
    now = {status.path: status for status in evidence.watched_now}
    changed = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
    if not changed:
        return []
    before, after = then.get(changed[0]), now.get(changed[0])
    differ = (written(before, after) or "its status changed") if before and after else "it came or went"
    return [
        Finding(
            code="hold.incomplete",
            message="the snapshot still changed after the thaw: its provider reported it complete too early",
            witness=f"{changed[0]}: {differ}",
        )
    ]
