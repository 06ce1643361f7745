"""How frozen data is stored: as it is, or not at all."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

import pytest
from annotated_types import Ge

from harness.codec import Stored

NAME = "test.thing/3"
NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


class Colour(enum.Enum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part."""

    name: str
    """What it is called."""
    count: Annotated[int, Ge(0)] = 0
    """How many."""
    seconds: float | None = None
    """How long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """All of it."""

    when: datetime
    """Some time."""
    parts: tuple[Part, ...] = ()
    """Its parts."""
    by_name: dict[str, Part] | None = None
    """The same by their names."""
    colour: Colour = Colour.RED
    """Of it."""
    place: Path = Path("/tmp")
    """Where it is."""
    schema: str = NAME
    """Of the form."""


def second(raw: dict[str, Any]) -> dict[str, Any]:
    return {**raw, "schema": "test.thing/2", "parts": [{"name": name} for name in raw.get("names", [])]}


def third(raw: dict[str, Any]) -> dict[str, Any]:
    parts = [{"count": 0, "seconds": None, **part} for part in raw["parts"]]
    return {key: raw[key] for key in raw if key != "names"} | {"schema": NAME, "parts": parts}


STORED = Stored(Thing, NAME, {"test.thing/1": second, "test.thing/2": third})
THING = Thing(when=NOON, parts=(Part(name="é 日", count=2, seconds=0.5),), by_name={"a": Part(name="b")})
TEXT = """\
{
  "schema": "test.thing/3",
  "when": "2026-11-27T12:00:00.000000Z",
  "parts": [
    {
      "name": "é 日",
      "count": 2,
      "seconds": 0.5
    }
  ],
  "by_name": {
    "a": {
      "name": "b",
      "count": 0,
      "seconds": null
    }
  },
  "colour": "red",
  "place": "/tmp"
}
"""


def test_there_and_back() -> None:
    assert TEXT == STORED.dumps(THING)
    assert THING == STORED.loads(TEXT)


def test_half_a_pair_of_surrogates_comes_back() -> None:
    """As from arguments that were no text."""
    odd = Thing(when=NOON, parts=(Part(name="x\ud800y"),))
    text = STORED.dumps(odd)
    assert "\\ud800" in text and text.encode("utf-8")
    assert odd == STORED.loads(text)


def test_a_time_is_stored_in_utc_and_one_without_zone_is_not() -> None:
    there = Thing(when=NOON.astimezone(timezone(timedelta(hours=9))))
    assert "2026-11-27T12:00:00.000000Z" == STORED.encode(there)["when"]
    with pytest.raises(ValueError, match="no zone"):
        STORED.dumps(Thing(when=datetime(2026, 11, 27)))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_stored(number: float) -> None:
    with pytest.raises(ValueError):
        STORED.dumps(Thing(when=NOON, parts=(Part(name="x", seconds=number),)))


def test_older_forms_are_read_one_after_another() -> None:
    first = {
        "schema": "test.thing/1",
        "when": "2026-11-27T12:00:00Z",
        "names": ["a", "b"],
        "by_name": None,
        "colour": "red",
        "place": "/tmp",
    }
    assert ("a", "b") == tuple(part.name for part in STORED.loads(json.dumps(first)).parts)


def test_what_a_form_did_not_have_at_first_is_completed() -> None:
    completing = Stored(Thing, NAME, complete=lambda raw: {"colour": "red", **raw})
    bare = {key: value for key, value in json.loads(TEXT).items() if key != "colour"}
    assert THING == completing.loads(json.dumps(bare))
    with pytest.raises(ValueError, match="'colour' is a required property"):
        STORED.loads(json.dumps(bare))


def changed(**parts: Any) -> str:
    return json.dumps({**json.loads(TEXT), **parts})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (changed(schema="test.thing/4"), "it is of schema 'test.thing/4'; this version reads 'test.thing/3'"),
        (changed(parts=[{"name": "x", "count": -1, "seconds": None}]), "$.parts[0].count: -1 is less than"),
        (
            changed(parts=[{"name": "x", "count": True, "seconds": None}]),
            "$.parts[0].count: True is not of type",
        ),
        (changed(parts=[{"name": "x", "count": 1}]), "$.parts[0]: 'seconds' is a required property"),
        (
            changed(by_name={"a": {"name": 7, "count": 0, "seconds": None}}),
            "$.by_name.a.name: 7 is not of type",
        ),
        (
            changed(by_name={"a": {"name": "x", "count": 0, "seconds": "1"}}),
            "$.by_name.a.seconds: '1' is not",
        ),
        (changed(when="2026-02-30T12:00:00Z"), "$.when: Input should be a valid datetime"),
        (
            changed(parts=[{"name": "x", "count": 1, "seconds": 10**400}]),
            "$.parts[0].seconds: a number is too large",
        ),
        (changed(colour="blue"), "$.colour: 'blue' is not one of ['red']"),
        (changed(more=1), "'more' was unexpected"),
        (changed(place=None, colour=None, when=None, parts=None), "; and 2 more"),
        ('{"a": NaN}', "NaN is not a number a record may hold"),
        ('{"a": 1e999}', "1e999 is not a number a record may hold"),
        ("[" * 100_000, "nested too deeply"),
        ("7", "7 is not of type 'object'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as raised:
        STORED.loads(text)
    assert problem in str(raised.value)


def test_a_long_value_is_shortened_in_a_message_and_its_fault_is_not() -> None:
    with pytest.raises(ValueError) as raised:
        STORED.loads(changed(colour="x" * 5000))
    said = str(raised.value)
    assert len(said) < 250 and said.endswith("is not one of ['red']") and "xxx..." in said


def test_the_schema_says_what_is_stored() -> None:
    schema = STORED.json_schema
    assert NAME == schema["properties"]["schema"]["const"]
    assert {"when", "parts", "by_name", "colour", "place", "schema"} == set(schema["required"])
    assert ("All of it.", "Its parts.") == (
        schema["description"],
        schema["properties"]["parts"]["description"],
    )
    assert {"Part", "Colour"} == set(schema["$defs"])


def test_a_key_that_is_there_twice_is_refused() -> None:
    """Else the second would count, and a reader of the text might believe the first."""
    twice = TEXT.replace('"colour": "red",', '"colour": "blue",\n  "colour": "red",')
    with pytest.raises(ValueError, match="the key 'colour' is there twice"):
        STORED.loads(twice)
