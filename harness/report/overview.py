"""Several runs in one table, oldest first: the trend of verdicts, windows, losses and recovery times."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model import Record, Verdict
from harness.report.base import case_verdict, final_verdict, printable
from harness.report.grid import grid
from harness.report.guide import Guide

HEADERS = (
    "run",
    "instance",
    "verdict",
    "cases\npassed",
    "window\nms max",
    "lost\nmax",
    "RPO s\nmax",
    "RTO s\nmax",
)
_ALIGN = ("left", "left", "left", *["right"] * 5)


def overview(runs: Sequence[tuple[str, Record | None]], guide: Guide) -> str:
    """A table of runs.

    Args:
        runs: Name and record of each run, in the order of the rows; None if the record cannot be read.
    """
    rows = [[printable(name), *_cells(record, guide)] for name, record in runs]
    return grid(HEADERS, rows, _ALIGN) + "\n"


def _cells(record: Record | None, guide: Guide) -> list[str]:
    if record is None:
        return ["-", "unreadable", *["-"] * 5]
    verdicts = [case_verdict(case, guide) for case in record.cases]
    recoveries = [case.recovery for case in record.cases if case.recovery]
    return [
        printable(str(record.instance)) if record.instance else "none",
        final_verdict(record, guide).value,
        f"{verdicts.count(Verdict.PASS)}/{len(verdicts)}",
        _largest([case.freeze.window_s * 1000 for case in record.cases if case.freeze], 1),
        _largest([recovery.lost_acknowledged for recovery in recoveries], 0),
        _largest([recovery.rpo_s for recovery in recoveries], 2),
        _largest([recovery.rto_s for recovery in recoveries], 2),
    ]


def _largest(numbers: Sequence[float | None], places: int) -> str:
    known = [number for number in numbers if number is not None]
    return f"{max(known):.{places}f}" if known else "-"
