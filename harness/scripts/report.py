"""What was seen of a pair of scripts, for people and for programs."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from pydantic import Field
from tabulate import tabulate

from harness.codec import Stored
from harness.model import Verdict
from harness.report.base import STAND_IN_NOTE, printable
from harness.report.grid import grid
from harness.scripts.model import Outcome, Report, Scripts

SCHEMA = "harness.scripts/1"
_WIDTH = 110
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_WRONG = (Verdict.FAIL, Verdict.UNKNOWN)
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$"
_RESULTS = {Verdict.FAIL: Failure, Verdict.UNKNOWN: Error, Verdict.SKIPPED: Skipped}


def table(report: Report) -> str:
    """For a terminal: what is wrong first, then all scenarios."""
    rows = [
        [one.verdict.value, one.name, f"{one.duration_s:.1f}", _short(one.seen, 70)]
        for one in report.outcomes
    ]
    return (
        "\n\n".join(
            [
                "\n".join(_heading(report)),
                *(_wrong(one) for one in _bad(report)),
                grid(("", "scenario", "s", "what was seen"), rows, ("left", "left", "right", "left")),
                score(report),
            ]
        )
        + "\n"
    )


def markdown(report: Report) -> str:
    """GitHub Markdown, with the situation and what a right script does in it."""
    rows = [
        [one.verdict.value, f"`{one.name}`", *map(_plain, (one.situation, one.right, _said(one)))]
        for one in report.outcomes
    ]
    headers = ("", "scenario", "situation", "a right script", "what was seen")
    return (
        "\n\n".join(
            [
                f"# Backup scripts: {_plain(report.scripts.name)}",
                f"**{score(report)}**",
                *map(_plain, _heading(report)),
                tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True),
            ]
        )
        + "\n"
    )


def _with_a_reason(schema: dict[str, Any]) -> None:
    """What is FAIL or UNKNOWN has a finding that says so, and nothing else has."""
    bad = {"enum": [verdict.value for verdict in _WRONG]}
    reasons = {"minItems": 1, "items": {"properties": {"verdict": bad}}}
    schema["items"] |= {
        "if": {"properties": {"verdict": bad}},
        "then": {"properties": {"findings": reasons}},
        "else": {"properties": {"findings": {"maxItems": 0}}},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """What `harness scripts check` saw of a pair of scripts."""

    verdict: Verdict
    """The worst of the scenarios, but for SKIPPED; UNKNOWN if none was tried."""
    stand_in: Literal[True]
    """Instances are always the stand-in's."""
    note: str
    """What that means, for people."""
    engine: str
    """Product and version that answered; empty if none did."""
    started_utc: Annotated[str, Field(pattern=_TIME)]
    """Start in UTC."""
    duration_s: float
    """Seconds that all of it took."""
    scripts: Scripts
    """The scripts under test, and how they were called; a suite has the same words."""
    scenarios: Annotated[tuple[Outcome, ...], Field(json_schema_extra=_with_a_reason)]
    """In the order of `harness scripts list`."""
    schema: str = SCHEMA
    """Name and version of this form."""


REPORTS = Stored(StoredReport, SCHEMA)


def as_json(report: Report) -> str:
    """Everything, as one object."""
    document = StoredReport(
        verdict=report.verdict,
        stand_in=True,
        note=STAND_IN_NOTE,
        engine=report.engine,
        started_utc=report.started_utc,
        duration_s=round(report.duration_s, 3),
        scripts=report.scripts,
        scenarios=report.outcomes,
    )
    return REPORTS.dumps(document)


def junit(report: Report) -> str:
    """JUnit XML: a test for each scenario, and one for the verdict; UNKNOWN is an error."""
    document = JUnitXml(printable(report.scripts.name))
    suite = TestSuite("scripts")
    for number, line in enumerate(_heading(report), 1):
        suite.add_property(f"note {number}", line)
    for one in report.outcomes:
        test = TestCase(one.name, classname=one.family, time=one.duration_s)
        if one.verdict is not Verdict.PASS:
            message = one.findings[0].message if one.findings else one.seen
            result = _RESULTS[one.verdict](printable(message), one.verdict.value)
            result.text = printable(_wrong(one))
            test.result = [result]
        suite.add_testcase(test)
    verdict = TestCase("verdict", classname="check")
    if report.verdict is not Verdict.PASS:  # not even if everything was skipped
        verdict.result = [_RESULTS[report.verdict](score(report), report.verdict.value)]
    suite.add_testcase(verdict)
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call] # no types in the library
    xml: bytes = document.tostring()  # type: ignore[no-untyped-call] # no types in the library
    return xml.decode("utf-8").rstrip("\n") + "\n"


def score(report: Report) -> str:
    """`FAIL: 66 scenarios in 61 s: 60 PASS, 4 FAIL, 2 SKIPPED.`"""
    counts = [
        f"{count} {verdict.value}"
        for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIPPED)
        if (count := sum(one.verdict is verdict for one in report.outcomes))
    ]
    return (
        f"{report.verdict.value}: {len(report.outcomes)} scenarios in {report.duration_s:.0f} s: "
        f"{', '.join(counts)}."
    )


def listing() -> str:
    """Every scenario, with what a right script does in it."""
    from harness.scripts import scenarios

    return (
        "\n\n".join(_described(one.name, one.situation, one.right, one.source) for one in scenarios.every())
        + "\n"
    )


def _described(name: str, situation: str, right: str, source: str) -> str:
    lines = [f"situation: {situation}", f"right: {right}", f"source: {source}"]
    return "\n".join([name, *(_filled(line) for line in lines)])


def _heading(report: Report) -> list[str]:
    scripts = report.scripts
    if scripts.program:
        called = [f"job:    {shlex.join(scripts.freeze)}", f"snapshot by: {scripts.program}"]
    else:
        called = [f"freeze: {shlex.join(scripts.freeze)}", f"thaw:   {shlex.join(scripts.thaw)}"]
    engine = report.engine or "none answered"
    instances = f"instances: stand-in ({engine}), each scenario in a machine of its own"
    return [printable(text).replace("\n", " ") for text in (*called, instances, STAND_IN_NOTE)]


def _bad(report: Report) -> Sequence[Outcome]:
    """What is wrong, before what is inconclusive."""
    return [one for verdict in _WRONG for one in report.outcomes if one.verdict is verdict]


def _wrong(one: Outcome) -> str:
    lines = [f"{one.verdict.value} {one.name}: {one.situation}"]
    for found in one.findings:
        lines.append(_filled(f"{found.code}: {found.message}"))
        if found.witness:
            lines.append(_filled(f"said: {found.witness}"))
    lines += [_filled(f"right: {one.right}"), _filled(f"source: {one.source}")]
    return "\n".join(lines)


def _filled(text: str) -> str:
    return textwrap.fill(printable(text), _WIDTH, initial_indent="  ", subsequent_indent="    ")


def _short(text: str, most: int) -> str:
    bare = _line(text)
    return bare if len(bare) <= most else bare[: most - 1] + "…"


def _said(one: Outcome) -> str:
    return "; ".join(found.message for found in one.findings) or one.seen


def _plain(text: str) -> str:
    """Text with the special characters of Markdown escaped."""
    return _SPECIAL.sub(r"\\\1", _line(text))


def _line(text: str) -> str:
    return " ".join(printable(text).split())
