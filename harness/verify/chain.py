"""Journals from the marker to the recovery point are complete, in order, and of this instance; and so are older
ones that a rollback may look into. For `boot` they are those that the image itself holds, up to the one that the
freeze began: that one was being written, so nothing after the marker in it is looked at; nothing was promised of it.

Catches gaps, purged, truncated and foreign journals. The engines do not: GT.M calls a recovery successful when
the first journal or one database's last one is left out (measured), and IRIS by default skips what it cannot
apply (class reference 2024.1, Journal.Restore, AbortOnDatabaseError).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from harness.instance.iris import JournalFile
from harness.model import Finding, Position, RecoveryMode, Verdict
from harness.rollforward import JournalSet, between, order
from harness.verify.base import Evidence, not_checked


class ChainChecker:
    """Journals are complete from marker to recovery point."""

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        journals = evidence.journals
        if journals is None:
            return not_checked("chain", evidence, "copied journal")
        if evidence.copied is None:
            return not_checked("chain", evidence, "reading of the copied journals")
        booted = evidence.mode is RecoveryMode.BOOT
        expected = _needed(journals, evidence.until, booted)
        if not expected:
            until = evidence.until or journals.end
            message = f"no journal reaches from {journals.start.journal_file} to {until}"
            return [Finding(code="chain.empty", message=message, witness=str(until))]
        names = {journal.name for journal in expected}
        copied = {journal.name: journal for journal in evidence.copied if journal.name in names}
        findings = [
            finding
            for journal in expected
            for finding in _compare(
                journal, copied.get(journal.name), expected, written=booted and journal is expected[-1]
            )
        ]
        return [*findings, *_links([copied[j.name] for j in expected if j.name in copied])]


def _needed(journals: JournalSet, until: Position | None, booted: bool) -> tuple[JournalFile, ...]:
    """The journals that a recovery reads."""
    started = journals.start.journal_file
    first = min((started, *(j.name for j in journals.expected[:1])), key=order)
    if booted:
        return tuple(j for j in journals.expected if order(first) <= order(j.name) <= order(started))
    return between(journals.expected, first, until or journals.end)


def _compare(
    journal: JournalFile, copy: JournalFile | None, all_of_them: Sequence[JournalFile], *, written: bool
) -> Iterator[Finding]:
    """`written`: it was being written when the copy was taken, so that it has no end yet."""
    if copy is None:
        names = [one.name for one in all_of_them]
        at = names.index(journal.name)
        before = names[at - 1] if at else "the marker"
        after = names[at + 1] if at + 1 < len(names) else "the recovery point"
        yield Finding(
            code="chain.missing",
            message=f"journal {journal.name} is missing between {before} and {after}",
            witness=journal.name,
        )
        return
    if copy.problem:
        yield Finding(
            code="chain.damaged",
            message=f"journal {journal.name} is not usable: {copy.problem}",
            witness=journal.name,
        )
    elif not copy.guid or not journal.guid:
        yield Finding(
            code="chain.unmarked",
            message=f"journal {journal.name} has no mark, so it may not be the one that this instance wrote",
            verdict=Verdict.UNKNOWN,
        )
    elif copy.guid != journal.guid:
        yield Finding(
            code="chain.foreign",
            message=f"journal {journal.name} is not the one that this instance wrote under that name",
            witness=f"its mark is {copy.guid}, expected {journal.guid}",
        )
    elif written:
        return
    elif (copy.identity, copy.end_bytes) != (journal.identity, journal.end_bytes):
        yield Finding(
            code="chain.short",
            message=f"journal {journal.name} does not end where the instance ended it",
            witness=f"{copy.identity} at {copy.end_bytes} bytes, expected {journal.identity} at {journal.end_bytes}",
        )
    elif not copy.closed:
        yield Finding(
            code="chain.open",
            message=f"journal {journal.name} was not ended by the engine: what follows in it may be cut off",
            witness=f"its last record ends at {copy.end_bytes}",
        )


def _links(journals: Sequence[JournalFile]) -> Iterator[Finding]:
    for earlier, later in pairwise(journals):
        if not earlier.problem and not later.problem and later.previous != earlier.identity:
            yield Finding(
                code="chain.gap",
                message=f"journal {later.name} does not continue {earlier.name}",
                witness=f"{later.name} continues {later.previous}, {earlier.name} is {earlier.identity}",
            )
