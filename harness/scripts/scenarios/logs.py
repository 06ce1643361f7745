"""The scripts' log and its folder."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from harness.model import Finding
from harness.scripts import rules
from harness.scripts.model import Seen
from harness.scripts.scenarios.base import CLASS_REFERENCE, Family, Need
from harness.scripts.scene import NotHere, Scene

family = Family("logs")
_KEPT = "Class reference 2024.1, ExternalFreeze: LogFile is appended to; it alone tells the marker's offset"
_OPEN = "Error Reference: Failed to open logfile; " + CLASS_REFERENCE


def _folder(scene: Scene) -> str:
    folder = posixpath.dirname(scene.log_file)
    if folder == "/":
        raise NotHere("the log lies in the root folder, which cannot be spoiled alone")
    return folder


@family.scenario(
    "log-folder-missing",
    situation="the folder of the log is not there",
    right="it is made, or the freeze script says failure; nothing stays frozen",
    source=_OPEN,
    needs=(Need.LOG_FILE,),
)
def log_folder_missing(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    if _is_own(scene):
        scene.sh('rm -rf -- "$1"', _folder(scene))
    yield from rules.honest(scene.backup(), scene.scripts)


@family.scenario(
    "log-folder-gone",
    situation="the folder of the log disappears during the snapshot",
    right="the thaw script thaws all the same",
    source="seed article: its thaw script does nothing if the log folder is not there",
    needs=(Need.LOG_FILE,),
)
def log_folder_gone(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    folder = _folder(scene)
    gone = folder if _is_own(scene) else scene.log_file
    yield from _must_thaw(scene, scene.backup(before_thaw=lambda: scene.sh('rm -rf -- "$1"', gone)))


@family.scenario(
    "log-folder-read-only",
    situation="nothing can be written in the folder of the log",
    right="the freeze script says failure, or does without; nothing stays frozen",
    source=_OPEN,
    needs=(Need.LOG_FILE,),
)
def log_folder_read_only(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.sh(_READ_ONLY, _folder(scene))
    yield from rules.honest(scene.backup(), scene.scripts)


@family.scenario(
    "log-folder-turns-read-only",
    situation="during the snapshot the folder of the log becomes read-only",
    right="the thaw script thaws all the same",
    source=CLASS_REFERENCE + ": a thaw matters more than its log",
    needs=(Need.LOG_FILE,),
)
def log_folder_turns_read_only(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    yield from _must_thaw(scene, scene.backup(before_thaw=lambda: scene.sh(_READ_ONLY, _folder(scene))))


@family.scenario(
    "log-folder-full",
    situation="there is no space left where the log lies",
    right="the freeze script says failure, or does without; nothing stays frozen",
    source=_OPEN,
    needs=(Need.LOG_FILE,),
)
def log_folder_full(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.sh(_FULL, _folder(scene))
    yield from rules.honest(scene.backup(), scene.scripts)


@family.scenario(
    "log-folder-fills-up",
    situation="during the snapshot the space where the log lies runs out",
    right="the thaw script thaws all the same",
    source=CLASS_REFERENCE + ": a thaw matters more than its log",
    needs=(Need.LOG_FILE,),
)
def log_folder_fills_up(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    yield from _must_thaw(scene, scene.backup(before_thaw=lambda: scene.sh(_FULL, _folder(scene))))


@family.scenario(
    "log-rotated",
    situation="during the snapshot the log is rotated away",
    right="the thaw script thaws all the same",
    source="logrotate(8) comes when it comes",
    needs=(Need.LOG_FILE,),
)
def log_rotated(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    own = 'for file in "$1"/*; do [ ! -f "$file" ] || mv -- "$file" "$file.1"; done'
    rotate, what = (own, _folder(scene)) if _is_own(scene) else ('mv -- "$1" "$1.1"', scene.log_file)

    def rotated() -> None:
        if scene.machine.tree.exists(scene.log_file) or _is_own(scene):
            scene.sh(rotate, what)

    yield from _must_thaw(scene, scene.backup(before_thaw=rotated))


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
        yield rules.not_told("no good backup could be made first")
        return
    markers = _markers(scene)
    if not markers:
        yield rules.not_told("the first backup left no marker that could be lost")
    if not scene.backup().taken:
        yield rules.not_told("no second backup could be made")
    lost = markers - _markers(scene)
    if lost:
        yield Finding(
            code="log.truncated",
            message="the marker of the backup before was lost: its log was written over",
            witness=sorted(lost)[0],
        )


_ALWAYS_THERE = ("/", "/tmp", "/var/log", "/var/tmp", "/var", "/root", "/home", "/var/lib")
_READ_ONLY = 'mkdir -p "$1"; mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"'
_FULL = """
mkdir -p "$1"
cp -a "$1" /run/kept
mount -t tmpfs -o "size=$(($(du -sk "$1" | cut -f1) + 64))k,mode=$(stat -c %a "$1")" full "$1"
chown --reference=/run/kept "$1"
cp -a /run/kept/. "$1"/
dd if=/dev/zero of="$1"/filler bs=4k 2>/dev/null || :
! echo more >"$1"/still 2>/dev/null
"""
"""Fails if there is room left after all."""


def _is_own(scene: Scene) -> bool:
    """A folder of the scripts' own, which may be missing; /var/log and its like are always there, and a folder with
    the scripts in it is needed for more than logs."""
    folder = _folder(scene)
    beside = any(argv[0].startswith(f"{folder}/") for argv in (scene.scripts.freeze, scene.scripts.thaw))
    return not beside and folder not in _ALWAYS_THERE


def _must_thaw(scene: Scene, seen: Seen) -> Iterator[Finding]:
    if not seen.taken:
        yield rules.not_told("the freeze script froze nothing")
        return
    yield from rules.nothing_left(seen)
    if seen.thaw:
        yield from rules.thaw_told(seen, seen.thaw, scene.scripts)


def _markers(scene: Scene) -> set[str]:
    """Every line with a marker's offset, wherever the scripts keep them."""
    lines = (line for _, text in scene.written() for line in text.splitlines())
    return {line for line in lines if line.startswith("offset ")}


SCENARIOS = family.scenarios
