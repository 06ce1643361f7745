"""Reads a line that machine/iris.pl has written about a call: fields between tabs, the words of the command last."""

from __future__ import annotations

import re

from harness.lint.engine import split_arguments
from harness.scripts.model import RecordedCall

_TIME = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_METHOD = re.compile(r"Backup\.General\)?\s*\.\s*\w+\s*\((.*)\)", re.IGNORECASE | re.DOTALL)


def call_of(line: str) -> RecordedCall | None:
    """The call, or None for a line that is not complete yet or that another program has written."""
    fields = line.split("\t", 6)
    if len(fields) != 7 or not (_TIME.fullmatch(fields[0]) and fields[1].isdecimal()):
        return None
    at, user, program, what, instance, shown, words = fields
    text = re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), words.replace("\x1f", "\0"))
    method = _METHOD.search(text.replace("\0", " "))
    arguments = tuple(map(_unquoted, split_arguments(method[1]))) if method else tuple(text.split("\0"))
    return RecordedCall(
        at=float(at),
        user=int(user),
        program=program,
        what=what,
        instance=instance,
        secret_shown=shown == "1",
        arguments=arguments,
    )


def _unquoted(argument: str) -> str:
    bare = argument.strip()
    return bare[1:-1].replace('""', '"') if bare.startswith('"') else bare
