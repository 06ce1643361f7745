"""The objects that the agent's verbs print: text → values of the types that protocol.md names.

What an engine that nobody has tried prints may have any shape. A line that is no object, a key that is missing and a
value of another type are ParseErrors that show the verb and the line: nothing is converted, and nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.errors import ParseError

_NUMBER_MAX = 2**63 - 1
"""The largest number that a record can store."""
_SHOWN = 400

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Answer:
    """One object, and the line it stands on. Every method raises ParseError."""

    verb: str
    number: int
    line: str
    values: dict[str, object]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def text(self, key: str, known: Collection[str] = ()) -> str:
        """Text that can be stored; one of the `known` ones if there are any."""
        return self._text(key, self._value(key), known)

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(self._text(key, item) for item in self._list(key))

    def whole(self, key: str) -> int:
        """A whole number that is not negative."""
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _NUMBER_MAX:
            raise self._wrong(key, "a whole number from 0")
        return value

    def optional(self, key: str, read: Callable[[str], Value]) -> Value | None:
        """What `read` reads; None where the key is null or absent."""
        return None if self.values.get(key) is None else read(key)

    def flag(self, key: str) -> bool:
        value = self._value(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def folder(self, key: str) -> Path:
        """An absolute path."""
        return self._folder(key, self._value(key))

    def folders(self, key: str) -> tuple[Path, ...]:
        return tuple(self._folder(key, item) for item in self._list(key))

    def roles(self, key: str, roles: Collection[str]) -> dict[str, Path]:
        """A folder for each of the roles, and for nothing else."""
        value = self._value(key)
        if not isinstance(value, dict) or value.keys() != set(roles):
            raise self._wrong(key, f"a folder for each of {' and '.join(roles)}")
        return {role: self._folder(key, folder) for role, folder in value.items()}

    def problem(self, problem: str) -> ParseError:
        return ParseError(f"answer of {self.verb}", self.number, self.line[:_SHOWN], problem)

    def _value(self, key: str) -> object:
        if key not in self.values:
            raise self.problem(f"has no {key!r}")
        return self.values[key]

    def _list(self, key: str) -> list[object]:
        value = self._value(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def _text(self, key: str, value: object, known: Collection[str] = ()) -> str:
        if not isinstance(value, str) or (known and value not in known):
            raise self._wrong(key, " or ".join(map(repr, known)) if known else "text")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise self._wrong(key, "text") from error
        return value

    def _folder(self, key: str, value: object) -> Path:
        text = self._text(key, value)
        if not text.startswith("/") or "\0" in text:
            raise self._wrong(key, "an absolute path")
        return Path(text)

    def _wrong(self, key: str, wanted: str) -> ParseError:
        return self.problem(f"{key!r} is not {wanted}")


def read_answers(verb: str, printed: str) -> list[Answer]:
    """One object a line. Raises ParseError."""
    # not splitlines(): it also splits at characters that JSON allows inside of a string
    lines = printed.removesuffix("\n").split("\n") if printed else []
    return [_answer(verb, number, line) for number, line in enumerate(lines, 1)]


def only(verb: str, answers: list[Answer]) -> Answer:
    """The one object that was printed. Raises ParseError."""
    if len(answers) != 1:
        raise ParseError(f"answer of {verb}", 0, "", f"{len(answers)} objects where one was expected")
    return answers[0]


def _answer(verb: str, number: int, line: str) -> Answer:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"answer of {verb}", number, line[:_SHOWN], "not a JSON object") from error
    if not isinstance(found, dict):
        raise ParseError(f"answer of {verb}", number, line[:_SHOWN], "not a JSON object")
    return Answer(verb, number, line, found)
