"""Faults of restore and roll-forward: skipped, stopped early, begun elsewhere, over the wrong files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from harness import destroy
from harness.errors import RollforwardError
from harness.evidence.answers import RollforwardAnswer
from harness.evidence.journals import JournalSet
from harness.fault.base import STATE, Planted, Specimen, fault, planted_in
from harness.instance.base import Place
from harness.instance.iris import Instance
from harness.model import Position, RecoveryMode, RollforwardSummary, Verdict
from harness.session.targets import Targets
from harness.stages.recovery import Steps
from harness.stages.rollforward import roll_forward


def _skipped(specimen: Specimen) -> Planted:
    """It is said to have been done, and was not."""

    def claim(target, source, journals, until):  # type: ignore[no-untyped-def]
        start = journals.start
        summary = RollforwardSummary(
            from_file=start.journal_file,
            from_offset_bytes=start.offset_bytes,
            to_file=journals.expected[-1].name,
            files=(),
            records=None,
            duration_s=0.0,
        )
        updated = tuple(target.describe().databases.values())
        return summary, RollforwardAnswer(records=None, updated=updated, skipped=(), duration_s=0.0)

    return specimen.rolled_forward(claim, RecoveryMode.ROLLFORWARD)


def _stopped(keep: int) -> Callable[[Specimen], Planted]:
    """Only the first journals are applied."""

    def plant(specimen: Specimen) -> Planted:
        def less(target, source, journals, until):  # type: ignore[no-untyped-def]
            return roll_forward(target, source, replace(journals, expected=journals.expected[:keep]), None)

        return specimen.rolled_forward(less, RecoveryMode.ROLLFORWARD)

    return plant


def _one_database(specimen: Specimen) -> Planted:
    """The updates of one database are not applied, and nothing says so."""

    def only_one(target, source, journals, until):  # type: ignore[no-untyped-def]
        databases = {"one": source.databases["one"]}
        return roll_forward(target, replace(source, databases=databases), journals, until)

    return specimen.rolled_forward(only_one, RecoveryMode.ROLLFORWARD)


def _too_far(specimen: Specimen) -> Planted:
    """A point in time was asked for, and everything was applied."""

    def all_of_it(target, source, journals, until):  # type: ignore[no-untyped-def]
        return roll_forward(target, source, journals, None)

    return specimen.rolled_forward(all_of_it, RecoveryMode.POINT_IN_TIME)


def _from_later(specimen: Specimen) -> Planted:
    """It begins with the second journal."""

    def later(target, source, journals: JournalSet, until):  # type: ignore[no-untyped-def]
        second = journals.expected[1].name
        reading = target.read_marker(journals.folder, replace_offset(second, journals.start))
        assert reading
        start = Position(journal_file=second, offset_bytes=journals.start.offset_bytes)
        rest = replace(journals, start=start, expected=journals.expected[1:])
        try:
            return roll_forward(target, source, rest, until)
        except RollforwardError as error:
            planted.evidence.append(f"from {second}: {error}")
            raise

    planted = specimen.rolled_forward(later, RecoveryMode.ROLLFORWARD)
    return planted


def replace_offset(name: str, position: Position) -> Position:
    """The same offset in another journal: in the stand-in every one of them begins there."""
    return Position(journal_file=name, offset_bytes=position.offset_bytes)


class _NotOurs:
    """The running instance, given out as a target; whoever lets go of it leaves it alone."""

    def __init__(self, real: Place) -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def discard(self) -> None:
        """It goes on."""


def _over_the_source(specimen: Specimen) -> Planted:
    """The restore is aimed at the running instance."""

    def take(targets: Targets) -> Place:
        place = specimen.session.source.place
        if Instance(place).describe().root == specimen.session.description.root:
            planted.evidence.append("the target has the folders of the running instance")
        return _NotOurs(place)  # type: ignore[return-value]

    planted = specimen.planted(steps=Steps(take=take))
    return planted


def _files_gone(specimen: Specimen) -> Planted:
    """Somebody removes the recovered files before they are looked at."""

    def remove(target: Instance) -> None:
        for folder in target.describe().databases.values():
            target.dismount(folder)
            destroy.file(folder / "IRIS.DAT", planted_in(folder))
            evidence.append(f"{folder.name}/IRIS.DAT was removed")

    evidence: list[str] = []
    return specimen.settled(remove, evidence=evidence)


_fault = partial(fault, "rollforward", echoes=STATE)


FAULTS = (
    _fault(
        "skipped",
        "no journal was applied, and the tool said it was done",
        "floor.lost",
        _skipped,
        "floor",
        "recovery_point",
        word="nothing beyond what the image held",
    ),
    _fault(
        "stopped", "it stopped before the last journal", "floor.lost", _stopped(1), "floor", "recovery_point"
    ),
    _fault(
        "one_database",
        "one database was skipped",
        "floor.lost",
        _one_database,
        "floor",
        "recovery_point",
    ),
    _fault(
        "too_far",
        "it went past the point in time",
        "ceiling.newer",
        _too_far,
        "ceiling",
        "recovery_point",
        mode=RecoveryMode.POINT_IN_TIME,
    ),
    _fault(
        "from_later",
        "it began with the second journal",
        "recovery_point.broken_off",
        _from_later,
        "recovery_point",
    ),
    _fault(
        "over_source",
        "the restore is aimed at the running instance",
        "image.integrity.not_checked",
        _over_the_source,
        "integrity",
        verdict=Verdict.UNKNOWN,
    ),
    _fault(
        "files_gone",
        "the restored files went away",
        "integrity.damaged",
        _files_gone,
        "integrity",
        echoes=STATE | {"integrity"},
    ),
)
