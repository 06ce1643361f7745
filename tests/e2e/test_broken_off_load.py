"""A load that breaks off in one cycle must not spoil the next: what it committed last is known, or nobody goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cycle import back_up_and_recover
from harness.errors import InstanceError
from harness.model import RecoveryMode, Verdict
from harness.plan.expand import expand
from harness.stages.load import Driver
from tests.conftest import Opener, small_plan

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]


AT_FULL_SPEED = replace(small_plan().workload, rate=None, transactions=None)


class BrokeOff(Exception):
    """Whatever ends a cycle in the middle of its load."""


def test_what_was_committed_before_the_writers_heard_is_not_done_twice(open_session: Opener) -> None:
    """As after a freeze that was refused: the databases hold more than was acknowledged until then."""
    plan = small_plan(recovery=(RecoveryMode.AS_OF_FREEZE, RecoveryMode.ROLLFORWARD))
    with open_session(plan) as session:
        with (
            pytest.raises(BrokeOff),
            Driver(session.source, AT_FULL_SPEED, session.seed, session.ledger) as driver,
        ):
            driver.wait_for(500)
            raise BrokeOff
        assert not session.ledger.unheard
        for record in back_up_and_recover(session, list(expand(plan))):
            assert record.verdict is Verdict.PASS, record.checks


def test_nobody_goes_on_where_a_writer_was_killed(
    open_session: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it committed last is not known: the next load ends at once, and its cases are UNKNOWN."""
    plan = small_plan()
    with open_session(plan) as session:
        monkeypatch.setattr(
            Driver, "_tell_to_stop", lambda self: False
        )  # as an instance that does not answer
        with (
            pytest.raises(BrokeOff),
            Driver(session.source, AT_FULL_SPEED, session.seed, session.ledger) as driver,
        ):
            driver.wait_for(500)
            raise BrokeOff
        assert session.ledger.unheard == {1, 2, 3}
        with (
            pytest.raises(InstanceError, match="what writer 1 did last is not known"),
            Driver(session.source, plan.workload, session.seed, session.ledger),
        ):
            pass
        (record,) = back_up_and_recover(session, list(expand(plan)))
        assert record.verdict is Verdict.UNKNOWN
