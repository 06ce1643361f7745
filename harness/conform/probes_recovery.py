"""Probes of journals, restore, roll-forward, structure check and boot, on one backup of resting writers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from harness import destroy
from harness.conform.bench import Bench, NotHere, Observation, Probe, ask, compared, state_word
from harness.conform.family import ProbeFamily
from harness.errors import InstanceError, RollforwardError
from harness.evidence.answers import JournalFile, RollforwardAnswer
from harness.evidence.journals import JournalSet
from harness.facts import freezes, journals, recoveries
from harness.files import Method, copy_paths
from harness.instance.iris import Instance
from harness.model import Position
from harness.stages.rollforward import roll_forward
from harness.stages.walk import read_state

FAMILY = ProbeFamily()
_ALL = "exactly what was acknowledged"
_SNAPSHOT = "exactly what the snapshot holds"
_BLOCK_BYTES = 8192
"""A block of IRIS; two of GT.M's."""


@FAMILY.tries(freezes.FREEZE_FILES_ARE_CURRENT)
def files_are_current(bench: Bench) -> Observation:
    with bench.restored() as target:
        return compared(bench.recovered(target), bench.taken.at_freeze, "all that was acknowledged")


@FAMILY.tries(journals.JOURNALS_SWITCH_CLOSES)
def switch_closes(bench: Bench) -> Observation:
    before = bench.instance.position()
    after = bench.instance.switch_journal()
    closed = [journal.closed for journal in bench.instance.journals(bench.description.journal_folder)]
    new = after.journal_file != before.journal_file
    rest = all(closed[:-1]) and not closed[-1]
    words = f"{'all' if rest else 'not all'} closed but the last, which is {'new' if new else 'the same'}"
    return Observation(observed=words, holds=new and rest)


@FAMILY.tries(journals.JOURNALS_LINKED)
def linked(bench: Bench) -> Observation:
    bench.instance.switch_journal()
    journals = bench.instance.journals(bench.description.journal_folder)
    marks = len({journal.guid for journal in journals}) == len(journals)
    words = "linked" if _meet(journals) else "not linked"
    observed = f"{words}, with marks {'of their own' if marks else 'in common'}"
    return Observation(observed=observed, holds=marks and _meet(journals))


@FAMILY.tries(journals.JOURNALS_COPY_READS_ALIKE)
def copy_reads_alike(bench: Bench) -> Observation:
    copies = bench.taken.journals
    with bench.target() as target:
        same = target.journals(copies.folder) == copies.expected
    return Observation(observed="the same" if same else "something else", holds=same)


@FAMILY.tries(journals.ROLLFORWARD_MISSING_MIDDLE_IS_SEEN)
def missing_middle_is_seen(bench: Bench) -> Observation:
    folder, journals = _copies(bench)
    middle = journals[len(journals) // 2]
    for name in middle.files:
        destroy.file(folder / name, bench.session.ground)
    with bench.target() as target:
        left = target.journals(folder)
    if middle.name in {journal.name for journal in left}:
        return Observation(observed="it is still listed", holds=False)
    return Observation(
        observed="the links meet all the same" if _meet(left) else "the links do not meet",
        holds=not _meet(left),
    )


@FAMILY.tries(journals.JOURNALS_TRUNCATED_IS_SEEN)
def truncated_is_seen(bench: Bench) -> Observation:
    folder, journals = _copies(bench)
    cut = journals[0]
    file = folder / cut.files[0]
    with file.open("r+b") as writer:
        writer.truncate(cut.end_bytes - 64)
    with bench.target() as target:
        found = {journal.name: journal for journal in target.journals(folder)}[cut.name]
    seen = bool(found.problem) or found.end_bytes != cut.end_bytes
    return Observation(observed="a problem, or another end" if seen else "nothing", holds=seen)


@FAMILY.tries(journals.JOURNALS_FOREIGN_REFUSED)
def foreign_refused(bench: Bench) -> Observation:
    folder, journals = _copies(bench)
    ours = journals[0]
    with bench.target() as target:
        target.switch_journal()
        place = target.describe().journal_folder
        theirs = target.journals(place)[0]
        for own, other in zip(ours.files, theirs.files, strict=True):
            shutil.copy(place / other, folder / own)
        found = {journal.name: journal for journal in target.journals(folder)}.get(ours.name)
    told = found is None or bool(found.problem) or found.guid != ours.guid
    return Observation(observed="a problem, or another mark" if told else "taken for ours", holds=told)


@FAMILY.tries(journals.JOURNALS_COMPRESSED_ALONE)
def compressed_alone(bench: Bench) -> Observation:
    folder = bench.description.journal_folder
    compressed = [j for j in bench.instance.journals(folder) if j.files[0].endswith("z")]
    if not compressed:
        raise NotHere("this instance has no compressed journal")
    alone = bench.folder("compressed")
    copy_paths(folder, map(Path, compressed[0].files), alone, Method.COPY)
    with bench.target() as target:
        (found,) = target.journals(alone)
    return Observation(observed="a problem" if found.problem else "no problem", holds=not found.problem)


@FAMILY.tries(journals.JOURNALS_LAST_COMMITTED)
def last_committed(bench: Bench) -> Observation:
    acknowledged = bench.work()
    folder = bench.description.journal_folder
    first = bench.instance.journals(folder)[0].name
    end = bench.instance.switch_journal()
    found = bench.instance.last_committed(
        folder, first, end.journal_file, end.offset_bytes, len(acknowledged)
    )
    same = {one.writer: (one.one, one.two) for one in found} == {w: (n, n) for w, n in acknowledged.items()}
    return Observation(observed="as acknowledged" if same else "other numbers", holds=same)


@FAMILY.tries(recoveries.STATE_TELLS_WHAT_WORK_DID)
def tells_what_work_did(bench: Bench) -> Observation:
    acknowledged = bench.work()
    state = read_state(bench.instance, bench.session.seed, len(acknowledged))
    if any(w.history.altered or w.history.unreadable or w.history.missing for w in state.writers.values()):
        return Observation(observed="altered, unreadable or missing nodes", holds=False)
    return compared(bench.recovered(bench.instance), acknowledged, _ALL)


@FAMILY.tries(recoveries.STATE_OTHER_DATA_IS_SEEN)
def other_data_is_seen(bench: Bench) -> Observation:
    writers = len(bench.work())
    state = read_state(bench.instance, bench.session.seed + 1, writers)
    seen = all(writer.history.altered is not None for writer in state.writers.values())
    return Observation(observed="altered" if seen else "nothing", holds=seen)


@FAMILY.tries(recoveries.RESTORE_PLACE_AND_MOUNT)
def place_and_mount(bench: Bench) -> Observation:
    with bench.target() as empty:
        if any(bench.recovered(empty).values()):
            return Observation(observed="a fresh instance is not empty", holds=False)
    with bench.restored() as target:
        return compared(bench.recovered(target), bench.taken.at_freeze, _SNAPSHOT)


@FAMILY.tries(recoveries.INTEGRITY_CLEAN_VERDICT)
def clean_verdict(bench: Bench) -> Observation:
    with bench.restored() as target:
        report = target.integrity(_databases(target))
    clean = bool(report.databases) and all(one.clean for one in report.databases)
    return Observation(observed="clean" if clean else "errors", holds=clean)


@FAMILY.tries(recoveries.INTEGRITY_CLOSING_VERDICT)
def closing_verdict(bench: Bench) -> Observation:
    with bench.restored() as target:
        asked = _databases(target)
        report = target.integrity(asked)
    each = [one.database for one in report.databases] == asked
    words = "one verdict for each database" if each else f"{len(report.databases)} verdicts for {len(asked)}"
    ending = "then the closing one" if report.complete else "no closing one"
    return Observation(observed=f"{words}, {ending}", holds=each and report.complete)


@FAMILY.tries(recoveries.INTEGRITY_DAMAGE_IS_SEEN)
def damage_is_seen(bench: Bench) -> Observation:
    with bench.restored() as target:
        place = target.describe().databases["two"]
        target.dismount(place)
        damage(max(place.iterdir(), key=lambda file: file.stat().st_size))
        target.mount(place)
        report = target.integrity(_databases(target))
    bad = [one.database for one in report.databases if not one.clean]
    errors = all(one.errors for one in report.databases if not one.clean)
    if bad == [place]:
        word = "errors" if errors else "unclean without errors"
        return Observation(observed=f"{word}, in the damaged database only", holds=errors)
    return Observation(observed="no errors" if not bad else "errors in a sound database", holds=False)


@FAMILY.tries(recoveries.ROLLFORWARD_START_POSITION)
def start_position(bench: Bench) -> Observation:
    with bench.restored() as target:
        roll_forward(target, bench.description, bench.taken.journals, None)
        return compared(bench.recovered(target), bench.taken.at_end, _ALL)


@FAMILY.tries(recoveries.ROLLFORWARD_START_BETWEEN_RECORDS_REFUSED)
def start_between_records_refused(bench: Bench) -> Observation:
    start = bench.taken.journals.start
    beside = Position(journal_file=start.journal_file, offset_bytes=start.offset_bytes + 1)
    with bench.restored() as target:
        return _refused(bench, target, replace(bench.taken.journals, start=beside))


@FAMILY.tries(recoveries.ROLLFORWARD_STOP_AT_MARKER)
def stop_at_marker(bench: Bench) -> Observation:
    with bench.restored() as target:
        roll_forward(target, bench.description, bench.taken.journals, bench.taken.point)
        return compared(bench.recovered(target), bench.taken.at_point, f"{_ALL} by then")


@FAMILY.tries(recoveries.ROLLFORWARD_SKIPPED_IS_REPORTED)
def skipped_is_reported(bench: Bench) -> Observation:
    """One database is left without its journals, or where all share them, without being mounted."""
    folder, journals = _copies(bench)
    with bench.restored() as target:
        place = target.describe().databases["two"]
        if all(len(journal.files) > 1 for journal in journals):
            for journal in journals:
                destroy.file(folder / journal.files[-1], bench.session.ground)
        else:
            target.dismount(place)
        try:
            _, answer = roll_forward(target, bench.description, _moved(bench, folder), None)
        except RollforwardError:
            return Observation(observed="refused", holds=True)
    return _skipped(answer, place)


@FAMILY.tries(recoveries.BOOT_RECOVERS)
def boot_recovers(bench: Bench) -> Observation:
    with bench.booted() as booted:
        return compared(bench.recovered(booted), bench.taken.at_freeze, _SNAPSHOT)


@FAMILY.tries(recoveries.BOOT_FROZEN_IMAGE_STARTS_THAWED)
def frozen_image_starts_thawed(bench: Bench) -> Observation:
    with bench.booted() as booted:
        now = state_word(ask(booted, "##class(Backup.General).IsWDSuspendedExt()"))
    return Observation(observed=now, holds=now == "running")


def damage(file: Path) -> None:
    """Overwrite the second half of the blocks that are used of a file."""
    data = bytearray(file.read_bytes())
    used = [at for at in range(0, len(data), _BLOCK_BYTES) if any(data[at : at + _BLOCK_BYTES])]
    for at in used[len(used) // 2 :]:
        data[at : at + _BLOCK_BYTES] = bytes(len(data[at : at + _BLOCK_BYTES]))
    file.write_bytes(data)


def _databases(instance: Instance) -> list[Path]:
    return list(instance.describe().databases.values())


def _meet(journals: Sequence[JournalFile]) -> bool:
    return all(later.previous == earlier.identity for earlier, later in pairwise(journals))


def _copies(bench: Bench) -> tuple[Path, tuple[JournalFile, ...]]:
    """A copy of the backup's journals that may be spoiled. Raises InstanceError if there are fewer than three."""
    taken = bench.taken.journals
    if len(taken.expected) < 3:
        raise InstanceError(f"the backup has {len(taken.expected)} journals, three are needed")
    folder = bench.folder("spoiled")
    copy_paths(taken.folder, [Path(file.name) for file in taken.folder.iterdir()], folder, Method.COPY)
    return folder, taken.expected


def _moved(bench: Bench, folder: Path) -> JournalSet:
    return replace(bench.taken.journals, folder=folder)


def _refused(bench: Bench, target: Instance, journals: JournalSet) -> Observation:
    try:
        roll_forward(target, bench.description, journals, None)
    except RollforwardError:
        return Observation(observed="refused", holds=True)
    return Observation(observed="accepted", holds=False)


def _skipped(answer: RollforwardAnswer, place: Path) -> Observation:
    if place in answer.skipped:
        return Observation(observed="named as skipped", holds=True)
    word = "not named at all" if place not in answer.updated else "named as updated"
    return Observation(observed=word, holds=False)


PROBES: dict[str, Probe] = FAMILY.probes
