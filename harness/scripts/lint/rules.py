"""Every rule: what is looked for, how bad it is, which entry of the catalogue of script faults it covers, and why.

Sources: *class reference* is Backup.General in the InterSystems IRIS 2024.1 class reference; *data integrity guide*
is "Data Integrity Guide", chapter on backup and restore; *shell* is POSIX.1-2024, Shell Command Language; *cmd* is
Microsoft's reference of Windows commands. Others are named.
"""

from __future__ import annotations

from harness.scripts.lint.model import Finding, Level, Rule

_ERROR, _WARNING, _NOTE = Level.ERROR, Level.WARNING, Level.NOTE
_CLASS = "class reference, ExternalFreeze and ExternalThaw"
_GUIDE = "data integrity guide, external backup"
_SHELL = "shell"
_CMD = "cmd"

_TABLE: tuple[tuple[str, Level, str, str, str, str], ...] = (
    # --- the exit status
    (
        "status-lost-in-pipe", _ERROR, "F01", "a pipe ends with the status of its last command", _SHELL,
        "Use `set -o pipefail`, or read ${PIPESTATUS[0]}, or write to a file instead of a pipe.",
    ),
    (
        "status-never-read", _ERROR, "F01 F06", "nobody asks whether a freeze or thaw succeeded", _CLASS,
        "Keep the status at once (`call || status=$?`) and treat all but 5 as failure.",
    ),
    (
        "status-overwritten", _ERROR, "F01", "another command has set `$?` since the call", _SHELL,
        "Keep the status in the very next command: `call || status=$?`.",
    ),
    (
        "malformed-script", _ERROR, "F02", "the script cannot be read as it was meant", _SHELL,
        "Compare it with the original; text copied from a web page loses lines. Try `sh -n FILE`.",
    ),
    (
        "errorlevel-three-first", _ERROR, "F03", "`if errorlevel 3` is true for 5 as well", "cmd, if; " + _CLASS,
        "Test the higher number first, or compare: `if %ERRORLEVEL% EQU 5`.",
    ),
    (
        "meaning-inverted", _ERROR, "F04", "5 is treated as failure, or 3 as success", _CLASS,
        "5 means done, 3 means not done; every other status is a failure too.",
    ),
    (
        "comment-inverted", _NOTE, "F27", "a comment says the opposite of what 5 and 3 mean", _CLASS,
        "For freeze and thaw alike: 5 done, 3 not done.",
    ),
    (
        "five-taken-as-failure", _ERROR, "F04 F05", "success is taken for failure: it is 5, not 0", _CLASS,
        "Compare with 5: `status=0; call || status=$?; [ \"$status\" -eq 5 ]`.",
    ),
    (
        "control-status-compared-with-five", _ERROR, "F04", "`iris freeze` and `iris thaw` end with 0 or 1, never 5",
        "class reference, CommandLineFreeze; " + _GUIDE, "Compare with 0.",
    ),
    (
        "five-returned-to-caller", _ERROR, "F05", "success, 5, is handed to a caller that takes it for failure",
        _CLASS, "Map it: end with 0 after 5, with 1 after anything else.",
    ),
    (
        "unknown-status-passes", _ERROR, "F28", "only 3 counts as failure: 255, 127 or 1 pass as success", _CLASS,
        "Treat every status but 5 as failure: a refused login, ssh and a missing command end with others.",
    ),
    (
        "always-exits-zero", _ERROR, "F06", "the script ends with 0 whatever happened", _CLASS,
        "End with a status other than 0 when a freeze or thaw was not confirmed.",
    ),
    (
        "failure-passes", _ERROR, "F06", "the file ends with 0 although a freeze or thaw failed", _CLASS,
        "End with a status other than 0 unless the call ended with 5.",
    ),
    (
        "wrong-status-tested", _ERROR, "F07", "the status of the freeze is tested after the thaw", _CLASS,
        "Test the variable that the thaw has set.",
    ),
    (
        "set-e-aborts-frozen", _ERROR, "F12", "under `set -e` the success of a freeze, 5, ends the script, frozen",
        "shell, set -e; " + _CLASS, "Write `call || status=$?`, which `set -e` lets pass.",
    ),
    (
        "errorlevel-expanded-early", _ERROR, "", "inside a block %ERRORLEVEL% is what it was before the block",
        "cmd, setlocal", "Use `if errorlevel`, or delayed expansion: !ERRORLEVEL!.",
    ),
    (
        "success-read-from-log", _WARNING, "F33", "success is what the log says, not the exit status",
        _CLASS, "Read the exit status; use the log for the marker and its warnings.",
    ),
    (
        "own-words-taken-as-proof", _WARNING, "F37", "a text that the script itself prints is taken as proof", _SHELL,
        "Look for what the other program writes when it has really begun.",
    ),
    # --- order
    (
        "thaw-depends-on-folder", _ERROR, "F08", "the thaw is skipped if a log or its folder is missing", _CLASS,
        "Thaw in any case; make the folder if it is missing.",
    ),
    (
        "no-thaw-after-partial-freeze", _WARNING, "F09", "a later one fails and earlier ones stay frozen", _CLASS,
        "On failure thaw what is frozen already, before ending.",
    ),
    (
        "snapshot-after-failed-freeze", _ERROR, "F10", "the snapshot is taken although the freeze failed", _GUIDE,
        "End before the snapshot unless the freeze ended with 5.",
    ),
    (
        "backup-goes-on", _ERROR, "F10", "Azure goes on with the backup when the freeze has failed",
        "Azure Backup, application-consistent backup of Linux VMs", "Set continueBackupOnFailure to false.",
    ),
    (
        "snapshot-after-thaw", _ERROR, "F11", "the snapshot is taken after the thaw", _GUIDE,
        "Freeze, snapshot, thaw, in this order.",
    ),
    (
        "thaw-before-snapshot-complete", _WARNING, "F11", "the thaw does not wait for the snapshot", _GUIDE,
        "Wait before the thaw until the snapshot's point in time is fixed.",
    ),
    (
        "long-copy-while-frozen", _WARNING, "F12", "files are copied while the instance is frozen", _GUIDE,
        "Take a snapshot in the window and copy from it after the thaw.",
    ),
    (
        "wait-without-limit", _WARNING, "F30", "a wait without a limit, with an instance frozen", _CLASS,
        "Count the tries or the seconds; when they are used up, thaw and fail.",
    ),
    (
        "self-thaw-not-checked", _WARNING, "F18", "nobody asks before the thaw whether it was still frozen",
        "class reference, IsWDSuspendedExt", "Ask IsWDSuspendedExt before the thaw; if not 5, the backup is void.",
    ),
    (
        "history-before-copy", _WARNING, "F19", "the backup counts as made before it is copied or checked",
        _GUIDE, "Call ExternalSetHistory after the backup is safe: it lets journals be purged.",
    ),
    (
        "no-instance-passes", _ERROR, "F14", "without a running instance nothing is frozen and the script succeeds",
        _CLASS, "Count the instances and fail at none.",
    ),
    (
        "argument-matches-nothing", _ERROR, "F34", "an unknown argument does nothing and the script succeeds", _SHELL,
        "Add a last branch that ends with a status other than 0.",
    ),
    (
        "several-hook-scripts", _NOTE, "F31", "several scripts run in one order before, in reverse after",
        "Broadcom, backupScripts.d of VMware Tools", "See that no other script depends on the frozen instance.",
    ),
    # --- the call
    (
        "freeze-timeout-missing", _NOTE, "F16", "ExternalFreezeTimeOut is not given: 600 s", _CLASS,
        "Give it as argument 7, from 1 to 1200, so that a reader knows it.",
    ),
    (
        "freeze-timeout-too-large", _WARNING, "F16", "ExternalFreezeTimeOut above 1200 counts as 1200",
        "external backup tutorial of InterSystems Japan for IRIS 2024.1", "Plan with at most 1200 s.",
    ),
    (
        "no-self-thaw-limit", _WARNING, "F17", "nothing thaws the instance if this script dies", _CLASS,
        "Give WDSuspendLimit as argument 10; ExternalFreezeTimeOut thaws nothing, it only blocks users.",
    ),
    (
        "control-freeze-unlimited", _NOTE, "F17", "`iris freeze` cannot be given a limit after which it thaws itself",
        "class reference, CommandLineFreeze", "Call ExternalFreeze with WDSuspendLimit, or let a watchdog thaw.",
    ),
    (
        "self-thaw-after-block", _NOTE, "F17", "users are blocked before the instance thaws itself", _CLASS,
        "Make WDSuspendLimit smaller than ExternalFreezeTimeOut.",
    ),
    (
        "no-journal-switch", _WARNING, "F24", "SwitchJournalFile=0: no journal marker is written", _CLASS,
        "Leave argument 3 out, or give 1.",
    ),
    (
        "marker-not-kept", _WARNING, "F24", "the journal marker of the freeze is not kept in a file",
        _CLASS, "Give a LogFile as argument 1; the messages log lacks the offset.",
    ),
    (
        "log-truncated", _WARNING, "F23", "the log with the last marker is emptied", _CLASS,
        "Append (>>), or give every backup a log of its own.",
    ),
    (
        "log-shared-by-instances", _WARNING, "F23", "several instances write one log", _CLASS,
        "Put the instance's name into the log's name.",
    ),
    (
        "objectscript-string-unquoted", _ERROR, "F28", "the quotes around an argument do not reach the engine",
        _CLASS, "Escape them: \\\" in the shell, once more behind ssh, three of them in a batch file.",
    ),
    (
        "namespace-percent", _ERROR, "F21", "%SYS is written %%SYS in a batch file and nowhere else",
        "class reference, ExternalFreeze; cmd", "In a batch file -U%%SYS, in a shell -U%SYS.",
    ),
    (
        "engine-by-current-directory", _WARNING, "F32", "the engine is found by the current directory",
        "class reference, ExternalFreeze", "Name the folder: irisdb -sC:\\InterSystems\\IRIS\\mgr.",
    ),
    (
        "terminal-in-automation", _ERROR, "F13", "a terminal is asked for where there is none",
        "kubectl exec and docker exec reference, --tty", "Leave out -t (and -i).",
    ),
    (
        "session-as-root", _NOTE, "F20", "who runs this session?", _GUIDE,
        "Run it as the instance's owner (su, sudo -u), or redirect credentials to it.",
    ),
    (
        "unquoted-instance", _NOTE, "", "the instance's name is not quoted", _SHELL,
        'Write "$INSTANCE".',
    ),
    # --- the words around it
    (
        "list-parsed-by-columns", _WARNING, "F15", "`qall` cuts its lines at 78 characters",
        "System Administration Guide, iris all", "Use `qlist`, whose fields are separated by carets.",
    ),
    (
        "cd-without-drive", _WARNING, "F22", "cd to another drive without /d does not go there", "cmd, cd",
        "Write cd /d, or use full paths.",
    ),
    (
        "database-without-journals", _WARNING, "F25", "databases are copied without WIJ and journals", _GUIDE,
        "Copy the WIJ and the journals from the marker on as well: nothing is rolled back without them.",
    ),
    (
        "hook-timeout-short", _WARNING, "F26", "the hook may be killed in the middle of a freeze",
        "Azure Backup, timeoutInSeconds", "Give the hook more time than a freeze may take.",
    ),
    (
        "variable-without-dollar", _ERROR, "F29", "a path holds a variable's name in place of its value", _SHELL,
        "Put the `$` in front.",
    ),
    (
        "fixed-state-in-tmp", _NOTE, "F30", "a fixed name in /tmp tells about a former run", _SHELL,
        "Keep state in a folder of its own in /run, and clear it at the start.",
    ),
    (
        "integrity-by-phrase", _WARNING, "F35", "a damaged database without these words counts as clean",

        "integrity reports of IRIS 2024.1 and Caché 2017.2",
        "Require for each database the line that says no errors.",
    ),
    (
        "integrity-by-count", _WARNING, "F36", "a number of matching lines decides that a check is complete",
        "integrity reports of IRIS 2024.1 and Caché 2017.2", "Wait for the job's end and require every database.",
    ),
    # --- the file
    (
        "carriage-returns", _ERROR, "F02", "lines of a shell script end with CR", _SHELL,
        "Convert it: `sed -i 's/\\r$//' FILE`.",
    ),
    (
        "byte-order-mark", _ERROR, "F02", "bytes before the first line: it is not run as written", "shell; cmd",
        "Save it as plain ASCII or UTF-8 without a mark.",
    ),
    (
        "not-understood", _NOTE, "", "a part that the parser does not know", "tree-sitter's grammar for batch files",
        "Look at this part yourself.",
    ),
    (
        "no-call-recognised", _NOTE, "", "no freeze or thaw was recognised, so little could be looked at", _CLASS,
        "Nothing found here says nothing; try it with `harness scripts check`.",
    ),
    ("empty-script", _ERROR, "F02", "the script is empty and ends with 0", _SHELL, "Put the script back."),
)  # fmt: skip

RULES: dict[str, Rule] = {
    name: Rule(
        id=name, level=level, faults=tuple(faults.split()), summary=summary, source=source, remedy=remedy
    )
    for name, level, faults, summary, source, remedy in _TABLE
}


def finding(rule: str, file: str, line: int, column: int, message: str) -> Finding:
    """A finding under a rule; `message` says what is wrong at this place."""
    known = RULES[rule]
    return Finding(
        file=file,
        line=line,
        column=column,
        rule=rule,
        level=known.level,
        message=message,
        remedy=known.remedy,
        faults=known.faults,
    )
