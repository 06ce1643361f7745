"""Whatever an agent prints, and with whatever status: a typed value or a HarnessError, and never a guess."""

from __future__ import annotations

import copy
import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import FreezeError, HarnessError, InstanceError, ParseError, ThawError
from harness.evidence.answers import ThawAnswer
from harness.instance import iris
from harness.instance.iris import Instance
from harness.model import Verdict
from harness.verify.base import judge
from harness.verify.integrity import IntegrityChecker
from tests.property.answers import ASKED, GOOD, LOG, METHODS, SaidBefore, instance, is_typed, lines
from tests.seen import seen


@pytest.fixture(scope="module", autouse=True)
def answers_at_once() -> Iterator[None]:
    """What is said here is said at once, so nobody waits for another answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(iris, "ANSWER_TIMEOUT_S", 0.0)
        yield


STATUSES = st.one_of(st.sampled_from([5, 5, 5, 3, 0, 1, -9]), st.integers(-64, 255))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 9),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["/", "/db/one/", "/db/two/", "marker", "\0", "20261122.003", "\ud800", "/\0"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = sorted({key for objects in GOOD.values() for one in objects for key in one} | {"error", "agent"})
OBJECTS = st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=4)), VALUES, max_size=8)
NOISE = st.one_of(
    st.text(max_size=200),
    st.lists(st.one_of(OBJECTS, VALUES), max_size=4).map(lines),
    st.sampled_from(
        ["[" * 100000, '{"a":' * 5000, '{"offset":' + "1" * 5000 + "}", "\r\n", "{}", "{}\n\n", "NaN"]
    ),
)


@st.composite
def damaged(draw: st.DrawFn, method: str) -> str:
    """A good answer with one thing changed: a key gone, another value, an object lost, doubled or cut."""
    objects: list[Any] = copy.deepcopy(GOOD[method])
    for _ in range(draw(st.integers(1, 2))):
        if not objects:
            return draw(NOISE)
        at = draw(st.integers(0, len(objects) - 1))
        kind = draw(st.sampled_from(["drop key", "value", "drop", "double", "add"]))
        if kind == "drop":
            del objects[at]
        elif kind == "double":
            objects.insert(at, copy.deepcopy(objects[at]))
        elif kind == "add":
            objects[at][draw(st.sampled_from(KEYS))] = draw(VALUES)
        elif objects[at]:
            key = draw(st.sampled_from(sorted(objects[at])))
            if kind == "value":
                objects[at][key] = draw(VALUES)
            else:
                del objects[at][key]
    text = lines(objects)
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


def kind_of(method: str) -> Any:
    return typing.get_type_hints(getattr(Instance, method), vars(iris))["return"]


def outcome(method: str, *said: tuple[int, str]) -> object:
    """What the method gave, typed as it says; or the HarnessError it raised. Anything else is a defect."""
    try:
        value = METHODS[method](instance(*said))
    except HarnessError as error:
        assert str(error)
        return error
    assert is_typed(value, kind_of(method)), value
    return value


@pytest.mark.parametrize("method", METHODS)
def test_a_good_answer_is_read(method: str) -> None:
    """The answers that the others are made from are good ones; exactly one line each or as the protocol says."""
    assert not isinstance(outcome(method, (5, lines(GOOD[method]))), Exception)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=60)
@given(st.data())
def test_any_answer_gives_a_value_or_an_error_of_ours(method: str, data: st.DataObject) -> None:
    status = data.draw(STATUSES)
    text = data.draw(st.one_of(damaged(method), NOISE))
    found = outcome(method, (status, text))
    if method not in ("thaw", "is_frozen", "freeze") and status != 5:
        assert isinstance(found, HarnessError)


@pytest.mark.parametrize("method", [m for m, good in GOOD.items() if good and good[0]])
@settings(max_examples=40)
@given(data=st.data())
def test_a_missing_key_is_a_parse_error_with_verb_and_line(method: str, data: st.DataObject) -> None:
    """Where the protocol names a key, an object without it is not an answer; the message shows which and where."""
    if method in ("dismount", "mount", "thaw"):
        return
    objects = copy.deepcopy(GOOD[method])
    at = data.draw(st.integers(0, len(objects) - 1))
    key = data.draw(
        st.sampled_from(sorted(objects[at].keys() - {"agent", "sessions_max", "records", "complete"}) or [""])
    )
    if not key:
        return
    del objects[at][key]
    with pytest.raises(ParseError) as caught:
        METHODS[method](instance((5, lines(objects))))
    assert f"has no {key!r}" in str(caught.value)
    assert (at + 1, json.dumps(objects[at])[:400]) == (caught.value.line_number, caught.value.line)


@pytest.mark.parametrize(
    "method", [m for m, good in GOOD.items() if good and m not in ("journals", "last_committed")]
)
@pytest.mark.parametrize("count", [0, 2, 3])
def test_more_or_fewer_objects_are_no_answer(method: str, count: int) -> None:
    """Where one object is the answer, none and two are a ParseError; an integrity report is incomplete."""
    if method in ("dismount", "mount", "stop_writers", "clear", "thaw", "integrity"):
        return
    with pytest.raises(ParseError, match=f"{count} objects where one was expected"):
        METHODS[method](instance((5, lines(GOOD[method] * count))))


@given(st.sampled_from(["position", "mount", "roll_forward", "clear", "journals"]), st.text(max_size=9))
def test_an_error_object_is_an_error_with_either_status(method: str, reason: str) -> None:
    """Status 5 beside the words of a failure is a contradiction, not a success."""
    for status in (3, 5):
        found = outcome(method, (status, lines([*GOOD[method], {"error": reason}])))
        assert isinstance(found, HarnessError) and reason in str(found)


# --- freeze and thaw


@given(STATUSES, st.text(max_size=40))
def test_only_5_is_frozen_and_only_3_is_not(status: int, said: str) -> None:
    """Every other status is no answer, whatever was printed."""
    expected = {5: True, 3: False}.get(status)
    found = outcome("is_frozen", (status, said))
    assert found is expected if expected is not None else isinstance(found, InstanceError)
    frozen = outcome("freeze", (status, said))
    if status == 5:
        assert isinstance(frozen, iris.FreezeAnswer)
    else:
        assert isinstance(frozen, FreezeError if status == 3 else InstanceError)
        assert (status == 3) == isinstance(frozen, FreezeError)


def is_thaw_answer(text: str) -> bool:
    """Whether text is one object with the three keys and their types: decided apart from the code."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(raw, dict)
        and all(type(raw.get(key)) is bool for key in ("suspended", "thawed"))
        and isinstance(raw.get("message"), str)
        and "error" not in raw
    )


@settings(max_examples=500)
@given(
    st.tuples(STATUSES, st.one_of(damaged("thaw"), NOISE)),
    st.tuples(STATUSES, STATUSES, STATUSES, STATUSES),
    st.none() | st.tuples(STATUSES, st.one_of(damaged("thaw"), NOISE)),
)
def test_nonsense_is_never_a_thaw(
    agent: tuple[int, str], statuses: tuple[int, int, int, int], prepared: tuple[int, str] | None
) -> None:
    """It counts as thawed only if the agent says so in its own form, or ExternalThaw ends with 5, or the engine says
    that it is not suspended; in all other cases it may still be frozen, and the error says how to thaw. A thaw that
    ended neither way is asked for a second time while the engine says that it is frozen.
    """
    one = instance(agent, *((status, "") for status in statuses))
    ready = SaidBefore(*prepared) if prepared else None
    try:
        answer = one.thaw(LOG, ready)  # type: ignore[arg-type]
    except ThawError as error:
        assert "ExternalThaw" in error.by_hand
        return
    assert is_typed(answer, ThawAnswer)
    told = [text for status, text in (prepared or (0, ""), agent) if status == 5 and is_thaw_answer(text)]
    if told and "without the agent" not in answer.message:
        said = [json.loads(text) for text in told]
        assert not answer.suspended or any(one["thawed"] for one in said) or statuses[0] == 3
        return
    thaw, question, again, later = statuses
    twice = thaw not in (3, 5) and question == 5
    assert thaw == 5 or question == 3 or (twice and (again == 5 or later == 3))
    assert answer.suspended is (thaw == 5 or (twice and again == 5))


# --- integrity

FOLDERS = st.sampled_from(["/db/one/", "/db/two/", "/db/one", "/db/three/", "/db/", "/DB/ONE/"])
VERDICTS = st.fixed_dictionaries(
    {"database": FOLDERS, "clean": st.booleans(), "errors": st.sampled_from([[], [], ["bad"]])}
)
CLOSINGS = st.sampled_from([[{"complete": True}], [{"complete": True}], [{"complete": False}], [], [{}]])


def judged(text: str) -> Verdict:
    """As a case does it: a stage that raises leaves no report."""
    try:
        report = instance((5, text)).integrity(ASKED)
    except HarnessError:
        report = None
    evidence = seen(databases=len(ASKED), integrity=report)
    return judge(IntegrityChecker(), evidence).verdict


@settings(max_examples=400)
@given(st.lists(VERDICTS, max_size=4), CLOSINGS, st.booleans())
def test_integrity_passes_only_with_a_clean_verdict_for_each_database_asked_for(
    verdicts: list[dict[str, Any]], closing: list[dict[str, Any]], early: bool
) -> None:
    """Wrong, doubled, missing and further databases never pass, nor does a closing object that is absent or no."""
    objects = [*closing, *verdicts] if early else [*verdicts, *closing]
    named = [Path(one["database"]) for one in verdicts]
    clean = all(one["clean"] and not one["errors"] for one in verdicts)
    good = named == list(ASKED) and clean and closing == [{"complete": True}] and not early
    assert good == (judged(lines(objects)) is Verdict.PASS)


@settings(max_examples=200)
@given(damaged("integrity"))
def test_a_damaged_report_never_passes(text: str) -> None:
    """Database two is damaged in the report that these are made from."""
    clean = all(
        isinstance(one, dict) and one.get("clean", True) is True
        for one in map(json_or_none, text.splitlines())
    )
    assert judged(text) is not Verdict.PASS or clean


def json_or_none(line: str) -> object:
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found


def test_the_two_databases_that_were_not_asked_for_do_not_pass() -> None:
    """Counted they are enough; they are the wrong ones."""
    other = [{"database": f"/elsewhere/{role}/", "clean": True, "errors": []} for role in ("one", "two")]
    assert Verdict.UNKNOWN is judged(lines([*other, {"complete": True}]))
