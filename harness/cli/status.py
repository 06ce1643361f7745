"""From a verdict to an exit status."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import ExitCode
from harness.model import Record, Verdict
from harness.report.base import final_verdict
from harness.report.guide import Guide

_CODES = {
    Verdict.PASS: ExitCode.PASS,
    Verdict.SKIPPED: ExitCode.UNKNOWN,  # what was skipped was not checked
    Verdict.UNKNOWN: ExitCode.UNKNOWN,
    Verdict.FAIL: ExitCode.FAIL,
}


def exit_code(records: Iterable[Record], guide: Guide) -> ExitCode:
    """The exit status of one or more runs: of the worst of them. An unfinished run is never PASS."""
    return code_of(Verdict.worst(final_verdict(record, guide) for record in records))


def code_of(verdict: Verdict) -> ExitCode:
    return _CODES[verdict]
