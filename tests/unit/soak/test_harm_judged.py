"""The judge of `./dev harm`: what is a violation, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import faults
from tests.soak.faults import FAULTS, Fault
from tests.soak.harm import Seen, cells, judge, shown, totals
from tests.soak.witness import Answer, Sample


def fault(name: str, party: str) -> Fault:
    return next(one for one in FAULTS if (one.name, one.party) == (name, party))


def seen(of: Fault, stage: str = faults.CAPTURE, **changes: object) -> Seen:
    """A run that ended UNKNOWN with a reason, thawed, and left nothing."""
    samples = [Sample(at_s=0.0, answer=Answer.FROZEN), Sample(at_s=1.0, answer=Answer.RUNNING)]
    found = Seen(fault=of, stage=stage, struck_at=stage, status=3, verdict="UNKNOWN", reason="because")
    found.samples = samples
    for name, value in changes.items():
        setattr(found, name, value)
    return found


MEMORY = fault("no memory left", "harness")


def test_unknown_with_a_reason_is_right() -> None:
    assert [] == judge(seen(MEMORY))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"status": 70}, "exit status 70"),
        ({"status": None}, "went on"),
        ({"status": 1, "verdict": "FAIL"}, "blames the backup"),
        ({"status": 4}, "not confirmed"),
        ({"status": 0}, "the record says UNKNOWN"),
        ({"status": -9}, "nobody knows by whom"),
        ({"status": -11}, "exit status -11"),
        ({"reason": ""}, "without a reason"),
        ({"said": "Traceback (most recent call last)"}, "traceback"),
        ({"watchdog_said": "Traceback (most recent call last)"}, "traceback"),
        ({"left": ["process 7"]}, "left after clean: process 7"),
        ({"foreign": ["gone: x"]}, "foreign: gone: x"),
        ({"clean": 3}, "harness clean ended with 3"),
        ({"samples": [Sample(at_s=0.0, answer=Answer.NONE)]}, "nobody was told"),
        ({"samples": [Sample(at_s=0.0, answer=Answer.FROZEN)]}, "left frozen"),
    ],
)
def test_a_violation(changes: dict[str, object], word: str) -> None:
    of = fault("full disk", "all") if changes.get("status") == -9 else MEMORY
    assert any(word in text for text in judge(seen(of, **changes)))


def test_a_hang_that_is_pythons_own_is_known() -> None:
    said = "Exception ignored in thread started by: <object repr() failed>\nMemoryError: "
    assert [] == judge(seen(MEMORY, status=None, said=said))


def test_what_did_not_strike_proves_nothing() -> None:
    assert [] == judge(seen(MEMORY, struck_at="", status=70))


def test_pass_without_a_backup() -> None:
    engine = fault("kill -9", "engine")
    assert any("no backup" in one for one in judge(seen(engine, status=0, verdict="PASS")))
    assert [] == judge(seen(engine, stage=faults.CHECKS, status=0, verdict="PASS"))


def test_pass_of_an_image_that_was_taken_while_it_ran() -> None:
    found = judge(seen(MEMORY, status=0, verdict="PASS", captured_s=2.0))
    assert any("not frozen for the whole" in one for one in found)
    assert [] == judge(seen(MEMORY, status=0, verdict="PASS", captured_s=0.5))


def test_a_late_snapshot_may_fail() -> None:
    stopped = fault("stop", "harness")
    assert [] == judge(seen(stopped, status=1, verdict="FAIL"))
    assert judge(seen(stopped, stage=faults.CHECKS, status=1, verdict="FAIL"))


def test_every_fault_is_in_the_sweep() -> None:
    every = cells("", 1)
    assert len({(one.name, one.party, stage) for one, stage in every}) == len(every) > 150


def test_a_reason_is_shown_without_what_differs_from_run_to_run() -> None:
    reason = "cannot write /t/7/disk/results/killed/20261126T213805Z-110/record.json: after 1.25 s | no"
    assert "cannot write …/record.json: after N s / no" == shown(reason, Path("/t/7"))


def test_totals_count_violations() -> None:
    text = totals([seen(MEMORY), seen(MEMORY, status=70), seen(MEMORY, struck_at="")])
    assert "2 faults struck (1 had nothing" in text and "1 with anything wrong" in text
