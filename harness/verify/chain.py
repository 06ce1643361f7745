"""Journals from the marker to the recovery point are complete, in order, and of this instance; and so are older
ones that a rollback may look into. A set that reaches to the end ends where the instance went on. For `boot` they are
those that the image itself holds, up to the one that the freeze began: that one was being written, so nothing after
the marker in it is looked at; nothing was promised of it.

Catches gaps, purged, truncated and foreign journals. The engines do not: GT.M calls a recovery successful when
the first journal or one database's last one is left out (measured), and IRIS by default skips what it cannot
apply (class reference 2024.1, Journal.Restore, AbortOnDatabaseError).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from harness.declared import Declaration
from harness.evidence.answers import JournalFile
from harness.evidence.case import Evidence
from harness.evidence.journals import JournalSet, order
from harness.model import Code, Finding, Position, Upstream, Verdict
from harness.verify.base import not_checked


class ChainChecker:
    """Journals are complete from marker to recovery point."""

    declared = Declaration(
        name="chain",
        order=90,
        codes=(
            Code(name="chain.purged", rank=Upstream.JOURNALS + 30),
            Code(name="chain.missing", rank=Upstream.JOURNALS + 40),
            Code(name="chain.empty", rank=Upstream.JOURNALS + 50),
            Code(name="chain.foreign", rank=Upstream.JOURNALS + 60),
            Code(name="chain.damaged", rank=Upstream.JOURNALS + 70),
            Code(name="chain.short", rank=Upstream.JOURNALS + 80),
            Code(name="chain.gap", rank=Upstream.JOURNALS + 90),
            Code(name="chain.open", rank=Upstream.JOURNALS + 100),
            Code(name="chain.unended", rank=Upstream.JOURNALS + 110),
            Code(name="chain.unmarked", rank=Upstream.JOURNALS + 120),
        ),
        remedy="do not purge journals. Bring those named from the instance or its archive, and recover again",
        needs=("journals", "copied"),
        facts=(
            "agent.refuses_with_3",
            "journals.switch_closes",
            "journals.linked",
            "journals.copy_reads_alike",
            "rollforward.missing_middle_is_seen",
            "journals.truncated_is_seen",
            "journals.foreign_refused",
        ),
    )

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        journals = evidence.journals
        booted = evidence.mode.boots
        if journals is None and evidence.journals_gone and not booted:
            return [Finding(code="chain.purged", message=evidence.journals_gone)]
        if journals is None:
            return not_checked("chain", evidence, "copied journal")
        if evidence.copied is None:
            return not_checked("chain", evidence, "reading of the copied journals")
        expected = _needed(journals, evidence.until, booted)
        if not expected:
            until = evidence.until or journals.end
            message = f"no journal reaches from {journals.start.journal_file} to {until}"
            return [Finding(code="chain.empty", message=message, witness=str(until))]
        copied = {journal.name: journal for journal in evidence.copied}
        reach = _reach(evidence.until, booted)
        findings = [
            *_missing(expected, copied),
            *(f for j in expected[:-1] if j.name in copied for f in _compare(j, copied[j.name], None)),
            *(f for j in expected[-1:] if j.name in copied for f in _compare(j, copied[j.name], reach)),
            *_links(
                (copied[one.name], copied[other.name])
                for one, other in pairwise(expected)
                if one.name in copied and other.name in copied
            ),
        ]
        if not findings and not journals.vouched:
            return not_checked("chain", evidence, "word of the instance on which journals it had")
        return findings if booted or evidence.until else [*findings, *_end(expected[-1], journals)]


def _needed(journals: JournalSet, until: Position | None, booted: bool) -> tuple[JournalFile, ...]:
    """The journals that a recovery reads, the one of the recovery point too; none if that one is not in the set."""
    last = journals.start.journal_file if booted else until.journal_file if until else None
    if last is None:
        return journals.expected
    if last not in [journal.name for journal in journals.expected]:
        return ()
    return tuple(journal for journal in journals.expected if order(journal.name) <= order(last))


def _reach(until: Position | None, booted: bool) -> int | None:
    """To which byte the last journal is read; None for its end. A snapshot took it while it was being written."""
    if booted:
        return 0
    return until.offset_bytes if until else None


def _missing(needed: Sequence[JournalFile], copied: Mapping[str, JournalFile]) -> Iterator[Finding]:
    names = [journal.name for journal in needed]
    for at, name in enumerate(names):
        if name in copied:
            continue
        before = names[at - 1] if at else "the marker"
        after = names[at + 1] if at + 1 < len(names) else "the recovery point"
        yield Finding(
            code="chain.missing",
            message=f"journal {name} is missing between {before} and {after}",
            witness=name,
        )


def _compare(journal: JournalFile, copy: JournalFile, reach: int | None) -> Iterator[Finding]:
    """A copy against what the instance had. `reach`: the byte to which it is read; None for its end."""
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
    elif reach is not None:
        if copy.end_bytes < reach:
            yield Finding(
                code="chain.short",
                message=f"journal {journal.name} ends before the recovery point",
                witness=f"at {copy.end_bytes} bytes; the recovery point is at {reach}",
            )
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


def _links(neighbours: Iterable[tuple[JournalFile, JournalFile]]) -> Iterator[Finding]:
    for earlier, later in neighbours:
        if not earlier.problem and not later.problem and later.previous != earlier.identity:
            yield Finding(
                code="chain.gap",
                message=f"journal {later.name} does not continue {earlier.name}",
                witness=f"{later.name} continues {later.previous}, {earlier.name} is {earlier.identity}",
            )


def _end(last: JournalFile, journals: JournalSet) -> Iterator[Finding]:
    """Nothing else tells that the last journals of a set are lost: what is there is whole and in order."""
    following = journals.following
    if following is None or following.problem:
        reason = following.problem if following else "the instance does not list it"
        yield Finding(
            code="chain.unended",
            message=f"it is not known whether {last.name} is the last journal before {journals.end}: the journal "
            "that the instance began there, which would name it, could not be read",
            witness=reason,
            verdict=Verdict.UNKNOWN,
        )
    elif following.previous != last.identity:
        yield Finding(
            code="chain.gap",
            message=f"journal {following.name}, which the instance began when the set was closed, does not "
            f"continue {last.name}: later journals are lost",
            witness=f"it continues {following.previous}, {last.name} is {last.identity}",
        )
