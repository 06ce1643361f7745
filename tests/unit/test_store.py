"""Records survive storage without loss, and nothing that is not a record is taken for one."""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness import record_json, store
from harness.errors import PreconditionError, UsageError
from harness.model import SCHEMA, CaseRecord, Record, RollforwardSummary, Verdict
from harness.record_json import RECORDS

SAMPLE = Path(__file__).parent / "report" / "record.json"
START = datetime(2026, 11, 22, 11, 1, 2, tzinfo=UTC)

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, st.integers(0, 2**63 - 1))
st.register_type_strategy(str, st.text(alphabet=st.characters(), max_size=8))
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))

DRAWN = st.builds(
    Record,
    cases=st.lists(st.builds(CaseRecord, stages=st.just(())), max_size=2).map(tuple),
    schema=st.just("harness.record/2"),
)


def sample() -> Record:
    return store.load(SAMPLE)


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(SAMPLE.read_text(encoding="utf-8")), **changes})


def in_first_case(**changes: Any) -> str:
    raw = json.loads(SAMPLE.read_text(encoding="utf-8"))
    raw["cases"][0].update(changes)
    return json.dumps(raw)


@settings(
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
    max_examples=80,
    deadline=None,
)
@given(record=DRAWN)
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, record: Record) -> None:
    """Every record comes back equal, and what is on disk is valid against the schema."""
    store.save(record, tmp_path)
    assert record == store.load(tmp_path)
    raw = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    assert [error.message for error in Draft202012Validator(RECORDS.json_schema).iter_errors(raw)] == []


def test_the_stored_form_is_the_documented_one() -> None:
    """`schema` comes first, and the keys are those of the design."""
    raw = RECORDS.encode(sample())
    expected = [
        "schema",
        "plan",
        "seed",
        "started_utc",
        "finished",
        "verdict",
        "instance",
        "cases",
        "versions",
    ]
    assert [*expected, "argv", "error", "planned", "clock"] == list(raw)
    assert raw["started_utc"] == "2026-11-22T11:01:02.345678Z"
    assert {"mode", "acknowledged", "recovered", "lost_acknowledged", "rpo_s", "rto_s"} == set(
        raw["cases"][0]["recovery"]
    )


def test_times_are_stored_in_utc() -> None:
    """A time from another zone is the same instant in the file."""
    elsewhere = START.astimezone(timezone(timedelta(hours=9)))
    record = dataclasses.replace(sample(), started_utc=elsewhere)
    assert RECORDS.encode(record)["started_utc"] == "2026-11-22T11:01:02.000000Z"


def test_a_time_without_zone_is_refused() -> None:
    """Nobody could say later which instant it was."""
    with pytest.raises(ValueError, match="no zone"):
        RECORDS.dumps(dataclasses.replace(sample(), started_utc=datetime(2026, 11, 22)))


def _dataclasses(kind: Any) -> set[type]:
    found = {kind} if dataclasses.is_dataclass(kind) else set()
    inner = typing.get_type_hints(kind).values() if found else typing.get_args(kind)
    return found.union(*(_dataclasses(one) for one in inner)) if inner else found


def _mappings(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [node for value in schema for node in _mappings(value)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(node for value in schema.values() for node in _mappings(value))]


def test_schema_and_dataclasses_have_the_same_fields() -> None:
    """A field that is added to the model and not to the schema would make every record invalid."""
    in_model = {frozenset(item.name for item in dataclasses.fields(kind)) for kind in _dataclasses(Record)}
    in_schema = {
        frozenset(node["properties"]) for node in _mappings(RECORDS.json_schema) if "properties" in node
    }
    assert in_model == in_schema


@pytest.mark.parametrize("key", ["key", "load"])
def test_a_record_of_the_first_form_has_what_it_kept_and_no_more(key: str) -> None:
    """Its cases are told apart by their names; what it did not keep is not known."""
    raw = json.loads(SAMPLE.read_text(encoding="utf-8"))
    assert "harness.record/1" == raw["schema"] and "clock" not in raw and key not in raw["cases"][0]
    found = sample()
    assert (SCHEMA, None, None) == (found.schema, found.clock, found.cases[0].load)
    keys = [(one.key.cycle, one.key.provider, one.key.mode.value) for one in found.cases if one.key]
    assert keys[0] == (1, "copy", "as-of-freeze") and len(keys) == len(found.cases)
    assert found.cases[0].backup == "cycle 1 · copy"


@pytest.mark.parametrize(
    "name", ["", "cycle x · copy · boot", "cycle 1 · copy · boots", "cycle 1 · copy · boot\n", 7]
)
def test_a_name_that_is_none_of_a_plan_is_no_key(name: object) -> None:
    assert record_json._key(name) is None


def test_a_second_snapshot_of_a_provider_is_read_from_a_name() -> None:
    found = record_json._key("cycle 12 · copy #2 · point-in-time")
    assert {"cycle": 12, "provider": "copy", "options": {}, "mode": "point-in-time"} == found


@pytest.mark.parametrize(
    "key", ["argv", "cases", "error", "finished", "instance", "plan", "schema", "seed", "verdict", "versions"]
)
def test_a_record_of_the_first_form_without_a_part_is_refused(tmp_path: Path, key: str) -> None:
    raw = json.loads(SAMPLE.read_text(encoding="utf-8"))
    del raw[key]
    (tmp_path / "record.json").write_text(json.dumps(raw))
    with pytest.raises(UsageError, match=f"'{key}' is a required property"):
        store.load(tmp_path)


def test_a_case_or_finding_without_a_part_is_refused(tmp_path: Path) -> None:
    """Also one that has a default in the program: what is missing is not what was not found."""
    for step, key in (("checks", "findings"), ("checks", "verdict"), ("stages", "name")):
        raw = json.loads(SAMPLE.read_text(encoding="utf-8"))
        del raw["cases"][0][step][0][key]
        (tmp_path / "record.json").write_text(json.dumps(raw))
        with pytest.raises(UsageError, match=rf"\$\.cases\[0\]\.{step}\[0\]: '{key}' is a required"):
            store.load(tmp_path)


def test_every_key_of_the_schema_is_described_required_and_closed() -> None:
    """Readers of records rely on it."""
    for node in _mappings(RECORDS.json_schema):
        for name, value in node.get("properties", {}).items():
            assert value.get("description"), name
            assert name in node["required"]
            assert node["additionalProperties"] is False


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "is not of type 'object'"),
        ("{}", "is a required property"),
        ("[" * 100_000, "nested too deeply"),
        (changed(schema="harness.record/3"), "harness.record/3"),
        (changed(schema=7), "it is of schema '7'"),
        (changed(colour="red"), "colour"),
        (changed(verdict="GREAT"), "GREAT"),
        (changed(finished="yes"), "is not of type 'boolean'"),
        (changed(seed=10**400), "greater than the maximum"),
        (changed(started_utc="2026-13-22T11:01:02Z"), "month value is outside expected range"),
        (changed(started_utc="2026-11-22T11:01:02"), "does not match"),
        (changed(started_utc="2026-11-22T11:01:02Z\n"), "does not match"),
        (changed(error=None), "is not of type 'string'"),
        (in_first_case(verdict=None), "is not one of"),
        (in_first_case(restore={"duration_s": float("nan"), "bytes": 1}), "NaN is not a number"),
        (in_first_case(restore={"duration_s": 10**400, "bytes": 1}), "a number is too large"),
        (in_first_case(restore={"duration_s": 1.0, "bytes": -1}), "less than the minimum"),
        (SAMPLE.read_text(encoding="utf-8").replace("0.2,", "1e999,"), "1e999 is not a number"),
    ],
)
def test_what_is_not_a_record_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """One clear message names the file and the problem; nothing is repaired or guessed."""
    (tmp_path / "record.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        store.load(tmp_path)
    assert str(tmp_path / "record.json") in str(caught.value)
    assert problem in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(raw=st.binary(max_size=80))
def test_any_bytes_are_a_record_or_a_usage_error(tmp_path: Path, raw: bytes) -> None:
    """No file makes the loader fail in a third way."""
    (tmp_path / "record.json").write_bytes(raw)
    with pytest.raises(UsageError):
        store.load(tmp_path)


def test_a_run_is_named_by_its_folder_or_its_record() -> None:
    """Both names are the same run."""
    assert store.load(SAMPLE.parent) == store.load(SAMPLE)


@pytest.mark.parametrize("name", ["none", "none/record.json", "nul\0byte"])
def test_a_run_that_is_not_there_is_a_usage_error(tmp_path: Path, name: str) -> None:
    """The message, not a traceback, says what is missing."""
    with pytest.raises(UsageError):
        store.load(tmp_path / name)


def test_a_folder_is_named_by_plan_start_and_seed(tmp_path: Path) -> None:
    """The name of a run sorts by its start."""
    folder = store.create_folder(tmp_path / "deep" / "results", "quick", START, 42)
    assert tmp_path / "deep" / "results" / "quick" / "20261122T110102Z-42" == folder
    assert folder.is_dir()


def test_a_run_folder_is_never_used_twice(tmp_path: Path) -> None:
    """A second run must not write into the evidence of the first."""
    store.create_folder(tmp_path, "quick", START, 42)
    with pytest.raises(UsageError, match="already there"):
        store.create_folder(tmp_path, "quick", START, 42)


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_file_in_the_way_is_a_usage_error(tmp_path: Path, out: str) -> None:
    """A file is not replaced by a folder."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="file"):
        store.create_folder(tmp_path / out, "quick", START, 42)


def test_a_forbidden_folder_is_a_missing_precondition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the folder, the reason and the way out."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(PreconditionError, match=r"Permission denied.*--out"):
        store.create_folder(tmp_path, "quick", START, 42)


def test_a_failed_save_leaves_the_previous_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash or a full disk in mid-write never leaves half a record, nor litter."""
    store.save(sample(), tmp_path)
    real, refused = os.fsync, []

    def full_for_once(handle: int) -> None:
        if refused:
            real(handle)
            return
        refused.append(handle)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_for_once)
    with pytest.raises(PreconditionError, match="No space left"):
        store.save(dataclasses.replace(sample(), verdict=Verdict.PASS), tmp_path)
    assert sample() == store.load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_history_lists_every_run_oldest_first(tmp_path: Path) -> None:
    """A run without a readable record is listed with its problem, not left out."""
    later = store.create_folder(tmp_path, "a", START + timedelta(hours=1), 1)
    earlier = store.create_folder(tmp_path, "b", START, 2)
    store.save(sample(), earlier)
    (tmp_path / "README.md").write_text("not a run")
    first, second = store.history(tmp_path)
    assert store.Run(folder=earlier, record=sample()) == first
    assert (later, None, True) == (second.folder, second.record, "record.json" in second.problem)


def test_history_of_nothing_is_a_usage_error(tmp_path: Path) -> None:
    """A folder that is not there has no history, not an empty one."""
    with pytest.raises(UsageError, match="No such file"):
        store.history(tmp_path / "none")


def test_numbers_keep_their_type(tmp_path: Path) -> None:
    """A whole number of seconds in a hand-written record is still a float."""
    (tmp_path / "record.json").write_text(in_first_case(restore={"duration_s": 1, "bytes": 2}))
    restore = store.load(tmp_path).cases[0].restore
    assert restore is not None
    assert (float, int) == (type(restore.duration_s), type(restore.bytes))


def test_parts_that_were_not_reached_come_back_as_none() -> None:
    """Null in the file is None in the model, at every depth."""
    first, second = sample().cases[:2]
    assert first.rollforward is None
    assert isinstance(second.rollforward, RollforwardSummary)


@pytest.mark.parametrize("key", ["clock", "key", "load"])
def test_a_record_of_the_first_form_with_keys_of_the_second_is_none(tmp_path: Path, key: str) -> None:
    raw = json.loads(SAMPLE.read_text(encoding="utf-8"))
    (raw if key == "clock" else raw["cases"][0])[key] = None
    (tmp_path / "record.json").write_text(json.dumps(raw))
    with pytest.raises(UsageError, match=r"harness\.record/1"):
        store.load(tmp_path)
