"""What the harness takes for granted of the product, as data: each fact, its source, and the checks that rest on it.

A check rests on a fact if its PASS could be wrong were the fact not true. A fact whose failure would show anyway
(as an error, a refusal, a FAIL) has no checks: it is worth knowing, and nothing rests on it.

`open_item` is the number of a question that the product's documentation leaves open; docs/conformance.md lists them.
How a fact is tried is in `harness.conform`; a fact with `untried` is not tried there, for the reason it gives.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.model import RecoveryMode

_BACKUP = "class reference 2024.1, Backup.General"
_JOURNAL_FILE = "class reference 2024.1, %SYS.Journal.File"
_JOURNAL_RECORD = "class reference 2024.1, %SYS.Journal.Record"
_RESTORE = "class reference 2024.1, Journal.Restore"
_INTEGRITY_GUIDE = "Data Integrity Guide"
_ADMIN_GUIDE = "System Administration Guide, controlling instances"
_PROTOCOL = "agent protocol, version 1"
_OPEN = "documentation is silent"

_ROLLED = (RecoveryMode.ROLLFORWARD, RecoveryMode.POINT_IN_TIME)
_RESTORED = (RecoveryMode.AS_OF_FREEZE, *_ROLLED)
_DATA = ("atomicity", "content", "consistent_cut", "floor", "ceiling")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement about the product.

    Attributes:
        id: Stable; records of conformance name it.
        statement: What is taken for granted, in one sentence.
        source: Where it is documented, or that it is not.
        expected: What a probe has to observe, in a few words.
        checks: Those whose PASS rests on it; none: it is for information.
        modes: Recovery modes in which they rest on it; none: in all.
        open_item: Number of the open question it answers, if it is one.
        untried: Why no probe tries it; empty if one does.
    """

    id: str
    statement: str
    source: str
    expected: str
    checks: tuple[str, ...] = ()
    modes: tuple[RecoveryMode, ...] = ()
    open_item: int | None = None
    untried: str = ""


FACTS: tuple[Fact, ...] = (
    # the agent and sessions
    Fact(
        id="agent.answers",
        statement="The agent names the instance, its two databases and the folders that hold their files.",
        source=_PROTOCOL,
        expected="two databases, their files where it says",
        checks=("snapshot", "integrity", "hold"),
    ),
    Fact(
        id="agent.refuses_with_3",
        statement="A verb that could not do its work ends the session with status 3 and says why.",
        source=_PROTOCOL,
        expected="status 3, with a reason",
        checks=("integrity", "marker", "chain", "recovery_point"),
    ),
    Fact(
        id="session.error_is_no_answer",
        statement="A call that never reaches its method ends the session with neither 5 nor 3.",
        source=_OPEN,
        expected="neither 5 nor 3",
        checks=("marker", "hold"),
        open_item=1,
    ),
    Fact(
        id="session.freeze_exit_status",
        statement="ExternalFreeze called by `iris session` ends it with status 5, and the instance is frozen.",
        source=_BACKUP,
        expected="status 5, frozen",
        checks=("marker", "hold"),
    ),
    Fact(
        id="session.is_suspended_exit_status",
        statement="IsWDSuspendedExt ends the session with 5 while frozen and with 3 while running.",
        source=_BACKUP,
        expected="5 while frozen, 3 while running",
        checks=("hold",),
    ),
    Fact(
        id="session.thaw_exit_status",
        statement="ExternalThaw called by `iris session` ends it with status 5, and the instance runs.",
        source=_BACKUP,
        expected="status 5, running",
        checks=("hold",),
    ),
    Fact(
        id="thaw.asks_first",
        statement="The agent's thaw tells whether the freeze was still in force just before it.",
        source=_PROTOCOL,
        expected="yes while frozen, no while running",
        checks=("hold",),
    ),
    Fact(
        id="thaw.when_running",
        statement="ExternalThaw of an instance that is not frozen ends with status 3.",
        source=_OPEN,
        expected="status 3, running",
        checks=("hold",),
        open_item=3,
    ),
    # freeze
    Fact(
        id="freeze.second_is_refused",
        statement="ExternalFreeze of a frozen instance ends with status 3 and leaves it frozen.",
        source=_OPEN,
        expected="status 3, still frozen",
        open_item=3,
    ),
    Fact(
        id="freeze.log_unwritable",
        statement="ExternalFreeze with a log file that cannot be written ends with 3 and freezes nothing.",
        source=f"{_BACKUP}; the text is not documented",
        expected="status 3, running",
        open_item=2,
    ),
    Fact(
        id="freeze.journal_switch_fails",
        statement="What ExternalFreeze says and logs if the journal cannot be switched or marked.",
        source=_OPEN,
        expected="status 3, running",
        open_item=2,
        untried="needs an instance whose journal is full, disabled or broken",
    ),
    Fact(
        id="freeze.log_layout",
        statement="The log of a freeze and its thaw has the lines and the order that the parser accepts.",
        source="captured logs of Caché 2015.2 and IRIS 2021.1",
        expected="one freeze: start file, marker, suspended, resumed",
        checks=("marker",),
    ),
    Fact(
        id="freeze.log_zero_is_stdout",
        statement="With the log file 0 the lines of the freeze log come on standard output.",
        source=f"{_OPEN}; seen in public scripts",
        expected="status 5, a whole freeze log",
        open_item=6,
    ),
    Fact(
        id="freeze.without_switch",
        statement="With SwitchJournalFile=0 the instance is frozen and the log names no marker.",
        source=f"{_BACKUP}; the text is not documented",
        expected="status 5, suspended, no marker",
        open_item=5,
    ),
    Fact(
        id="freeze.text_in_marker",
        statement="The text given to ExternalFreeze is the text of the journal marker, letter for letter.",
        source=f"{_BACKUP}; the form is not documented",
        expected="the same text",
        checks=("marker",),
        open_item=7,
    ),
    Fact(
        id="marker.offset_begins_record",
        statement="At the offset that the log names a marker begins, and at no byte beside it.",
        source=f"{_INTEGRITY_GUIDE} 8, journal addresses",
        expected="marker there, none one byte before",
        checks=("marker",),
    ),
    Fact(
        id="freeze.files_stand_still",
        statement="While frozen no byte of a database file changes, and updates go on.",
        source=_BACKUP,
        expected="files unchanged, updates went on",
        checks=("hold",),
    ),
    Fact(
        id="files.time_shows_writes",
        statement="A write of the engine to a database file shows in its size or times as the harness reads them.",
        source="the filesystem's, not the product's",
        expected="size or time changed",
        checks=("hold",),
    ),
    Fact(
        id="freeze.files_are_current",
        statement="When ExternalFreeze returns, the database files hold every update made before the call.",
        source=f"{_OPEN}; said in public by a user",
        expected="all that was acknowledged",
    ),
    Fact(
        id="freeze.self_thaw",
        statement="At WDSuspendLimit the instance resumes by itself, and the agent's thaw says that it had.",
        source=f"{_BACKUP}; the log's text is not documented",
        expected="running; not frozen any more at the thaw",
        checks=("hold",),
        open_item=4,
    ),
    Fact(
        id="freeze.self_thaw_is_logged",
        statement="The freeze log tells of a self-thaw in words that the parser knows.",
        source=_OPEN,
        expected="logged, and understood",
        open_item=4,
    ),
    Fact(
        id="freeze.timeout_1200",
        statement="An ExternalFreezeTimeOut above 1200 s counts as 1200 s.",
        source="a tutorial for IRIS 2024.1",
        expected="updates blocked after 1200 s",
        open_item=4,
        untried="would hold an instance frozen for 20 minutes",
    ),
    Fact(
        id="login.blocked_status",
        statement="Past ExternalFreezeTimeOut a session that cannot log in ends with neither 5 nor 3, or hangs.",
        source=_OPEN,
        expected="neither 5 nor 3, or no answer",
        checks=("hold",),
        open_item=1,
    ),
    Fact(
        id="thaw.without_login",
        statement="Past ExternalFreezeTimeOut, when nobody can log in, ExternalThaw still ends with 5.",
        source=_BACKUP,
        expected="status 5, running",
    ),
    Fact(
        id="login.instance_down_status",
        statement="A session with an instance that is down ends with neither 5 nor 3.",
        source=_OPEN,
        expected="neither 5 nor 3",
        checks=("hold",),
        open_item=1,
    ),
    Fact(
        id="login.refused_status",
        statement="A session whose user is refused ends with neither 5 nor 3.",
        source=_OPEN,
        expected="neither 5 nor 3",
        open_item=1,
        untried="needs an instance with users that may not log in",
    ),
    Fact(
        id="login.licence_limit_status",
        statement="A session past the licence limit ends with neither 5 nor 3.",
        source=_OPEN,
        expected="neither 5 nor 3",
        open_item=1,
        untried="would use up the licence of the instance",
    ),
    Fact(
        id="login.emergency_mode",
        statement="An instance started in emergency mode takes user and password on standard input.",
        source=_ADMIN_GUIDE,
        expected="status 5",
        open_item=16,
        untried="the harness starts no instance in emergency mode",
    ),
    # journals
    Fact(
        id="journals.switch_closes",
        statement="A switch ends the current journal, says so of it, and begins another.",
        source=_JOURNAL_FILE,
        expected="all closed but the last, which is new",
        checks=("chain",),
    ),
    Fact(
        id="journals.linked",
        statement="Each journal names the one before it, and no two have the same mark.",
        source=f"{_INTEGRITY_GUIDE} 8.1, journal file information",
        expected="linked, with marks of their own",
        checks=("chain",),
    ),
    Fact(
        id="journals.copy_reads_alike",
        statement="Copied journals show the same names, marks, links and ends to another instance.",
        source=_JOURNAL_FILE,
        expected="the same",
        checks=("chain",),
    ),
    Fact(
        id="rollforward.missing_middle_is_seen",
        statement="If a journal in the middle is missing, the links of its neighbours do not meet.",
        source=f"{_INTEGRITY_GUIDE} 8.1; what the engine's own check reports is not documented",
        expected="the links do not meet",
        checks=("chain",),
        open_item=12,
    ),
    Fact(
        id="journals.truncated_is_seen",
        statement="A journal that was cut off is reported as a problem, or with another end.",
        source=_JOURNAL_FILE,
        expected="a problem, or another end",
        checks=("chain",),
    ),
    Fact(
        id="journals.foreign_refused",
        statement="A journal of another instance under a name of ours has another mark, or is no journal of ours.",
        source=_OPEN,
        expected="a problem, or another mark",
        checks=("chain",),
        open_item=11,
    ),
    Fact(
        id="journals.compressed_alone",
        statement="A compressed journal can be read where it was copied to, without the file it was made from.",
        source=_OPEN,
        expected="no problem",
        open_item=11,
    ),
    Fact(
        id="journals.last_committed",
        statement="The journals hold the last transaction that each writer committed, in both databases.",
        source=f"{_JOURNAL_RECORD}; names of record types are not documented",
        expected="as acknowledged",
        checks=("recovery_point",),
    ),
    # restore, roll-forward, boot
    Fact(
        id="state.tells_what_work_did",
        statement="The walk of an instance shows exactly the transactions that its writers acknowledged.",
        source="RVWORK.m and RVCHECK.m",
        expected="exactly what was acknowledged",
        checks=(*_DATA, "recovery_point"),
    ),
    Fact(
        id="state.other_data_is_seen",
        statement="Data that another workload wrote is told apart from what belongs there.",
        source="RVWORK.m and RVCHECK.m",
        expected="altered",
        checks=("content", "ceiling"),
    ),
    Fact(
        id="restore.place_and_mount",
        statement="Files put in place of a dismounted database are the database once it is mounted.",
        source="class reference 2024.1, SYS.Database; owner and lock file in containers are not documented",
        expected="exactly what the snapshot holds",
        checks=(*_DATA, "integrity"),
        modes=_RESTORED,
        open_item=15,
    ),
    Fact(
        id="integrity.clean_verdict",
        statement="The structure check of sound restored databases says that they are.",
        source=f"{_INTEGRITY_GUIDE} 2; the layout on IRIS is not documented",
        expected="clean",
        checks=("integrity",),
        open_item=13,
    ),
    Fact(
        id="integrity.closing_verdict",
        statement="The structure check closes with a word that it looked at every database asked for.",
        source=_PROTOCOL,
        expected="one verdict for each database, then the closing one",
        checks=("integrity",),
        open_item=13,
    ),
    Fact(
        id="integrity.damage_is_seen",
        statement="The structure check of a database with overwritten blocks names errors.",
        source=f"{_INTEGRITY_GUIDE} 2; the value that tells of errors is not documented",
        expected="errors, in the damaged database only",
        checks=("integrity",),
        open_item=13,
    ),
    Fact(
        id="rollforward.start_position",
        statement="A roll-forward that starts at the marker's offset brings back everything up to the journals' end.",
        source=f"{_RESTORE}, StartPosition; its format is not documented",
        expected="exactly what was acknowledged",
        checks=("recovery_point",),
        modes=_ROLLED,
        open_item=8,
    ),
    Fact(
        id="rollforward.start_between_records_refused",
        statement="A roll-forward that starts where no record begins is refused.",
        source=_OPEN,
        expected="refused",
        checks=("recovery_point",),
        modes=_ROLLED,
        open_item=8,
    ),
    Fact(
        id="rollforward.stop_at_marker",
        statement="A roll-forward to a recovery point brings back everything before it and nothing after.",
        source=f"{_RESTORE} has no stop position; how a marker ends it is not documented",
        expected="exactly what was acknowledged by then",
        checks=("recovery_point", "ceiling"),
        modes=(RecoveryMode.POINT_IN_TIME,),
        open_item=9,
    ),
    Fact(
        id="rollforward.skipped_is_reported",
        statement="A roll-forward that cannot update a database is refused, or names it as skipped.",
        source=f"{_RESTORE}, AbortOnDatabaseError; the answer of Run is not documented",
        expected="refused, or named as skipped",
        checks=("recovery_point",),
        modes=_ROLLED,
        open_item=10,
    ),
    Fact(
        id="restore.open_transactions",
        statement="A transaction that was open at the freeze is rolled back at the end of a roll-forward.",
        source=f"{_RESTORE}, RollBack",
        expected="no trace of it",
        untried="the workload leaves no transaction open; the atomicity check would show its traces",
    ),
    Fact(
        id="boot.recovers",
        statement="An instance started from a whole image comes up with what the image holds, and nothing newer.",
        source=f"{_INTEGRITY_GUIDE} 1, startup recovery",
        expected="exactly what the snapshot holds",
        checks=(*_DATA, "integrity"),
        modes=(RecoveryMode.BOOT,),
    ),
    Fact(
        id="boot.frozen_image_starts_thawed",
        statement="An instance started from an image that was taken while frozen is not frozen.",
        source=_OPEN,
        expected="running",
    ),
    Fact(
        id="boot.wij_mismatch",
        statement="What a start makes of a write image journal that belongs to other database files.",
        source=_OPEN,
        expected="a refusal, or a note in messages.log",
        open_item=17,
        untried="the harness boots whole images only, whose write image journal is their own",
    ),
    # what people's scripts read
    Fact(
        id="list.qlist_fields",
        statement="`iris qlist` prints 8 to 14 fields between carets: name first, status fourth.",
        source=_ADMIN_GUIDE,
        expected="8 to 14 fields, name first, status fourth",
        open_item=14,
    ),
    Fact(
        id="list.qall_header",
        statement="`iris qall` prints two lines of headings, then states in columns 1-2 and names from column 5.",
        source=f"{_ADMIN_GUIDE}; a blank line before them is not documented",
        expected="headings in lines 1 and 2, state and name in their columns",
        open_item=14,
    ),
    # what no instance of this harness has
    Fact(
        id="native.device_output",
        statement="What a call over the Native API does with output, and whether it can thaw past the time-out.",
        source=_OPEN,
        expected="discarded; yes",
        open_item=18,
        untried="the harness does not use the Native API",
    ),
    Fact(
        id="mirror.freeze_log",
        statement="The layout of the freeze log on a mirror member, and which journal its marker is in.",
        source=_OPEN,
        expected="the local journal",
        open_item=19,
        untried="needs a mirror",
    ),
    Fact(
        id="stun.log_layout",
        statement="The stun line of ESXi 9, and the time-out of the VSS writer.",
        source=_OPEN,
        expected="as of ESXi 8",
        open_item=20,
        untried="needs ESXi and Windows",
    ),
    Fact(
        id="freeze.arguments_before_2018",
        statement="The arguments of ExternalFreeze on Caché before 2018.1.",
        source=_OPEN,
        expected="the first seven",
        open_item=21,
        untried="needs Caché before 2018.1",
    ),
    Fact(
        id="online.restore_success_value",
        statement="What the unattended restore of an online backup (^DBREST) returns when it succeeds.",
        source=_OPEN,
        expected="1",
        open_item=22,
        untried="the harness restores no online backup",
    ),
)
"""In the order in which they are tried."""

OPEN_ITEMS = 22
"""How many questions the documentation leaves open (docs/conformance.md)."""


def resting(check: str, mode: RecoveryMode | None = None) -> tuple[Fact, ...]:
    """The facts that a check rests on, in one recovery mode or in any."""
    return tuple(
        fact
        for fact in FACTS
        if check in fact.checks and (mode is None or not fact.modes or mode in fact.modes)
    )
