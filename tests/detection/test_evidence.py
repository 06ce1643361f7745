"""The checks held against the recorded evidence of every fault: the whole matrix, without an engine.

What a fault leaves is recorded by `./dev evidence` (tests/evidence/recorded.py); here only what judges is tried.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

from harness.fault import matrix, report
from harness.fault.base import Fault
from harness.fault.matrix import Matrix
from harness.model import CHECKS, Finding, RecoveryMode, Verdict
from tests.evidence import recorded

KNOWN = matrix.faults()


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


def findings() -> dict[str, dict[str, list[Finding]]]:
    """Fault → check → what it found; checks without a finding are left out."""
    return {
        name: {check.name: list(check.findings) for check in row.record().checks if check.findings}
        for name, row in recorded.rows().items()
        if row.evidence is not None
    }


def test_every_check_is_the_only_one_to_see_some_fault() -> None:
    """A check that always fails beside others could be taken away, and no row of the matrix would tell."""
    alone = defaultdict(list)
    for name, found in findings().items():
        if len(found) == 1:
            alone[next(iter(found))].append(name)
    assert set(CHECKS) | {"limits"} == set(alone), {check: len(names) for check, names in alone.items()}
