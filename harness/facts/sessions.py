"""How the agent and sessions answer: exit statuses and reasons."""

from __future__ import annotations

from harness.facts.fact import BACKUP, OPEN, PROTOCOL, Fact

AGENT_ANSWERS = Fact(
    id="agent.answers",
    statement="The agent names the instance, its two databases and the folders that hold their files.",
    source=PROTOCOL,
    expected="two databases, their files where it says",
)
AGENT_REFUSES_WITH_3 = Fact(
    id="agent.refuses_with_3",
    statement="A verb that could not do its work ends the session with status 3 and says why.",
    source=PROTOCOL,
    expected="status 3, with a reason",
)
SESSION_ERROR_IS_NO_ANSWER = Fact(
    id="session.error_is_no_answer",
    statement="A call that never reaches its method ends the session with neither 5 nor 3.",
    source=OPEN,
    expected="neither 5 nor 3",
    open_item=1,
)
SESSION_FREEZE_EXIT_STATUS = Fact(
    id="session.freeze_exit_status",
    statement="ExternalFreeze called by `iris session` ends it with status 5, and the instance is frozen.",
    source=BACKUP,
    expected="status 5, frozen",
)
SESSION_IS_SUSPENDED_EXIT_STATUS = Fact(
    id="session.is_suspended_exit_status",
    statement="IsWDSuspendedExt ends the session with 5 while frozen and with 3 while running.",
    source=BACKUP,
    expected="5 while frozen, 3 while running",
)
SESSION_THAW_EXIT_STATUS = Fact(
    id="session.thaw_exit_status",
    statement="ExternalThaw called by `iris session` ends it with status 5, and the instance runs.",
    source=BACKUP,
    expected="status 5, running",
)
THAW_ASKS_FIRST = Fact(
    id="thaw.asks_first",
    statement="The agent's thaw tells whether the freeze was still in force just before it.",
    source=PROTOCOL,
    expected="yes while frozen, no while running",
)
THAW_WHEN_RUNNING = Fact(
    id="thaw.when_running",
    statement="ExternalThaw of an instance that is not frozen ends with status 3.",
    source=OPEN,
    expected="status 3, running",
    open_item=3,
)
