"""The freeze log of this very freeze names a journal and an offset that exist in the journals.

Catches a stale log, a missing journal and a wrong offset: roll-forward would begin at the wrong record.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.declared import Declaration
from harness.evidence.case import Evidence
from harness.model import Code, Finding, Upstream, Verdict
from harness.verify.base import not_checked


class MarkerChecker:
    """The logged marker is this freeze's, and is where the log says."""

    declared = Declaration(
        name="marker",
        order=80,
        codes=(
            Code(name="marker.stale", rank=Upstream.WINDOW + 10),
            Code(name="marker.incomplete", rank=Upstream.WINDOW + 70),
            Code(name="marker.unreadable", rank=Upstream.JOURNALS + 10),
            Code(name="marker.other_freeze", rank=Upstream.JOURNALS + 20),
            Code(name="marker.wrong_place", rank=Upstream.JOURNALS + 130),
            Code(name="marker.none", rank=Upstream.JOURNALS + 140),
        ),
        remedy="give the roll-forward the log and the journals of this very freeze. A backup without a "
        "right marker can be restored as of the freeze only",
        needs=("window", "entry", "marker"),
        facts=(
            "agent.refuses_with_3",
            "session.error_is_no_answer",
            "session.freeze_exit_status",
            "freeze.log_layout",
            "freeze.text_in_marker",
            "marker.offset_begins_record",
        ),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        if evidence.window is None:
            return not_checked("marker", evidence, "freeze")
        if evidence.entry is None:
            code, verdict = (
                ("marker.stale", Verdict.FAIL)
                if evidence.entry_stale
                else ("marker.unreadable", Verdict.UNKNOWN)
            )
            log = str(evidence.window.log)
            return [Finding(code=code, message=evidence.entry_problem, witness=log, verdict=verdict)]
        if evidence.entry.suspended is None or evidence.entry.failures:
            failed = "; ".join(evidence.entry.failures) or "no line says that the system was suspended"
            message = f"the freeze log shows no completed freeze: {failed}"
            return [Finding(code="marker.incomplete", message=message, witness=_lines(evidence))]
        if evidence.entry.marker is None:
            message = "the freeze log names no journal marker: nothing proves where a roll-forward must start"
            return [
                Finding(
                    code="marker.none", message=message, witness=_lines(evidence), verdict=Verdict.UNKNOWN
                )
            ]
        if evidence.marker is None:
            return not_checked("marker", evidence, "reading of the marker in the journals")
        return _reading(evidence)


def _reading(evidence: Evidence) -> list[Finding]:
    assert evidence.entry and evidence.marker and evidence.window
    place = f"{evidence.entry.marker} ({_lines(evidence)})"
    if evidence.marker.kind != "marker":
        message = f"the journal has no marker where the freeze log says: {evidence.marker.detail}"
        return [Finding(code="marker.wrong_place", message=message, witness=place)]
    if evidence.marker.text != evidence.window.text:
        message = f"the marker is that of another freeze: its text is {evidence.marker.text!r}"
        return [Finding(code="marker.other_freeze", message=message, witness=place)]
    return []


def _lines(evidence: Evidence) -> str:
    assert evidence.entry and evidence.window
    first, last = evidence.entry.line_numbers
    return f"{evidence.window.log}, lines {first} to {last}"
