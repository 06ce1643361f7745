"""Reads `##class(Package.Class).Method("a",,1)` as typed after `iris session INSTANCE -U%SYS`.

Only literal arguments: strings in doubled quotes, numbers, empty positions, and `.name` for an argument passed
by reference. Anything else is refused, as a wrong line would be by IRIS; nothing is evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CALL = re.compile(r"\s*##class\((?P<cls>[%\w.]+)\)\.(?P<method>\w+)\((?P<arguments>.*)\)\s*", re.I | re.S)
_ARGUMENT = re.compile(
    r'\s*(?:"(?P<text>(?:[^"]|"")*)"|(?P<number>-?\d+(?:\.\d+)?)|(?P<reference>\.\w+)|)\s*(?P<end>,|$)'
)


@dataclass(frozen=True)
class ClassCall:
    """A class method call; arguments are strings, by-reference ones are empty."""

    cls: str
    method: str
    arguments: tuple[str, ...]


def parse(text: str) -> ClassCall:
    """Raises ValueError, with the words IRIS uses for a line it cannot read."""
    match = _CALL.fullmatch(text)
    if match is None:
        raise ValueError(f"<SYNTAX>: {text}")
    return ClassCall(match["cls"], match["method"], _arguments(match["arguments"]))


def _arguments(text: str) -> tuple[str, ...]:
    if not text.strip():
        return ()
    values: list[str] = []
    at = 0
    while True:
        match = _ARGUMENT.match(text, at)
        if match is None:
            raise ValueError(f"<SYNTAX>: {text[at:]}")
        values.append(
            (match["text"] or "").replace('""', '"') if match["text"] is not None else match["number"] or ""
        )
        if not match["end"]:
            return tuple(values)
        at = match.end()
