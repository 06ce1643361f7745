"""`harness run PLAN`: all cases of a plan, and the report."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from harness.cli.interrupt import interruptible
from harness.cli.live import NotesOnly, progress_for_terminal
from harness.cli.output import emit, tell
from harness.cli.reporters import rendered, reporter_named
from harness.cli.status import exit_code
from harness.declared import guide
from harness.errors import ExitCode, PreconditionError
from harness.model import Record
from harness.plan.load import load
from harness.plan.model import Plan
from harness.report.guide import Guide

_SEED_BYTES = 4


@click.command("run", short_help="Run all cases of a plan and report on them.")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    default="table",
    show_default=True,
    metavar="NAME",
    help="Report on standard output: table, json, markdown or another reporter (see `harness list`).",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder for the run's own folder, PLAN/START-SEED.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 256**_SEED_BYTES - 1),
    help="Seed of the workload, to repeat a run. Without it a new one is drawn, shown and recorded.",
)
def run_command(plan: Path, format_: str, out: Path, seed: int | None) -> int:
    """Run all cases of PLAN and report on them.

    Each cycle loads an instance, freezes it, takes snapshots and thaws it; each case restores a snapshot,
    rolls it forward and verifies it. The exit status is 0 for PASS, 1 for FAIL, 3 for UNKNOWN, and 4 if a
    thaw could not be confirmed.
    """
    reporter = reporter_named(format_)
    loaded, checks = load(plan), guide()
    seed = int.from_bytes(os.urandom(_SEED_BYTES)) if seed is None else seed
    tell(f"seed {seed}")
    try:
        record, folder = _run(loaded, seed, out)
    except KeyboardInterrupt:
        tell(f"harness: the run was interrupted and is UNKNOWN; what it recorded is below {out}")
        return ExitCode.UNKNOWN
    tell(f"run folder {folder}")
    _write_junit(record, folder, checks)
    try:
        emit(rendered(reporter, format_, record, checks))
    except PreconditionError as error:
        tell(f"harness: {error}")
        return exit_code([record], checks) or ExitCode.UNKNOWN
    return exit_code([record], checks)


def _run(plan: Plan, seed: int, out: Path) -> tuple[Record, Path]:
    # Only this verb needs the machinery of a run, and importing it takes longer than other verbs do.
    from harness import cycle

    with progress_for_terminal(NotesOnly()) as progress, interruptible():
        return cycle.run(plan, seed=seed, out=out, argv=tuple(sys.argv), progress=progress)


def _write_junit(record: Record, folder: Path, checks: Guide) -> None:
    path = folder / "junit.xml"
    try:
        path.write_text(rendered(reporter_named("junit"), "junit", record, checks), encoding="utf-8")
    except OSError as error:
        raise PreconditionError(
            f"cannot write {path}: {error.strerror}", "Make room or permit it."
        ) from error
