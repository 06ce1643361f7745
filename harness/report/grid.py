"""Tables for a terminal: as narrow as their content, since reports have many columns.

tabulate widens every column that has a heading by two characters, which 110 columns cannot afford; so the
headings go in as rows, followed by a line.
"""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import SEPARATING_LINE, DataRow, Line, TableFormat, tabulate

_NARROW = TableFormat(
    lineabove=None,
    linebelowheader=Line("", "-", "  ", ""),
    linebetweenrows=None,
    linebelow=None,
    headerrow=DataRow("", "  ", ""),
    datarow=DataRow("", "  ", ""),
    padding=0,
    with_header_hide=None,
)


def grid(headers: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[str]) -> str:
    """A table without a final newline.

    Args:
        headers: One per column; a newline in one makes a second line of headings.
        rows: Cells, each one line of text.
        align: `left` or `right` for each column.
    """
    split = [header.split("\n") for header in headers]
    height = max(len(lines) for lines in split)
    head = [[lines[line] if line < len(lines) else "" for lines in split] for line in range(height)]
    body = [*head, SEPARATING_LINE, *(list(row) for row in rows)]
    text = tabulate(body, tablefmt=_NARROW, colalign=align, disable_numparse=True)
    return "\n".join(line.rstrip() for line in text.splitlines())
