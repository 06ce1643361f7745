"""The checks held against the recorded evidence of every fault: the whole matrix, without an engine.

What a fault leaves is recorded by `./dev evidence` (tests/evidence/recorded.py); here only what judges is tried.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import harness
from harness import plugins
from harness.fault import matrix, report
from harness.fault.base import Fault
from harness.fault.matrix import Matrix
from harness.model import CHECKS, IMAGE, Finding, RecoveryMode, Verdict
from harness.verify import judge
from tests.evidence import recorded

KNOWN = matrix.faults()
WITNESSES = {
    "snapshot": "snapshot.grown",
    "image.integrity": "blocks.zeroed_cold_one_boot",
    "image.atomicity": "image.confirm_rollforward",
    "image.content": "image.coldtwo_rollforward",
    "image.consistent_cut": "image.older_rollforward",
    "image.floor": "snapshot.older_whole",
    "image.ceiling": "snapshot.late_by_expose",
    "integrity": "rollforward.files_gone",
    "atomicity": "application.confirm",
    "content": "application.balance",
    "consistent_cut": "application.older",
    "floor": "snapshot.older_whole",
    "ceiling": "application.foreign",
    "marker": "log.stale",
    "chain": "journals.duplicated",
    "hold": "freeze.written_to",
    "recovery_point": "rollforward.skipped",
}
"""Check → a fault that it must see; without the check the row fails."""


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
    "integrity.incomplete": "the engine's structure check has a verdict for every database",
}
"""Codes that no fault brings about with this engine, and why; each has its hand-made witness in tests/unit/verify."""


NEVER_ALONE = {
    "integrity": "where the structure is damaged the state cannot be walked, so that other checks cannot look",
    "floor": "what is missing against the acknowledgements is missing against the journals, too",
    "consistent_cut": "a writer that is behind what others read of it is behind its promise, too",
}
"""Checks that no fault leaves to speak alone, and why."""


def codes_of_checks() -> set[str]:
    """Every code that stands in the checks, as the witnesses know them."""
    folder = Path(harness.__file__).parent / "verify"
    text = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    return set(re.findall(r'code="([a-z_]+\.[a-z_]+)"', text))


def test_every_code_is_brought_about_by_a_fault_or_said_why_not() -> None:
    """In the look at the image or after it."""
    seen = {
        finding.code.removeprefix(IMAGE)
        for found in findings().values()
        for of_check in found.values()
        for finding in of_check
    }
    assert codes_of_checks() - seen == set(NOT_PLANTED)


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
    checks = {check.removeprefix(IMAGE) for check in CHECKS} | {"limits"}
    assert checks - found.keys() == set(NEVER_ALONE)


@pytest.mark.parametrize("check", WITNESSES)
def test_no_check_is_idle(monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    """Without it a row of the matrix fails."""
    fault = KNOWN[WITNESSES[check]]
    row = recorded.rows()[fault.name]
    assert check in fault.sees and row.judged(fault).caught
    names = plugins.names
    monkeypatch.setattr(plugins, "names", lambda group: [n for n in names(group) if n != check])
    monkeypatch.setattr(judge, "CHECKS", tuple(name for name in judge.CHECKS if name != check))
    judged = row.judged(fault)
    assert matrix.MISSED == judged.cells[check] and not judged.caught


def test_every_check_has_its_witness() -> None:
    assert set(judge.CHECKS) == set(WITNESSES)
