"""Suites are read whole or refused with every mistake in its line; command lines become the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import PlanError, UsageError
from harness.scripts import suite
from harness.scripts.model import Scripts

PAIR = "scripts: nightly\nfreeze: [pre.sh]\nthaw: [post.sh]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With two scripts and a batch file in it."""
    for name in ("pre.sh", "post.sh", "snap.sh", "pre.bat"):
        (tmp_path / name).touch()
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(PlanError) as caught:
        suite.load(written(folder, text))
    return [(one.line, one.pointer, one.message) for one in caught.value.mistakes]


def test_the_smallest_suite_gets_the_defaults(folder: Path) -> None:
    """Scripts lie beside the suite's file."""
    expected = Scripts(
        name="nightly", freeze=(str(folder / "pre.sh"),), thaw=(str(folder / "post.sh"),), timeout_s=30.0
    )
    assert expected == suite.load(written(folder, PAIR))


def test_every_key_is_read(folder: Path) -> None:
    """Paths of scripts are relative to the suite, those in the machine stay."""
    (folder / "hooks").mkdir()
    text = """\
scripts: all
freeze: [/usr/sbin/pre, 'a b']
thaw: [hooks/../post.sh]
snapshot: [snap.sh, now]
user: backup
success: [0, 2]
timeout: 2m
instances: [iris, Second]
install: {/usr/sbin/pre: pre.sh}
environment: {LANG: C}
credentials: /etc/login
skip: {cron: it runs under systemd}
"""
    expected = Scripts(
        name="all",
        freeze=("/usr/sbin/pre", "a b"),
        thaw=(str(folder / "post.sh"),),
        snapshot=(str(folder / "snap.sh"), "now"),
        user="backup",
        success=(0, 2),
        timeout_s=120.0,
        instances=("IRIS", "SECOND"),
        install={"/usr/sbin/pre": folder / "pre.sh"},
        environment={"LANG": "C"},
        credentials="/etc/login",
        skip={"cron": "it runs under systemd"},
    )
    assert expected == suite.load(written(folder, text))


def test_a_job_is_both_hooks(folder: Path) -> None:
    """And names the program that takes its snapshot."""
    found = suite.load(written(folder, "scripts: j\njob: [pre.sh, IRIS]\nprogram: lvcreate\n"))
    script = (str(folder / "pre.sh"), "IRIS")
    assert (script, script, "lvcreate") == (found.freeze, found.thaw, found.program)


def test_all_mistakes_are_told_with_their_lines(folder: Path) -> None:
    """One reading finds them all."""
    text = """\
scripts: has blanks
freeze: pre.sh
thaw: []
user: bakcup
success: [256]
timeout: soon
skip: {two-night: never}
colour: red
"""
    found = mistakes(folder, text)
    expected = [
        (1, "scripts", "must be a name"),
        (2, "freeze", "must be a list of words"),
        (3, "thaw", "must be a list of words"),
        (4, "user", "did you mean 'backup'?"),
        (5, "success[0]", "256"),
        (6, "timeout", "'soon' is not a duration"),
        (7, "skip.two-night", "did you mean 'two-nights'?"),
        (8, "colour", "unknown key 'colour'"),
    ]
    assert [one[:2] for one in expected] == [one[:2] for one in found]
    assert [] == [pair for pair in zip(expected, found, strict=True) if pair[0][2] not in pair[1][2]]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("freeze: [pre.sh]\n", (1, "")),
        ("thaw: [pre.sh]\n", (1, "")),
        ("", (1, "")),
        ("job: [pre.sh]\nprogram: lvcreate\nfreeze: [pre.sh]\nthaw: [post.sh]\n", (1, "")),
        ("job: [pre.sh]\nprogram: lvcreate\nthaw: [post.sh]\n", (1, "")),
        ("job: [pre.sh]\n", (1, "")),
        ("freeze: [pre.sh]\nthaw: [post.sh]\nprogram: lvcreate\n", (1, "")),
        ("job: [pre.sh]\nprogram: lvcreate\nsnapshot: [snap.sh]\n", (4, "snapshot")),
        ("job: [pre.sh]\nprogram: /sbin/lvcreate\n", (3, "program")),
    ],
)
def test_a_suite_is_a_pair_or_a_job(folder: Path, text: str, place: tuple[int, str]) -> None:
    """Not both, not half of one; a job takes its own snapshot."""
    assert place in [one[:2] for one in mistakes(folder, f"scripts: x\n{text}")]


@pytest.mark.parametrize("timeout", ["0s", "30", "-5s", "5 s", "''"])
def test_a_timeout_is_a_duration(folder: Path, timeout: str) -> None:
    """Nobody waits no time, and a number has a unit."""
    ((line, pointer, _),) = mistakes(folder, f"{PAIR}timeout: {timeout}\n")
    assert (4, "timeout") == (line, pointer)


def test_what_is_no_suite_is_told(folder: Path) -> None:
    """Text that is no mapping, and a key given twice."""
    assert mistakes(folder, "- pre.sh\n")
    assert (4, "thaw") in [one[:2] for one in mistakes(folder, f"{PAIR}thaw: [post.sh]\n")]
    with pytest.raises(UsageError, match=r"absent\.yaml"):
        suite.load(folder / "absent.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PAIR.replace("pre.sh", "absent.sh"), "there is no script .*absent.sh"),
        (PAIR.replace("pre.sh", "pre.bat"), "batch file"),
        (PAIR.replace("pre.sh", "."), "there is no script"),
        (PAIR + "snapshot: [absent.sh]\n", "there is no script"),
        (PAIR + "install: {/usr/sbin/more: absent.sh}\n", "there is no script"),
        (PAIR.replace("pre.sh", "/usr/sbin/pre") + "install: {/usr/sbin/pre: pre.bat}\n", "batch file"),
    ],
)
def test_every_file_must_be_there_and_run_here(folder: Path, text: str, said: str) -> None:
    """Also those that are only installed."""
    with pytest.raises(UsageError, match=said):
        suite.load(written(folder, text))


def test_a_script_that_cannot_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks are often root's, with mode 0700. Root reads everything, so the answer of the system is planted."""
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "post.sh")
    with pytest.raises(UsageError, match=r"post\.sh cannot be read"):
        suite.load(written(folder, PAIR))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("backup.sh {freeze|thaw}", ("backup.sh freeze", "backup.sh thaw")),
        ("'my hook' -q {--pre|--post} all", ("'my hook' -q --pre all", "'my hook' -q --post all")),
        ("{pre.sh|post.sh}", ("pre.sh", "post.sh")),
        ("a.sh '{do freeze|do thaw}'", ("a.sh 'do freeze'", "a.sh 'do thaw'")),
    ],
)
def test_alternatives_are_two_command_lines(words: str, expected: tuple[str, str]) -> None:
    """The word in braces is the one that differs."""
    assert expected == suite.alternatives(words)


@pytest.mark.parametrize(
    "words",
    ["a.sh", "a.sh freeze", "a.sh {a|b} {c|d}", "a.sh {a|b|c}", "a.sh {|b}", "a.sh {a}", "", "a.sh '"],
)
def test_other_words_are_no_alternatives(words: str) -> None:
    """It must be clear which two calls are meant."""
    with pytest.raises(UsageError):
        suite.alternatives(words)


def test_command_lines_become_a_suite(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to where the caller is; the suite's name is that of the script."""
    monkeypatch.chdir(folder)
    (folder / "my hook").touch()
    found = suite.of_words("'my hook' -x", "./post.sh 'a b'", "", 5.0)
    expected = Scripts(
        name="my-hook",
        freeze=(str(folder / "my hook"), "-x"),
        thaw=(str(folder / "post.sh"), "a b"),
        timeout_s=5.0,
    )
    assert expected == found
    job = suite.of_job("snap.sh now", "lvcreate", 7.0)
    assert ("snap", (str(folder / "snap.sh"), "now"), "lvcreate", 7.0) == (
        job.name,
        job.thaw,
        job.program,
        job.timeout_s,
    )


@pytest.mark.parametrize("words", ["", " ", "''", "pre.sh 'never ends", "absent.sh"])
def test_words_that_name_no_script_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """Blank ones too, and quotes without an end."""
    monkeypatch.chdir(folder)
    for make in (
        lambda: suite.of_words(words, "post.sh", "", 5.0),
        lambda: suite.of_words("pre.sh", words, "", 5.0),
        lambda: suite.of_job(words, "snapshot", 5.0),
    ):
        with pytest.raises(UsageError):
            make()
