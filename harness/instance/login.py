"""A name and a password for `iris session`, and what a login prints before the answer.

Both reach the engine on standard input and nowhere else: a process list, an environment and a log are read by others.

Source: Data Integrity Guide, external backup: where the operating system's user is not enough, redirect a file with a
line for the user's name and a line for the password to standard input. Unverified: what a session prints then. Taken
from public transcripts of logins at a terminal: a line that names node and instance, then both prompts, a star for
each character of the password. Whether what comes from a file is repeated is not known, so it may be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import PreconditionError

_OTHERS = 0o077
_REMEDY = "Write a line with the user's name and a line with the password, and let only yourself read it: chmod 600."


@dataclass(frozen=True, slots=True)
class Login:
    """Who begins a session. Not shown by `repr`."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def stdin(self) -> str:
        """What the engine reads."""
        return f"{self.user}\n{self.password}\n"


def read_login(file: Path) -> Login:
    """The credentials in a file. Raises PreconditionError, which names the file and nothing of its content."""
    try:
        mode = file.stat().st_mode
        lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise PreconditionError(f"credentials {file} cannot be read: {error.strerror}", _REMEDY) from error
    except UnicodeDecodeError:  # it holds the bytes
        raise PreconditionError(f"credentials {file} are not text in UTF-8", _REMEDY) from None
    if mode & _OTHERS:
        raise PreconditionError(f"credentials {file} can be read or changed by others", _REMEDY)
    if len(lines) != 2 or not all(lines):
        raise PreconditionError(f"credentials {file} are not two lines", _REMEDY)
    return Login(*lines)


def prompts(said: str, login: Login) -> str:
    """The part of what a session printed that comes from its login; empty if it asked for none."""
    echoes = re.escape(login.user), rf"\*+|{re.escape(login.password)}"
    match = re.match(
        rf"(\s*Node: [^\n]*\n)?\s*Username: ({echoes[0]})?\s*Password: ({echoes[1]})?(\r?\n)*", said
    )
    return match[0] if match else ""
