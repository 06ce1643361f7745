"""A record of conformance for people: a table for a terminal, and the same as GitHub Markdown."""

from __future__ import annotations

import re
import textwrap

from tabulate import tabulate

from harness.facts.conformance import Conformance, FactResult
from harness.model import Verdict
from harness.report.base import STAND_IN_NOTE, printable
from harness.report.grid import grid

_HEADERS = ("fact", "rests on it", "expected", "observed", "verdict")
_ALIGN = ("left",) * len(_HEADERS)
_WIDTHS = (41, 15, 25, 25, 7)
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_ORDER = (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIPPED)


def table(conformance: Conformance) -> str:
    """For a terminal of 120 columns; long cells go on in the next line."""
    rows = [row for fact in conformance.facts for row in _wrapped(_cells(fact))]
    return (
        "\n".join([*_heading(conformance), "", grid(_HEADERS, rows, _ALIGN), "", _summary(conformance)])
        + "\n"
    )


def markdown(conformance: Conformance) -> str:
    """A Markdown section."""
    rows = [[_plain(cell) for cell in _cells(fact)] for fact in conformance.facts]
    body = tabulate(rows, headers=_HEADERS, tablefmt="pipe", colalign=_ALIGN, disable_numparse=True)
    heading = "\n\n".join(_plain(line) for line in _heading(conformance))
    return f"## {_plain(_summary(conformance))}\n\n{heading}\n\n{body}\n"


def verdict(conformance: Conformance) -> Verdict:
    """The worst of all facts; one that was not tried for a reason does not count."""
    return Verdict.worst(
        [Verdict.PASS, *(f.verdict for f in conformance.facts if f.verdict is not Verdict.SKIPPED)]
    )


def _heading(conformance: Conformance) -> list[str]:
    made = f" · {conformance.made_utc:%Y-%m-%d %H:%M:%S} UTC" if conformance.made_utc else ""
    lines = [
        f"conformance of {conformance.engine} · image {conformance.image} · harness {conformance.harness}{made}"
    ]
    return [*lines, STAND_IN_NOTE] if conformance.stand_in else lines


def _summary(conformance: Conformance) -> str:
    verdicts = [fact.verdict for fact in conformance.facts]
    counts = ", ".join(f"{verdicts.count(one)} {one.value}" for one in _ORDER if one in verdicts)
    return f"{verdict(conformance).value}: {len(verdicts)} facts, {counts}."


def _cells(fact: FactResult) -> list[str]:
    checks = ", ".join(fact.checks) or "-"
    return [fact.id, checks, fact.expected, fact.observed, fact.verdict.value]


def _wrapped(cells: list[str]) -> list[list[str]]:
    columns = [
        textwrap.wrap(printable(cell), width, break_on_hyphens=False) or [""]
        for cell, width in zip(cells, _WIDTHS, strict=True)
    ]
    height = max(map(len, columns))
    return [[column[line] if line < len(column) else "" for column in columns] for line in range(height)]


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(printable(text).split()))
