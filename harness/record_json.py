"""How a `Record` is stored, and how records of older versions are read.

Version 2 has keys for cases, the load while a backup was made, and a clock; what version 1 did not keep is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from harness.codec import Stored
from harness.model import SCHEMA, Record, RecoveryMode

_FIRST = "harness.record/1"
_NAME = re.compile(
    rf"cycle (\d{{1,9}}) · ([^ ]+)(?: #\d+)? · ({'|'.join(mode.value for mode in RecoveryMode)})(?![\s\S])"
)


def _second(first: dict[str, Any]) -> dict[str, Any]:
    """What is missing stays missing, but for what the first records did not keep. What they never had makes them none
    of the first: it stays, and is refused with the schema that it says.
    """
    if "clock" in first or any(
        isinstance(one, dict) and one.keys() & {"key", "load"} for one in _cases(first)
    ):
        return first
    changed = {
        "instance": lambda part: _with(part, image="", image_digest="", notes=[]),
        "cases": lambda cases: [_case(one) for one in cases] if isinstance(cases, list) else cases,
    }
    return {"planned": None, **_changed(first, changed), "schema": SCHEMA, "clock": None}


def _cases(first: dict[str, Any]) -> list[Any]:
    cases = first.get("cases")
    return cases if isinstance(cases, list) else []


def _case(first: Any) -> Any:
    if not isinstance(first, dict):
        return first
    changed = {
        "freeze": lambda part: _with(part, stuns=None),
        "restore": lambda part: _with(part, into="", interfaces=[]),
    }
    return {**_changed(first, changed), "key": _key(first.get("name")), "load": None}


def _changed(whole: dict[str, Any], changed: dict[str, Callable[[Any], Any]]) -> dict[str, Any]:
    return {key: changed[key](part) if key in changed else part for key, part in whole.items()}


def _with(part: Any, **added: Any) -> Any:
    """A part with keys that the first records do not have."""
    return {**added, **part} if isinstance(part, dict) else part


def _key(name: Any) -> dict[str, Any] | None:
    """What the name of a case says; its options are not in it."""
    parts = _NAME.match(name) if isinstance(name, str) else None
    if parts is None:
        return None
    return {"cycle": int(parts[1]), "provider": parts[2], "options": {}, "mode": parts[3]}


RECORDS = Stored(Record, SCHEMA, {_FIRST: _second})
