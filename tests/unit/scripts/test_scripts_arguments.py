"""Lines that machine/iris.pl notes become calls; a line that is not whole is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import harness.scripts
from harness.scripts.arguments import call_of
from harness.scripts.model import RecordedCall

RECORDER = Path(harness.scripts.__file__).parent / "machine" / "iris.pl"
FREEZE = '##class(Backup.General).ExternalFreeze("/var/log/a b.log","say ""x"", y",1,,,,600,,,300)'


def test_a_method_has_its_arguments_unquoted() -> None:
    """By their documented position; those that were not given are empty."""
    words = f"session\x1firisa\x1f-U%SYS\x1f{FREEZE}"
    call = call_of(f"1790000000.250000\t51773\tiris\texternalfreeze\tIRISA\t0\t{words}")
    assert call == RecordedCall(
        at=1790000000.25,
        user=51773,
        program="iris",
        what="externalfreeze",
        instance="IRISA",
        secret_shown=False,
        arguments=("/var/log/a b.log", 'say "x", y', "1", "", "", "", "600", "", "", "300"),
    )
    assert ("/var/log/a b.log", "600", "300", "") == tuple(call.argument(place) for place in (1, 7, 10, 11))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("qlist", ("qlist",)),
        ("session\x1fIRIS\x1f-U\x1f%SYS", ("session", "IRIS", "-U", "%SYS")),
        ("session\x1fa\\x09b\\x1fc\\x5cd", ("session", "a\tb\x1fc\\d")),
        ("session\x1fIRIS\x1f##class(Backup.General).ExternalThaw()", ()),
        ("session\x1fIRIS\x1f##Class(backup.general) . externalthaw( \"/l\" )", ("/l",)),
        ("session\x1fIRIS\x1fset s=##class(Backup.General).ExternalFreeze(\"a)b\",2) do $x(,s)", ("a)b", "2")),
        ("session\x1fIRIS\x1f##class(Backup.General).ExternalFreeze(\"a\\x0ab\")", ("a\nb",)),
        ("", ("",)),
    ],
)  # fmt: skip
def test_words_of_a_call(words: str, expected: tuple[str, ...]) -> None:
    """Of a method its arguments, of anything else its words; escapes stand for the letters they were."""
    call = call_of(f"1.0\t0\tiris\tx\tIRIS\t1\t{words}")
    assert call and call.secret_shown
    assert expected == call.arguments


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "1790000000.25",
        "1.0\t0\tiris\texternalfreeze\tIRIS\t0",
        "1.0\t0\tiris\t",
        "one\t0\tiris\tqlist\t\t0\tqlist",
        "1.0\troot\tiris\tqlist\t\t0\tqlist",
    ],
)
def test_half_a_line_is_no_call(line: str) -> None:
    """It is being written, or its writer was killed."""
    assert call_of(line) is None


@pytest.mark.parametrize(
    "words",
    [
        ("session", "irisa", "-U%SYS", FREEZE),
        ("session", "irisa", "-U%SYS", '##class(Backup.General).ExternalFreeze("tab\there\nand there \\ é")'),
        ("qlist",),
        ("list", "ONE\tTWO", "back\\slash", "\x1f"),
        ("list", "ONE\nTWO"),
    ],
)
def test_what_the_recorder_notes_is_read_back(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Both ends of the line: the real recorder, with a script that does nothing as the stand-in."""
    made = RECORDER.read_text().replace("@INSIDE@", str(tmp_path)).replace("@STANDIN@", str(tmp_path))
    for name, text in (("iris", made.replace("@SETTINGS@", "")), ("real/iris", "#!/bin/sh\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace(f"'{tmp_path}' );", f"'{tmp_path}/real' );"))
        (tmp_path / name).chmod(0o755)
    subprocess.run([tmp_path / "iris", *words], check=True, timeout=10)
    (line,) = (tmp_path / "calls").read_text().splitlines()
    call = call_of(line)
    assert call and (os.geteuid(), "iris", False) == (call.user, call.program, call.secret_shown)
    instance = words[1].upper().replace("\t", "\\x09").replace("\n", "\\x0a") if len(words) > 1 else ""
    if "ExternalFreeze" in words[-1]:
        assert ("externalfreeze", instance) == (call.what, call.instance)
        assert words[-1].split('"')[1] == call.argument(1)
    else:
        assert (words[0], instance, words) == (call.what, call.instance, call.arguments)
