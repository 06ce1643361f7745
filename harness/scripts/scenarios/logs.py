"""The scripts' log and its folder."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from harness.errors import InstanceError
from harness.model import Finding
from harness.scripts import rules
from harness.scripts.model import Seen
from harness.scripts.scenarios.base import CLASS_REFERENCE, Family, Need
from harness.scripts.scene import DoesNotApply, Scene

family = Family("logs")
_KEPT = "Class reference 2024.1, ExternalFreeze: LogFile is appended to; only it has the marker's offset"
_OPEN = "Error Reference: Failed to open logfile; " + CLASS_REFERENCE


def _folder(scene: Scene) -> str:
    """The folder of the log: of this backup's if there was one, else of the one before."""
    folder = posixpath.dirname((scene.recorder.logs() or [scene.learned.log_file])[-1])
    if not folder:
        raise InstanceError("the scripts have named no log yet")
    if folder == "/":
        raise DoesNotApply("the log lies in the root folder, which cannot be made unusable alone")
    return folder


def _take_away(scene: Scene) -> None:
    """Remove the folder of the log, even if others use it: the machine is thrown away.

    Raises DoesNotApply, InstanceError.
    """
    folder = _folder(scene)
    if any(argv[0].startswith(f"{folder}/") for argv in (scene.scripts.freeze, scene.scripts.thaw)):
        raise DoesNotApply(f"the scripts themselves lie below {folder}, the folder of their log")
    _require_apart(scene, folder)
    scene.setup.sh('rm -rf -- "$1"; ! [ -e "$1" ]', folder)


def _require_apart(scene: Scene, folder: str) -> None:
    if scene.machine.inside.is_relative_to(folder):
        raise InstanceError(
            f"the instances lie below {folder}, the folder of the log: name another one with --out"
        )


@family.scenario(
    "log-folder-missing",
    situation="the folder of the log is missing",
    right="it is made, or the freeze script says failure; nothing stays frozen",
    source=_OPEN,
    needs=(Need.LOG_FILE,),
)
def log_folder_missing(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    _take_away(scene)
    yield from rules.honest(scene.backup(), scene.scripts)


@family.scenario(
    "log-folder-gone",
    situation="the folder of the log disappears during the snapshot",
    right="the thaw script thaws nevertheless",
    source="seed article: its thaw script does nothing if the log folder is missing",
    needs=(Need.LOG_FILE,),
)
def log_folder_gone(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    yield from _must_thaw(scene, scene.backup(before_thaw=lambda: _take_away(scene)))


@family.scenario(
    "log-folder-read-only",
    situation="nothing can be written in the folder of the log",
    right="the freeze script says failure, or needs no log; nothing stays frozen",
    source=_OPEN,
    needs=(Need.LOG_FILE,),
)
def log_folder_read_only(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.setup.sh(_READ_ONLY, _folder(scene))
    yield from rules.honest(scene.backup(), scene.scripts)


@family.scenario(
    "log-folder-turns-read-only",
    situation="during the snapshot the folder of the log becomes read-only",
    right="the thaw script thaws nevertheless",
    source=CLASS_REFERENCE + ": a thaw matters more than its log",
    needs=(Need.LOG_FILE,),
)
def log_folder_turns_read_only(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    yield from _must_thaw(scene, scene.backup(before_thaw=lambda: scene.setup.sh(_READ_ONLY, _folder(scene))))


@family.scenario(
    "log-folder-full",
    situation="there is no space left where the log lies",
    right="the freeze script says failure, or needs no log; nothing stays frozen",
    source=_OPEN,
    needs=(Need.LOG_FILE,),
)
def log_folder_full(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    _fill(scene)
    yield from rules.honest(scene.backup(), scene.scripts)


@family.scenario(
    "log-folder-fills-up",
    situation="during the snapshot the space where the log lies runs out",
    right="the thaw script thaws nevertheless",
    source=CLASS_REFERENCE + ": a thaw matters more than its log",
    needs=(Need.LOG_FILE,),
)
def log_folder_fills_up(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    yield from _must_thaw(scene, scene.backup(before_thaw=lambda: _fill(scene)))


@family.scenario(
    "log-rotated",
    situation="during the snapshot the log is rotated away",
    right="the thaw script thaws nevertheless",
    source="logrotate(8) may run at any time",
    needs=(Need.LOG_FILE,),
)
def log_rotated(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    rotated: list[str] = []

    def rotate() -> None:
        rotated.extend(path for path in scene.recorder.logs() if scene.machine.tree.exists(path))
        for path in rotated:
            scene.setup.sh('mv -- "$1" "$1.1"', path)

    yield from _must_thaw(scene, scene.backup(before_thaw=rotate))
    if not rotated:
        yield rules.inconclusive("the situation did not arise: there was no log to rotate")


@family.scenario(
    "log-kept",
    situation="a backup of yesterday has left its marker in the log",
    right="it is still there after the backup of today",
    source=_KEPT,
    needs=(Need.LOG_FILE,),
)
def log_kept(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    first = scene.backup()
    if first.freeze.status not in scene.scripts.success:
        yield rules.inconclusive("no good backup could be made first")
        return
    markers = _markers(scene)
    if not markers:
        yield rules.inconclusive("the first backup left no marker that could be lost")
    if not scene.backup().taken:
        yield rules.inconclusive("no second backup could be made")
    lost = markers - _markers(scene)
    if lost:
        yield Finding(
            code="log.truncated",
            message="the marker of the previous backup was lost: its log was overwritten",
            witness=sorted(lost)[0],
        )


_READ_ONLY = """
mkdir -p "$1"
mount --rbind "$1" "$1"
mount -o remount,bind,ro "$1"
! echo more 2>/dev/null >"$1"/still
"""
"""Fails if something can still be written. What is mounted below stays as it is."""
_FULL = """
mkdir -p "$1"
cp -a "$1" /run/kept
mount -t tmpfs -o "size=$(($(du -sk "$1" | cut -f1) + 64))k,mode=$(stat -c %a "$1")" full "$1"
chown --reference=/run/kept "$1"
cp -a /run/kept/. "$1"/
dd if=/dev/zero of="$1"/filler bs=4k 2>/dev/null || :
! echo more >"$1"/still 2>/dev/null
"""
"""Fails if there is still room."""


def _fill(scene: Scene) -> None:
    folder = _folder(scene)
    _require_apart(scene, folder)
    scene.setup.sh(_FULL, folder)


def _must_thaw(scene: Scene, seen: Seen) -> Iterator[Finding]:
    if not seen.taken:
        yield rules.nothing_taken(seen, scene.scripts)
        return
    yield from rules.nothing_left(seen)
    if seen.thaw:
        yield from rules.honest_thaw(seen, seen.thaw, scene.scripts)


def _markers(scene: Scene) -> set[str]:
    """Every line with a marker's offset, wherever the scripts keep them."""
    lines = (line for _, text in scene.recorder.written() for line in text.splitlines())
    return {line for line in lines if line.startswith("offset ")}


SCENARIOS = family.scenarios
