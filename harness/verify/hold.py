"""The freeze held: database files did not change in the window, and it was still in force just before the thaw.

Catches a self-thaw, a thaw that came too early, no freeze at all, and a snapshot that was not complete by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.freeze import FileStatus, Window
from harness.model import Finding
from harness.verify.base import Evidence, not_checked


class HoldChecker:
    """Database files stood still while the snapshot was taken."""

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        window = evidence.window
        if window is None:
            return not_checked("hold", evidence, "freeze window")
        findings = [*_released(evidence, window), *_changed(window), *_went_on(evidence)]
        if window.captured_s > window.thawed.called_s:
            late = window.captured_s - window.thawed.called_s
            findings.append(
                Finding(
                    code="hold.early_thaw",
                    message="the thaw was asked for before the snapshot was complete",
                    witness=f"the snapshot ended {late:.3f} s after the thaw began",
                )
            )
        return findings


def _released(evidence: Evidence, window: Window) -> list[Finding]:
    if window.thawed.suspended:
        return []
    notes = "; ".join(evidence.entry.notes) if evidence.entry else ""
    return [
        Finding(
            code="hold.released",
            message="the freeze was over before our thaw: the engine or somebody else had resumed writes",
            witness=notes or window.thawed.message or "IsWDSuspended said no just before the thaw",
        )
    ]


def _changed(window: Window) -> list[Finding]:
    for before, after in zip(window.before, window.after, strict=True):
        if before != after:
            return [
                Finding(
                    code="hold.changed",
                    message=f"{before.path} changed while the snapshot was taken",
                    witness=_difference(before, after),
                )
            ]
    return []


def _went_on(evidence: Evidence) -> list[Finding]:
    then = {status.path: status for status in evidence.image}
    now = {status.path: status for status in evidence.image_now}
    changed = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
    if not changed:
        return []
    before, after = then.get(changed[0]), now.get(changed[0])
    witness = _difference(before, after) if before and after else "it came or went"
    return [
        Finding(
            code="hold.incomplete",
            message="the snapshot went on changing after the thaw: it was not complete when its provider said so",
            witness=f"{changed[0]}: {witness}",
        )
    ]


def _difference(before: FileStatus, after: FileStatus) -> str:
    if before.size_bytes != after.size_bytes:
        return f"size {before.size_bytes} bytes at the freeze, {after.size_bytes} at the thaw"
    if before.inode != after.inode:
        return "another file has its name"
    moved = max(after.modified_ns - before.modified_ns, after.changed_ns - before.changed_ns) / 1e9
    return f"last written {moved:.3f} s later than at the freeze"
