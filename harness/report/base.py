"""The port for reporters, and what every report must say alike: the verdict and where the numbers come from.

A record says what its run wrote down. A report may say less than that, never more: a run that was cut short,
that holds no case, or whose parts contradict its verdict is not reported as PASS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from harness.model import CaseRecord, Check, Finding, FreezeSummary, Record, Stun, Verdict
from harness.report import contradiction
from harness.report.cause import cause_line, next_step
from harness.report.guide import Guide

STAND_IN_NOTE = (
    "The stand-in proves the procedure and the scripts; it is never a statement about IRIS itself."
)


class Reporter(Protocol):
    """Turns a record into text. Constructed without arguments; reads nothing but the record, by the guide."""

    def render(self, record: Record, guide: Guide) -> str:
        """The whole report, ending with a newline. Raises nothing for any record that can be stored."""


def final_verdict(record: Record, guide: Guide) -> Verdict:
    """The verdict a run may be reported with; worse than the recorded one if the record does not carry it."""
    parts = [case_verdict(case, guide) for case in record.cases]
    whole = record.finished and record.cases and not record.error
    found = Verdict.worst([record.verdict, *parts, *([] if whole else [Verdict.UNKNOWN])])
    return Verdict.UNKNOWN if found is Verdict.PASS and contradiction.of_record(record) else found


def case_verdict(case: CaseRecord, guide: Guide) -> Verdict:
    """The verdict of a case; not PASS if nothing was checked, or a check, a finding or a number says otherwise."""
    found = _said(case)
    return Verdict.UNKNOWN if found is Verdict.PASS and contradiction.of_case(case, guide) else found


def _said(case: CaseRecord) -> Verdict:
    """The worst that a case says of itself."""
    checks = [check.verdict for check in case.checks] or [Verdict.UNKNOWN]
    findings = [finding.verdict for check in case.checks for finding in check.findings]
    return Verdict.worst([case.verdict, *checks, *findings])


def contradictions(record: Record, guide: Guide) -> list[str]:
    """Why a run or a case that says PASS is not believed, a line each."""
    lines = [
        f"{case.name}: {why}"
        for case in record.cases
        if case.verdict is Verdict.PASS
        for why in contradiction.of_case(case, guide)
    ]
    above = contradiction.of_record(record) if record.verdict is Verdict.PASS else []
    return [f"not believed: {line}" for line in [*above, *lines]]


def not_passed(record: Record) -> Iterator[tuple[CaseRecord, Check]]:
    """Every check that is not PASS, with its case, in the order of the record."""
    for case in record.cases:
        for check in case.checks:
            if check.verdict is not Verdict.PASS:
                yield case, check


def reasons(check: Check) -> tuple[Finding, ...]:
    """The findings of a check, or one that says that it left none."""
    nothing = Finding(
        code=f"{check.name}.no-finding",
        message="the check recorded no finding that says why",
        verdict=check.verdict,
    )
    return check.findings or (nothing,)


def heading(record: Record) -> list[str]:
    """The lines at the top of a report for people: plan, seed, start, and which product answered."""
    started = record.started_utc.strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = [f"plan {record.plan} · seed {record.seed} · started {started}"]
    if record.instance is None:
        return [*lines, "instance: none answered"]
    lines.append(f"instance: {record.instance} on {record.instance.host}")
    lines += [f"note: {note}" for note in record.instance.notes]
    return [*lines, STAND_IN_NOTE] if record.instance.stand_in else lines


def remarks(record: Record) -> list[str]:
    """What is no finding, yet belongs to the numbers: when an instance was stunned, once for each backup."""
    lines: dict[str, None] = {}
    for case in record.cases:
        if case.freeze:
            lines.update(
                dict.fromkeys(
                    f"{case.backup}: {_stunned(case.freeze, stun)}" for stun in case.freeze.stuns or ()
                )
            )
    return list(lines)


def _stunned(freeze: FreezeSummary, stun: Stun) -> str:
    # in seconds, since a time of day may be past what a date can hold once something is added
    after_freeze_s = (stun.started_utc - freeze.frozen_utc).total_seconds() + stun.duration_s
    inside = stun.started_utc < freeze.thawed_utc and after_freeze_s > 0
    at = stun.started_utc.strftime("%H:%M:%S.%f")[:-3]
    place = "inside the freeze window" if inside else "outside the freeze window"
    return f"the instance was stunned for {stun.duration_s:.2f} s at {at} UTC, {place}"


def summary(record: Record, guide: Guide) -> list[str]:
    """The verdict: first with what a person must look at and do, if there is anything, then in numbers."""
    verdict = final_verdict(record, guide).value
    first, step = cause_line(record.cases, guide), next_step(record.cases, guide)
    doubts = contradictions(record, guide)
    lines = [*([first] if first else []), *doubts]
    if not lines:
        return [f"{verdict}: {_counts(record, guide)}."]
    todo = [f"what to do: {step}"] if step else []
    return [f"{verdict}: {lines[0]}", *todo, *lines[1:], f"{_counts(record, guide)}."]


def _counts(record: Record, guide: Guide) -> str:
    verdicts = [case_verdict(case, guide) for case in record.cases]
    planned = max(record.planned or 0, len(verdicts))  # a case that was not reached has not passed
    counts = f"{verdicts.count(Verdict.PASS)} of {planned} cases passed"
    others = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIPPED)
    tally = [f"{verdicts.count(other)} {other.value}" for other in others if other in verdicts]
    cut = [] if record.finished else ["the run was cut short"]
    return ", ".join([counts, *tally, *cut])


def printable(text: str) -> str:
    """Text of a tool without characters that could steer a terminal or break a file format."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)
