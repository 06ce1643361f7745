"""The schemas in docs/ are those of the types."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from tests.schemas import SCHEMAS, file_of, text_of


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_file_is_that_of_today(name: str) -> None:
    """`python -m tests.schemas` writes it."""
    assert file_of(name).read_text(encoding="utf-8") == text_of(SCHEMAS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_schema_and_describes_every_key(name: str) -> None:
    schema = SCHEMAS[name].json_schema
    Draft202012Validator.check_schema(schema)
    parts = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    for part in parts:
        assert part["additionalProperties"] is False and part["description"]
        assert all(key["description"] for key in part["properties"].values())
        assert set(part["properties"]) == set(part["required"])
    assert schema["properties"]["schema"]["const"].startswith("harness.")
