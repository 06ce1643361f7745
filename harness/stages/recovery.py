"""Recovers from a backup in one mode, in an isolated instance, and judges what came back.

    give out the image → restore → look at it → roll forward (or boot) → look again → the checks

A look is the engine's structure check and a walk of the whole state. The first one is of the image as it was when it
was taken: a roll-forward writes every node that the load wrote, so afterwards a stale, late or damaged image may look
right. For `boot` the first look is at a copy of the databases in an instance of its own, since a start of the whole
image recovers it; the journals that the image itself holds are read there, too.

Reading the copied journals goes on beside roll-forward and looks; no stage waits for it but the checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness import destroy
from harness.declared import RUN
from harness.errors import (
    HarnessError,
    ImageError,
    RestoreError,
    RollforwardError,
    SnapshotError,
    SnapshotTimeout,
    StartError,
    of_the_machine,
)
from harness.evidence.answers import (
    Committed,
    IntegrityReport,
    JournalFile,
    MarkerReading,
    RollforwardAnswer,
)
from harness.evidence.backup import NOT_ROLLED, Backup
from harness.evidence.case import Evidence, Look
from harness.evidence.files import left_out
from harness.facts.known import unconfirmed
from harness.files import Method, copy_paths
from harness.instance.base import Place
from harness.instance.iris import Instance
from harness.model import CaseRecord, RecoveryMode, RestoreSummary, RollforwardSummary
from harness.owners import hand_over
from harness.plan.model import Case
from harness.session.session import Session
from harness.session.targets import Targets
from harness.stages.backup import new_folder_to_read
from harness.stages.case_record import case_record, measured
from harness.stages.freeze import image_status
from harness.stages.open_transactions import taken_back
from harness.stages.restore import Exposed, expose, others_of, require_isolated, require_nobody_elses, restore
from harness.stages.rollforward import JOURNAL_LOG, roll_forward
from harness.stages.walk import read_state
from harness.verify.judge import judge_all

Answer = TypeVar("Answer")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Journals:
    """What the journals show; a part that could not be read is None."""

    copied: tuple[JournalFile, ...] | None = None
    marker: MarkerReading | None = None
    committed: tuple[Committed, ...] | None = None


def recover(session: Session, backup: Backup, case: Case, steps: Steps = _AS_EVER) -> CaseRecord:
    """Recover once and judge. Whatever goes wrong is in the record: FAIL if it speaks of the backup, UNKNOWN
    if it kept us from telling. The instances made for it are gone afterwards.
    """
    recovery = _Recovery(session, backup, case, steps)
    try:
        if backup.window.snapshot is not None:
            recovery.run()
    finally:
        recovery.discard()
    session.targets.prepare()
    with recovery.stages.stage("judge"):
        evidence = measured(session, backup, recovery.evidence(), recovery.stages)
        checks = judge_all(evidence, RUN)
    return case_record(
        session,
        backup,
        case,
        evidence,
        checks,
        recovery.stages,
        restored=recovery.restored,
        rolled=recovery.rolled,
    )


class _Recovery:
    """One recovery as far as it got; what was not reached is None."""

    def __init__(self, session: Session, backup: Backup, case: Case, steps: Steps) -> None:
        self._session = session
        self._backup = backup
        self._steps = steps
        self._mode = case.recovery
        self._promise = backup.promises[case.recovery]
        self._watched_now = image_status(backup.window.snapshot)
        self._engines = [session.description]
        self._places: list[Place] = []
        self._incomplete: str | None = _incomplete(backup.window.snapshot_problem)
        self._exposed: Exposed | None = None
        self._image: Look | None = None
        self._recovered: Look | None = None
        self._journals = _Journals()
        self._answer: RollforwardAnswer | None = None
        self._rolled_problem: str | None = None
        self.restored: RestoreSummary | None = None
        self.rolled: RollforwardSummary | None = None
        self.stages = session.stages(case.name)
        self.stages.problems.extend(backup.problems)
        number = len(list(session.work.glob(f"{case.recovery.value}-*")))
        self._name = f"{case.recovery.value}-{number}"
        self._folder = session.work / self._name
        self._copy = session.work / f"{self._name}-copy"
        self._read: Path | None = None

    def run(self) -> None:
        """From the image to the last look. Raises nothing that is no defect: problems are kept."""
        target = self.stages.attempt("start target", self._start)
        if target is None or not (alone := self._isolated(target)):
            return
        self._exposed = self.stages.attempt("restore", self._expose)
        if self._exposed is None:
            return
        image = self._exposed
        self.restored = RestoreSummary(
            duration_s=self.stages.seconds("restore"),
            bytes=image.bytes,
            into=target.place.where,
            interfaces=alone,
        )
        if missing := _databases_missing(self._backup, image):
            self._refuse(f"the image holds no file {missing}")
            self._journals = self._read_journals(target)
            return
        booted = self._mode is RecoveryMode.BOOT
        refusal = self.stages.attempt(
            "restore image" if booted else "restore", lambda: self._put(target, image)
        )
        self.restored = replace(self.restored, duration_s=self.stages.seconds("restore"))
        if refusal is None:
            return
        self._image = replace(self._promised_image(), refusal=refusal or None)
        if booted:
            self._look_and_boot(target, image)
        elif refusal:
            self._recovered = replace(self._promised(), refusal=refusal)
            self._journals = self._read_journals(target)
        else:
            self._look_and_roll(target)

    def _look_and_roll(self, target: Instance) -> None:
        with ThreadPoolExecutor(max_workers=1) as beside:
            reading = beside.submit(self._read_journals, target)
            self._look_at_image(target)
            if self._mode not in NOT_ROLLED:
                self._roll_forward(target)
            if self._mode is RecoveryMode.AS_OF_FREEZE and self._steps.settle is _left_alone:
                assert self._image
                self._recovered = self._promised(self._image)  # nothing was done to it since
            else:
                self._steps.settle(target)
                rolled = self._mode in NOT_ROLLED or self._answer is not None
                self._recovered = self._look(target, self._promised(), walk=rolled)
            self._journals = reading.result()

    def _look_and_boot(self, target: Instance, image: Exposed) -> None:
        assert self._image
        if self._image.refusal is None:
            self._look_at_image(target)
        self._journals = self._read_image_journals(target, image)
        self._discard(target.place)
        instance = self.stages.attempt("boot", lambda: self._boot(image))
        if instance is None or not (alone := self._isolated(instance)):
            return
        assert self.restored
        self.restored = replace(self.restored, into=instance.place.where, interfaces=alone)
        self._steps.settle(instance)
        self._recovered = self._look(instance, self._promised())

    def _start(self) -> Instance:
        place = self._steps.take(self._session.targets)
        self._places.append(place)
        target = Instance(place)
        if self._backup.journals:
            self._hand_over(target, self._backup.journals.folder)
        return target

    def _isolated(self, instance: Instance) -> tuple[str, ...]:
        return self.stages.attempt("isolation", lambda: require_isolated(instance.place)) or ()

    def _expose(self) -> Exposed | None:
        backup = self._backup
        try:
            known = [file.path for file in backup.window.files or () if file.digest]
            return expose(backup.provider, backup.window.taken(), backup.source, self._folder, known)
        except ImageError as error:
            self._incomplete = str(error)
            return None
        except SnapshotTimeout:  # the window says so itself
            return None

    def _put(self, target: Instance, image: Exposed) -> str:
        """Returns why the engine refuses the files, empty if it takes them."""
        self._engines.append(target.describe())
        try:
            session, boot = self._session, self._mode is RecoveryMode.BOOT
            restore(target, session.description, image, session.ground, keep_image=boot)
        except RestoreError as error:
            return str(error)
        return ""

    def _refuse(self, why: str) -> None:
        self._image = replace(self._promised_image(), refusal=why)
        self._recovered = replace(self._promised(), refusal=why)

    def _promised(self, look: Look | None = None) -> Look:
        promise = self._promise
        return replace(look or _NOTHING, floor=promise.floor, ceiling=promise.ceiling)

    def _promised_image(self) -> Look:
        promise = self._backup.promises[RecoveryMode.AS_OF_FREEZE]
        return Look(floor=promise.floor, ceiling=promise.ceiling)

    def _look_at_image(self, target: Instance) -> None:
        self._steps.settle_image(target)
        # as of the freeze it is the only look: then an operator waits for it
        prefix = "" if self._mode is RecoveryMode.AS_OF_FREEZE else "image "
        self._image = self._look(target, self._promised_image(), prefix, may_be_open=True)

    def _look(
        self,
        target: Instance,
        promised: Look,
        prefix: str = "",
        *,
        walk: bool = True,
        may_be_open: bool = False,
    ) -> Look:
        """Structure and state of the databases of an instance."""
        seed, writers = self._session.seed, self._session.workload.writers
        databases = [*target.describe().databases.values(), *self._others(target)]
        integrity = self.stages.attempt(f"{prefix}integrity", lambda: target.integrity(databases))
        state = None
        if walk:
            state = self.stages.attempt(f"{prefix}walk", lambda: read_state(target, seed, writers))
        if state and may_be_open and self._backup.open_in_image:
            state = taken_back(state, seed, writers)
        return replace(promised, integrity=self._named(target, integrity), state=state)

    def _named(self, target: Instance, report: IntegrityReport | None) -> IntegrityReport | None:
        """A report that names the databases by their folders in the source: those of a target are gone afterwards."""
        source, there = self._session.description, target.describe().databases
        names = {place: source.databases[role] for role, place in there.items()}
        names |= {place: folder for folder, place in others_of(target, source).items()}
        if report is None:
            return None
        found = (replace(one, database=names.get(one.database, one.database)) for one in report.databases)
        return replace(report, databases=tuple(found))

    def _others(self, target: Instance) -> Sequence[Path]:
        """The folders of the restored other databases: a booted instance has them in its configuration, a target does
        not know them and may have others of its own.
        """
        if target.describe().root == self._session.description.root:
            return target.describe().others
        return list(others_of(target, self._session.description).values())

    def _boot(self, image: Exposed) -> Instance | None:
        own = self._own_copy(image)
        require_nobody_elses(own, self._session.description)
        try:
            place = self._session.target_host.boot(self._name, own, self._session.description.root)
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
                self.rolled, self._answer = self._steps.roll_forward(
                    target, self._session.description, journals, self._promise.position
                )
        except RollforwardError as error:
            # the engine's refusal of these journals is an answer about the backup
            self._rolled_problem = str(error)
        except HarnessError as error:
            self.stages.problems.append(("roll forward", str(error)))

    def _read_journals(self, target: Instance) -> _Journals:
        """Those of the set. Runs beside other stages, so it is not timed as one; its problems are kept."""
        journals = self._backup.journals
        if journals is None:
            return _Journals()
        folder, start = journals.folder, journals.start
        copied = self._kept("read journals", lambda: target.journals(folder))
        marker = self._kept("read marker", lambda: target.read_marker(folder, start))
        if self._mode in NOT_ROLLED:
            return _Journals(copied=copied, marker=marker, committed=self._backup.committed)
        until = self._promise.position
        last = until.journal_file if until else journals.expected[-1].name
        stop = until.offset_bytes if until else None
        writers = self._session.workload.writers
        committed = self._kept(
            "read journals",
            lambda: target.last_committed(folder, start.journal_file, last, stop, writers),
        )
        return _Journals(copied=copied, marker=marker, committed=committed)

    def _read_image_journals(self, target: Instance, image: Exposed) -> _Journals:
        """Those that the image itself holds, before a start changes them."""
        journals = self._backup.journals
        if journals is None:
            return _Journals()

        folder = self._kept(
            "read the image's journals", lambda: image.of(self._session.description.journal_folder)
        )
        if folder is None:
            return _Journals(committed=self._backup.committed)
        if not folder.is_dir():
            return _Journals(copied=(), committed=self._backup.committed)
        start = journals.start
        read = self._kept("read the image's journals", lambda: self._lent(target, folder))
        if read is None:
            return _Journals(committed=self._backup.committed)
        copied = self._kept("read the image's journals", lambda: target.journals(read))
        marker = self._kept("read marker", lambda: target.read_marker(read, start))
        return _Journals(copied=copied, marker=marker, committed=self._backup.committed)

    def _lent(self, target: Instance, folder: Path) -> Path:
        """A copy of an image's journals where the instance can read them, with the list of them beside: it sees
        nothing of the image, nor of anything else that is not its own. Raises SnapshotError.
        """
        self._read = new_folder_to_read(self._session.work, "image")
        copy_paths(folder, [Path()], self._read, Method.CLONE_OR_COPY)
        if (folder.parent / JOURNAL_LOG).exists():
            copy_paths(folder.parent, [Path(JOURNAL_LOG)], self._read, Method.COPY)
        self._hand_over(target, self._read)
        return self._read

    def _hand_over(self, target: Instance, path: Path) -> None:
        """To the user of the instance."""
        owner = target.describe().databases["one"].stat()
        hand_over(path, owner.st_uid, owner.st_gid)

    def _kept(self, name: str, work: Callable[[], Answer]) -> Answer | None:
        try:
            with of_the_machine():
                return work()
        except HarnessError as error:
            self.stages.problems.append((name, str(error)))
            return None

    def evidence(self) -> Evidence:
        """What was seen, with what nobody confirmed of the engines that were seen."""
        backup = self._backup
        return Evidence(
            mode=self._mode,
            seed=self._session.seed,
            writers=self._session.workload.writers,
            databases=len(self._session.description.folders),
            recovered=replace(
                self._recovered or self._promised(), unconfirmed=unconfirmed(*self._engines, mode=self._mode)
            ),
            image=replace(
                self._image or self._promised_image(),
                unconfirmed=unconfirmed(*self._engines, mode=RecoveryMode.AS_OF_FREEZE),
            ),
            window=backup.window,
            incomplete=self._incomplete,
            late=_late(backup.window.snapshot_problem),
            files=self._exposed.files if self._exposed else None,
            digests=self._exposed.digests if self._exposed else None,
            watched=backup.image,
            issued_later=backup.issued_later,
            watched_now=self._watched_now,
            entry=backup.entry,
            entry_problem=backup.entry_problem,
            entry_stale=backup.entry_stale,
            marker=self._journals.marker,
            journals=backup.journals,
            journals_gone=backup.journals_gone,
            copied=self._journals.copied,
            until=self._promise.position,
            rolled=self._answer,
            rolled_problem=self._rolled_problem,
            committed=self._journals.committed,
            problems=tuple(self.stages.problems),
        )

    def discard(self) -> None:
        """Everything made for it is gone afterwards; what could not be removed is a problem of its own."""
        for place in self._places:
            self._discard(place)
        for folder in filter(None, (self._folder, self._copy, self._read)):
            self._kept("remove the image", partial(destroy.tree, folder, self._session.ground))

    def _discard(self, place: Place) -> None:
        self._kept("remove the restored instance", place.discard)


_NOTHING = Look(floor={}, ceiling={})


def _incomplete(problem: SnapshotError | None) -> str | None:
    return str(problem) if isinstance(problem, ImageError) else None


def _late(problem: SnapshotError | None) -> str | None:
    return str(problem) if isinstance(problem, SnapshotTimeout) else None


def _databases_missing(backup: Backup, image: Exposed) -> str:
    """The first database file of the source that is no regular file in the image; empty if all are."""
    root = backup.source.root
    needed = [status.path for status in backup.window.before if not left_out(status.path)]
    missing = [path for path in needed if path.relative_to(root) not in image.files]
    return str(missing[0].relative_to(root)) if missing else ""
