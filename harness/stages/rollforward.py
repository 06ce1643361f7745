"""Which journals a recovery needs, copied away from the instance, and applied from file and offset.

The journals are closed by a switch before they are copied, so that every one of them ends where the engine
says it ends. What the live instance says of them at that moment is kept: a copy is judged against it.
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import JournalError, JournalsGone, SnapshotError
from harness.evidence.answers import Description, RollforwardAnswer
from harness.evidence.journals import JournalSet, between, order
from harness.files import Method, copy_paths
from harness.instance.iris import Instance
from harness.model import Position, RollforwardSummary

JOURNAL_LOG = "journal.log"
"""Lists the journals of an instance, in the folder above them; in a copy beside them."""


def collect(
    live: Instance, source: Description, start: Position, folder: Path, required: str = ""
) -> JournalSet:
    """Switch the journal, then copy every journal that a recovery may look into, up to the last closed one.

    Args:
        start: The marker.
        required: The oldest journal that held an open transaction at the freeze, if that may be needed: the engine
            looks backwards in the stream to roll such a transaction back (Data Integrity Guide 4.4.3).
        folder: Exists and is empty; the files keep their names. `journal.log`, which lists them, is copied beside.
    Raises:
        JournalsGone: the live instance no longer has a journal that is needed.
        JournalError: a copy failed.
    """
    end = live.switch_journal()
    there = live.journals(source.journal_folder)
    first = min(required or start.journal_file, start.journal_file, key=order)
    expected = between(there, first, end)
    names = [journal.name for journal in expected]
    for needed, why in ((start.journal_file, "where the marker is"), (first, "which a rollback needs")):
        if needed not in names:
            raise JournalsGone(f"the instance no longer has journal {needed}, {why}")
    try:
        files = [Path(file) for journal in expected for file in journal.files]
        copy_paths(source.journal_folder, files, folder, Method.CLONE_OR_COPY)
        copy_paths(source.journal_folder.parent, [Path(JOURNAL_LOG)], folder, Method.COPY)
    except SnapshotError as error:
        raise JournalError(f"journals could not be copied to {folder}: {error}") from error
    following = next((journal for journal in there if journal.name == end.journal_file), None)
    return JournalSet(folder=folder, start=start, end=end, expected=expected, following=following)


def roll_forward(
    target: Instance, source: Description, journals: JournalSet, until: Position | None
) -> tuple[RollforwardSummary, RollforwardAnswer]:
    """Apply the journals of a set to the restored databases.

    Args:
        until: Recovery point: everything before it is applied. None: to the end of the set.
    Raises:
        RollforwardError: refused or broken off; the target is not usable.
    """
    last = until.journal_file if until else journals.expected[-1].name
    places = target.describe().databases
    redirect = {folder: places[role] for role, folder in source.databases.items()}
    stop = until.offset_bytes if until else None
    answer = target.roll_forward(journals.folder, journals.start, last, stop, redirect)
    first = journals.start.journal_file
    names = tuple(j.name for j in journals.expected if order(first) <= order(j.name) <= order(last))
    summary = RollforwardSummary(
        from_file=journals.start.journal_file,
        from_offset_bytes=journals.start.offset_bytes,
        to_file=last,
        files=names,
        records=answer.records,
        duration_s=answer.duration_s,
    )
    return summary, answer
