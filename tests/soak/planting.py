"""Makes the backup of a case: that of its batch, with mutations in it, by the hands in `hands`.

Mutations of the log come first, since the log says which journals are needed; then those of the journals; those of
the image are made when it is given out, and those of steps take the place of a step. What is made is what `back_up`
would have left had things been so from the beginning: with another marker in its log it copies other journals.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.evidence.backup import OwnBackup
from harness.evidence.journals import between
from harness.instance.iris import Instance
from harness.model import Position
from harness.snapshot.base import GivesOut, Snapshot
from harness.stages.backup import freeze_entry
from harness.stages.recovery import Steps
from harness.stages.rollforward import JOURNAL_LOG
from tests.soak.batch import Batch
from tests.soak.hands.changes import Nothing, contents
from tests.soak.hands.image import IMAGE_HANDS, Image
from tests.soak.hands.journals import JOURNAL_HANDS, Journals
from tests.soak.hands.log import LOG_HANDS
from tests.soak.hands.steps import STEP_HANDS, Doing
from tests.soak.mutations import Case, Mutation


@dataclass(slots=True)
class Planted:
    """A backup with mutations in it, and what shows that they changed something."""

    backup: OwnBackup
    steps: Steps
    changed: list[str] = field(default_factory=list)


def planted(batch: Batch, case: Case, folder: Path, given: Callable[[Path], None]) -> Planted:
    """The backup of a batch with the mutations of a case.

    Args:
        folder: Of the case, in which a log can lie.
        given: Called with the image when it is given out, with the mutations in it.
    """
    made = Planted(backup=batch.good, steps=Steps())
    _plant_log(batch, case, folder, made)
    _plant_journals(batch, case, made)
    _plant_steps(batch, case, made)
    provider = _Damaging(batch, case, made, given)
    assert made.backup.image
    made.backup = replace(made.backup, image=replace(made.backup.image, provider=provider))
    return made


def _hands(case: Case, hands: dict[str, Any]) -> Iterator[tuple[Any, Mutation]]:
    return ((hands[one.kind], one) for one in case.mutations if one.kind in hands)


def _plant_log(batch: Batch, case: Case, folder: Path, made: Planted) -> None:
    text = batch.log
    for hand, one in _hands(case, LOG_HANDS):
        try:
            text = hand(text, one, batch)
        except Nothing:
            continue
    if text == batch.log:
        return
    made.changed.append("the freeze log")
    log = folder / "freeze.log"
    log.write_bytes(text.encode("utf-8", "surrogateescape"))
    window = replace(batch.good.window, log=log, log_from_byte=0)
    logged, ours = freeze_entry(window), batch.good.logged.entry
    marker = logged.entry.marker if logged.entry else None
    own = ours.marker if ours else None
    made.backup = replace(batch.good, window=window, logged=logged)
    if marker != own:
        made.backup = _with_marker(batch, made.backup, marker)


def _with_marker(batch: Batch, backup: OwnBackup, marker: Position | None) -> OwnBackup:
    """What `back_up` leaves with that marker in the log."""
    journals = batch.good.journals
    assert journals
    if marker is None:
        return replace(backup, journals=None, committed=None)
    problems = list(backup.problems)
    committed = None
    try:
        committed = batch.session.source.last_committed(
            batch.stash, batch.listed[0].name, marker.journal_file, marker.offset_bytes, len(_writers(batch))
        )
    except HarnessError as error:
        problems.append(("read journals", str(error)))
    backup = replace(backup, committed=committed, problems=tuple(problems))
    expected = between(batch.listed, marker.journal_file, journals.end)
    if marker.journal_file not in [journal.name for journal in expected]:
        gone = f"the instance no longer has journal {marker.journal_file}, where the marker is"
        return replace(backup, journals=None, journals_gone=gone)
    folder = batch.session.new_folder_to_read("set")
    for journal in expected:
        for file in journal.files:
            shutil.copy2(batch.stash / file, folder)
    shutil.copy2(batch.stash / JOURNAL_LOG, folder)
    return replace(backup, journals=replace(journals, folder=folder, start=marker, expected=expected))


def _writers(batch: Batch) -> range:
    return range(batch.session.workload.writers)


def _plant_journals(batch: Batch, case: Case, made: Planted) -> None:
    mutations = list(_hands(case, JOURNAL_HANDS))
    journals = made.backup.journals
    if not mutations or journals is None:
        return
    folder = batch.session.new_folder_to_read("set")
    shutil.copytree(journals.folder, folder, dirs_exist_ok=True)
    before = contents(folder)
    for hand, one in mutations:
        try:
            hand(Journals(batch, folder, [journal.name for journal in journals.expected]), one)
        except Nothing:
            continue
    if contents(folder) != before:
        made.changed.append("journals")
    made.backup = replace(made.backup, journals=replace(journals, folder=folder))


def _plant_steps(batch: Batch, case: Case, made: Planted) -> None:
    doing = Doing(batch=batch, mode=case.mode)
    mutations = list(_hands(case, STEP_HANDS))
    for hand, one in mutations:
        hand(doing, one)
    if not mutations:
        return
    made.changed.append("steps")
    steps = replace(made.steps, roll_forward=doing.roll)
    if doing.settle_image:
        steps = replace(steps, settle_image=_all(doing.settle_image))
    if doing.settle:
        steps = replace(steps, settle=_all(doing.settle))
    made.steps = steps


def _all(calls: list[Callable[[Instance], object]]) -> Callable[[Instance], object]:
    def each(target: Instance) -> None:
        for call in calls:
            try:
                call(target)
            except HarnessError:  # an engine that refuses a step leaves what is there, and that is looked at
                return

    return each


class _Damaging:
    """Gives out what another provider gives out, with the mutations of a case."""

    def __init__(self, batch: Batch, case: Case, made: Planted, given: Callable[[Path], None]) -> None:
        assert batch.good.image
        self._real: GivesOut = batch.good.image.provider
        self._batch = batch
        self._case = case
        self._made = made
        self._given = given

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        copied = self._real.expose(snapshot, target)
        image = Image(self._batch, target)
        for hand, one in _hands(self._case, IMAGE_HANDS):
            try:
                hand(image, one)
            except Nothing:
                continue
            self._made.changed.append("the image")
        self._given(target)
        return copied

    def release(self, snapshot: Snapshot) -> None:
        """The batch keeps it."""
