"""Hands for the text of the freeze log."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.soak.batch import Batch
from tests.soak.hands.changes import Nothing, altered
from tests.soak.mutations import Mutation

_NAMED = re.compile(r"(?<=/)(\d{8}\.)(\d{3,})")
_OFFSET = re.compile(r"(?<=offset )\d+")


def _bytes(text: str, one: Mutation, batch: Batch) -> str:
    data = bytearray(text.encode("utf-8", "surrogateescape"))
    at = int(one.at * len(data))
    data[at : at + one.count] = altered(bytes(data[at : at + one.count]), one.salt)
    return data.decode("utf-8", "surrogateescape")


def _lines(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    if not lines:
        raise Nothing("an empty log")
    return lines


def _drop(text: str, one: Mutation, batch: Batch) -> str:
    lines = _lines(text)
    first = int(one.at * len(lines))
    return "".join([*lines[:first], *lines[first + one.count :]])


def _repeat(text: str, one: Mutation, batch: Batch) -> str:
    lines = _lines(text)
    lines.insert(int(one.to * (len(lines) + 1)), lines[int(one.at * len(lines))])
    return "".join(lines)


def _swap(text: str, one: Mutation, batch: Batch) -> str:
    lines = _lines(text)
    mine, other = int(one.at * len(lines)), int(one.to * len(lines))
    lines[mine], lines[other] = lines[other], lines[mine]
    return "".join(lines)


def _cut(text: str, one: Mutation, batch: Batch) -> str:
    return text[: int(one.at * len(text))]


def _offset(text: str, one: Mutation, batch: Batch) -> str:
    sign = 1 if one.salt % 2 else -1
    return _OFFSET.sub(lambda found: str(max(0, int(found[0]) + sign * one.count)), text)


def _number(text: str, one: Mutation, batch: Batch) -> str:
    sign = 1 if one.salt % 2 else -1

    def other(found: re.Match[str]) -> str:
        return f"{found[1]}{max(1, int(found[2]) + sign * one.count):03d}"

    if one.on == "every":
        return _NAMED.sub(other, text)
    lines = _lines(text)
    return "".join(_NAMED.sub(other, line) if line.startswith("offset ") else line for line in lines)


def _window(text: str, one: Mutation, batch: Batch) -> str:
    return batch.others[one.on].log


def _both(text: str, one: Mutation, batch: Batch) -> str:
    theirs = batch.others[one.on].log
    return theirs + text if one.salt % 2 else text + theirs


LOG_HANDS: dict[str, Callable[[str, Mutation, Batch], str]] = {
    "log.bytes": _bytes,
    "log.drop": _drop,
    "log.repeat": _repeat,
    "log.swap": _swap,
    "log.cut": _cut,
    "log.offset": _offset,
    "log.number": _number,
    "log.window": _window,
    "log.both": _both,
}
