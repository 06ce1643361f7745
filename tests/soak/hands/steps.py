"""Hands for the steps of a recovery."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from harness.evidence.answers import RollforwardAnswer
from harness.evidence.journals import JournalSet
from harness.instance.base import CanRestart
from harness.instance.iris import Instance
from harness.model import Position, RecoveryMode, RollforwardSummary
from harness.stages.rollforward import roll_forward
from tests.soak.batch import Batch
from tests.soak.hands.changes import DATABASE, roles
from tests.soak.mutations import Mutation


@dataclass(slots=True)
class Doing:
    """The steps of a recovery, as far as they are others than ever."""

    batch: Batch
    mode: RecoveryMode
    roll: Callable[..., tuple[RollforwardSummary, RollforwardAnswer]] = roll_forward
    settle_image: list[Callable[[Instance], object]] = field(default_factory=list)
    settle: list[Callable[[Instance], object]] = field(default_factory=list)
    expected: int | None = None

    def point(self, name: str, journals: JournalSet) -> Position | None:
        if name == "end":
            return None
        if name == "marker":
            return journals.start
        return self.batch.good.point(RecoveryMode.POINT_IN_TIME).position


Roll = Callable[..., tuple[RollforwardSummary, RollforwardAnswer]]


def _skipped(doing: Doing, one: Mutation) -> None:
    def claim(target: Any, source: Any, journals: JournalSet, until: Any) -> Any:
        summary = RollforwardSummary(
            from_file=journals.start.journal_file,
            from_offset_bytes=journals.start.offset_bytes,
            to_file=journals.expected[-1].name,
            files=(),
            records=None,
            duration_s=0.0,
        )
        updated = tuple(target.describe().databases.values())
        return summary, RollforwardAnswer(records=None, updated=updated, skipped=(), duration_s=0.0)

    doing.roll = claim


def _twice(doing: Doing, one: Mutation) -> None:
    doing.roll = _before(doing.roll, doing.roll)


def _before(first: Roll, then: Roll) -> Roll:
    def both(*arguments: Any) -> Any:
        first(*arguments)
        return then(*arguments)

    return both


def _stopped(doing: Doing, one: Mutation) -> None:
    roll = doing.roll

    def less(target: Any, source: Any, journals: JournalSet, until: Any) -> Any:
        left = journals.expected[: max(1, int(one.at * len(journals.expected)))]
        return roll(target, source, replace(journals, expected=left), None)

    doing.roll = less


def _later(doing: Doing, one: Mutation) -> None:
    roll = doing.roll

    def later(target: Any, source: Any, journals: JournalSet, until: Any) -> Any:
        first = int(one.at * len(journals.expected))
        start = replace(journals.start, journal_file=journals.expected[first].name)
        return roll(target, source, replace(journals, start=start, expected=journals.expected[first:]), until)

    doing.roll = later


def _one_database(doing: Doing, one: Mutation) -> None:
    roll = doing.roll

    def only(target: Any, source: Any, journals: JournalSet, until: Any) -> Any:
        databases = {one.on: source.databases[one.on]}
        return roll(target, replace(source, databases=databases), journals, until)

    doing.roll = only


def _until(doing: Doing, one: Mutation) -> None:
    roll = doing.roll

    def to_another(target: Any, source: Any, journals: JournalSet, until: Any) -> Any:
        return roll(target, source, journals, doing.point(one.on, journals))

    doing.roll = to_another


def _applied(doing: Doing, one: Mutation) -> Callable[[Instance], object]:
    def apply(target: Instance) -> object:
        journals = doing.batch.good.journals
        assert journals
        return roll_forward(target, doing.batch.session.description, journals, doing.point(one.on, journals))

    return apply


def _rolled(doing: Doing, one: Mutation) -> None:
    doing.settle.append(_applied(doing, one))


def _rolled_before(doing: Doing, one: Mutation) -> None:
    doing.settle_image.append(_applied(doing, one))


def _restored_again(doing: Doing, one: Mutation) -> None:
    def again(target: Instance) -> None:
        image = doing.batch.snapshot.location
        for role in roles(one.on):
            folder = target.describe().databases[role]
            target.dismount(folder)
            shutil.copyfile(image / DATABASE[role], folder / "IRIS.DAT")
            target.mount(folder)

    doing.settle.append(again)


def _restarted(doing: Doing, one: Mutation) -> None:
    def again(target: Instance) -> None:
        assert isinstance(target.place, CanRestart)
        target.place.crash() if one.on == "crash" else target.place.stop()
        target.place.restart()

    doing.settle.append(again)


STEP_HANDS: dict[str, Callable[[Doing, Mutation], None]] = {
    "steps.skipped": _skipped,
    "steps.twice": _twice,
    "steps.stopped": _stopped,
    "steps.later": _later,
    "steps.one_database": _one_database,
    "steps.until": _until,
    "steps.rolled": _rolled,
    "steps.rolled_before": _rolled_before,
    "steps.restored_again": _restored_again,
    "steps.restarted": _restarted,
}
