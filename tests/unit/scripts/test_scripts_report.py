"""A report says what was seen, in four forms, and each says that it was seen on the stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from harness.model import Finding, Verdict
from harness.report.base import STAND_IN_NOTE
from harness.scripts import report, scenarios
from harness.scripts.model import Outcome, Report, Scripts
from harness.scripts.scenarios.base import Need

VALIDATOR = Draft202012Validator(report.REPORTS.json_schema)
FORMS = (report.table, report.markdown, report.as_json, report.junit)
ODD = "a|b <LICENSE LIMIT> `x` *y*\n# no heading\x1b[31m\x00 é 日"


def outcome(name: str, verdict: Verdict, *findings: Finding, **changes: Any) -> Outcome:
    made = Outcome(
        name=name,
        family="ordinary",
        situation=f"the situation of {name}",
        right=f"the right thing in {name}",
        source="class reference",
        verdict=verdict,
        seen=f"what {name} showed",
        findings=findings,
        duration_s=1.25,
    )
    return replace(made, **changes)


def finding(code: str, verdict: Verdict = Verdict.FAIL, message: str = "it was wrong") -> Finding:
    return Finding(code=code, message=message, witness="its last line", verdict=verdict)


def reported(*outcomes: Outcome, **changes: Any) -> Report:
    scripts = Scripts(
        name="pair", freeze=("/a b/pre.sh", "-x"), thaw=("/post.sh",), install={"/x": Path("/y")}
    )
    made = Report(
        scripts=scripts,
        engine="GT.M V7.0-005",
        started_utc="2026-11-22T13:00:34+00:00",
        duration_s=61.4,
        outcomes=outcomes,
    )
    return replace(made, **changes)


PASSED = outcome("cron", Verdict.PASS)
UNTOLD = outcome("two-nights", Verdict.UNKNOWN, finding("not_measured", Verdict.UNKNOWN, "nobody answered"))
FAILED = outcome("slow-snapshot", Verdict.FAIL, finding("thaw.claimed"))
SKIPPED = outcome("credentials", Verdict.SKIPPED, seen="nobody said where")
ALL = reported(PASSED, UNTOLD, FAILED, SKIPPED)

TABLE = """\
freeze: '/a b/pre.sh' -x
thaw:   /post.sh
instances: stand-in (GT.M V7.0-005), each scenario in a machine of its own
The stand-in proves the procedure and the scripts; it is never a statement about IRIS itself.

FAIL slow-snapshot: the situation of slow-snapshot
  thaw.claimed: it was wrong
  said: its last line
  right: the right thing in slow-snapshot
  source: class reference

UNKNOWN two-nights: the situation of two-nights
  not_measured: nobody answered
  said: its last line
  right: the right thing in two-nights
  source: class reference

         scenario         s  what was seen
-------  -------------  ---  -------------------------
PASS     cron           1.2  what cron showed
UNKNOWN  two-nights     1.2  what two-nights showed
FAIL     slow-snapshot  1.2  what slow-snapshot showed
SKIPPED  credentials    1.2  nobody said where

FAIL: 4 scenarios in 61 s: 1 PASS, 1 FAIL, 1 UNKNOWN, 1 SKIPPED.
"""


def test_the_table_shows_what_is_wrong_first() -> None:
    """FAIL, then UNKNOWN, then every scenario, and the verdict in the last line."""
    assert TABLE == report.table(ALL)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), Verdict.UNKNOWN),
        ((SKIPPED,), Verdict.UNKNOWN),
        ((PASSED, SKIPPED), Verdict.PASS),
        ((PASSED, UNTOLD), Verdict.UNKNOWN),
        ((UNTOLD, FAILED, PASSED), Verdict.FAIL),
    ],
)
def test_the_verdict_is_the_same_in_every_form(outcomes: tuple[Outcome, ...], expected: Verdict) -> None:
    """The worst of what was tried; nothing tried is UNKNOWN, and then JUnit is not green either."""
    made = reported(*outcomes)
    assert expected is made.verdict
    assert report.table(made).splitlines()[-1].startswith(f"{expected.value}: {len(outcomes)} scenarios")
    assert f"**{expected.value}: {len(outcomes)} scenarios" in report.markdown(made)
    assert expected.value == json.loads(report.as_json(made))["verdict"]
    document = ElementTree.fromstring(report.junit(made))
    assert (expected is Verdict.PASS) == (not [*document.iter("failure"), *document.iter("error")])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("made", [ALL, reported(PASSED), reported(SKIPPED), reported(engine="")])
def test_every_form_says_that_it_was_the_stand_in(made: Report, form: Callable[[Report], str]) -> None:
    """Also the forms that programs read, and one in which no engine answered."""
    assert STAND_IN_NOTE in form(made)


def test_json_holds_everything_and_obeys_its_schema() -> None:
    """Scripts and scenarios as they are, verdicts as words."""
    made = json.loads(report.as_json(ALL))
    assert [] == list(VALIDATOR.iter_errors(made))
    assert ["cron", "two-nights", "slow-snapshot", "credentials"] == [
        one["name"] for one in made["scenarios"]
    ]
    expected = {
        "code": "thaw.claimed",
        "message": "it was wrong",
        "witness": "its last line",
        "verdict": "FAIL",
    }
    assert [expected] == made["scenarios"][2]["findings"]
    assert (["/a b/pre.sh", "-x"], {"/x": "/y"}) == (made["scripts"]["freeze"], made["scripts"]["install"])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("verdict",), "GOOD"),
        (("stand_in",), False),
        (("started_utc",), "2026-11-22 13:00"),
        (("colour",), "red"),
        (("scripts", "success"), [256]),
        (("scenarios", 2, "findings"), []),
        (("scenarios", 0, "findings"), [{"code": "x", "message": "m", "witness": "", "verdict": "FAIL"}]),
        (("scenarios", 2, "findings", 0, "verdict"), "PASS"),
        (("scenarios", 0, "situation"), ""),
    ],
)
def test_the_schema_refuses(place: tuple[str | int, ...], value: object) -> None:
    """What no report may say: among others a FAIL without a reason, and a PASS with one."""
    made = json.loads(report.as_json(ALL))
    held: Any = made
    for step in place[:-1]:
        held = held[step]
    held[place[-1]] = value
    assert list(VALIDATOR.iter_errors(made))


def test_odd_characters_break_no_form() -> None:
    """No line of a script or a message steers a terminal, ends a table row, or vanishes as a tag."""
    odd = outcome(
        "cron",
        Verdict.FAIL,
        Finding(code="x.y", message=ODD, witness=ODD),
        situation="<LICENSE LIMIT> | x",
        seen=ODD,
    )
    made = reported(odd, outcome("two-nights", Verdict.SKIPPED, seen=ODD))
    made = replace(made, scripts=replace(made.scripts, freeze=(f"/{ODD}",)))
    for form in FORMS:
        assert [] == [letter for letter in form(made) if not letter.isprintable() and letter != "\n"]
    (row,) = [line for line in report.markdown(made).splitlines() if line.startswith("| FAIL")]
    assert 6 == row.replace("\\|", "").count("|")
    assert "<LICENSE" not in row.replace("\\<", "")
    assert "\n# no heading" not in report.markdown(made) + report.table(made)
    found = json.loads(report.as_json(made))
    assert [] == list(VALIDATOR.iter_errors(found)) and ODD == found["scenarios"][0]["seen"]
    (failure,) = ElementTree.fromstring(report.junit(made)).findall(
        "testsuite/testcase[@name='cron']/failure"
    )
    assert failure.text and "a|b <LICENSE LIMIT>" in failure.text


def test_junit_has_a_test_a_scenario() -> None:
    """FAIL is a failure, UNKNOWN an error, SKIPPED a skip; the verdict has a test of its own."""
    (suite,) = ElementTree.fromstring(report.junit(ALL)).findall("testsuite")
    found = {test.get("name"): [child.tag for child in test] for test in suite.findall("testcase")}
    assert found == {
        "cron": [],
        "two-nights": ["error"],
        "slow-snapshot": ["failure"],
        "credentials": ["skipped"],
        "verdict": ["failure"],
    }
    assert ("5", "2", "1", "1") == tuple(suite.get(key) for key in ("tests", "failures", "errors", "skipped"))


def test_a_job_is_shown_as_one() -> None:
    """Its command once, and the program of its snapshot."""
    scripts = Scripts(name="job", freeze=("/job.sh",), thaw=("/job.sh",), program="lvcreate")
    for form in (report.table, report.markdown):
        text = form(reported(PASSED, scripts=scripts))
        assert 1 == text.count("/job.sh") and "snapshot by: lvcreate" in text


def test_scenarios_have_names_and_words() -> None:
    """Each its own name, with situation, right and source; there are not fewer than there were."""
    every = scenarios.every()
    names = [one.name for one in every]
    assert len(names) >= 45
    assert sorted(set(names)) == sorted(names)
    for one in every:
        assert one.situation.strip() and one.right.strip() and one.source.strip() and one.waits_s >= 0
    assert {need for one in every for need in one.needs} <= set(Need)


def test_the_list_shows_every_scenario() -> None:
    """`harness scripts list`: a paragraph each."""
    paragraphs = report.listing().split("\n\n")
    assert [one.name for one in scenarios.every()] == [text.splitlines()[0] for text in paragraphs]
    assert [] == [text for text in paragraphs if not {"situation:", "right:", "source:"} <= set(text.split())]
