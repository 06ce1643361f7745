"""What a finding tells a person: which database, which side, which writer: a wrong word sends them astray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.model import RecoveryMode
from harness.verify.base import Evidence
from harness.verify.judge import judge_all
from tests.whole import FREEZE, recovered, whole


def told(evidence: Evidence, code: str) -> tuple[str, str]:
    """Message and witness of the only finding of a code."""
    (found,) = [f for check in judge_all(evidence) for f in check.findings if f.code == code]
    return found.message, found.witness


def writer(last: int | None = None, **said: int | None) -> Callable[[Evidence], Evidence]:
    """Numbers of writer 2 are others; `last` is of its history."""

    def change(evidence: Evidence) -> Evidence:
        assert evidence.state
        two = evidence.state.writers[2]
        history = two.history if last is None else replace(two.history, last=last)
        changed = replace(two, history=history, **said)  # type: ignore[arg-type]
        return recovered(state=replace(evidence.state, writers={**evidence.state.writers, 2: changed}))(
            evidence
        )

    return change


def as_of_freeze() -> Evidence:
    return whole(RecoveryMode.AS_OF_FREEZE)


@pytest.mark.parametrize(("name", "other"), [("one", "two"), ("two", "one")])
def test_which_database_is_ahead(name: str, other: str) -> None:
    message, witness = told(writer(**{name: FREEZE + 4})(as_of_freeze()), "atomicity.torn")
    assert message.endswith(f"database {name} is ahead of database {other}")
    assert witness.startswith(f"writer 2: transaction {FREEZE + 1} is in database {name} only")


@pytest.mark.parametrize(
    ("last", "word", "number"),
    [
        (FREEZE + 2, "is recorded but not committed", FREEZE + 1),
        (FREEZE - 2, "is committed without its record", FREEZE - 1),
    ],
)
def test_which_part_of_a_transaction_is_there(last: int, word: str, number: int) -> None:
    _, witness = told(writer(last=last)(as_of_freeze()), "atomicity.half")
    assert f"writer 2: transaction {number} {word}" == witness


def test_an_update_outside_of_transactions_is_told_with_both_numbers() -> None:
    _, witness = told(writer(confirmed=FREEZE - 3)(as_of_freeze()), "atomicity.confirmation")
    assert f"writer 2: confirmed {FREEZE - 3}, committed {FREEZE}" == witness


@pytest.mark.parametrize("mode", RecoveryMode)
def test_a_part_that_is_missing_was_not_checked_and_broke_nothing(mode: RecoveryMode) -> None:
    """A check that stumbles is UNKNOWN, too; but it would tell its author to mend it, who is not to blame."""
    for name in ("window", "entry", "marker", "journals", "copied", "files", "rolled", "committed", "image"):
        found = judge_all(replace(whole(mode), **{name: None}))
        assert not [f.code for check in found for f in check.findings if f.code.endswith(".broken")]
    for name in ("state", "integrity", "floor", "ceiling"):
        found = judge_all(recovered(**{name: {} if name in ("floor", "ceiling") else None})(whole(mode)))
        assert not [f.code for check in found for f in check.findings if f.code.endswith(".broken")]


def test_findings_of_several_writers_come_in_their_order() -> None:
    evidence = as_of_freeze()
    assert evidence.state
    few = dict.fromkeys((3, 1, 2), FREEZE - 1)
    writers = {number: evidence.state.writers[number] for number in (3, 1, 2)}
    state = replace(evidence.state, writers=writers)
    found = judge_all(recovered(ceiling=few, state=state)(evidence))
    told = [f.witness for check in found if check.name == "ceiling" for f in check.findings]
    assert [f"writer {n}" for n in (1, 2, 3)] == [text.partition(":")[0] for text in told]


def test_a_check_took_some_time_and_no_more() -> None:
    assert all(0.0 <= check.duration_s < 60.0 for check in judge_all(as_of_freeze()))
