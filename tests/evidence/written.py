"""Frozen data as JSON and back, strictly: what was written by other classes than today's is refused, never guessed.

Every value that JSON has no word for is an object with its kind under "is".
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError

IS = "is"


class Stale(ValueError):
    """It was written by other classes than there are now."""


def encoded(value: object) -> Any:
    """As JSON values. Raises TypeError for what has no written form."""
    if value is None or isinstance(value, bool | int | float | str):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, enum.Enum):
        return {IS: _name(type(value)), "value": value.value}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {item.name: encoded(getattr(value, item.name)) for item in dataclasses.fields(value)}
        return {IS: _name(type(value)), **parts}
    return _plain(value)


def _plain(value: object) -> Any:
    if isinstance(value, Path):
        return {IS: "path", "value": str(value)}
    if isinstance(value, datetime):
        return {IS: "time", "value": value.isoformat()}
    if isinstance(value, np.ndarray):
        return {IS: "numbers", "value": value.tolist()}
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, HarnessError):
        return {IS: _name(type(value)), "value": str(value)}
    if isinstance(value, tuple):
        return {IS: "tuple", "value": [encoded(item) for item in value]}
    if isinstance(value, list):
        return [encoded(item) for item in value]
    if isinstance(value, dict):
        return {IS: "dict", "value": [[encoded(key), encoded(item)] for key, item in value.items()]}
    raise TypeError(f"{type(value).__name__} has no written form")


def decoded(raw: Any) -> Any:
    """The value again. Raises Stale."""
    if isinstance(raw, list):
        return [decoded(item) for item in raw]
    if not isinstance(raw, dict):
        return raw
    kind, parts = raw[IS], {name: item for name, item in raw.items() if name != IS}
    if ":" in kind:
        return _object(kind, parts)
    value = parts["value"]
    if kind == "dict":
        return {decoded(key): decoded(item) for key, item in value}
    if kind == "tuple":
        return tuple(map(decoded, value))
    if kind == "numbers":
        return np.array(value, dtype=np.int64)
    return {"path": Path, "time": datetime.fromisoformat}[kind](value)


def _object(kind: str, parts: dict[str, Any]) -> object:
    module, _, name = kind.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise Stale(f"there is no {kind} any more") from error
    if issubclass(made, enum.Enum):
        return made(parts["value"])
    if issubclass(made, HarnessError):
        return made(parts["value"])
    declared = {item.name for item in dataclasses.fields(made)}
    if declared != parts.keys():
        raise Stale(f"{kind} has other fields now: {', '.join(sorted(declared ^ parts.keys()))}")
    return made(**{name: decoded(item) for name, item in parts.items()})


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
