"""The checks held against the recorded evidence of every fault: the whole matrix, without an engine.

What a fault leaves is recorded by `./dev evidence` (tests/evidence/recorded.py); here only what judges is tried.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.declared import judgements
from harness.fault import matrix, report
from harness.fault.base import Fault
from harness.fault.matrix import Matrix
from harness.model import IMAGE, Finding, RecoveryMode, Verdict
from harness.verify import judge
from tests.checks import DECLARED, GUIDE
from tests.evidence import recorded

KNOWN = matrix.faults()


def test_the_page_is_that_of_the_evidence() -> None:
    """`./dev evidence --write docs/detection.md` writes it."""
    there = (Path(__file__).parents[2] / "docs" / "detection.md").read_text(encoding="utf-8")
    assert there == recorded.page()
    assert all(f"`{name}`" in there for name in matrix.faults())


def test_the_evidence_is_of_the_faults_of_today() -> None:
    """None is missing, left over, planted by other code than today's, or of another shape."""
    assert recorded.stale() == [], "record them: ./dev evidence"


@pytest.mark.parametrize("mode", RecoveryMode)
def test_nothing_is_found_where_nothing_was_planted(mode: RecoveryMode) -> None:
    record = recorded.rows()[f"{recorded.GOOD}.{mode.value}"].record()
    assert [finding for check in record.checks for finding in check.findings] == []
    assert record.verdict is Verdict.PASS


@pytest.mark.parametrize("fault", KNOWN.values(), ids=lambda fault: fault.name)
def test_every_fault_is_caught_and_named(fault: Fault) -> None:
    row = recorded.rows()[fault.name]
    if row.evidence is None:
        assert fault.cause == "thaw", "only an instance that stays frozen leaves nothing to judge"
        return
    judged = row.judged(fault)
    shown = report.table(Matrix(instance="", seed=0, rows=(judged,)))
    assert judged.evidence and judged.caught, shown
    assert judged.named, shown


NOT_PLANTED = {
    "chain.empty": "a set always holds the journal of the marker: without it there is no set (chain.purged)",
    "chain.open": "what the engine did not close ends elsewhere, too (chain.short)",
    "chain.unmarked": "the engine marks every journal",
    "chain.unended": "the engine lists the journal that it writes",
    "hold.thawed_late": "it needs a folder that is away when the thaw is asked for: `./dev harm` takes it away",
    "limits.rpo": "what is lost is a fault of other checks, with or without a limit",
    "limits.rto": "a recovery that takes long is no fault of the backup",
    "integrity.incomplete": "the engine's structure check has a verdict for every database",
}
"""Codes that no fault brings about with this engine, and why; each has its hand-made witness in tests/unit/verify."""


NEVER_ALONE = {
    "integrity": "where the structure is damaged the state cannot be walked, so that other checks cannot look",
    "floor": "what is missing against the acknowledgements is missing against the journals, too",
    "consistent_cut": "a writer that is behind what others read of it is behind its promise, too",
}
"""Checks that no fault leaves to speak alone, and why."""


def test_every_code_is_brought_about_by_a_fault_or_said_why_not() -> None:
    """In the look at the image or after it."""
    seen = {
        finding.code.removeprefix(IMAGE)
        for found in findings().values()
        for of_check in found.values()
        for finding in of_check
    }
    assert GUIDE.codes.keys() - seen == set(NOT_PLANTED)
    frame = tuple(f".{what}" for what in ("not_checked", "unconfirmed", "broken"))
    assert set() == {code for code in seen - GUIDE.codes.keys() if not code.endswith(frame)}


def findings() -> dict[str, dict[str, list[Finding]]]:
    """Fault → check → what it found; checks without a finding are left out."""
    return {
        name: {check.name: list(check.findings) for check in row.record().checks if check.findings}
        for name, row in recorded.rows().items()
        if row.evidence is not None
    }


def test_what_each_check_alone_keeps_from_a_pass() -> None:
    """A check that always speaks beside others could be taken away, and no row of the matrix would tell."""
    judged = [
        row.judged(KNOWN[name]) for name, row in recorded.rows().items() if name in KNOWN and row.evidence
    ]
    found = matrix.alone(Matrix(instance="", seed=0, rows=tuple(judged)))
    assert DECLARED.keys() - found.keys() == set(NEVER_ALONE)


def witness(check: str) -> Fault:
    """A fault that the check must see."""
    found = [
        fault for fault in KNOWN.values() if check in fault.sees and recorded.rows()[fault.name].evidence
    ]
    assert found, f"no planted fault shows that {check} is needed"
    return found[0]


@pytest.mark.parametrize("check", [one.name for one in judgements()])
def test_no_check_is_idle(monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    """Without it a row of the matrix fails."""
    fault = witness(check)
    row = recorded.rows()[fault.name]
    assert check in fault.sees and row.judged(fault).caught
    left = [one for one in judgements() if one.name != check]
    monkeypatch.setattr(judge, "judgements", lambda profile: left)
    judged = row.judged(fault)
    assert matrix.MISSED == judged.cells[check] and not judged.caught
