"""The report for a terminal: one row a case, then everything that did not pass, then one line of verdict.

Made to fit 110 columns with the built-in providers: sizes and times carry their unit in the heading, and the
heading explains the case names, which are long. Nothing is coloured, so it can be kept or sent as it is.
"""

from __future__ import annotations

import textwrap

from harness.model import Record
from harness.report.base import heading, printable, remarks, summary
from harness.report.blocks import Blind, Block, blind, blocks
from harness.report.columns import ALIGN, cells
from harness.report.grid import grid
from harness.report.guide import Guide

_HEADERS = (
    "cycle · snapshot\n· recovery",
    "",
    "marker",
    "window\nms",
    "size\nMB",
    "acknow-\nledged",
    "recov-\nered",
    "lost",
    "RPO\ns",
    "RTO\ns",
    "checks\npassed",
)
_FINDINGS_MAX = 10
_WIDTH = 108


class TableReporter:
    """Compact tables for a terminal."""

    def render(self, record: Record, guide: Guide) -> str:
        """The report as plain text of at most about 110 columns."""
        parts = ["\n".join(heading(record))]
        if record.cases:
            parts.append(_table(record, guide))
        if remarks(record):
            parts.append("\n".join(remarks(record)))
        parts.extend(map(_block, blocks(record)))
        parts.extend(map(_blind, blind(record, guide)))
        parts.append(
            "\n".join(
                [*_ending(record), *(part for line in summary(record, guide) for part in _wrapped("", line))]
            )
        )
        return printable("\n\n".join(parts)) + "\n"


def _table(record: Record, guide: Guide) -> str:
    rows = [[_short(name), *rest] for name, *rest in (cells(case, guide) for case in record.cases)]
    return grid(_HEADERS, rows, ALIGN)


def _short(name: str) -> str:
    """A case name without the word that its heading says."""
    return name.removeprefix("cycle ")


def _block(block: Block) -> str:
    first, *more = block.where
    lines = [f"{block.verdict.value}  {first}", *(f"      {where}" for where in more)]
    for finding in block.findings[:_FINDINGS_MAX]:
        other = f" ({finding.verdict.value})" if finding.verdict is not block.verdict else ""
        lines.extend(_wrapped("  ", f"{finding.code}{other}: {finding.message}"))
        if finding.witness:
            lines.extend(_wrapped("    ", f"witness: {finding.witness}"))
    if len(block.findings) > _FINDINGS_MAX:
        lines.append(f"  and {len(block.findings) - _FINDINGS_MAX} more findings in record.json")
    return "\n".join(lines)


def _blind(blind: Blind) -> str:
    number = len(blind.checks)
    checks = f"{number} checks could not look" if number > 1 else "1 check could not look"
    lines = _wrapped("", f"UNKNOWN  {checks}: {', '.join(blind.checks)}")
    lines += [f"      {case}" for case in blind.cases]
    return "\n".join([*lines, *_wrapped("  ", f"because {blind.why}")])


def _wrapped(indent: str, text: str) -> list[str]:
    return [
        line
        for paragraph in text.splitlines()
        for line in textwrap.wrap(
            paragraph, _WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
        )
    ]


def _ending(record: Record) -> list[str]:
    cut = [] if record.finished else ["This run was cut short: what it did not reach is not proved."]
    return [*cut, *(_wrapped("", f"error: {record.error}") if record.error else [])]
