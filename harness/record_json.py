"""The stored form of a `Record`: JSON that `record.schema.json` describes, there and back without loss.

Generic over the dataclasses of `model.py`, so that a new field needs no code here, only its line in the
schema (a test holds the two together). Enums are stored by value, times as ISO 8601 in UTC with `Z`.
Whoever reads a record gets a `Record` or a `ValueError` that says what is wrong, never something in between.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import types
import typing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from harness.model import SCHEMA, Record

_MISTAKES_SHOWN = 3


def encode(record: Record) -> dict[str, Any]:
    """A record as JSON values, `schema` first."""
    body = _encoded(record)
    return {"schema": body.pop("schema"), **body}


def dumps(record: Record) -> str:
    """A record as readable JSON text that ends with a newline; every string comes back as it was.

    Raises:
        ValueError: a number is not finite or a time has no zone.
    """
    text = json.dumps(encode(record), indent=2, ensure_ascii=False, allow_nan=False)
    # What UTF-8 cannot hold (half a surrogate pair, from undecodable arguments) becomes a JSON escape.
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def loads(text: str) -> Record:
    """The record in a JSON text.

    Raises:
        ValueError: not JSON, not a record, or of another version; says where.
    """
    try:
        raw = json.loads(text, parse_float=finite, parse_constant=finite)
        if isinstance(raw, dict) and raw.get("schema", SCHEMA) != SCHEMA:
            raise ValueError(f"it is of schema {str(raw['schema'])[:40]!r}; this version reads {SCHEMA!r}")
        _validate(raw)
    except RecursionError as error:  # what could be read may still be too deep for a message about it
        raise ValueError("nested too deeply to be a record") from error
    record = _decoded(Record, raw)
    assert isinstance(record, Record)
    return record


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a stored record."""
    text = Path(__file__).with_name("record.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def finite(text: str) -> float:
    """A number in JSON. Raises ValueError for NaN, Infinity and what is too large."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is not a number a record may hold")
    return number


def _validate(raw: object) -> None:
    errors = sorted(
        Draft202012Validator(schema()).iter_errors(raw), key=lambda error: list(map(str, error.path))
    )
    if errors:
        shown = [f"{error.json_path}: {_shortened(error.message)}" for error in errors[:_MISTAKES_SHOWN]]
        rest = len(errors) - len(shown)
        raise ValueError("; ".join(shown) + (f"; and {rest} more" if rest else ""))


def _shortened(message: str) -> str:
    """A message that begins with the offending value and ends with what is wrong about it."""
    return message if len(message) <= 200 else f"{message[:80]}...{message[-117:]}"


def _encoded(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _encoded(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return _time_text(value)
    if isinstance(value, tuple):
        return [_encoded(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _encoded(item) for key, item in value.items()}
    return value


def _time_text(time: datetime) -> str:
    if time.tzinfo is None:
        raise ValueError(f"the time {time} has no zone")
    utc = time.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def _decoded(kind: Any, raw: Any) -> Any:
    """A JSON value that the schema accepts as the type that a dataclass declares."""
    origin = typing.get_origin(kind)
    if origin is types.UnionType or origin is typing.Union:
        inner = next(choice for choice in typing.get_args(kind) if choice is not type(None))
        return None if raw is None else _decoded(inner, raw)
    if origin is tuple:
        return tuple(_decoded(typing.get_args(kind)[0], item) for item in raw)
    if origin is dict:
        return dict(raw)
    if dataclasses.is_dataclass(kind):
        declared = typing.get_type_hints(kind)
        return kind(**{name: _decoded(declared[name], item) for name, item in raw.items()})  # type: ignore[operator]
    if kind is datetime:
        return datetime.fromisoformat(raw)
    return _number(kind, raw) if kind in (int, float) else kind(raw)


def _number(kind: type[int] | type[float], raw: int | float) -> int | float:
    try:
        return kind(raw)
    except OverflowError as error:
        raise ValueError("a number is too large") from error
