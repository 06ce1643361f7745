"""Every rule has an example that breaks it, at a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.lint import lint
from harness.lint.rules import rules_by_id
from tests.unit.lint.samples import BAT_FREEZE, BAT_THAW, FREEZE, LOG, THAW


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A file that breaks a rule in a line."""

    text: str
    line: int
    file: str = "script.sh"
    encoding: str = "utf-8"


def freeze(arguments: str) -> str:
    return f'sudo -u irisusr iris session IRIS -U%SYS "##class(Backup.General).ExternalFreeze({arguments})"'


OK = "[ $? -eq 5 ] || exit 1\n"
CONTROL = "sudo -u irisusr iris freeze IRIS"
AZURE = '{"preScriptLocation": "/etc/azure/pre.sh",\n "continueBackupOnFailure": true,\n "timeoutInSeconds": 30}\n'

EXAMPLES = {
    "always-exits-zero": Example(text=f"{FREEZE}\nrc=$?\nlogger $rc\nexit 0\n", line=4),
    "argument-matches-nothing": Example(text=f"case $1 in\nfreeze)\n{FREEZE}\n{OK};;\nesac\n", line=1),
    "backup-goes-on": Example(text=AZURE, line=2, file="hook.json"),
    "byte-order-mark": Example(text=f"#!/bin/sh\n{FREEZE}\n{OK}", line=1, encoding="utf-8-sig"),
    "carriage-returns": Example(text=f"#!/bin/sh\r\n{FREEZE}\r\n", line=1),
    "cd-without-drive": Example(text="@echo off\ncd D:\\scripts\n", line=2, file="x.bat"),
    "comment-inverted": Example(text=f"{FREEZE}\n# 5 means failure\n{OK}", line=2),
    "control-freeze-unlimited": Example(text=f"{CONTROL} timeout=300 || exit 1\n", line=1),
    "control-status-compared-with-five": Example(text=f"{CONTROL}\n{OK}", line=2),
    "database-without-journals": Example(text="cp /iris/mgr/user/IRIS.DAT /backup\n", line=1),
    "empty-script": Example(text="\n", line=1),
    "engine-by-current-directory": Example(
        text=f"@echo off\n{BAT_FREEZE.replace('-sC:', '-s. -C:')}\n", line=2, file="x.bat"
    ),
    "errorlevel-expanded-early": Example(
        text=f"for %%i in (A) do (\n{BAT_FREEZE}\nif not %ERRORLEVEL%==5 exit /b 1\n)\n", line=3, file="x.bat"
    ),
    "errorlevel-three-first": Example(
        text=f"{BAT_FREEZE}\nif errorlevel 3 exit /b 1\nif errorlevel 5 exit /b 0\n", line=2, file="x.bat"
    ),
    "failure-passes": Example(
        text=f"{BAT_FREEZE}\nif %ERRORLEVEL%==5 echo frozen\nexit /b 0\n", line=1, file="x.bat"
    ),
    "five-returned-to-caller": Example(text=f"{FREEZE}\nexit $?\n", line=2),
    "five-taken-as-failure": Example(text=f"if {FREEZE}; then exit 0; fi\nexit 1\n", line=1),
    "fixed-state-in-tmp": Example(text=f"touch /tmp/frozen\n{FREEZE}\n{OK}", line=1),
    "freeze-timeout-missing": Example(text=f"{freeze(LOG)}\n{OK}", line=1),
    "freeze-timeout-too-large": Example(text=f"{CONTROL} timeout=3600 || exit 1\n", line=1),
    "history-before-copy": Example(
        text=f"{THAW}\n{OK}{THAW.replace('ExternalThaw', 'ExternalSetHistory')}\n", line=3
    ),
    "hook-timeout-short": Example(text=AZURE, line=3, file="hook.json"),
    "integrity-by-count": Example(text='n=$(grep -c "No errors" /tmp/report)\n', line=1),
    "integrity-by-phrase": Example(text='grep "errors exposed" report && exit 1\n', line=1),
    "list-parsed-by-columns": Example(text="iris qall | cut -c1-12\n", line=1),
    "log-shared-by-instances": Example(
        text=f"for I in A B; do\n{freeze(LOG).replace(' IRIS ', ' $I ')}\n{OK}done\n",
        line=2,
    ),
    "log-truncated": Example(text=f"date >/var/log/b/x.log\n{FREEZE}\n{OK}", line=1),
    "long-copy-while-frozen": Example(text=f"{FREEZE}\n{OK}tar -cf /b.tar /iris\n{THAW}\n{OK}", line=3),
    "malformed-script": Example(text="if true; then\necho a\n", line=3),
    "marker-not-kept": Example(text=f"{freeze('')}\n{OK}", line=1),
    "meaning-inverted": Example(
        text=f"{FREEZE}\ncase $? in\n3) exit 0 ;;\n5) exit 1 ;;\n*) exit 1 ;;\nesac\n", line=2
    ),
    "namespace-percent": Example(text=f"{FREEZE.replace('-U%SYS', '-U%%SYS')}\n{OK}", line=1),
    "no-call-recognised": Example(text="/opt/vendor/freeze-all\n", line=1),
    "no-instance-passes": Example(
        text=f"for i in $(iris qlist | cut -d^ -f1); do\n{FREEZE}\n{OK}done\n", line=1
    ),
    "no-journal-switch": Example(text=f"{FREEZE.replace(',,,,,,600', ',,0,,,,600')}\n{OK}", line=1),
    "no-self-thaw-limit": Example(text=f"{freeze(LOG + ',,,,,,600')}\n{OK}", line=1),
    "no-thaw-after-partial-freeze": Example(text=f"for i in A B; do\n{FREEZE}\n{OK}done\n", line=2),
    "not-understood": Example(text="@echo off\nif (\n", line=2, file="x.bat"),
    "objectscript-string-unquoted": Example(text=f"{freeze('/var/log/x.log')}\n{OK}", line=1),
    "own-words-taken-as-proof": Example(
        text="echo 'check began' >>/tmp/l\ngrep -q 'check began' /tmp/l || exit 1\n", line=2
    ),
    "self-thaw-after-block": Example(text=f"{freeze(LOG + ',,,,,,600,,,900')}\n{OK}", line=1),
    "self-thaw-not-checked": Example(text=f"{THAW}\n{OK}", line=1),
    "session-as-root": Example(text=f"{FREEZE.removeprefix('sudo -u irisusr ')}\n{OK}", line=1),
    "set-e-aborts-frozen": Example(text=f"set -e\n{FREEZE}\n{OK}", line=2),
    "several-hook-scripts": Example(text="exit 0\n", line=1, file="backupScripts.d/10.sh"),
    "snapshot-after-failed-freeze": Example(
        text=f"{FREEZE}\nrc=$?\nlvcreate -s -n snap vg/data\n{THAW}\n[ $rc -eq 5 ] || exit 1\n", line=3
    ),
    "snapshot-after-thaw": Example(text=f"{FREEZE}\n{OK}{THAW}\n{OK}lvcreate -s -n snap vg/data\n", line=5),
    "status-lost-in-pipe": Example(text=f"{FREEZE} | tee -a log\n{OK}", line=1),
    "status-never-read": Example(text=f"{FREEZE}\nlvcreate -s -n snap vg/data\n", line=1),
    "status-overwritten": Example(text=f"{FREEZE}\necho done\n{OK}", line=1),
    "success-read-from-log": Example(
        text=f"{FREEZE}\ngrep -q 'System suspended' /var/log/b/x.log || exit 1\n", line=2
    ),
    "terminal-in-automation": Example(
        text=f"docker exec -it c {FREEZE.removeprefix('sudo -u irisusr ')}\n{OK}", line=1
    ),
    "thaw-before-snapshot-complete": Example(
        text=f"{FREEZE}\n{OK}lvcreate -s -n snap vg/data &\n{THAW}\n{OK}", line=4
    ),
    "thaw-depends-on-folder": Example(
        text=f"if [ -d /var/log/b ]; then\n{THAW}\nrc=$?\nfi\n[ $rc -eq 5 ] || exit 1\n", line=1
    ),
    "unknown-status-passes": Example(text=f"{FREEZE}\nif [ $? -eq 3 ]; then exit 1; fi\nexit 0\n", line=2),
    "unquoted-instance": Example(text="iris freeze $NAME\n", line=1),
    "variable-without-dollar": Example(text='touch "$DIR/done-STAMP"\nSTAMP=$(date)\n', line=1),
    "wait-without-limit": Example(
        text=f"{FREEZE}\n{OK}while [ ! -e /run/done ]; do sleep 1; done\n{THAW}\n{OK}", line=3
    ),
    "wrong-status-tested": Example(
        text=f"{FREEZE}\nrc=$?\n[ $rc -eq 5 ] || exit 1\n{THAW}\nrc2=$?\n[ $rc -eq 5 ] || exit 1\n", line=6
    ),
}


@pytest.mark.parametrize("rule", rules_by_id())
def test_a_rule_finds_its_example(rule: str, tmp_path: Path) -> None:
    """At its line, with the rule's own level, faults and remedy. A rule without an example fails here."""
    example = EXAMPLES[rule]
    file = tmp_path / example.file
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(example.text.encode(example.encoding))
    files = [file]
    if rule == "several-hook-scripts":
        files.append(file.with_name("20.sh"))
        files[1].write_text("exit 0\n", encoding="utf-8")
    found = [one for one in lint(files, shellcheck=False).violations if one.rule == rule]
    assert found and (str(file), example.line) == (found[0].file, found[0].line)
    declared = rules_by_id()[rule]
    assert (declared.level, declared.faults, declared.remedy) == (
        found[0].level,
        found[0].faults,
        found[0].remedy,
    )


def test_no_example_is_left_over() -> None:
    """Each example is of a rule."""
    assert EXAMPLES.keys() == rules_by_id().keys()


def test_a_thaw_is_looked_at_as_a_freeze_is(tmp_path: Path) -> None:
    """Rules about exit statuses hold for both."""
    for name, call in ("x.sh", f"{THAW}\nfoo\n"), ("x.bat", f"{BAT_THAW}\nexit /b 0\n"):
        (tmp_path / name).write_text(call, encoding="utf-8")
        found = lint([tmp_path / name], shellcheck=False).violations
        assert "The exit status of the thaw is never checked." in [one.message for one in found]
