"""Any JSON read as a record: a Record or Conformance, or a ValueError; no report says more than the record holds."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.declared import resting_on
from harness.evidence.answers import Description
from harness.facts import conformance
from harness.facts.catalogue import FACTS
from harness.facts.known import SHIPPED, unconfirmed
from harness.model import CaseRecord, Record, Verdict
from harness.record_json import RECORDS
from harness.report.json import JSONReporter
from harness.report.junit import JUnitReporter
from harness.report.markdown import MarkdownReporter
from harness.report.table import TableReporter
from tests.checks import GUIDE, case_verdict, final_verdict, overview, summary
from tests.property.answers import is_typed

SAMPLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "unit" / "report" / "record.json").read_text(encoding="utf-8")
)
FACTS_SAMPLE: dict[str, Any] = json.loads(next(iter(SHIPPED.glob("*.json"))).read_text(encoding="utf-8"))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        (
            *(
                "PASS",
                "FAIL",
                "UNKNOWN",
                "SKIPPED",
                "rollforward",
                "harness.record/1",
                "harness.record/2",
                "harness.record/3",
                "",
                "a.b",
            ),
            *(
                "2026-11-22T10:00:00Z",
                "2026-02-30T10:00:00Z",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59.999999Z",
            ),
            *("\ud800", "\0", "\x1b[2J", "|", 2**63, -1, 0, 1.0, 1e308),
        )
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value, the whole of it first."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for step, inner in steps for place in places(inner, (*at, step)))]


def changed(draw: st.DrawFn, whole: dict[str, Any]) -> Any:
    """A JSON value with up to three places set, removed or doubled."""
    raw: Any = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(raw)))
        if not place:
            continue
        holder = raw
        for step in place[:-1]:
            holder = holder[step]
        step = place[-1]
        kind = draw(st.sampled_from(["set", "set", "remove", "double"]))
        if kind == "remove":
            del holder[step]
        elif kind == "double" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[step]))
        else:
            holder[step] = draw(VALUES)
    return raw


@st.composite
def records(draw: st.DrawFn) -> Any:
    return changed(draw, SAMPLE)


@st.composite
def conformances(draw: st.DrawFn) -> Any:
    return changed(draw, {**FACTS_SAMPLE, "facts": FACTS_SAMPLE["facts"][:4]})


def loaded(text: str) -> Record | None:
    """The record; None if it is refused with a ValueError. Anything else is a defect."""
    try:
        record = RECORDS.loads(text)
    except ValueError as error:
        assert str(error)
        return None
    assert is_typed(record, Record)
    return record


def good(case: CaseRecord) -> bool:
    """Whether a case may be called passed, decided apart from the code: checked, and nothing in it says otherwise."""
    fine = (Verdict.PASS, Verdict.SKIPPED)
    lost = case.recovery.lost_acknowledged if case.recovery else 0
    return (
        case.verdict is Verdict.PASS
        and bool(case.checks)
        and all(check.verdict in fine for check in case.checks)
        and all(finding.verdict in fine for check in case.checks for finding in check.findings)
        and not lost
        and (case.freeze is None or case.freeze.held)
    )


def require_honest(record: Record) -> None:
    """Every reporter renders it, and none calls it passed unless the whole of it says so."""
    texts = [
        reporter.render(record, GUIDE) for reporter in (TableReporter(), MarkdownReporter(), JSONReporter())
    ]
    assert all(text.endswith("\n") for text in texts)
    assert "<testsuites" in JUnitReporter().render(record, GUIDE) and overview([("run", record)])
    whole = record.finished and not record.error and bool(record.cases)
    parts = all(good(case) or case_verdict(case) is Verdict.SKIPPED for case in record.cases)
    if final_verdict(record) is Verdict.PASS:
        assert whole and parts and record.verdict is Verdict.PASS
    assert summary(record)[0].startswith("PASS") == (final_verdict(record) is Verdict.PASS)
    for case in record.cases:
        assert case_verdict(case) is not Verdict.PASS or good(case)


@settings(max_examples=120)
@given(records())
def test_a_changed_record_is_a_record_or_refused_and_reports_are_honest(raw: Any) -> None:
    record = loaded(json.dumps(raw))
    if record:
        require_honest(record)


VERDICTS = st.sampled_from(["PASS", "PASS", "PASS", "PASS", "PASS", "SKIPPED", "UNKNOWN", "FAIL"])


@st.composite
def contradictory(draw: st.DrawFn) -> dict[str, Any]:
    """The sample with verdicts drawn for run, cases, checks and findings, each on its own."""
    raw = copy.deepcopy(SAMPLE)
    raw["verdict"], raw["finished"] = draw(VERDICTS), draw(st.booleans()) or draw(st.booleans())
    raw["error"] = draw(st.sampled_from(["", "", "", "killed"]))
    for case in raw["cases"]:
        case["verdict"] = draw(VERDICTS)
        case["checks"] = case["checks"][: draw(st.sampled_from([0, 2, 3]))]
        if case["freeze"]:
            case["freeze"]["held"] = draw(st.sampled_from([True, True, True, False]))
        if case["recovery"]:
            case["recovery"]["lost_acknowledged"] = draw(st.sampled_from([0, 0, 0, None, 7]))
        for check in case["checks"]:
            check["verdict"] = draw(VERDICTS)
            found = {"code": "a.b", "message": "m", "witness": "", "verdict": draw(VERDICTS)}
            check["findings"] = [found] if draw(st.integers(0, 2)) == 0 else []
    return raw


@settings(max_examples=120)
@given(contradictory())
def test_a_record_that_contradicts_itself_is_not_reported_as_passed(raw: dict[str, Any]) -> None:
    """Unfinished, in error, without cases or checks, or with a part that says FAIL or UNKNOWN, loss or no hold."""
    record = loaded(json.dumps(raw))
    assert record
    require_honest(record)


JSON_TEXT = st.one_of(
    VALUES.map(json.dumps),
    st.text(),
    st.tuples(records().map(json.dumps), st.integers(0)).map(
        lambda drawn: drawn[0][: drawn[1] % len(drawn[0])]
    ),
)


@given(JSON_TEXT)
def test_any_text_is_a_record_or_a_value_error(text: str) -> None:
    loaded(text)
    facts(text)


DEEP = ("[", '{"cases":', '{"facts":[')


@pytest.mark.parametrize("begin", DEEP)
@pytest.mark.parametrize("read", ["record", "conformance"])
def test_any_depth_is_refused_with_a_value_error(begin: str, read: str) -> None:
    """On both sides of the depth at which JSON, the schema and the message about it give up."""
    closing = {"[": "]", '{"cases":': "}", '{"facts":[': "]}"}[begin]
    keys = {key: SAMPLE[key] for key in SAMPLE if key != "cases"}
    for depth in [40, 400, *range(820, 1000, 1 if read == "record" else 9), 5000, 100000]:
        nested = begin * depth + "1" + closing * depth
        text = json.dumps(keys)[:-1] + f', "cases": {nested}}}'
        if read == "conformance":
            text = (
                json.dumps({k: v for k, v in FACTS_SAMPLE.items() if k != "facts"})[:-1]
                + f', "facts": {nested}}}'
            )
            assert facts(text) is None and facts(nested) is None
        else:
            assert loaded(text) is None and loaded(nested) is None


# --- records of conformance


def facts(text: str) -> conformance.Conformance | None:
    try:
        found = conformance.loads(text)
    except ValueError as error:
        assert str(error)
        return None
    assert is_typed(found, conformance.Conformance)
    return found


@settings(max_examples=100)
@given(conformances())
def test_a_changed_conformance_is_one_or_refused(raw: Any) -> None:
    """What loads is stored and loaded again without a difference."""
    found = facts(json.dumps(raw))
    if found:
        assert found == conformance.loads(conformance.CONFORMANCES.dumps(found))


@given(st.data())
def test_a_fact_that_was_also_seen_to_fail_confirms_nothing(data: st.DataObject) -> None:
    """A record that says PASS and FAIL of one fact is refused, wherever the two stand: its checks stay UNKNOWN."""
    raw = copy.deepcopy(FACTS_SAMPLE)
    fact = data.draw(st.sampled_from([one for one in raw["facts"] if one["verdict"] == "PASS"]))
    raw["facts"].insert(data.draw(st.integers(0, len(raw["facts"]))), {**fact, "verdict": "FAIL"})
    with pytest.raises(ValueError, match="twice"):
        conformance.loads(json.dumps(raw))


@pytest.mark.parametrize("content", ["[" * 50000, "", "{}", '{"made_utc": NaN}'])
def test_an_unreadable_record_on_this_machine_leaves_every_fact_unconfirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    """Not even the one that ships with the harness stands in for it, and nothing ends with a traceback."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    from harness.facts import known

    name = known.file_name(FACTS_SAMPLE["product"], FACTS_SAMPLE["version"], FACTS_SAMPLE["stand_in"])
    known.state_records().mkdir(parents=True)
    (known.state_records() / name).write_text(content)
    engine = Description(
        product=FACTS_SAMPLE["product"],
        version=FACTS_SAMPLE["version"],
        stand_in=FACTS_SAMPLE["stand_in"],
        root=Path("/"),
        journal_folder=Path("/"),
        databases={},
        notes=(),
    )
    lacking = {fact for facts in unconfirmed(engine).values() for fact in facts}
    assert {fact.id for fact in FACTS if resting_on(fact.id)} == lacking
