"""A place that prints what it is told, every method of an instance, and answers that an agent should give."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.command import Completed
from harness.instance.iris import Instance
from harness.model import Position
from harness.plan.model import FreezeSpec

FOLDER = Path("/j")
ASKED = (Path("/db/one"), Path("/db/two"))
START = Position(journal_file="20261122.002", offset_bytes=65976)
LOG = Path("/w/freeze.log")


class SayingPlace:
    """Answers every command with what was prepared, the last one for ever."""

    name, where, isolated = "FAKE", "nowhere", True

    def __init__(self, *said: tuple[int, str]) -> None:
        self.said = list(said)
        self.asked: list[str] = []

    def run(self, argv: Sequence[str], **_: object) -> Completed:
        self.asked.append(argv[-1])
        status, stdout = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        return Completed(argv=tuple(argv), status=status, stdout=stdout, stderr="", duration_s=0.0)

    def argv(self, argv: Sequence[str]) -> list[str]:
        return list(argv)

    def require_there(self, *, failed: bool = False) -> None: ...


class SaidBefore:
    """A prepared program that has ended with this answer."""

    def __init__(self, status: int, stdout: str) -> None:
        self._status, self._stdout = status, stdout

    def run(self, timeout_s: float, stdin: str = "") -> Completed:
        return Completed(argv=(), status=self._status, stdout=self._stdout, stderr="", duration_s=0.0)


def instance(*said: tuple[int, str]) -> Instance:
    return Instance(SayingPlace(*said))  # type: ignore[arg-type]


METHODS: dict[str, Callable[[Instance], object]] = {
    "describe": lambda i: i.describe(),
    "position": lambda i: i.position(),
    "switch_journal": lambda i: i.switch_journal(),
    "add_marker": lambda i: i.add_marker("text"),
    "required_journal": lambda i: i.required_journal(),
    "journals": lambda i: i.journals(FOLDER),
    "read_marker": lambda i: i.read_marker(FOLDER, START),
    "last_committed": lambda i: i.last_committed(FOLDER, "20261122.002", "20261122.003", None, 2),
    "dismount": lambda i: i.dismount(ASKED[0]),
    "mount": lambda i: i.mount(ASKED[0]),
    "roll_forward": lambda i: i.roll_forward(FOLDER, START, "20261122.003", None, dict([ASKED])),
    "integrity": lambda i: i.integrity(ASKED),
    "stop_writers": lambda i: i.stop_writers(),
    "clear": lambda i: i.clear(),
    "thaw": lambda i: i.thaw(LOG),
    "freeze": lambda i: i.freeze(LOG, "text", FreezeSpec()),
    "is_frozen": lambda i: i.is_frozen(),
}

_POSITION = [{"journal_file": "20261122.003", "offset": 197192}]
_JOURNAL = {
    "journal_file": "20261122.002",
    "files": ["20261122.002"],
    "guid": "g",
    "identity": "i",
    "previous": "p",
    "end": 9,
    "closed": True,
    "problem": "",
}
GOOD: dict[str, list[dict[str, Any]]] = {
    "describe": [
        {
            "agent": 1,
            "product": "IRIS",
            "version": "2024.1",
            "stand_in": False,
            "root": "/iris/",
            "journal_directory": "/iris/journal/",
            "databases": {"one": "/db/one/", "two": "/db/two/"},
            "other_databases": [],
            "notes": [],
            "sessions_max": 8,
        }
    ],
    "position": _POSITION,
    "switch_journal": _POSITION,
    "add_marker": _POSITION,
    "required_journal": [{"journal_file": ""}],
    "journals": [_JOURNAL, {**_JOURNAL, "journal_file": "20261122.003"}],
    "read_marker": [{"kind": "marker", "text": "t", "detail": "d"}],
    "last_committed": [{"writer": 1, "one": 815, "two": 815}],
    "dismount": [{"database": "/db/one/"}],
    "mount": [{"database": "/db/one/"}],
    "roll_forward": [{"records": None, "updated": ["/db/two/"], "skipped": []}],
    "integrity": [
        {"database": "/db/one/", "clean": True, "errors": []},
        {"database": "/db/two/", "clean": False, "errors": ["bad block"]},
        {"complete": True},
    ],
    "stop_writers": [{}],
    "clear": [{}],
    "thaw": [{"suspended": True, "thawed": True, "message": ""}],
    "freeze": [],
    "is_frozen": [],
}


def lines(objects: Sequence[object]) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def is_typed(value: object, kind: Any) -> bool:
    """Whether a value is what the annotations of its dataclass say, all the way down."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return any(is_typed(value, part) for part in parts)
    if origin is tuple:
        return isinstance(value, tuple) and all(is_typed(one, parts[0]) for one in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(
            is_typed(k, parts[0]) and is_typed(v, parts[1]) for k, v in value.items()
        )
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return type(value) is kind and all(
            is_typed(getattr(value, name), hint) for name, hint in hints.items()
        )
    if kind is float:
        return type(value) in (float, int)
    if kind in (int, str, bool, type(None), datetime):
        return type(value) is kind
    return isinstance(value, kind)
