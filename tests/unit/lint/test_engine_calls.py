"""Calls of the engine are recognised behind wrappers and in text for another shell, and their arguments are split."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.lint.engine import Verb, recognise, split_arguments

Broken = Callable[[str, str], list[str]]


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


def test_calls_are_seen_in_text_for_another_shell(broken: Broken) -> None:
    """su -c, ssh and sh -c: their text is read too."""
    inner = "csession A -U%SYS '##class(Backup.General).ExternalFreeze()'"
    for command in (f'su - iris -c "{inner}"', f'ssh -p 22 host "{inner}"', f'docker exec c sh -c "{inner}"'):
        assert "marker-not-kept" in broken(f"{command}\nrc=$?\n[ $rc -eq 5 ]\n", "x.sh")
