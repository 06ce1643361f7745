"""Freeze, thaw and the log of a freeze; what happens when a limit of it has passed."""

from __future__ import annotations

from harness.facts.fact import ADMIN_GUIDE, BACKUP, INTEGRITY_GUIDE, OPEN, Fact

FREEZE_SECOND_IS_REFUSED = Fact(
    id="freeze.second_is_refused",
    statement="ExternalFreeze of a frozen instance ends with status 3 and leaves it frozen.",
    source=OPEN,
    expected="status 3, still frozen",
    open_item=3,
)
FREEZE_LOG_UNWRITABLE = Fact(
    id="freeze.log_unwritable",
    statement="ExternalFreeze with a log file that cannot be written ends with 3 and freezes nothing.",
    source=f"{BACKUP}; the text is not documented",
    expected="status 3, running",
    open_item=2,
)
FREEZE_JOURNAL_SWITCH_FAILS = Fact(
    id="freeze.journal_switch_fails",
    statement="What ExternalFreeze says and logs if the journal cannot be switched or marked.",
    source=OPEN,
    expected="status 3, running",
    open_item=2,
    untried="needs an instance whose journal is full, disabled or broken",
)
FREEZE_LOG_LAYOUT = Fact(
    id="freeze.log_layout",
    statement="The log of a freeze and its thaw has the lines and the order that the parser accepts.",
    source="captured logs of Caché 2015.2 and IRIS 2021.1",
    expected="one freeze: start file, marker, suspended, resumed",
)
FREEZE_LOG_ZERO_IS_STDOUT = Fact(
    id="freeze.log_zero_is_stdout",
    statement="With the log file 0 the lines of the freeze log come on standard output.",
    source=f"{OPEN}; seen in public scripts",
    expected="status 5, a whole freeze log",
    open_item=6,
)
FREEZE_WITHOUT_SWITCH = Fact(
    id="freeze.without_switch",
    statement="With SwitchJournalFile=0 the instance is frozen and the log names no marker.",
    source=f"{BACKUP}; the text is not documented",
    expected="status 5, suspended, no marker",
    open_item=5,
)
FREEZE_TEXT_IN_MARKER = Fact(
    id="freeze.text_in_marker",
    statement="The text given to ExternalFreeze is the text of the journal marker, letter for letter.",
    source=f"{BACKUP}; the form is not documented",
    expected="the same text",
    open_item=7,
)
MARKER_OFFSET_BEGINS_RECORD = Fact(
    id="marker.offset_begins_record",
    statement="At the offset that the log names a marker begins, and at no byte beside it.",
    source=f"{INTEGRITY_GUIDE} 8, journal addresses",
    expected="marker there, none one byte before",
)
FREEZE_FILES_STAND_STILL = Fact(
    id="freeze.files_stand_still",
    statement="While frozen no byte of a database file changes, and updates go on.",
    source=BACKUP,
    expected="files unchanged, updates went on",
)
FILES_TIME_SHOWS_WRITES = Fact(
    id="files.time_shows_writes",
    statement="A write of the engine to a database file shows in its size or times as the harness reads them.",
    source="the filesystem's, not the product's",
    expected="size or time changed",
)
FREEZE_FILES_ARE_CURRENT = Fact(
    id="freeze.files_are_current",
    statement="When ExternalFreeze returns, the database files hold every update made before the call.",
    source=f"{OPEN}; said in public by a user",
    expected="all that was acknowledged",
)
FREEZE_SELF_THAW = Fact(
    id="freeze.self_thaw",
    statement="At WDSuspendLimit the instance resumes by itself, and the agent's thaw says that it had.",
    source=f"{BACKUP}; the log's text is not documented",
    expected="running; not frozen any more at the thaw",
    open_item=4,
)
FREEZE_SELF_THAW_IS_LOGGED = Fact(
    id="freeze.self_thaw_is_logged",
    statement="The freeze log tells of a self-thaw in words that the parser knows.",
    source=OPEN,
    expected="logged, and understood",
    open_item=4,
)
FREEZE_TIMEOUT_1200 = Fact(
    id="freeze.timeout_1200",
    statement="An ExternalFreezeTimeOut above 1200 s counts as 1200 s.",
    source="a tutorial for IRIS 2024.1",
    expected="updates blocked after 1200 s",
    open_item=4,
    untried="would hold an instance frozen for 20 minutes",
)
LOGIN_BLOCKED_STATUS = Fact(
    id="login.blocked_status",
    statement="Past ExternalFreezeTimeOut a session that cannot log in ends with neither 5 nor 3, or hangs.",
    source=OPEN,
    expected="neither 5 nor 3, or no answer",
    open_item=1,
)
THAW_WITHOUT_LOGIN = Fact(
    id="thaw.without_login",
    statement="Past ExternalFreezeTimeOut, when nobody can log in, ExternalThaw still ends with 5.",
    source=BACKUP,
    expected="status 5, running",
)
LOGIN_INSTANCE_DOWN_STATUS = Fact(
    id="login.instance_down_status",
    statement="A session with an instance that is down ends with neither 5 nor 3.",
    source=OPEN,
    expected="neither 5 nor 3",
    open_item=1,
)
LOGIN_REFUSED_STATUS = Fact(
    id="login.refused_status",
    statement="A session whose user is refused ends with neither 5 nor 3.",
    source=OPEN,
    expected="neither 5 nor 3",
    open_item=1,
    untried="needs an instance with users that may not log in",
)
LOGIN_LICENCE_LIMIT_STATUS = Fact(
    id="login.licence_limit_status",
    statement="A session past the licence limit ends with neither 5 nor 3.",
    source=OPEN,
    expected="neither 5 nor 3",
    open_item=1,
    untried="would use up the licence of the instance",
)
LOGIN_EMERGENCY_MODE = Fact(
    id="login.emergency_mode",
    statement="An instance started in emergency mode takes user and password on standard input.",
    source=ADMIN_GUIDE,
    expected="status 5",
    open_item=16,
    untried="the harness starts no instance in emergency mode",
)
