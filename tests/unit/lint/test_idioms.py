"""Idioms of shell scripts and batch files: right ones break no rule, wrong ones break the rule named for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.lint.model import Level
from harness.lint.rules import rules_by_id
from tests.unit.lint.samples import ASK, BAT_ASK, BAT_FREEZE, BAT_THAW, FREEZE, THAW

Broken = Callable[[str, str], list[str]]

RIGHT = {
    "case with a default": f"#!/bin/sh\nset -eu\nrc=0\n{FREEZE} || rc=$?\n"
    "case $rc in 5) echo frozen ;; 3) exit 1 ;; *) exit 1 ;; esac\nexit 0\n",
    "status asked at once": f"#!/bin/sh\n{FREEZE}\nif [ $? -ne 5 ]; then logger failed; exit 1; fi\nexit 0\n",
    "elif": f"#!/bin/bash\n{FREEZE}\nrc=$?\nif [[ $rc -eq 5 ]]; then echo frozen; exit 0\n"
    "elif [[ $rc == 3 ]]; then echo failed; exit 1\nelse exit 2\nfi\n",
    "PIPESTATUS": f"#!/bin/bash\n{FREEZE} 2>&1 | tee -a /var/log/b/s.log\nrc=${{PIPESTATUS[0]}}\n"
    '[ "$rc" -eq 5 ] || exit 1\nexit 0\n',
    "pipefail": f"#!/bin/bash\nset -o pipefail\n{FREEZE} 2>&1 | tee -a /var/log/b/s.log\nrc=$?\n"
    '[ "$rc" -eq 5 ] && exit 0\nexit 1\n',
    "zero and status in a row": f'#!/bin/sh\n{FREEZE} && rc=0 || rc=$?\n[ "$rc" -eq 5 ] || exit 1\n',
    "arithmetic test": f'#!/bin/bash\nout=$({FREEZE} 2>&1)\nrc=$?\necho "$out"\nif (( rc != 5 )); then exit 1; fi\n',
    "set +e around": f"#!/bin/bash\nset -e\nset +e\n{FREEZE}\nrc=$?\nset -e\n[ $rc -eq 5 ]\n",
    "failure handed on": f'#!/bin/sh\n{FREEZE}\nrc=$?\nif [ "$rc" -ne 5 ]; then exit "$rc"; fi\nexit 0\n',
    "a whole backup": f"#!/bin/sh\n{FREEZE}\n[ $? -eq 5 ] || exit 1\nmade=0\nlvcreate -s -n snap vg/data || made=1\n"
    f"held=0\n{ASK} || held=$?\nthawed=0\n{THAW} || thawed=$?\n"
    '[ "$thawed" -eq 5 ] && [ "$held" -eq 5 ] && [ "$made" -eq 0 ] || exit 1\n'
    f"tar -cf /backup/x.tar /mnt/snap || exit 1\n{THAW.replace('ExternalThaw', 'ExternalSetHistory')}\nexit 0\n",
    "rollback by a trap": "#!/bin/bash\n"
    f"undo() {{ {THAW}; }}\ntrap undo EXIT\nn=0\nfor i in $(iris qlist | cut -d^ -f1); do\n"
    f'{FREEZE}\nif [ $? -ne 5 ]; then exit 1; fi\nn=$((n + 1))\ndone\n[ "$n" -gt 0 ] || exit 1\ntrap - EXIT\n',
    "local": f"#!/bin/bash\nf() {{\n{FREEZE}\nlocal rc=$?\n"
    "case $rc in 5) return 0 ;; *) return 1 ;; esac\n}\nf || exit 1\n",
    "printed": f"#!/bin/sh\ncase $({FREEZE} >/dev/null; echo $?) in 5) exit 0 ;; *) exit 1 ;; esac\n",
    "printed and kept": f"#!/bin/sh\nrc=$({FREEZE} >/dev/null; echo $?)\nif [ $rc -ne 5 ]; then exit 1; fi\nexit 0\n",
    "ksh": f"#!/bin/ksh\nfunction f {{\n{FREEZE}\ntypeset rc=$?\n[[ $rc = 5 ]] || return 1\n}}\nf || exit 1\n",
    "thaw tried again": f"#!/bin/sh\n{ASK}\n[ $? -eq 5 ] || echo void\nt() {{\n{THAW}\n"
    "[ $? -eq 5 ] && return 0\nreturn 1\n}\n"
    "n=0\nuntil t; do n=$((n + 1)); [ $n -lt 5 ] || exit 1; sleep 2; done\nexit 0\n",
    "typed into a session": "#!/bin/sh\nsudo -u irisusr iris session IRIS -U%SYS <<EOF\n"
    'd ##class(Backup.General).ExternalFreeze("/l",,,,,,600,,,300)\nEOF\nexit 0\n',
    "patterns": f"#!/bin/sh\n{FREEZE}\n"
    "case $? in [) exit 2 ;; [0-4] | [6-9]*) exit 1 ;; 5) exit 0 ;; *) exit 3 ;; esac\n",
    "iris freeze": "#!/bin/sh\nif ! sudo -u irisusr iris freeze IRIS timeout=300; then exit 1; fi\n",
    "a wait that counts": f"#!/bin/sh\n{FREEZE}\n[ $? -eq 5 ] || exit 1\nn=0\n"
    'while [ "$n" -lt 10 ] && [ ! -e "$DIR/x" ]; do sleep 1; n=$((n + 1)); done\n',
    "dollar in a pattern": f"#!/bin/sh\ngrep 'x $' /etc/hosts\n{FREEZE}\n[ $? -eq 5 ] || exit 1\n",
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_script_stays_quiet(name: str, broken: Broken) -> None:
    """Idioms that are right break no rule of level error or warning."""
    assert [] == [
        rule for rule in broken(RIGHT[name], "script.sh") if rules_by_id()[rule].level is not Level.NOTE
    ]


WRONG = {
    "read too late": (f"#!/bin/sh\n{FREEZE}\necho done\nrc=$?\n[ $rc -eq 5 ]\n", "status-overwritten"),
    "read into a log": (f"#!/bin/sh\n{FREEZE}\necho $?\nfoo\n", "status-never-read"),
    "thrown away": (f"#!/bin/sh\n{FREEZE} || true\nfoo\n", "status-never-read"),
    "local hides it": (f"f() {{ local x=$({FREEZE}); [ $? -eq 5 ]; }}\nf\n", "status-never-read"),
    "asked for zero": (f"#!/bin/sh\nif {FREEZE}; then exit 0; fi\nexit 1\n", "five-taken-as-failure"),
    "compared with zero": (f"#!/bin/sh\n{FREEZE}\n[ $? -eq 0 ] || exit 1\n", "five-taken-as-failure"),
    "last command": (f"#!/bin/sh\n{FREEZE}\n", "five-returned-to-caller"),
    "returned": (f"f() {{ {FREEZE}; return $?; }}\nf\nexit $?\n", "five-returned-to-caller"),
    "only 3": (f"#!/bin/sh\n{FREEZE}\nif [ $? -eq 3 ]; then exit 1; fi\nexit 0\n", "unknown-status-passes"),
    "control and five": ("#!/bin/sh\niris freeze A\nif [ $? -eq 5 ]; then exit 0; fi\nexit 1\n",
                         "control-status-compared-with-five"),
    "no switch": (f"#!/bin/sh\n{FREEZE.replace(',,,,,,600', ',,0,,,,600')}\n[ $? -eq 5 ]\n", "no-journal-switch"),
    "log removed": (f"#!/bin/sh\nrm -f /var/log/b/x.log\n{FREEZE}\n[ $? -eq 5 ]\n", "log-truncated"),
    "snapshot too late": (f"#!/bin/sh\n{FREEZE}\n[ $? -eq 5 ] || exit 1\n{ASK}\n[ $? -eq 5 ] || exit 1\n{THAW}\n"
                          "[ $? -eq 5 ] || exit 1\nlvcreate -s -n s vg/d\n", "snapshot-after-thaw"),
    "broken quotes": ('csession A -U%SYS "##class(Backup.General).ExternalThaw("/l")"\n[ $? -eq 5 ]\n',
                      "objectscript-string-unquoted"),
    "case without an end": ("#!/bin/sh\ncase $1 in\n a) echo a\n b) echo b ;;\nesac\n", "malformed-script"),
    "block without an end": ("#!/bin/sh\nif true; then\necho a\n", "malformed-script"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_script_is_reported(name: str, broken: Broken) -> None:
    """Each idiom that is wrong breaks the rule that is named for it."""
    text, rule = WRONG[name]
    assert rule in broken(text, "script.sh")


BATCH_RIGHT = {
    "highest first": f"@echo off\n{BAT_FREEZE}\nif errorlevel 6 exit /b 1\nif errorlevel 5 exit /b 0\nexit /b 1\n",
    "compared": f'@echo off\n{BAT_FREEZE}\nif not "%ERRORLEVEL%"=="5" exit /b 1\nexit /b 0\n',
    "kept": f"@echo off\n{BAT_FREEZE}\nset RC=%ERRORLEVEL%\necho %RC%\nif %RC% NEQ 5 (\n exit /b 1\n)\nexit /b 0\n",
    "delayed": "@echo off\nsetlocal enabledelayedexpansion\nset N=0\nfor %%i in (A B) do (\n"
    f" {BAT_FREEZE}\n if not !ERRORLEVEL!==5 (\n  {BAT_THAW}\n  exit /b 1\n )\n)\nexit /b 0\n",
    "in a subroutine": f"@echo off\ncall :freeze\nif errorlevel 1 exit /b 1\nexit /b 0\n:freeze\n{BAT_FREEZE}\n"
    "if %ERRORLEVEL%==5 exit /b 0\nexit /b 1\n",
    "freeze or thaw": f'@echo off\nif /i "%~1"=="freeze" goto F\nif /i "%~1"=="thaw" goto T\nexit /b 2\n:F\n'
    f"{BAT_FREEZE}\nif %ERRORLEVEL%==5 exit /b 0\nexit /b 1\n:T\n{BAT_ASK}\nif not %ERRORLEVEL%==5 exit /b 1\n"
    f"{BAT_THAW}\nif %ERRORLEVEL%==5 exit /b 0\nexit /b 1\n",
}
BATCH_WRONG = {
    "asked for zero": (f"{BAT_FREEZE} && exit /b 0\nexit /b 1\n", "five-taken-as-failure"),
    "last": (f"{BAT_FREEZE}\n", "five-returned-to-caller"),
    "handed on": (f"{BAT_FREEZE}\nexit /b %ERRORLEVEL%\n", "five-returned-to-caller"),
    "inverted": (f"{BAT_FREEZE}\nif %ERRORLEVEL%==3 exit /b 0\nexit /b 1\n", "meaning-inverted"),
    "failure passes": (f"{BAT_FREEZE}\nif %ERRORLEVEL%==5 echo frozen\nexit /b 0\n", "failure-passes"),
    "only 3": (f"{BAT_FREEZE}\nif %ERRORLEVEL%==3 exit /b 1\nexit /b 0\n", "unknown-status-passes"),
    "too early": (f"for %%i in (A) do (\n{BAT_FREEZE}\nif not %ERRORLEVEL%==5 exit /b 1\n)\nexit /b 0\n",
                  "errorlevel-expanded-early"),
    "piped": (f"{BAT_FREEZE} | find \"x\"\nif errorlevel 5 exit /b 0\nexit /b 1\n", "status-lost-in-pipe"),
    "one percent": (BAT_FREEZE.replace("%%", "%") + "\nif %ERRORLEVEL%==5 exit /b 0\nexit /b 1\n",
                    "namespace-percent"),
    "no label": (f"{BAT_FREEZE}\nif errorlevel 6 goto NO\nexit /b 0\n", "malformed-script"),
    "qall": ("for /f %%i in ('ccontrol qall') do echo %%i\n", "list-parsed-by-columns"),
}  # fmt: skip


@pytest.mark.parametrize("name", BATCH_RIGHT)
def test_a_right_batch_file_stays_quiet(name: str, broken: Broken) -> None:
    """As above, for Windows."""
    assert [] == [
        rule for rule in broken(BATCH_RIGHT[name], "x.bat") if rules_by_id()[rule].level is not Level.NOTE
    ]


@pytest.mark.parametrize("name", BATCH_WRONG)
def test_a_wrong_batch_file_is_reported(name: str, broken: Broken) -> None:
    """As above, for Windows."""
    text, rule = BATCH_WRONG[name]
    assert rule in broken(text, "x.bat")
