"""`harness report RUN...`: reports of runs that were stored.

One run is shown whole. Several make a trend: one row each, and the whole reports below it if a format is
asked for by name. Without a run, those below --out are listed.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness import store
from harness.cli.output import emit
from harness.cli.reporters import rendered, reporter_named
from harness.cli.status import exit_code
from harness.declared import guide
from harness.errors import ExitCode, UsageError
from harness.model import Record
from harness.record_json import RECORDS
from harness.report.base import final_verdict
from harness.report.guide import Guide
from harness.report.overview import overview


@click.command("report", short_help="Report on stored runs, or list them.")
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    metavar="NAME",
    help="table, json, markdown, junit or another reporter (see `harness list`); default table.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder whose runs are listed if no RUN is given.",
)
def report_command(runs: tuple[Path, ...], format_: str | None, out: Path) -> int:
    """Report on stored runs, each named by its folder or its record.json.

    Several runs are shown as one table, oldest first, and each as a whole if --format is given. Without a
    RUN the runs below --out are listed. The exit status is that of the worst run reported; a run that was
    cut short is never PASS. Listing runs always gives 0.
    """
    checks = guide()
    if not runs:
        emit(_listing(store.history(out), out, format_ or "table", checks))
        return ExitCode.PASS
    records = [(run, store.load(run)) for run in runs]
    if len(records) == 1:
        name = format_ or "table"
        emit(rendered(reporter_named(name), name, records[0][1], checks))
    else:
        emit(_several(sorted(records, key=lambda pair: pair[1].started_utc), format_, checks))
    return exit_code((record for _, record in records), checks)


def _several(records: list[tuple[Path, Record]], format_: str | None, checks: Guide) -> str:
    if format_ == "json":
        return json.dumps([RECORDS.encode(record) for _, record in records], indent=2) + "\n"
    if format_ not in (None, "table", "markdown"):
        raise UsageError(f"{format_} reports one run at a time; {len(records)} were given")
    table = overview([(str(place), record) for place, record in records], checks)
    if format_ is None:
        return table
    table = f"```\n{table}```\n" if format_ == "markdown" else table
    reporter = reporter_named(format_)
    return "\n\n".join([table, *(rendered(reporter, format_, record, checks) for _, record in records)])


def _listing(runs: tuple[store.Run, ...], out: Path, format_: str, checks: Guide) -> str:
    if format_ == "json":
        return json.dumps([_row(run, checks) for run in runs], indent=2) + "\n"
    if format_ != "table":
        raise UsageError(f"runs are listed as table or json, not as {format_}; name a RUN to report on it")
    if not runs:
        return f"no runs below {out}\n"
    problems = [f"{run.folder}: {run.problem}" for run in runs if run.problem]
    return "\n".join(
        [
            overview([(str(run.folder), run.record) for run in runs], checks),
            *(f"{problem}\n" for problem in problems),
        ]
    )


def _row(run: store.Run, checks: Guide) -> dict[str, object]:
    if run.record is None:
        return {"folder": str(run.folder), "verdict": "UNKNOWN", "problem": run.problem}
    return {
        "folder": str(run.folder),
        "plan": run.record.plan,
        "seed": run.record.seed,
        "started_utc": run.record.started_utc.isoformat(),
        "verdict": final_verdict(run.record, checks).value,
        "problem": "",
    }
