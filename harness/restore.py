"""Puts an exposed image under a fresh, isolated instance. No journal work here.

Before the first write the target is compared with the source by device and inode: a restore over the running
instance must be impossible, not unlikely. And the target is asked from inside which network it sees: a restored
instance believes that it is the real one, and must reach nobody.

What an `expose` handed out may still be the snapshot, or even the live files, under another name (a mount, hard
links). Such files are never put under an instance: it gets copies of them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ImageError, InstanceError, InstanceGone, RestoreError, SnapshotError
from harness.files import Method, copy_paths, mounts_below, remove_tree, walk
from harness.instance.base import Place
from harness.instance.iris import Description, Instance
from harness.snapshot.base import Snapshot, SnapshotProvider, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """An image that was given out.

    Attributes:
        folder: Where it lies; the captured paths are below it as they were below the root of the source.
        source: What was captured.
        bytes: What the provider put there.
        files: Size of every regular file in it, by its path relative to `folder`.
    """

    folder: Path
    source: Source
    bytes: int
    files: dict[Path, int]

    def of(self, path: Path) -> Path:
        """Where something of the source lies in the image. Raises SnapshotError if it was not captured."""
        if not path.is_relative_to(self.source.root):
            raise SnapshotError(f"{path} lies outside of {self.source.root}, which was captured")
        return self.folder / path.relative_to(self.source.root)


def expose(provider: SnapshotProvider, snapshot: Snapshot, source: Source, folder: Path) -> Exposed:
    """Give out the image into a new folder.

    Raises:
        ImageError: a captured path is not in the image; SnapshotError: it could not be given out.
    """
    folder.mkdir()
    copied = provider.expose(snapshot, folder)
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
    return Exposed(folder=folder, source=source, bytes=copied, files=sizes)


def restore(target: Instance, source: Description, image: Exposed, *, keep_image: bool = False) -> None:
    """Replace the databases of a target, which is proved to be isolated, by those of an image.

    Args:
        target: A started instance whose databases may be lost.
        source: Where the databases lay when the snapshot was taken.
        keep_image: Leave the image as it is, for something else; otherwise its files may be moved.
    Raises:
        SnapshotError: target and source are one; nothing was replaced.
        RestoreError: a database is not in the image, or the engine would not take it.
        InstanceError: the target would not let go of a database; InstanceGone: it was ended.
    """
    places = target.describe().databases
    require_separate(source, places)
    for role, folder in source.databases.items():
        _replace(target, places[role], image.of(folder), keep_image)


def _replace(target: Instance, place: Path, image: Path, keep_image: bool) -> None:
    target.dismount(place)
    with _as_restore_error(image):
        for old in place.iterdir():
            remove_tree(old)
        if keep_image or _belongs_to_others(image):
            copy_paths(
                image,
                sorted(file.relative_to(image) for file in image.iterdir()),
                place,
                Method.CLONE_OR_COPY,
            )
        else:
            for file in image.iterdir():
                shutil.move(file, place / file.name)
    try:
        target.mount(place)
    except InstanceGone:
        raise  # an instance that was ended from outside has said nothing about the files
    except InstanceError as error:
        raise RestoreError(f"the engine does not take the restored files in {place}: {error}") from error


def _belongs_to_others(image: Path) -> bool:
    """Whether a change of these files could change others': through a mount, or another name of the same file."""
    linked = (file.lstat() for file in walk(image))
    return bool(mounts_below(image)) or any(stat.S_ISREG(s.st_mode) and s.st_nlink > 1 for s in linked)


@contextlib.contextmanager
def _as_restore_error(image: Path) -> Iterator[None]:
    """What cannot be taken out of an image is an answer about the image."""
    try:
        yield
    except (OSError, SnapshotError) as error:
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


def require_separate(source: Description, targets: dict[str, Path]) -> None:
    """Raises SnapshotError if a target database is a database of the source, by device and inode."""
    taken = {(s.st_dev, s.st_ino): folder for folder in source.databases.values() if (s := folder.stat())}
    for folder in targets.values():
        status = folder.stat()
        if (status.st_dev, status.st_ino) in taken:
            raise SnapshotError(f"{folder} belongs to the running instance; nothing is restored over it")
