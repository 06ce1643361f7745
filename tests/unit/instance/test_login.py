"""Credentials for `iris session`: read with care, and what the login prints is told from the answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import PreconditionError
from harness.instance.login import Login, prompts, read_login

ANN = Login("ann", "s3cret (word)")
ANSWER = '{"thawed": true}\n'


@pytest.mark.parametrize(
    "printed",
    [
        "\nUsername: Password: ",
        "Username: \nPassword: \n",
        "\r\nUsername: ann\r\nPassword: ************\r\n",
        "\nNode: host, Instance: IRIS\n\nUsername: ann\nPassword: s3cret (word)\n",
    ],
)
def test_what_a_login_prints_is_told_from_the_answer(printed: str) -> None:
    assert printed == prompts(printed + ANSWER, ANN)
    assert printed == prompts(printed + "ready\n1\n", ANN)


@pytest.mark.parametrize(
    "said",
    [
        ANSWER,
        "",
        "ready\n1\n",
        "\n" + ANSWER,
        "Username: bob\nPassword: " + ANSWER,
        "Access Denied\nUsername: Password: ",
        ANSWER + "\nUsername: Password: ",
    ],
)
def test_nothing_else_is_taken_for_a_login(said: str) -> None:
    """An answer that merely speaks of names and passwords stays whole."""
    assert "" == prompts(said, ANN)


def test_two_lines_are_a_login(tmp_path: Path) -> None:
    assert ANN == read_login(written(tmp_path, "ann\ns3cret (word)\n"))
    assert "ann\ns3cret (word)\n" == ANN.stdin
    assert "s3cret" not in repr(ANN)


@pytest.mark.parametrize("text", ["", "ann\n", "ann\n\n", "\nsecret-word\n", "ann\nsecret-word\nmore\n"])
def test_other_files_are_refused_without_telling_their_content(tmp_path: Path, text: str) -> None:
    with pytest.raises(PreconditionError, match="two lines") as caught:
        read_login(written(tmp_path, text))
    assert "ann" not in str(caught.value) and "secret-word" not in str(caught.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="by others"):
        read_login(written(tmp_path, "ann\nsecret-word\n", 0o640))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="No such file"):
        read_login(tmp_path / "none")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "")
    file.write_bytes(b"ann\n\xff\xfe\n")
    with pytest.raises(PreconditionError, match="not text"):
        read_login(file)


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "credentials"
    file.write_text(text)
    file.chmod(mode)
    return file
