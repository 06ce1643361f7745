"""Every reporter tells the truth about every record, for people and for programs."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import store
from harness.model import (
    CaseRecord,
    Check,
    Finding,
    InstanceSummary,
    Record,
    Verdict,
)
from harness.record_json import RECORDS
from harness.report.base import STAND_IN_NOTE, Reporter, printable
from harness.report.json import JSONReporter
from harness.report.junit import JUnitReporter
from harness.report.markdown import MarkdownReporter
from harness.report.table import TableReporter
from tests.checks import GUIDE, case_verdict, final_verdict, overview, summary

SAMPLE = store.load(Path(__file__).parent / "record.json")
REPORTERS: tuple[Reporter, ...] = (TableReporter(), MarkdownReporter(), JSONReporter(), JUnitReporter())
PASSED = dataclasses.replace(
    SAMPLE, cases=tuple(case for case in SAMPLE.cases if case.verdict is Verdict.PASS), verdict=Verdict.PASS
)

TABLE = """\
plan quick · seed 2987654321 · started 2026-11-22 11:01:02 UTC
instance: stand-in (GT.M V7.0-005) on local
The stand-in proves the procedure and the scripts; it is never a statement about IRIS itself.

cycle · snapshot               marker                window  size  acknow-  recov-  lost   RPO   RTO  checks
· recovery                                               ms    MB   ledged    ered           s     s  passed
-----------------------  ----  --------------------  ------  ----  -------  ------  ----  ----  ----  ------
2 · copy · as-of-freeze  PASS  20261122.004 @ 65976    88.1  12.6   240068  240068     0  0.00  1.32   17/17
2 · copy · rollforward   FAIL  20261122.004 @ 65976    89.1  12.6   240068  239256   812  1.20  1.33   15/17

FAIL  cycle 2 · copy · rollforward · floor
  floor.lost: 812 acknowledged transactions are not there; the first is transaction 3301 of writer 2
    witness: writer 2, transaction 3301, acknowledged 0.731 s before the recovery point

FAIL  cycle 2 · copy · rollforward · chain
  chain.missing: journal 20261122.004 is not among the copied journals, so everything after 20261122.003 is
    lost: copy all journals from the marker to the recovery point
    witness: 20261122.005 names 20261122.004 as its predecessor

FAIL: chain.missing: journal 20261122.004 is not among the copied journals, so everything after 20261122.003
  is lost: copy all journals from the marker to the recovery point (20261122.005 names 20261122.004 as its
  predecessor)
what to do: do not purge journals. Bring those named from the instance or its archive, and recover again
1 of 2 cases passed, 1 FAIL.
"""


def test_notes_of_the_instance_stand_below_it() -> None:
    """Where a run differs from its plan, whoever reads the report must see it."""
    assert SAMPLE.instance
    noted = dataclasses.replace(SAMPLE, instance=dataclasses.replace(SAMPLE.instance, notes=("5 writers",)))
    for reporter in (TableReporter(), MarkdownReporter()):
        assert "note: 5 writers" in reporter.render(noted, GUIDE)


def with_check(record: Record, check: Check) -> Record:
    """A record of one case whose only check is this one."""
    case = dataclasses.replace(record.cases[0], checks=(check,), verdict=check.verdict)
    return dataclasses.replace(record, cases=(case,), verdict=check.verdict)


def empty_case(name: str) -> CaseRecord:
    return CaseRecord(
        name=name,
        verdict=Verdict.UNKNOWN,
        freeze=None,
        snapshot=None,
        restore=None,
        rollforward=None,
        recovery=None,
        checks=(),
        stages=(),
    )


def test_the_table_is_what_a_user_sees_first() -> None:
    """Heading, a row a case, a block for each check that did not pass, one line of verdict."""
    assert TableReporter().render(dataclasses.replace(SAMPLE, cases=SAMPLE.cases[4:6]), GUIDE) == TABLE


def test_the_table_fits_its_width() -> None:
    """All built-in recovery modes fit 110 columns."""
    assert max(len(line) for line in TableReporter().render(SAMPLE, GUIDE).splitlines()) <= 110


def test_parts_that_were_not_reached_are_dashes() -> None:
    """A case that broke early has a row; nothing is made up for it."""
    record = dataclasses.replace(
        SAMPLE, cases=(empty_case("cycle 1 · copy · boot"),), verdict=Verdict.UNKNOWN
    )
    row = TableReporter().render(record, GUIDE).splitlines()[7]
    assert row.split("  ")[0] == "1 · copy · boot"
    assert row.split()[5:] == ["UNKNOWN", "-", "-", "-", "-", "-", "-", "-", "-", "0/0"]


@pytest.mark.parametrize("reporter", [TableReporter(), MarkdownReporter()])
def test_the_stand_in_is_named_as_such(reporter: Reporter) -> None:
    """A result of the stand-in must never be read as one of IRIS."""
    assert STAND_IN_NOTE in reporter.render(SAMPLE, GUIDE)
    iris = InstanceSummary(product="IRIS", version="2025.1", stand_in=False, host="docker")
    report = reporter.render(dataclasses.replace(SAMPLE, instance=iris), GUIDE)
    assert STAND_IN_NOTE not in report
    assert "instance: IRIS 2025.1 on docker" in report


@pytest.mark.parametrize("reporter", [TableReporter(), MarkdownReporter(), JUnitReporter()])
@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIPPED])
def test_every_check_that_did_not_pass_is_shown(reporter: Reporter, verdict: Verdict) -> None:
    """Code, message and witness reach the reader, whatever the verdict."""
    finding = Finding(code="chain.gap", message="a journal is missing", witness="no 003", verdict=verdict)
    check = Check(name="chain", verdict=verdict, duration_s=0.1, findings=(finding,))
    report = reporter.render(with_check(SAMPLE, check), GUIDE)
    assert [part for part in ("chain.gap", "a journal is missing", "no 003") if part not in report] == []


@pytest.mark.parametrize("reporter", [TableReporter(), MarkdownReporter(), JUnitReporter()])
def test_a_check_without_finding_says_so(reporter: Reporter) -> None:
    """UNKNOWN without a reason is itself worth a line."""
    check = Check(name="hold", verdict=Verdict.UNKNOWN, duration_s=0.1)
    assert "the check recorded no finding" in reporter.render(with_check(SAMPLE, check), GUIDE)


def test_many_findings_are_cut_in_the_table() -> None:
    """The table stays readable and says how many more there are."""
    found = tuple(Finding(code=f"content.n{number}", message="wrong") for number in range(25))
    check = Check(name="content", verdict=Verdict.FAIL, duration_s=0.1, findings=found)
    report = TableReporter().render(with_check(SAMPLE, check), GUIDE)
    assert "and 15 more findings in record.json" in report
    assert "content.n10" not in report


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (PASSED, Verdict.PASS),
        (SAMPLE, Verdict.FAIL),
        (dataclasses.replace(SAMPLE, verdict=Verdict.PASS), Verdict.FAIL),
        (dataclasses.replace(PASSED, finished=False), Verdict.UNKNOWN),
        (dataclasses.replace(PASSED, error="disk full"), Verdict.UNKNOWN),
        (dataclasses.replace(PASSED, cases=()), Verdict.UNKNOWN),
        (dataclasses.replace(PASSED, verdict=Verdict.FAIL), Verdict.FAIL),
        (dataclasses.replace(PASSED, verdict=Verdict.SKIPPED), Verdict.SKIPPED),
        (dataclasses.replace(SAMPLE, finished=False), Verdict.FAIL),
        (
            dataclasses.replace(PASSED, cases=(dataclasses.replace(PASSED.cases[0], checks=()),)),
            Verdict.UNKNOWN,
        ),
        (
            dataclasses.replace(PASSED, cases=(dataclasses.replace(SAMPLE.cases[5], verdict=Verdict.PASS),)),
            Verdict.FAIL,
        ),
    ],
)
def test_a_report_never_says_more_than_the_record_carries(record: Record, verdict: Verdict) -> None:
    """PASS needs a finished run with cases, checks in each, and no part that says otherwise."""
    assert final_verdict(record) is verdict
    assert summary(record)[0].startswith(f"{verdict.value}: ")


def test_a_run_that_was_cut_short_says_so() -> None:
    """Its cases may all have passed; what it did not reach is not proved."""
    cut = dataclasses.replace(PASSED, finished=False, error="interrupted")
    table = TableReporter().render(cut, GUIDE)
    assert "This run was cut short" in table
    assert "error: interrupted" in table
    assert table.splitlines()[-1] == "UNKNOWN: 7 of 7 cases passed, the run was cut short."
    assert "**This run was cut short" in MarkdownReporter().render(cut, GUIDE)


def test_json_is_the_stored_record() -> None:
    """Programs get what the run wrote, unchanged."""
    assert RECORDS.loads(JSONReporter().render(SAMPLE, GUIDE)) == SAMPLE


def test_markdown_escapes_what_tools_wrote() -> None:
    """No output of a tool can add a column, a heading or an image to the report."""
    finding = Finding(code="x.y", message="a|b *c* ![i](u)\n# top", witness="`tick` | <b>")
    check = Check(name="content", verdict=Verdict.FAIL, duration_s=0.1, findings=(finding,))
    line, witness = MarkdownReporter().render(with_check(SAMPLE, check), GUIDE).splitlines()[-2:]
    assert line.strip() == r"- `x.y` (FAIL): a\|b \*c\* !\[i\](u) \# top"
    assert witness == "  witness: `` `tick` | <b> ``"


def junit(record: Record) -> ElementTree.Element:
    return ElementTree.fromstring(JUnitReporter().render(record, GUIDE))


def red_tests(record: Record) -> list[ElementTree.Element]:
    return [*junit(record).iter("failure"), *junit(record).iter("error")]


def test_junit_has_a_suite_a_case_and_a_test_a_check() -> None:
    """And one suite for the verdict of the run."""
    suites = junit(SAMPLE).findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["run", *(case.name for case in SAMPLE.cases)]
    names = [test.get("name") for test in suites[1].findall("testcase")]
    assert names == [*(check.name for check in SAMPLE.cases[0].checks), "verdict"]


@pytest.mark.parametrize(
    ("verdict", "element"),
    [(Verdict.FAIL, "failure"), (Verdict.UNKNOWN, "error"), (Verdict.SKIPPED, "skipped")],
)
def test_junit_tells_the_verdicts_apart(verdict: Verdict, element: str) -> None:
    """A bad backup is a failure, not knowing is an error."""
    check = Check(name="hold", verdict=verdict, duration_s=0.1)
    test = junit(with_check(SAMPLE, check)).findall("testsuite/testcase[@name='hold']")[0]
    assert [child.tag for child in test] == [element]


@pytest.mark.parametrize(
    "record",
    [
        dataclasses.replace(PASSED, finished=False),
        dataclasses.replace(PASSED, cases=()),
        dataclasses.replace(PASSED, verdict=Verdict.FAIL),
        dataclasses.replace(PASSED, verdict=Verdict.SKIPPED),
    ],
)
def test_junit_is_green_only_for_pass(record: Record) -> None:
    """CI servers count failures and errors; there is one whenever the run is not PASS."""
    assert junit(record).findall("testsuite/testcase/failure") + junit(record).findall(
        "testsuite/testcase/error"
    )
    assert not junit(PASSED).findall("testsuite/testcase/failure") + junit(PASSED).findall(".//error")


def test_control_characters_become_visible() -> None:
    """Output of a tool cannot steer a terminal."""
    assert printable("a\x1b[31mb\tc\nd\u202e\ud800") == "a\\x1b[31mb\\x09c\nd\\x202e\\xd800"


def test_the_overview_has_a_row_a_run() -> None:
    """The worst of each run, and a row for a run that cannot be read."""
    expected = """\
run  instance                  verdict      cases  window  lost  RPO s  RTO s
                                           passed  ms max   max    max    max
---  ------------------------  ----------  ------  ------  ----  -----  -----
one  stand-in (GT.M V7.0-005)  FAIL           7/8    91.1   812   1.20   1.35
two  -                         unreadable       -       -     -      -      -
"""
    assert overview([("one", SAMPLE), ("two", None)]) == expected


st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, st.integers(0, 2**63 - 1))
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
DRAWN = st.builds(
    Record,
    cases=st.lists(st.builds(CaseRecord, stages=st.just(())), max_size=2).map(tuple),
    schema=st.just("harness.record/2"),
)


@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=60, deadline=None
)
@given(record=DRAWN)
def test_every_record_can_be_reported(record: Record) -> None:
    """No record that can be stored breaks a reporter, and JUnit stays well-formed."""
    for reporter in REPORTERS:
        assert reporter.render(record, GUIDE).endswith("\n")
    ElementTree.fromstring(JUnitReporter().render(record, GUIDE))
    assert overview([("run", record)])
    assert all(case_verdict(case) in Verdict for case in record.cases)


@pytest.mark.parametrize(("planned", "said"), [(None, "1 of 1"), (1, "1 of 1"), (4, "1 of 4"), (0, "1 of 1")])
def test_a_case_that_was_not_reached_has_not_passed(planned: int | None, said: str) -> None:
    record = dataclasses.replace(SAMPLE, cases=SAMPLE.cases[:1], planned=planned, finished=False)
    assert f"{said} cases passed" in TableReporter().render(record, GUIDE)
