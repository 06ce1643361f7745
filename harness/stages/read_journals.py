"""Reads the journals that a recovery may apply: those of the set, or for a start of the whole image those in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from harness.errors import HarnessError, of_the_machine
from harness.evidence.answers import Committed, JournalFile, MarkerReading
from harness.evidence.backup import Backup, RecoveryPoint
from harness.files import Method, copy_paths
from harness.instance.iris import Instance
from harness.owners import hand_over
from harness.session.session import Session
from harness.stages.restore import Exposed
from harness.stages.rollforward import JOURNAL_LOG

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalsRead:
    """What the journals show; a part that could not be read is None."""

    copied: tuple[JournalFile, ...] | None = None
    marker: MarkerReading | None = None
    committed: tuple[Committed, ...] | None = None


@dataclass(slots=True)
class JournalReader:
    """Reads journals by an instance that is isolated.

    Runs beside other stages, so it is not timed as one. `problems` are those of the recovery: what could not be read
    is told there. `folders` were made for it, and are to be removed.
    """

    session: Session
    backup: Backup
    problems: list[tuple[str, str]]
    folders: list[Path] = field(default_factory=list)

    def of_the_set(self, target: Instance, point: RecoveryPoint) -> JournalsRead:
        """Those that were copied for a recovery to a point."""
        journals = self.backup.journals
        if journals is None:
            return JournalsRead()
        folder, start = journals.folder, journals.start
        copied = self._kept("read journals", lambda: target.journals(folder))
        marker = self._kept("read marker", lambda: target.read_marker(folder, start))
        written = self.backup.written
        if not point.mode.rolls or written is None:
            return JournalsRead(copied=copied, marker=marker, committed=self.backup.committed)
        until = point.position
        last = until.journal_file if until else journals.expected[-1].name
        stop = until.offset_bytes if until else None
        writers = written.writers
        committed = self._kept(
            "read journals",
            lambda: target.last_committed(folder, start.journal_file, last, stop, writers),
        )
        return JournalsRead(copied=copied, marker=marker, committed=committed)

    def of_the_image(self, target: Instance, image: Exposed) -> JournalsRead:
        """Those that the image itself holds, before a start changes them."""
        journals, committed = self.backup.journals, self.backup.committed
        if journals is None:
            return JournalsRead()
        name = "read the image's journals"
        folder = self._kept(name, lambda: image.of(self.backup.of.journal_folder))
        if folder is None:
            return JournalsRead(committed=committed)
        if not folder.is_dir():
            return JournalsRead(copied=(), committed=committed)
        start = journals.start
        read = self._kept(name, lambda: self._lent(target, folder))
        if read is None:
            return JournalsRead(committed=committed)
        copied = self._kept(name, lambda: target.journals(read))
        marker = self._kept("read marker", lambda: target.read_marker(read, start))
        return JournalsRead(copied=copied, marker=marker, committed=committed)

    def _lent(self, target: Instance, folder: Path) -> Path:
        """A copy of an image's journals where the instance can read them, with the list of them beside: it sees
        nothing of the image, nor of anything else that is not its own. Raises SnapshotError.
        """
        read = self.session.new_folder_to_read("image")
        self.folders.append(read)
        copy_paths(folder, [Path()], read, Method.CLONE_OR_COPY)
        if (folder.parent / JOURNAL_LOG).exists():
            copy_paths(folder.parent, [Path(JOURNAL_LOG)], read, Method.COPY)
        hand_over_to(target, read)
        return read

    def _kept(self, name: str, work: Callable[[], Answer]) -> Answer | None:
        try:
            with of_the_machine():
                return work()
        except HarnessError as error:
            self.problems.append((name, str(error)))
            return None


def hand_over_to(target: Instance, path: Path) -> None:
    """Give a folder to the user of an instance."""
    owner = target.describe().databases["one"].stat()
    hand_over(path, owner.st_uid, owner.st_gid)
