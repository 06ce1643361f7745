"""Recovers from a backup in one mode, in an isolated instance, and judges what came back.

    give out the image → restore → look at it → roll forward (or boot) → look again → the checks

A look is the engine's structure check and a walk of the whole state. The first one is of the image as it was when it
was taken: a roll-forward writes every node that the load wrote, so afterwards a stale, late or damaged image may look
right. For `boot` the first look is at a copy of the databases in an instance of its own, since a start of the whole
image recovers it; the journals that the image itself holds are read there, too.

Reading the copied journals goes on beside roll-forward and looks; no stage waits for it but the checks.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness import destroy
from harness.declared import RUN
from harness.errors import (
    HarnessError,
    ImageError,
    RestoreError,
    RollforwardError,
    SnapshotTimeout,
    StartError,
    of_the_machine,
)
from harness.evidence.answers import RollforwardAnswer
from harness.evidence.backup import Backup, RecoveryPoint
from harness.evidence.case import Evidence, Look
from harness.evidence.files import left_out
from harness.facts.known import unconfirmed
from harness.files import Method, copy_paths
from harness.instance.base import Place
from harness.instance.iris import Instance
from harness.model import CaseRecord, RecoveryMode, RestoreSummary, RollforwardSummary
from harness.session.session import Session
from harness.session.targets import Targets
from harness.stages.case_record import Recovered, case_record, measured
from harness.stages.look import look
from harness.stages.read_journals import JournalReader, JournalsRead, hand_over_to
from harness.stages.restore import Exposed, expose, require_isolated, require_nobody_elses, restore
from harness.stages.rollforward import roll_forward
from harness.stages.window import image_status
from harness.verify.judge import judge_all


def _left_alone(target: Instance) -> None:
    """Nothing is done to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What a recovery is made of; a planted fault puts another in the place of one (`harness.fault`).

    `settle_image` is called with the instance that holds the restored image, `settle` with the recovered one, before
    anything of it is looked at.
    """

    take: Callable[[Targets], Place] = Targets.take
    settle_image: Callable[[Instance], object] = _left_alone
    roll_forward: Callable[..., tuple[RollforwardSummary, RollforwardAnswer]] = roll_forward
    settle: Callable[[Instance], object] = _left_alone


_AS_EVER = Steps()


def recover(
    session: Session, backup: Backup, point: RecoveryPoint, *, name: str, steps: Steps = _AS_EVER
) -> CaseRecord:
    """Recover once and judge. Whatever goes wrong is in the record: FAIL if it speaks of the backup, UNKNOWN
    if it kept us from telling. The instances made for it are gone afterwards.

    Args:
        point: One of the backup's.
        name: What the case is called.
    """
    recovery = Recovery(session, backup, point, name, steps)
    try:
        if backup.image is not None:
            recovery.run()
    finally:
        recovery.discard()
    session.targets.prepare()
    with recovery.stages.stage("judge"):
        recovered = measured(session, backup, point, recovery.recovered())
        checks = judge_all(recovered.evidence, RUN)
    return case_record(session, backup, point, recovered, checks)


class Recovery:
    """One recovery as far as it got; what was not reached is None."""

    def __init__(
        self, session: Session, backup: Backup, point: RecoveryPoint, name: str, steps: Steps
    ) -> None:
        self.stages = session.stages(name)
        self.stages.problems.extend(backup.problems)
        self._session = session
        self._backup = backup
        self._point = point
        self._mode = point.mode
        self._steps = steps
        self._watched_now = image_status(backup.image.snapshot if backup.image else None)
        self._engines = [backup.of]
        self._places: list[Place] = []
        problem = backup.window.snapshot_problem if backup.window else None
        self._late = str(problem) if isinstance(problem, SnapshotTimeout) else None
        self._incomplete = str(problem) if isinstance(problem, ImageError) else None
        self._exposed: Exposed | None = None
        self._image: Look | None = None
        self._recovered: Look | None = None
        self._reader = JournalReader(session, backup, self.stages.problems)
        self._journals = JournalsRead()
        self._answer: RollforwardAnswer | None = None
        self._rolled_problem: str | None = None
        self._restored: RestoreSummary | None = None
        self._rolled: RollforwardSummary | None = None
        number = len(list(session.work.glob(f"{point.mode.value}-*")))
        self._name = f"{point.mode.value}-{number}"
        self._folder = session.work / self._name
        self._copy = session.work / f"{self._name}-copy"

    def run(self) -> None:
        """From the image to the last look. Raises nothing that is no defect: problems are kept."""
        target = self.stages.attempt("start target", self._start)
        if target is None or not (alone := self._isolated(target)):
            return
        self._exposed = self.stages.attempt("restore", self._expose)
        if self._exposed is None:
            return
        image = self._exposed
        self._restored = RestoreSummary(
            duration_s=self.stages.seconds("restore"),
            bytes=image.bytes,
            into=target.place.where,
            interfaces=alone,
        )
        if missing := _databases_missing(self._backup, image):
            self._refuse(f"the image holds no file {missing}")
            self._journals = self._reader.of_the_set(target, self._point)
            return
        booted = self._mode.boots
        refusal = self.stages.attempt(
            "restore image" if booted else "restore", lambda: self._put(target, image)
        )
        self._restored = replace(self._restored, duration_s=self.stages.seconds("restore"))
        if refusal is None:
            return
        self._image = replace(self._promised_image(), refusal=refusal or None)
        if booted:
            self._look_and_boot(target, image)
        elif refusal:
            self._recovered = replace(self._promised(), refusal=refusal)
            self._journals = self._reader.of_the_set(target, self._point)
        else:
            self._look_and_roll(target)

    def _look_and_roll(self, target: Instance) -> None:
        with ThreadPoolExecutor(max_workers=1) as beside:
            reading = beside.submit(self._reader.of_the_set, target, self._point)
            self._look_at_image(target)
            if self._mode.rolls:
                self._roll_forward(target)
            if not self._mode.rolls and self._steps.settle is _left_alone:
                self._recovered = self._promised(self._image)  # nothing was done to it since
            else:
                self._steps.settle(target)
                walk = not self._mode.rolls or self._answer is not None
                self._recovered = self._look(target, self._promised(), walk=walk)
            self._journals = reading.result()

    def _look_and_boot(self, target: Instance, image: Exposed) -> None:
        assert self._image
        if self._image.refusal is None:
            self._look_at_image(target)
        self._journals = self._reader.of_the_image(target, image)
        self._discard(target.place)
        instance = self.stages.attempt("boot", lambda: self._boot(image))
        if instance is None or not (alone := self._isolated(instance)):
            return
        assert self._restored
        self._restored = replace(self._restored, into=instance.place.where, interfaces=alone)
        self._steps.settle(instance)
        self._recovered = self._look(instance, self._promised())

    def _start(self) -> Instance:
        place = self._steps.take(self._session.targets)
        self._places.append(place)
        target = Instance(place)
        if self._backup.journals:
            hand_over_to(target, self._backup.journals.folder)
        return target

    def _isolated(self, instance: Instance) -> tuple[str, ...]:
        return self.stages.attempt("isolation", lambda: require_isolated(instance.place)) or ()

    def _expose(self) -> Exposed | None:
        image = self._backup.image
        assert image
        expected = self._backup.window.files if self._backup.window else None
        known = [file.path for file in expected or () if file.digest]
        try:
            return expose(image, self._folder, known)
        except ImageError as error:
            self._incomplete = str(error)
            return None
        except SnapshotTimeout:  # the window says so itself
            return None

    def _put(self, target: Instance, image: Exposed) -> str:
        """Returns why the engine refuses the files, empty if it takes them."""
        self._engines.append(target.describe())
        try:
            restore(
                target,
                self._backup.of,
                image,
                self._session.ground,
                live=self._session.description,
                keep_image=self._mode.boots,
            )
        except RestoreError as error:
            return str(error)
        return ""

    def _refuse(self, why: str) -> None:
        self._image = replace(self._promised_image(), refusal=why)
        self._recovered = replace(self._promised(), refusal=why)

    def _promised(self, found: Look | None = None) -> Look:
        return replace(found or _NOTHING, floor=self._point.floor, ceiling=self._point.ceiling)

    def _promised_image(self) -> Look:
        point = self._backup.point(RecoveryMode.AS_OF_FREEZE)
        return Look(floor=point.floor, ceiling=point.ceiling)

    def _look_at_image(self, target: Instance) -> None:
        self._steps.settle_image(target)
        # as of the freeze it is the only look: then an operator waits for it
        prefix = "image " if self._mode.rolls or self._mode.boots else ""
        self._image = self._look(target, self._promised_image(), prefix, before_recovery=True)

    def _look(
        self,
        target: Instance,
        promised: Look,
        prefix: str = "",
        *,
        walk: bool = True,
        before_recovery: bool = False,
    ) -> Look:
        of, written = self._backup.of, self._backup.written
        return look(
            target, of, written, promised, self.stages, prefix, walk=walk, before_recovery=before_recovery
        )

    def _boot(self, image: Exposed) -> Instance | None:
        own = self._own_copy(image)
        require_nobody_elses(own, self._session.description)
        try:
            place = self._session.target_host.boot(self._name, own, self._backup.of.root)
        except StartError as error:
            why = f"the engine does not start from the restored image: {error}"
            self._recovered = replace(self._promised(), refusal=why)
            return None
        self._places.append(place)
        instance = Instance(place)
        self._engines.append(instance.describe())
        return instance

    def _own_copy(self, image: Exposed) -> Path:
        """The folder of the image; a copy of it where a start would write into what belongs to others. Raises
        SnapshotError.
        """
        if image.own:
            return image.folder
        copy_paths(image.folder, [Path()], self._copy, Method.CLONE_OR_COPY)
        return self._copy

    def _roll_forward(self, target: Instance) -> None:
        journals = self._backup.journals
        if journals is None:
            return
        try:
            with self.stages.stage("roll forward"), of_the_machine():
                self._rolled, self._answer = self._steps.roll_forward(
                    target, self._backup.of, journals, self._point.position
                )
        except RollforwardError as error:
            # the engine's refusal of these journals is an answer about the backup
            self._rolled_problem = str(error)
        except HarnessError as error:
            self.stages.problems.append(("roll forward", str(error)))

    def recovered(self) -> Recovered:
        """What was seen, with what nobody confirmed of the engines that were seen."""
        return Recovered(
            evidence=self._evidence(), stages=self.stages, restored=self._restored, rolled=self._rolled
        )

    def _evidence(self) -> Evidence:
        backup, image, written = self._backup, self._backup.image, self._backup.written
        return Evidence(
            mode=self._mode,
            seed=written.seed if written else None,
            writers=written.writers if written else None,
            databases=len(backup.of.folders),
            recovered=replace(
                self._recovered or self._promised(), unconfirmed=unconfirmed(*self._engines, mode=self._mode)
            ),
            image=replace(
                self._image or self._promised_image(),
                unconfirmed=unconfirmed(*self._engines, mode=RecoveryMode.AS_OF_FREEZE),
            ),
            window=backup.window,
            incomplete=self._incomplete,
            late=self._late,
            files=self._exposed.files if self._exposed else None,
            digests=self._exposed.digests if self._exposed else None,
            watched=image.watched if image else None,
            issued_later=written.issued_later if written else None,
            watched_now=self._watched_now,
            entry=backup.logged.entry,
            entry_problem=backup.logged.problem,
            entry_stale=backup.logged.stale,
            marker=self._journals.marker,
            journals=backup.journals,
            journals_gone=backup.journals_gone,
            copied=self._journals.copied,
            until=self._point.position,
            rolled=self._answer,
            rolled_problem=self._rolled_problem,
            committed=self._journals.committed,
            problems=tuple(self.stages.problems),
        )

    def discard(self) -> None:
        """Everything made for it is gone afterwards; what could not be removed is a problem of its own."""
        for place in self._places:
            self._discard(place)
        for folder in (self._folder, self._copy, *self._reader.folders):
            self._attempt("remove the image", partial(destroy.tree, folder, self._session.ground))

    def _discard(self, place: Place) -> None:
        self._attempt("remove the restored instance", place.discard)

    def _attempt(self, name: str, work: Callable[[], object]) -> None:
        try:
            with of_the_machine():
                work()
        except HarnessError as error:
            self.stages.problems.append((name, str(error)))


_NOTHING = Look(floor={}, ceiling={})


def _databases_missing(backup: Backup, image: Exposed) -> str:
    """The first database file of the source that is no regular file in the image; empty if all are. What lay in the
    folder of a database is not known of a backup that was taken elsewhere: there it must have some file.
    """
    root = image.source.root
    if backup.window is None:
        folders = [folder.relative_to(root) for folder in backup.of.folders]
        return next((f"{one}/*" for one in folders if one not in {file.parent for file in image.files}), "")
    needed = [status.path for status in backup.window.before if not left_out(status.path)]
    missing = [path for path in needed if path.relative_to(root) not in image.files]
    return str(missing[0].relative_to(root)) if missing else ""
