"""Which finding is called the cause."""

from __future__ import annotations

from harness.model import CaseRecord, Check, Finding, Verdict
from harness.report.cause import cause, cause_line


def case(*found: tuple[str, Verdict]) -> CaseRecord:
    checks = [
        Check(
            name=code.partition(".")[0],
            verdict=verdict,
            duration_s=0.0,
            findings=(Finding(code=code, message=f"what {code} says", witness="here", verdict=verdict),),
        )
        for code, verdict in found
    ]
    return CaseRecord(
        name="cycle 1 · copy · rollforward",
        verdict=Verdict.worst([Verdict.PASS, *(check.verdict for check in checks)]),
        freeze=None,
        snapshot=None,
        restore=None,
        rollforward=None,
        recovery=None,
        checks=tuple(checks),
        stages=(),
    )


def test_what_lies_upstream_is_the_cause() -> None:
    """A missing journal leaves transactions lost, an early thaw leaves databases torn; never the other way round."""
    for first, then in (
        ("chain.missing", "floor.lost"),
        ("hold.released", "atomicity.torn"),
        ("integrity.damaged", "content.balance"),
        ("marker.stale", "hold.released"),
        ("floor.lost", "content.odd"),
    ):
        for order in ((first, then), (then, first)):
            found = cause(case(*((code, Verdict.FAIL) for code in order)))
            assert found and first == found.code


def test_a_failure_comes_before_a_doubt() -> None:
    found = cause(case(("hold.unconfirmed", Verdict.UNKNOWN), ("content.large", Verdict.FAIL)))
    assert found and "content.large" == found.code


def test_the_line_names_the_witness_and_passes_say_nothing() -> None:
    bad = case(("floor.lost", Verdict.FAIL))
    assert "floor.lost: what floor.lost says (here)" == cause_line([case(), bad])
    assert "" == cause_line([case()]) and cause(case()) is None
