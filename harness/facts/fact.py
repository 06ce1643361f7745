"""What a fact is, and the documents and groups of modes that facts name."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model import RecoveryMode

BACKUP = "class reference 2024.1, Backup.General"
JOURNAL_FILE = "class reference 2024.1, %SYS.Journal.File"
JOURNAL_RECORD = "class reference 2024.1, %SYS.Journal.Record"
RESTORE = "class reference 2024.1, Journal.Restore"
INTEGRITY_GUIDE = "Data Integrity Guide"
ADMIN_GUIDE = "System Administration Guide, controlling instances"
PROTOCOL = "agent protocol, version 1"
OPEN = "documentation is silent"

ROLLED = tuple(mode for mode in RecoveryMode if mode.rolls)
RESTORED = tuple(mode for mode in RecoveryMode if not mode.boots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement about the product.

    Attributes:
        id: Stable; records of conformance name it.
        statement: What is taken for granted, in one sentence.
        source: Where it is documented, or that it is not.
        expected: What a probe has to observe, in a few words.
        modes: Recovery modes in which anything rests on it; none: in all.
        open_item: Number of the open question it answers, if it is one.
        untried: Why no probe tries it; empty if one does.
    """

    id: str
    statement: str
    source: str
    expected: str
    modes: tuple[RecoveryMode, ...] = ()
    open_item: int | None = None
    untried: str = ""
