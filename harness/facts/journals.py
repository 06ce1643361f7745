"""Journals: switches, links, copies, and damage that must be seen."""

from __future__ import annotations

from harness.facts.fact import INTEGRITY_GUIDE, JOURNAL_FILE, JOURNAL_RECORD, OPEN, Fact

JOURNALS_SWITCH_CLOSES = Fact(
    id="journals.switch_closes",
    statement="A switch ends the current journal, says so of it, and begins another.",
    source=JOURNAL_FILE,
    expected="all closed but the last, which is new",
)
JOURNALS_LINKED = Fact(
    id="journals.linked",
    statement="Each journal names the one before it, and no two have the same mark.",
    source=f"{INTEGRITY_GUIDE} 8.1, journal file information",
    expected="linked, with marks of their own",
)
JOURNALS_COPY_READS_ALIKE = Fact(
    id="journals.copy_reads_alike",
    statement="Copied journals show the same names, marks, links and ends to another instance.",
    source=JOURNAL_FILE,
    expected="the same",
)
ROLLFORWARD_MISSING_MIDDLE_IS_SEEN = Fact(
    id="rollforward.missing_middle_is_seen",
    statement="If a journal in the middle is missing, the links of its neighbours do not meet.",
    source=f"{INTEGRITY_GUIDE} 8.1; what the engine's own check reports is not documented",
    expected="the links do not meet",
    open_item=12,
)
JOURNALS_TRUNCATED_IS_SEEN = Fact(
    id="journals.truncated_is_seen",
    statement="A journal that was cut off is reported as a problem, or with another end.",
    source=JOURNAL_FILE,
    expected="a problem, or another end",
)
JOURNALS_FOREIGN_REFUSED = Fact(
    id="journals.foreign_refused",
    statement="A journal of another instance under a name of ours has another mark, or is no journal of ours.",
    source=OPEN,
    expected="a problem, or another mark",
    open_item=11,
)
JOURNALS_COMPRESSED_ALONE = Fact(
    id="journals.compressed_alone",
    statement="A compressed journal can be read where it was copied to, without the file it was made from.",
    source=OPEN,
    expected="no problem",
    open_item=11,
)
JOURNALS_LAST_COMMITTED = Fact(
    id="journals.last_committed",
    statement="The journals hold the last transaction that each writer committed, in both databases.",
    source=f"{JOURNAL_RECORD}; names of record types are not documented",
    expected="as acknowledged",
)
