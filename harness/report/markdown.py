"""The report for a pull request or a wiki: the terminal report's facts as GitHub Markdown.

Text of tools goes into code spans, and whatever Markdown or a table would read as its own is escaped.
"""

from __future__ import annotations

import re

from tabulate import tabulate

from harness.model import Record
from harness.report.base import heading, printable, remarks, summary
from harness.report.blocks import Blind, Block, blind, blocks
from harness.report.columns import ALIGN, HEADERS, cells
from harness.report.guide import Guide

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


class MarkdownReporter:
    """GitHub Markdown for pull requests and wikis."""

    def render(self, record: Record, guide: Guide) -> str:
        """The report as a Markdown section."""
        top, *rest = heading(record)
        verdict, *numbers = summary(record, guide)
        parts = [f"## {_plain(verdict)}", *map(_plain, [*numbers, top, *rest])]
        if not record.finished:
            parts.append("**This run was cut short: what it did not reach is not proved.**")
        if record.error:
            parts.append(f"**Error:** {_plain(record.error)}")
        if record.cases:
            parts.append(_table(record, guide))
        parts.extend(_plain(remark) for remark in remarks(record))
        parts.extend(map(_section, blocks(record)))
        parts.extend(map(_blind, blind(record, guide)))
        return "\n\n".join(parts) + "\n"


def _table(record: Record, guide: Guide) -> str:
    rows = [[_plain(cell) for cell in cells(case, guide)] for case in record.cases]
    return tabulate(rows, headers=HEADERS, tablefmt="pipe", colalign=ALIGN, disable_numparse=True)


def _section(block: Block) -> str:
    first, *more = block.where
    lines = [f"### {block.verdict.value}: {_plain(first)}", ""]
    if more:
        lines += [f"Also: {'; '.join(map(_plain, more))}", ""]
    for finding in block.findings:
        witness = f"  \n  witness: {_code(finding.witness)}" if finding.witness else ""
        lines.append(f"- {_code(finding.code)} ({finding.verdict.value}): {_plain(finding.message)}{witness}")
    return "\n".join(lines)


def _blind(blind: Blind) -> str:
    title = f"### UNKNOWN: {len(blind.checks)} checks could not look"
    lines = [title, "", f"{_plain(', '.join(blind.checks))}, in {'; '.join(map(_plain, blind.cases))}", ""]
    return "\n".join([*lines, f"- because {_code(blind.why)}"])


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(printable(text).split()))


def _code(text: str) -> str:
    """A code span that holds any text: its fence is longer than every run of backticks within."""
    flat = " ".join(printable(text).split())
    longest = max((len(ticks) for ticks in re.findall(r"`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in flat else ""
    return f"{fence}{pad}{flat}{pad}{fence}"
