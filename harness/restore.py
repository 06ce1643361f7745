"""Puts snapshot files under a fresh, isolated instance. No journal work here.

Before the first write the target is compared with the source by device and inode: a restore over the running
instance must be impossible, not unlikely. And the target is asked from inside which network it sees: a restored
instance believes that it is the real one, and must reach nobody.
"""

from __future__ import annotations

import time
from pathlib import Path

from harness.errors import InstanceError, InstanceRefused, RestoreError, SnapshotError
from harness.files import remove_tree
from harness.instance.base import Place
from harness.instance.iris import Description, Instance
from harness.model import RestoreSummary
from harness.snapshot.base import Snapshot, SnapshotProvider


def restore(
    provider: SnapshotProvider,
    snapshot: Snapshot,
    source: Description,
    target: Instance,
    staging: Path,
) -> RestoreSummary:
    """Replace the databases of the target, once it is proved to be isolated, by those of the snapshot.

    Args:
        source: Where the databases lay when the snapshot was taken.
        target: A started instance whose databases may be lost.
        staging: A folder that does not exist yet, on the target's volume.
    Raises:
        SnapshotError: the snapshot could not be read, or target and source are one; nothing was replaced.
        RestoreError: a database is not in the snapshot, or the engine refused to take it.
        InstanceError: the target is not isolated, would not let go of a database, or broke off; InstanceGone: it was
            ended.
    """
    interfaces = require_isolated(target.place)
    began = time.monotonic()
    places = target.describe().databases
    require_separate(source, places)
    staging.mkdir()
    copied = provider.expose(snapshot, staging)
    images = {role: staging / folder.relative_to(source.volume) for role, folder in source.databases.items()}
    for role, image in images.items():
        if not image.is_dir():
            raise RestoreError(
                f"the snapshot holds no folder {image.relative_to(staging)} of database {role}"
            )
    for role, image in images.items():
        _replace(target, places[role], image)
    remove_tree(staging)
    return RestoreSummary(
        duration_s=time.monotonic() - began, bytes=copied, into=target.place.where, interfaces=interfaces
    )


def _replace(target: Instance, place: Path, image: Path) -> None:
    target.dismount(place)
    for file in image.iterdir():
        file.replace(place / file.name)
    try:
        target.mount(place)
    except InstanceRefused as error:
        raise RestoreError(f"the engine does not take the restored files in {place}: {error}") from error


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
