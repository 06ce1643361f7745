"""`harness scripts check` and `harness scripts list`."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.interrupt import interruptible
from harness.cli.live import CasesOnly, progress_for_terminal
from harness.cli.output import emit, hand_out, tell
from harness.cli.status import code_of
from harness.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from harness.scripts.model import Report


@click.command("check", short_help="Run freeze and thaw scripts in every situation that hurts.")
@click.argument("suite", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--freeze", "--pre", "freeze", metavar="COMMAND", help="The freeze script, with its arguments.")
@click.option("--thaw", "--post", "thaw", metavar="COMMAND", help="The thaw script, with its arguments.")
@click.option("--script", metavar="'FILE {A|B}'", help="One script for both, and its two arguments.")
@click.option("--job", metavar="COMMAND", help="One script that freezes, takes the snapshot and thaws.")
@click.option(
    "--program",
    default="snapshot",
    show_default=True,
    metavar="NAME",
    help="With --job: the program by which it takes the snapshot, such as lvcreate; with its folder if that is an "
    "unusual one.",
)
@click.option(
    "--instance",
    "instances",
    multiple=True,
    metavar="NAME",
    help="An instance the scripts name themselves; may be repeated.",
)
@click.option(
    "--snapshot", default="", metavar="COMMAND", help="What takes the snapshot between freeze and thaw."
)
@click.option(
    "--timeout",
    type=click.FloatRange(1, 600),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the caller of the scripts waits for each.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Only this scenario or family; may be repeated.")
@click.option("--jobs", type=click.IntRange(1, 32), default=6, show_default=True, help="Machines at a time.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "markdown", "junit"]),
    default="table",
    show_default=True,
    help="Report on standard output.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder for the run's own folder, scripts-NAME/START-NUMBER.",
)
def scripts_check_command(
    suite: Path | None,
    freeze: str | None,
    thaw: str | None,
    script: str | None,
    job: str | None,
    program: str,
    instances: tuple[str, ...],
    snapshot: str,
    timeout: float,
    only: tuple[str, ...],
    jobs: int,
    format_: str,
    out: Path,
) -> int:
    """Run freeze and thaw scripts, unchanged, in a machine of their own, in every situation that hurts.

    Name a SUITE (YAML), or --freeze and --thaw, or --script, or --job. Each scenario makes a machine of Linux
    namespaces with stand-in instances under load, calls the scripts as a backup product would, and measures the
    result on the instances. A script can change nothing outside the machine. The exit status is 0 if everything is
    right, 1 if not, 3 if a scenario is inconclusive.
    """
    from harness import store
    from harness.scripts import check, report
    from harness.scripts import suite as suites

    if sum(map(bool, (suite, freeze or thaw, script, job))) != 1 or bool(freeze) != bool(thaw):
        raise UsageError("name a suite, or --freeze and --thaw, or --script, or --job")
    if script:
        freeze, thaw = suites.alternatives(script)
    if suite:
        scripts = suites.load(suite)
    elif job:
        scripts = suites.of_job(job, program, timeout)
    else:
        scripts = suites.of_words(freeze or "", thaw or "", snapshot, timeout)
    if instances:
        scripts = replace(scripts, instances=tuple(name.upper() for name in instances))
    check.chosen(only)
    number = int.from_bytes(os.urandom(4))
    folder = store.create_folder(out, f"scripts-{scripts.name}", datetime.now(UTC), number)
    try:
        with progress_for_terminal(CasesOnly(8)) as progress, interruptible():
            made = check.check(scripts, only=only, folder=folder.resolve(), jobs=jobs, progress=progress)
    except KeyboardInterrupt:
        tell(f"harness: the check was interrupted and is UNKNOWN; what it has seen is below {folder}")
        return ExitCode.UNKNOWN
    _keep(made, folder)
    render = {
        "table": report.table,
        "json": report.as_json,
        "markdown": report.markdown,
        "junit": report.junit,
    }
    emit(render[format_](made))
    tell(f"run folder {folder}")
    return code_of(made.verdict)


@click.command("list", short_help="Show the situations of `check`.")
def scripts_list_command() -> int:
    """Show every scenario: the situation, what a right script does in it, and where that comes from."""
    from harness.scripts import report

    emit(report.listing())
    return ExitCode.PASS


def _keep(made: Report, folder: Path) -> None:
    from harness import store
    from harness.scripts import report

    hand_out(report.as_json(made), folder / store.SCRIPTS_FILE)
    hand_out(report.junit(made), folder / "junit.xml")
