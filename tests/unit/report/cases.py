"""Records of cases with nothing in them but findings."""

from __future__ import annotations

from harness.model import CaseRecord, Check, Finding, Verdict


def case(*found: tuple[str, Verdict], witness: str = "") -> CaseRecord:
    """A case whose checks found these codes, one each."""
    checks = [
        Check(
            name=code.partition(".")[0],
            verdict=verdict,
            duration_s=0.0,
            findings=(Finding(code=code, message=f"what {code} says", witness=witness, verdict=verdict),),
        )
        for code, verdict in found
    ]
    return CaseRecord(
        name="case",
        verdict=Verdict.worst([Verdict.PASS, *(check.verdict for check in checks)]),
        freeze=None,
        snapshot=None,
        restore=None,
        rollforward=None,
        recovery=None,
        checks=tuple(checks),
        stages=(),
    )
