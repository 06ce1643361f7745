"""The stored form of a record of conformance."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from harness.facts.conformance import CONFORMANCES, Conformance, FactResult, loads, timeless
from harness.facts.known import SHIPPED
from harness.model import Verdict
from tests.unit.facts.made import conformance


def test_there_and_back() -> None:
    made = conformance({"thaw.asks_first": Verdict.FAIL, "freeze.self_thaw": Verdict.UNKNOWN})
    assert made == loads(CONFORMANCES.dumps(made))
    assert timeless(made) == loads(CONFORMANCES.dumps(timeless(made)))


def test_schema_comes_first_and_names_every_field() -> None:
    raw = json.loads(CONFORMANCES.dumps(conformance()))
    assert ["schema", *(field.name for field in fields(Conformance) if field.name != "schema")] == list(raw)
    assert [field.name for field in fields(FactResult)] == list(raw["facts"][0])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", "harness.conformance/2"),
        ("schema", "harness.record/1"),
        ("facts", []),
        ("stand_in", "no"),
        ("made_utc", "yesterday"),
        ("version", ""),
        ("extra", 1),
    ],
)
def test_what_the_schema_does_not_know_is_refused(key: str, value: object) -> None:
    raw = {**json.loads(CONFORMANCES.dumps(conformance())), key: value}
    with pytest.raises(ValueError):
        loads(json.dumps(raw))


@pytest.mark.parametrize("key", ["id", "observed", "verdict", "checks"])
def test_a_fact_without_one_of_its_parts_is_refused(key: str) -> None:
    raw = json.loads(CONFORMANCES.dumps(conformance()))
    del raw["facts"][3][key]
    with pytest.raises(ValueError, match=r"facts\[3\]"):
        loads(json.dumps(raw))


def test_shipped_records_are_readable_and_without_times() -> None:
    files = list(SHIPPED.glob("*.json"))
    assert files
    for file in files:
        shipped = loads(file.read_text())
        assert shipped == timeless(shipped)


def test_an_engine_is_named_as_in_reports() -> None:
    made = conformance()
    assert "IRIS 2024.1.0.263.0" == made.engine
    assert "stand-in (IRIS 2024.1.0.263.0)" == replace(made, stand_in=True).engine
