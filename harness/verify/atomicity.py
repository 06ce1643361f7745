"""Every transaction up to the last one recovered is whole in both databases, none beyond it leaves a trace.

Catches torn sets (databases from different instants) and uncommitted data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.declared import Declaration
from harness.evidence.case import Evidence
from harness.evidence.state import WriterState
from harness.model import Code, Finding, Upstream
from harness.verify.base import ONE_INSTANT, not_checked


class AtomicityChecker:
    """Transactions are whole in both databases or leave no trace."""

    declared = Declaration(
        name="atomicity",
        order=30,
        of_image=True,
        codes=(
            Code(name="atomicity.torn", rank=Upstream.DATA + 70),
            Code(name="atomicity.hole", rank=Upstream.DATA + 80),
            Code(name="atomicity.half", rank=Upstream.DATA + 90),
            Code(name="atomicity.confirmation", rank=Upstream.DATA + 140),
        ),
        remedy=ONE_INSTANT,
        needs=("state",),
        facts=(
            "state.tells_what_work_did",
            "restore.place_and_mount",
            "boot.recovers",
        ),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        if evidence.state is None:
            return not_checked("atomicity", evidence, "restored state")
        return [f for _, state in sorted(evidence.state.writers.items()) for f in _of_writer(state)]


def _of_writer(state: WriterState) -> Iterator[Finding]:
    one, two, last = state.one or 0, state.two or 0, state.history.last
    if one != two:
        ahead, behind = ("one", "two") if one > two else ("two", "one")
        yield Finding(
            code="atomicity.torn",
            message=f"the databases are from different instants: database {ahead} is ahead of database {behind}",
            witness=f"writer {state.writer}: transaction {min(one, two) + 1} is in database {ahead} only "
            f"(sequence numbers {one} and {two})",
        )
    if state.history.missing:
        yield Finding(
            code="atomicity.hole",
            message="a transaction in the middle is missing from the history in database two",
            witness=f"writer {state.writer}: transaction {state.history.missing}, later ones are there",
        )
    if last != two:
        what = "is recorded but not committed" if last > two else "is committed without its record"
        yield Finding(
            code="atomicity.half",
            message="a transaction is there in part: its record and its sequence number in database two differ",
            witness=f"writer {state.writer}: transaction {min(last, two) + 1} {what}",
        )
    if state.confirmed is None or not one - 1 <= state.confirmed <= one:
        yield Finding(
            code="atomicity.confirmation",
            message="an update outside transactions is older or newer than the transactions around it",
            witness=f"writer {state.writer}: confirmed {state.confirmed}, committed {one}",
        )
