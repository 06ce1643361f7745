"""The stored form of frozen data: JSON, there and back without loss, with a schema that is made from the types.

pydantic reads the types: it makes the schema (a field's docstring is its description) and turns JSON values into
dataclasses. It was taken before cattrs, which makes no schema, and before msgspec, which lets unknown keys pass in a
dataclass. What is read is first held against the schema by jsonschema, so that nothing is coerced: a text gives the
whole value, or a ValueError that says what is wrong and where, never something in between.

Enums are stored by value, times as ISO 8601 in UTC with `Z`, paths as text.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from pydantic import ConfigDict, TypeAdapter
from pydantic import ValidationError as NotOfType
from pydantic.json_schema import GenerateJsonSchema

Value = TypeVar("Value")
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes JSON of an older schema into JSON of the next one; given what was read, whatever it is like inside."""

_MISTAKES_SHOWN = 3
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z(?![\s\S])"
_CONFIG = ConfigDict(
    extra="forbid",
    use_attribute_docstrings=True,
    json_schema_serialization_defaults_required=True,  # a key that is missing is not the same as nothing found
)


class Stored(Generic[Value]):
    """How values of a type are stored.

    Args:
        kind: A frozen dataclass; its field `schema` holds the name and version of the form.
        older: Schema of an older form → what makes it into the next one.
        complete: Fills in keys that values of this form did not have at first.
    """

    def __init__(
        self,
        kind: type[Value],
        schema: str,
        older: Mapping[str, Upgrade] | None = None,
        complete: Upgrade | None = None,
    ) -> None:
        self._kind = kind
        self._name = schema
        self._older = older or {}
        self._complete = complete

    def encode(self, value: Value) -> dict[str, Any]:
        """A value as JSON values, `schema` first. Raises ValueError: a time has no zone."""
        (body,) = self._adapter.dump_python((value,))
        plain: dict[str, Any] = _plain(body)
        return {"schema": plain.pop("schema"), **plain}

    def dumps(self, value: Value) -> str:
        """A value as readable JSON text that ends with a newline; every string comes back as it was.

        Raises:
            ValueError: a number is not finite or a time has no zone.
        """
        text = json.dumps(self.encode(value), indent=2, ensure_ascii=False, allow_nan=False)
        # What UTF-8 cannot hold (half a surrogate pair, from undecodable arguments) becomes a JSON escape.
        return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"

    def loads(self, text: str) -> Value:
        """The value in a JSON text, which may be of an older form.

        Raises:
            ValueError: not JSON, not of this type, or of another version; says where.
        """
        try:
            read = json.loads(text, parse_float=_finite, parse_constant=_finite, object_pairs_hook=_once)
            raw = self._of_today(read)
            self._require_valid(raw)
        except RecursionError as error:  # what could be read may still be too deep for a message about it
            raise ValueError("nested too deeply to be a record") from error
        try:
            (value,) = self._adapter.validate_python((raw,))
        except NotOfType as error:
            raise ValueError(_first_mistake(error)) from error
        return value

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of the form, with a description of every key."""
        whole = self._adapter.json_schema(mode="serialization", schema_generator=_Schema)
        (body,) = whole["prefixItems"]
        found: dict[str, Any] = {**body, "$defs": whole["$defs"]}
        top = found["$defs"].pop(body["$ref"].rpartition("/")[2]) if "$ref" in body else body
        top["properties"]["schema"] = {**top["properties"]["schema"], "const": self._name}
        return {"$schema": Draft202012Validator.META_SCHEMA["$id"], **top, "$defs": found["$defs"]}

    @cached_property
    def _adapter(self) -> TypeAdapter[tuple[Value]]:
        # only what is no dataclass itself takes a configuration, and hands it on
        return TypeAdapter(tuple[self._kind], config=_CONFIG)  # type: ignore[name-defined]

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return Draft202012Validator(self.json_schema)

    def _of_today(self, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        for _ in self._older:
            upgrade = self._older.get(str(raw.get("schema")))
            raw = upgrade(raw) if upgrade else raw
        if raw.get("schema", self._name) != self._name:
            raise ValueError(
                f"it is of schema {str(raw['schema'])[:40]!r}; this version reads {self._name!r}"
            )
        return self._complete(raw) if self._complete else raw

    def _require_valid(self, raw: object) -> None:
        found = sorted(self._validator.iter_errors(raw), key=lambda error: list(map(str, error.path)))
        if found:
            shown = [
                f"{one.json_path}: {_shortened(one.message)}" for one in map(_inner, found[:_MISTAKES_SHOWN])
            ]
            rest = len(found) - len(shown)
            raise ValueError("; ".join(shown) + (f"; and {rest} more" if rest else ""))


class _Schema(GenerateJsonSchema):
    """Types are named by what they hold, and times have one form."""

    def datetime_schema(self, schema: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": _TIME}

    def get_title_from_name(self, name: str) -> str:
        return ""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _plain(value: object) -> Any:
    """What JSON can hold."""
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return _time_text(value)
    return str(value) if isinstance(value, Path) else value


def _time_text(time: datetime) -> str:
    if time.tzinfo is None:
        raise ValueError(f"the time {time} has no zone")
    utc = time.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in JSON. Raises ValueError for a duplicate key: readers of JSON differ in which one they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)[:40]!r} is there twice")
    return found


def _finite(text: str) -> float:
    """A number in JSON. Raises ValueError for NaN, Infinity and what is too large."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is not a number a record may hold")
    return number


def _inner(error: ValidationError) -> ValidationError:
    """What is wrong inside of a part that may also be null."""
    while error.context:
        error = max(error.context, key=lambda one: (len(one.path), one.validator_value != "null"))
    return error


def _first_mistake(error: NotOfType) -> str:
    found = error.errors()[0]
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in found["loc"][1:])
    # that it is a number was seen before
    what = "a number is too large" if found["type"] == "float_type" else _shortened(found["msg"])
    return f"${place}: {what}"


def _shortened(message: str) -> str:
    """A message that begins with the offending value and ends with what is wrong about it."""
    return message if len(message) <= 200 else f"{message[:80]}...{message[-117:]}"
