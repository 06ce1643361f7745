"""The matrix for people and for programs: faults against checks, what was blind and why, the score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from harness.declared import judgements
from harness.fault.matrix import ALARM, BLIND, DETECTS, ECHO, MISSED, SILENT, Matrix, Row, alone, told_apart
from harness.model import IMAGE
from harness.report.base import STAND_IN_NOTE
from harness.report.grid import grid

_TREE = Path(__file__).parents[2]
_IMAGE = IMAGE.rstrip(".")
_WORST_FIRST = (ALARM, MISSED, DETECTS, ECHO, BLIND, SILENT)
_SIGNS = {DETECTS: "sees", ECHO: "echo", SILENT: ".", BLIND: "blind", ALARM: ALARM, MISSED: MISSED}
_LEGEND = (
    "sees: must fail and does.  echo: fails as a consequence.  . must not fail and does not.  "
    "blind: could not look.  image: the worst of its six checks."
)


def table(matrix: Matrix) -> str:
    """For a terminal of about 140 columns."""
    rows = matrix.rows
    headers = ("fault", "verdict", *(name.replace("_", "\n") for name in _columns()), "s", "")
    cells = [[row.name, row.verdict.value, *_signs(row), f"{row.duration_s:.1f}", _word(row)] for row in rows]
    align = ["left"] * len(headers)
    return (
        "\n\n".join(
            [
                _heading(matrix),
                grid(headers, cells, align),
                _LEGEND,
                *_blind(rows),
                *_wrong(rows),
                score(matrix),
            ]
        )
        + "\n"
    )


def markdown(matrix: Matrix, made_by: str = "harness matrix --format markdown") -> str:
    """GitHub Markdown, with what was done and what was said of it."""
    rows = matrix.rows
    headers = ("fault", "what was done", "verdict", *_columns())
    cells = [
        [
            f"`{row.name}`" + ("" if row.physical else " *"),
            row.statement,
            row.verdict.value,
            *_signs(row),
        ]
        for row in rows
    ]
    grid_ = tabulate(cells, headers=headers, tablefmt="pipe", disable_numparse=True)
    firsts = tabulate(
        [[f"`{row.name}`", _plain(row.first_line)] for row in rows],
        headers=("fault", "first line of the verdict"),
        tablefmt="pipe",
        disable_numparse=True,
    )
    note = "\\* planted in the restored state, since no engine at hand can be made to do it."
    parts = [
        "# What catches what",
        f"Made by `{made_by}`: every planted fault against every check.",
        f"**{score(matrix)}**",
        _heading(matrix),
        grid_,
        _LEGEND,
        note,
        *_blind(rows),
        *_wrong(rows),
        "What each check alone keeps from a PASS; both looks of a check count as one.",
        _alone(matrix),
        firsts,
    ]
    return "\n\n".join(parts) + "\n"


def score(matrix: Matrix) -> str:
    """Caught, named and told from all others by the name, in a line."""
    rows = matrix.rows
    caught, named = sum(row.caught for row in rows), sum(row.named for row in rows)
    seconds = sum(row.duration_s for row in rows)
    apart = f"{len(told_apart(matrix))} told from all others by it"
    took = f"; {seconds:.0f} s of work" if seconds else ""
    return f"{caught} of {len(rows)} caught, {named} of {len(rows)} named, {apart}{took}"


def _alone(matrix: Matrix) -> str:
    found = alone(matrix)
    checks = dict.fromkeys(one.check.declaration.name for one in judgements())
    cells = [
        [name, len(found.get(name, ())), ", ".join(f"`{f}`" for f in found.get(name, ()))] for name in checks
    ]
    return tabulate(cells, headers=("check", "faults", "which"), tablefmt="pipe", disable_numparse=True)


def _heading(matrix: Matrix) -> str:
    return f"instance: {matrix.instance} · seed {matrix.seed}\n{STAND_IN_NOTE}"


def _columns() -> list[str]:
    """One for each check; those of the image share one."""
    return list(dict.fromkeys(_IMAGE if one.image else one.name for one in judgements()))


def _signs(row: Row) -> list[str]:
    return [_SIGNS[_word_of(row, name)] for name in _columns()]


def _word_of(row: Row, column: str) -> str:
    cells = {name: cell.partition(":")[0] for name, cell in row.cells.items()}
    if column != _IMAGE:
        return cells.get(column, SILENT)
    found = {cell for name, cell in cells.items() if name.startswith(IMAGE)} | {SILENT}
    return next(word for word in _WORST_FIRST if word in found)


def _word(row: Row) -> str:
    if not row.evidence:
        return "NOTHING PLANTED"
    wrong = [*([] if row.caught else ["NOT CAUGHT"]), *([] if row.named else ["NOT NAMED"])]
    return ", ".join(wrong)


def _blind(rows: Sequence[Row]) -> list[str]:
    """Every reason why a check could not look, once."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        for cell in row.cells.values():
            if cell.startswith(BLIND):
                names = reasons.setdefault(cell.removeprefix(f"{BLIND}: "), [])
                names += [row.name] if row.name not in names else []
    return (
        ["\n".join(f"blind because {why}: {len(names)} faults" for why, names in reasons.items())]
        if reasons
        else []
    )


def _wrong(rows: Sequence[Row]) -> list[str]:
    lines = [
        f"{row.name}: {_word(row)}. First line: {row.first_line or 'none'}. Evidence: {row.evidence or 'NONE'}. "
        f"Again: harness matrix --fault {row.name}"
        for row in rows
        if _word(row)
    ]
    return ["\n".join(lines)] if lines else []


def _plain(text: str) -> str:
    # where this checkout lies tells nobody anything
    here = text.replace(f"{_TREE}/", "")
    return " ".join(here.split()).replace("|", "\\|").replace("<", "\\<")[:200]
