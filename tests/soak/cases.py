"""One case: a recovery by the harness from what was planted, looked at by the engine, judged, and made smaller.

The looks are taken where the harness cannot touch them: of the image when it is given out, in namespaces of their own
and on copies; of what was recovered just before the restored instance is discarded, after all that the harness did.
An image whose two database files are byte for byte the good ones is equal without being extracted.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import StartError
from harness.instance.base import Host, Place
from harness.instance.iris import Instance
from harness.model import CaseRecord, RecoveryMode, Verdict
from harness.session.targets import Targets
from harness.stages.recovery import Steps, recover
from tests.checks import cause
from tests.soak.batch import Batch
from tests.soak.extracts import DATABASES, Extract
from tests.soak.hands.changes import DATABASE
from tests.soak.judged import Look, Word, judged, together
from tests.soak.mutations import Case, simpler
from tests.soak.planting import planted

HANG_S = 150
SHRINKS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a case.

    Attributes:
        codes: Of every finding of the harness.
        look: What the engine says of both, image and recovered; `differs` are the first differing nodes.
        said: The harness's first finding, or how it broke off.
        seconds: Stage → how long it took.
    """

    case: Case
    word: Word
    verdict: Verdict | None = None
    codes: tuple[str, ...] = ()
    look: Look = Look.NOT_LOOKED
    differs: tuple[str, ...] = ()
    excused_by: tuple[str, ...] = ()
    said: str = ""
    changed: bool = False
    duration_s: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """What clean recoveries of a batch hold, and the good database files by their hash."""

    image: Extract
    recovered: dict[RecoveryMode, Extract]
    files: tuple[str, ...]


class Varies(Exception):
    """Two clean recoveries are not the same, or one did not pass: nothing can be judged by them."""


# --- looking


class _Looks:
    """What the engine says in the course of one recovery. Without `clean` everything is extracted."""

    def __init__(self, batch: Batch, mode: RecoveryMode, folder: Path, clean: Clean | None) -> None:
        self._batch = batch
        self._booted = mode is RecoveryMode.BOOT
        self._folder = folder
        self._clean = clean
        self._restored = False
        self.image: Extract | None = None
        self.recovered: Extract | None = None
        self.files: tuple[str, ...] = ()
        self.seconds = 0.0

    def given(self, image: Path) -> None:
        """The image as it was given out."""
        with self._timed():
            places = [image / DATABASE[role] for role in DATABASES]
            self.files = tuple(_digest(place) for place in places)
            if self._clean and self.files == self._clean.files:
                self.image = self._clean.image
                return
            if not all(place.is_file() for place in places):
                return
            for role, place in zip(DATABASES, places, strict=True):
                (self._folder / role).mkdir()
                shutil.copy(place, self._folder / role / "IRIS.DAT")
            self.image = self._batch.extractor.of_files(self._folder)

    def steps(self, steps: Steps) -> Steps:
        """The same steps, with the looks."""

        def settle_image(target: Instance) -> None:
            self._restored = True
            steps.settle_image(target)
            if (
                steps.settle_image is not Steps().settle_image
            ):  # what the harness looks at is no longer the image
                with self._timed():
                    root = target.describe().root
                    self.image = self._batch.extractor.within(target.place.argv, root, root)

        return replace(steps, take=self._take, settle_image=settle_image)

    def _take(self, targets: Targets) -> Place:
        place = targets.take()
        files = place.files  # type: ignore[attr-defined]

        def look() -> None:
            # before the image was put there it holds what a new instance holds, which says nothing
            if self._restored and not self._booted:
                with self._timed():
                    self.recovered = self._batch.extractor.within(place.argv, files, files)

        return _LookedAt(place, look)

    def host(self, real: Host) -> Host:
        return _Host(real, self)

    def booted(self, place: Place) -> Place:
        root, files = self._batch.session.description.root, place.files  # type: ignore[attr-defined]

        def look() -> None:
            with self._timed():
                self.recovered = self._batch.extractor.within(place.argv, root, files)

        return _LookedAt(place, look)

    def not_started(self, error: StartError) -> None:
        self.recovered = Extract(problem=f"the engine does not start: {error}")

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - began


class _LookedAt:
    """A place in which the engine is asked once more before it is discarded."""

    def __init__(self, real: Place, look: Callable[[], None]) -> None:
        self.__dict__.update(_real=real, _look=look)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)

    def discard(self) -> None:
        look = self.__dict__.pop("_look", None)
        try:
            if look:
                look()
        finally:
            self._real.discard()


class _Host:
    """A host whose booted instances are looked at."""

    def __init__(self, real: Host, looks: _Looks) -> None:
        self._real = real
        self._looks = looks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def boot(self, name: str, image: Path, root: Path) -> Place:
        try:
            return self._looks.booted(self._real.boot(name, image, root))
        except StartError as error:
            self._looks.not_started(error)
            raise


def _digest(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "blake2b").hexdigest()


# --- recovering


class _Hung(BaseException):
    """The time of a case is over."""


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def over(number: int, frame: object) -> None:
        raise _Hung

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def clean(batch: Batch, modes: tuple[RecoveryMode, ...] = tuple(RecoveryMode), times: int = 2) -> Clean:
    """What clean recoveries hold, each mode so many times. Raises Varies."""
    images: list[Extract] = []
    files: list[tuple[str, ...]] = []
    found: dict[RecoveryMode, Extract] = {}
    for mode in modes:
        for _ in range(times):
            outcome, looks = _recovered(batch, Case(seed=0, mode=mode, mutations=()), None)
            if outcome.verdict is not Verdict.PASS or not looks.recovered or not looks.image:
                raise Varies(f"clean {mode.value}: {outcome.verdict}: {outcome.said}")
            first = found.setdefault(mode, looks.recovered)
            if looks.recovered.looked(first) is not Look.EQUAL:
                raise Varies(f"clean {mode.value}: {looks.recovered.differences(first)}")
            images.append(looks.image)
            files.append(looks.files)
    if len(set(files)) != 1 or any(one.looked(images[0]) is not Look.EQUAL for one in images):
        raise Varies("the image as it is given out")
    return Clean(image=images[0], recovered=found, files=files[0])


def run(batch: Batch, case: Case, clean: Clean) -> Outcome:
    """Plant, recover, look, judge."""
    return _recovered(batch, case, clean)[0]


def _recovered(batch: Batch, case: Case, clean: Clean | None) -> tuple[Outcome, _Looks]:
    began = time.monotonic()
    folder = batch.kept.parent / "case"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    before = _there(batch)
    looks = _Looks(batch, case.mode, folder, clean)
    try:
        with _limited(HANG_S):
            made = planted(batch, case, folder, looks.given)
            session = replace(batch.session, target_host=looks.host(batch.session.target_host))
            point = made.backup.point(case.mode)
            record = recover(session, made.backup, point, name=case.mode.value, steps=looks.steps(made.steps))
        outcome = _judged(batch, case, record, looks, clean)
        outcome = replace(outcome, changed=bool(made.changed))
    except _Hung:
        outcome = Outcome(case=case, word=Word.HANG, said=f"not over after {HANG_S} s")
    except Exception:  # noqa: BLE001 # whatever the harness breaks off with is a finding
        outcome = Outcome(case=case, word=Word.CRASH, said=traceback.format_exc())
    _forget_sets(batch, before)
    if left := _left(batch, before):
        outcome = replace(outcome, word=Word.LEFT, said=f"left behind: {', '.join(left)}")
    return replace(outcome, duration_s=time.monotonic() - began), looks


def _judged(batch: Batch, case: Case, record: CaseRecord, looks: _Looks, clean: Clean | None) -> Outcome:
    codes = [f.code for check in record.checks for f in check.findings if f.verdict is not Verdict.PASS]
    first = cause(record)
    image = _look(looks.image, clean.image if clean else None)
    recovered = _look(looks.recovered, clean.recovered[case.mode] if clean else None)
    look = together(image, recovered)
    judgement = judged(record.verdict, codes, look, case.breaks)
    own = {stage.name for stage in batch.good.stages}
    seconds = {s.name: s.duration_s for s in record.stages if s.name not in own}
    return Outcome(
        case=case,
        word=judgement.word,
        verdict=record.verdict,
        codes=tuple(dict.fromkeys(codes)),
        look=look,
        differs=tuple(_differences(looks, clean, case.mode)) if look is not Look.EQUAL else (),
        excused_by=judgement.excused_by,
        said=f"{first.code}: {first.message} {first.witness}".strip() if first else "",
        seconds={**seconds, "extract": looks.seconds},
    )


def _look(found: Extract | None, clean: Extract | None) -> Look:
    if found is None:
        return Look.NOT_LOOKED
    return found.looked(clean or found)


def _differences(looks: _Looks, clean: Clean | None, mode: RecoveryMode) -> list[str]:
    if clean is None:
        return []
    pairs = (("image", looks.image, clean.image), ("recovered", looks.recovered, clean.recovered[mode]))
    return [
        f"{name}: {text}"
        for name, found, right in pairs
        for text in (found.differences(right) if found else ["not looked"])
    ]


# --- what is left behind


def _there(batch: Batch) -> set[Path]:
    folders = (batch.work, batch.work / "journals", batch.work / "source")
    return {path for folder in folders for path in folder.iterdir()}


def _forget_sets(batch: Batch, before: set[Path]) -> None:
    """Journals that the fuzzer itself copied."""
    for path in _there(batch) - before:
        if path.parent.name == "journals" and path.name.startswith("set-"):
            shutil.rmtree(path)


def _left(batch: Batch, before: set[Path]) -> list[str]:
    """Folders and mounts that were not there before; but for the next target, which is being made ready."""
    new = sorted(_there(batch) - before)
    targets = [path for path in new if path.name.startswith("target-")]
    newest = max(targets, key=lambda path: int(path.name.partition("-")[2]), default=None)
    found = [str(path) for path in new if path != newest and path.name != "empty"]
    mounts = Path("/proc/mounts").read_text().splitlines()
    return [*found, *(line for line in mounts if f"{batch.work}/" in line)]


# --- making smaller


def shrunk(
    outcome: Outcome, again: Callable[[Case], Outcome], tries: int = SHRINKS_MAX
) -> tuple[Outcome, int]:
    """The smallest case that still is called the same, and how many were tried. `again` runs one."""
    smallest, tried = outcome, 0
    found: Outcome | None = outcome
    while found:
        smallest, found = found, None
        for case in simpler(smallest.case):
            if tried == tries:
                return smallest, tried
            tried += 1
            one = again(case)
            if one.word is outcome.word:
                found = one
                break
    return smallest, tried
