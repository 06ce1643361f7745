"""Reading scripts: what is right stays quiet, what is wrong is named at its line, and nothing ends in a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import cli
from harness.scripts.lint import Language, lint, report
from harness.scripts.lint.engine import Verb, recognise, split_arguments
from harness.scripts.lint.model import Finding, Level
from harness.scripts.lint.rules import RULES
from harness.scripts.lint.source import Source

SCRIPTS = Path(__file__).parents[1] / "data" / "scripts"
LOG = r"\"/var/log/b/x.log\""
FREEZE = (
    f'sudo -u irisusr iris session IRIS -U%SYS "##class(Backup.General).ExternalFreeze({LOG},,,,,,600,,,300)"'
)
ASK = 'sudo -u irisusr iris session IRIS -U%SYS "##class(Backup.General).IsWDSuspendedExt()"'
THAW = f'sudo -u irisusr iris session IRIS -U%SYS "##class(Backup.General).ExternalThaw({LOG})"'
BAT_FREEZE = (
    'irisdb -sC:\\I\\mgr -U%%SYS ##Class(Backup.General).ExternalFreeze("""C:\\x.log""",,,,,,600,,,300)'
)
BAT_THAW = 'irisdb -sC:\\I\\mgr -U%%SYS ##Class(Backup.General).ExternalThaw("""C:\\x.log""")'
BAT_ASK = "irisdb -sC:\\I\\mgr -U%%SYS ##Class(Backup.General).IsWDSuspendedExt()"

Rules = Callable[[str, str], list[str]]


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    """The rules that a script breaks, in the order of its lines."""

    def found(text: str, name: str = "script.sh") -> list[str]:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return [finding.rule for finding in lint([file], shellcheck=False).findings]

    return found


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
def test_a_right_script_stays_quiet(name: str, rules: Rules) -> None:
    """Idioms that are right break no rule of level error or warning."""
    assert [] == [rule for rule in rules(RIGHT[name], "script.sh") if RULES[rule].level is not Level.NOTE]


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
def test_a_wrong_script_is_told(name: str, rules: Rules) -> None:
    """Each idiom that is wrong breaks the rule that is named for it."""
    text, rule = WRONG[name]
    assert rule in rules(text, "script.sh")


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
def test_a_right_batch_file_stays_quiet(name: str, rules: Rules) -> None:
    """As above, for Windows."""
    assert [] == [rule for rule in rules(BATCH_RIGHT[name], "x.bat") if RULES[rule].level is not Level.NOTE]


@pytest.mark.parametrize("name", BATCH_WRONG)
def test_a_wrong_batch_file_is_told(name: str, rules: Rules) -> None:
    """As above, for Windows."""
    text, rule = BATCH_WRONG[name]
    assert rule in rules(text, "x.bat")


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ('"a,b",,1)', ('"a,b"', "", "1")),
        ('"say ""x"", y",$p(a,",",2))', ('"say ""x"", y"', '$p(a,",",2)')),
        (")", ()),
        ('"/l",,,,,,600,,,300)" >x', ('"/l"', "", "", "", "", "", "600", "", "", "300")),
    ],
)
def test_arguments_of_objectscript_are_split(inside: str, expected: tuple[str, ...]) -> None:
    """Commas in strings and in inner calls do not count."""
    assert expected == split_arguments(inside)


@pytest.mark.parametrize(
    "words",
    [
        ["sudo", "-u", "irisusr", "iris", "session"],
        ["timeout", "-k", "5", "60", "/usr/bin/iris", "terminal"],
        ["docker", "exec", "-u", "irisowner", "c1", "iris", "session"],
        ["kubectl", "-n", "db", "exec", "iris-0", "-c", "iris", "--", "iris", "session"],
        ["env", "LC_ALL=C", "nice", "-n", "5", "runuser", "-u", "irisusr", "--", "csession"],
    ],
)
def test_calls_are_seen_through_wrappers(words: list[str]) -> None:
    """What stands in front of the session does not hide it."""
    found = recognise([*words, "IRIS", "-U%SYS", "##class(Backup.General).ExternalThaw()"])
    assert found is not None and found.verb is Verb.THAW


def test_calls_are_seen_in_text_for_another_shell(rules: Rules) -> None:
    """su -c, ssh and sh -c: their text is read too."""
    inner = "csession A -U%SYS '##class(Backup.General).ExternalFreeze()'"
    for command in (f'su - iris -c "{inner}"', f'ssh -p 22 host "{inner}"', f'docker exec c sh -c "{inner}"'):
        assert "marker-not-kept" in rules(f"{command}\nrc=$?\n[ $rc -eq 5 ]\n", "x.sh")


def test_odd_files_are_told_and_not_stumbled_over(tmp_path: Path) -> None:
    """CR LF, byte order marks, UTF-16, other encodings and nothing at all."""
    shell = f"#!/bin/sh\n{FREEZE}\n[ $? -eq 5 ]\n"
    cases = {
        "crlf.sh": (shell.replace("\n", "\r\n").encode(), {"carriage-returns"}),
        "bom.sh": (b"\xef\xbb\xbf" + shell.encode(), {"byte-order-mark"}),
        "latin.sh": (shell.encode() + b"# M\xfcller\n", set()),
        "empty.sh": (b"", {"empty-script"}),
        "blank.bat": (b"\r\n\r\n", {"empty-script"}),
        "wide.bat": ("@echo off\r\nexit /b 0\r\n".encode("utf-16"), {"byte-order-mark"}),
    }
    for name, (data, expected) in cases.items():
        (tmp_path / name).write_bytes(data)
        assert expected == {one.rule for one in lint([tmp_path / name], shellcheck=False).findings}, name


@pytest.mark.parametrize(
    "file", [path for path in SCRIPTS.rglob("*") if path.suffix in (".sh", ".bat", ".json")]
)
def test_a_script_cut_anywhere_is_still_read(file: Path) -> None:
    """A truncated script gives findings, never an exception."""
    text = file.read_text(encoding="utf-8")
    language = {".bat": Language.BATCH, ".json": Language.AZURE}.get(file.suffix, Language.SH)
    for end in range(0, len(text), max(len(text) // 12, 1)):
        _in_place(_findings(text[:end], language), text[:end])


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.sampled_from("ab$\"'`(){}|&;<>\n\\ #%:=5!*[]"), max_size=60),
    st.sampled_from([Language.SH, Language.BATCH]),
)
def test_any_text_is_read(noise: str, language: Language) -> None:
    """Whatever stands around a call."""
    call = FREEZE if language is Language.SH else BAT_FREEZE
    text = f"{noise}{call}{noise}\n"
    _in_place(_findings(text, language), text)


def _in_place(findings: list[Finding], text: str) -> None:
    """Each is of a known rule, and stands in a line that there is."""
    for found in findings:
        assert found.rule in RULES and found.message and found.remedy
        assert 1 <= found.line <= text.count("\n") + 1 and found.column >= 1, (found, text)


def _findings(text: str, language: Language) -> list[Finding]:
    from harness.scripts.lint import azure, batch_rules, shell_rules

    read = {Language.SH: shell_rules, Language.BATCH: batch_rules, Language.AZURE: azure}[language]
    source = Source(file="x", text=text, language=language, carriage_returns=False, wide=False, marked=False)
    return list(read.findings(source))


def test_exit_statuses_and_formats(tmp_path: Path) -> None:
    """0 clean, 1 with findings, 2 for what cannot be read; the machine formats are valid and complete."""
    run = CliRunner().invoke
    right, wrong = SCRIPTS / "right" / "pre.sh", SCRIPTS / "F01" / "pre.sh"
    assert run(cli, ["scripts", "lint", "--no-shellcheck", str(right)]).exit_code == 0
    assert run(cli, ["scripts", "lint", "--no-shellcheck", str(wrong)]).exit_code == 1
    unnamed = tmp_path / "hook"
    unnamed.write_text("exit 0\n", encoding="utf-8")
    assert run(cli, ["scripts", "lint", "--no-shellcheck", "--language", "sh", str(unnamed)]).exit_code == 0
    for bad in (unnamed, tmp_path / "absent.sh", tmp_path):
        done = run(cli, ["scripts", "lint", str(bad)])
        assert done.exit_code == 2 and "Traceback" not in done.output and done.output.strip()
    document = json.loads(
        run(cli, ["scripts", "lint", "--no-shellcheck", "--format", "sarif", str(wrong)]).output
    )
    results = document["runs"][0]["results"]
    described = document["runs"][0]["tool"]["driver"]["rules"]
    assert "2.1.0" == document["version"]
    assert all(described[one["ruleIndex"]]["id"] == one["ruleId"] for one in results)
    stored = json.loads(
        run(cli, ["scripts", "lint", "--no-shellcheck", "--format", "json", str(wrong)]).output
    )
    assert {one["ruleId"] for one in results} == {one["rule"] for one in stored["findings"]}


def test_a_missing_shellcheck_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not asked is said, and costs nothing else."""
    monkeypatch.setenv("PATH", "/nowhere")
    reading = lint([SCRIPTS / "right" / "pre.sh"])
    assert (
        reading.clean and "not installed" in reading.remarks[0] and "not installed" in report.table(reading)
    )


def test_every_rule_has_a_fault_that_shows_it_or_a_test() -> None:
    """The table of rules is whole: words, a source and a remedy for each, faults by their numbers."""
    for name, rule in RULES.items():
        assert name == rule.id and rule.summary and rule.source and rule.remedy.endswith((".", "."))
        assert all(len(fault) == 3 and fault[0] == "F" and 1 <= int(fault[1:]) <= 37 for fault in rule.faults)
    covered = {fault for rule in RULES.values() for fault in rule.faults}
    assert {f"F{number:02}" for number in range(1, 38)} == covered
