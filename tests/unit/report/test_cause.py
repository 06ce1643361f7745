"""Which finding is called the cause."""

from __future__ import annotations

from harness.model import Verdict
from tests.checks import cause, cause_line
from tests.unit.report.cases import case


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
    bad = case(("floor.lost", Verdict.FAIL), witness="here")
    assert "floor.lost: what floor.lost says (here)" == cause_line([case(), bad])
    assert "" == cause_line([case()]) and cause(case()) is None
