"""Puts an exposed image under a fresh, isolated instance. No journal work here.

Before the first write the target is compared with the source by device and inode: a restore over the running
instance must be impossible, not unlikely. And the target is asked from inside which network it sees: a restored
instance believes that it is the real one, and must reach nobody.

What an `expose` handed out may still be the snapshot, or even the live files, under another name (a mount, hard
links). Such files are never put under an instance: it gets copies of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import destroy
from harness.destroy import Ground, mounts_below
from harness.errors import (
    ImageError,
    InstanceError,
    InstanceRefused,
    RemovalError,
    RestoreError,
    SnapshotError,
)
from harness.evidence.answers import Description
from harness.evidence.backup import Image
from harness.files import Method, copy_paths, digest_of, walk
from harness.instance.base import Place
from harness.instance.iris import Instance
from harness.owners import hand_over
from harness.snapshot.base import Source

_NOT_OF_THE_IMAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""What the machine refuses whatever the image is like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """An image that was given out.

    Attributes:
        folder: Where it lies; the captured paths are below it as they were below the root of the source.
        source: What was captured.
        bytes: What the provider put there.
        files: Size of every regular file in it, by its path relative to `folder`.
        digests: Content of those that were asked for, as `harness.files.digest_of` gives it.
        own: Whether a change of these files changes nobody else's: nothing is mounted there, no link leads to them,
            and no file has a second name.
    """

    folder: Path
    source: Source
    bytes: int
    files: dict[Path, int]
    digests: dict[Path, str]
    own: bool

    def of(self, path: Path) -> Path:
        """Where something of the source lies in the image. Raises SnapshotError if it was not captured."""
        if not path.is_relative_to(self.source.root):
            raise SnapshotError(f"{path} lies outside of {self.source.root}, which was captured")
        return self.folder / path.relative_to(self.source.root)


def expose(image: Image, folder: Path, read: Iterable[Path] = ()) -> Exposed:
    """Give out an image into a new folder.

    Args:
        read: Files whose content is to be read, by their path.
    Raises:
        ImageError: a captured path is not in the image.
        SnapshotError: it could not be given out, or must not be used.
    """
    snapshot = image.snapshot
    folder.mkdir()
    copied = image.give_out(folder)
    for path in snapshot.paths:
        if not os.path.lexists(folder / path):
            raise ImageError(f"{path} is not in the image")
    try:
        statuses = {path: path.lstat() for captured in snapshot.paths for path in walk(folder / captured)}
    except OSError as error:
        raise SnapshotError(f"the image in {folder} cannot be read: {error}") from error
    sizes = {
        path.relative_to(folder): status.st_size
        for path, status in statuses.items()
        if stat.S_ISREG(status.st_mode)
    }
    linked = any(stat.S_ISREG(status.st_mode) and status.st_nlink > 1 for status in statuses.values())
    own = not linked and not mounts_below(folder) and not _through_a_link(folder, snapshot.paths)
    digests = {path: found for path in read if path in sizes and (found := digest_of(folder / path))}
    return Exposed(folder=folder, source=image.source, bytes=copied, files=sizes, digests=digests, own=own)


def _through_a_link(folder: Path, paths: Iterable[Path]) -> bool:
    """Whether a captured path is reached by a link: what lies behind it may be anybody's."""
    steps = {folder / step for path in paths for step in (path, *path.parents)}
    return any(step.is_symlink() for step in steps)


def restore(
    target: Instance,
    source: Description,
    image: Exposed,
    ground: Ground,
    *,
    live: Description | None = None,
    keep_image: bool = False,
) -> None:
    """Replace the databases of a target, which is proved to be isolated, by those of an image.

    Args:
        target: A started instance whose databases may be lost.
        source: Where the databases lay when the snapshot was taken.
        live: The instance that runs, if that is another one: its files are nobody's to touch, either.
        ground: The target lies below it: what is in its database folders may be removed.
        keep_image: Leave the image as it is, for something else; otherwise its files may be moved.
    Raises:
        RestoreError: the engine does not take the files; SnapshotError: the target is the source.
    """
    places = target.describe().databases
    apart = (source, live or source)
    for one in apart:
        require_separate(one, places)
    copy = keep_image or not image.own
    for role, folder in source.databases.items():
        _replace(target, apart, places[role], image.of(folder), ground, copy)
    for folder in source.others:
        place = others_of(target, source)[folder]
        _make_like(place, image.of(folder))
        _replace(target, apart, place, image.of(folder), ground, copy)


def _make_like(place: Path, image: Path) -> None:
    """A folder that the engine's own user may use as it did the one in the image."""
    with _as_restore_error(image):
        place.parent.mkdir(exist_ok=True)
        place.mkdir()
        status = image.stat()
        with contextlib.suppress(PermissionError):  # who is not root owns everything himself
            os.chown(place, status.st_uid, status.st_gid)


def others_of(target: Instance, source: Description) -> dict[Path, Path]:
    """Where the other databases of the source lie in a target, which does not know them: below its root."""
    root = target.describe().root / "restored"
    return {folder: root / f"{number}-{folder.name}" for number, folder in enumerate(source.others, 1)}


def _replace(
    target: Instance, apart: Iterable[Description], place: Path, image: Path, ground: Ground, copy: bool
) -> None:
    if place in target.describe().folders:
        target.dismount(place)
    with _as_restore_error(image):
        for old in place.iterdir():
            destroy.tree(old, ground)
        # an engine keeps no links beside its files: what a link leads to is never put under an instance
        files = sorted(file for file in image.iterdir() if not file.is_symlink())
        if copy:
            copy_paths(image, [file.relative_to(image) for file in files], place, Method.CLONE_OR_COPY)
        else:
            for file in files:
                _move(file, place)
    for one in apart:
        require_nobody_elses(place, one)
    with _as_restore_error(image):
        owner = place.stat()
        hand_over(place, owner.st_uid, owner.st_gid)
    try:
        target.mount(place)
    except InstanceRefused as error:
        raise RestoreError(f"the engine does not take the restored files in {place}: {error}") from error


def _move(file: Path, place: Path) -> None:
    try:
        file.rename(place / file.name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_paths(file.parent, [Path(file.name)], place, Method.COPY)


@contextlib.contextmanager
def _as_restore_error(image: Path) -> Iterator[None]:
    """What cannot be taken out of an image is an answer about the image, but a full disk of this machine is none."""
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_OF_THE_IMAGE:
            raise SnapshotError(
                f"the files of the image in {image} cannot be put in place: {error}"
            ) from error
        raise RestoreError(f"the files of the image in {image} cannot be used: {error}") from error
    except (SnapshotError, RemovalError) as error:
        raise RestoreError(f"the files of the image in {image} cannot be used: {error}") from error


def require_isolated(place: Place) -> tuple[str, ...]:
    """The network interfaces that a process in the place sees: the loopback alone.

    Raises InstanceError if there is another. Source: proc_net(5), /proc/net/dev: two heading lines, then a name
    and a colon in each.
    """
    rows = place.run(["cat", "/proc/net/dev"]).stdout.splitlines()[2:]
    found = tuple(row.partition(":")[0].strip() for row in rows)
    if found != ("lo",):
        raise InstanceError(
            f"{place.where} is not isolated: it sees the network interfaces {', '.join(found)}"
        )
    return found


def require_nobody_elses(folder: Path, source: Description) -> None:
    """The last look before an instance opens files for writing. Raises SnapshotError if one of them is a file of the
    running instance, has a second name, or is mounted there.
    """
    try:
        folders = [place for place in source.folders if place.exists()]  # a backup may be of another machine
        live = {_identity(file.stat()) for place in folders for file in place.iterdir()}
        mounted = mounts_below(folder)
        statuses = {file: file.lstat() for file in walk(folder)}
        names = Counter(map(_identity, statuses.values()))
        for file, status in statuses.items():
            # a file may have more names than one in here, as an instance's own journals do
            linked = stat.S_ISREG(status.st_mode) and status.st_nlink > names[_identity(status)]
            if linked or _identity(status) in live or file in mounted:
                raise SnapshotError(
                    f"{file} is somebody else's file under another name; no instance may write to it"
                )
    except OSError as error:
        raise SnapshotError(f"it cannot be determined whose the files in {folder} are: {error}") from error


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def require_separate(source: Description, targets: dict[str, Path]) -> None:
    """Raises SnapshotError if a target database is a database of the source, by device and inode."""
    there = [folder for folder in source.databases.values() if folder.exists()]
    taken = {_identity(folder.stat()): folder for folder in there}
    for folder in targets.values():
        status = folder.stat()
        if (status.st_dev, status.st_ino) in taken:
            raise SnapshotError(f"{folder} belongs to the running instance; nothing is restored over it")
