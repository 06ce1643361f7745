"""`harness scripts`: users' own freeze and thaw scripts, without a run of the harness."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.output import hand_out, tell
from harness.cli.scripts_check_cmd import scripts_check_command, scripts_list_command
from harness.cli.scripts_init_cmd import scripts_init_command
from harness.errors import ExitCode


@click.group("scripts")
def scripts_group() -> None:
    """Look at freeze and thaw scripts."""


for command in (scripts_check_command, scripts_list_command, scripts_init_command):
    scripts_group.add_command(command)


@scripts_group.command("lint", short_help="Find known faults in scripts by reading them.")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False)
)
@click.option(
    "--language",
    type=click.Choice(["sh", "batch"]),
    help="The language of the files, if suffix and first line do not show it.",
)
@click.option("--shellcheck/--no-shellcheck", default=True, show_default=True, help="Ask shellcheck too.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "sarif"]),
    default="table",
    show_default=True,
    help="How the findings are printed.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write them to a file instead of standard output.",
)
def scripts_lint_command(
    files: tuple[Path, ...], language: str | None, shellcheck: bool, format_: str, out: Path | None
) -> int:
    """Read freeze and thaw scripts (sh, bash, ksh, Windows batch, Azure's plugin JSON) for known faults.

    Nothing is run. The exit status is 0 without errors and warnings, 1 with one, 2 for a file that cannot be read.
    """
    from harness.lint import Language, lint, report

    reading = lint(files, language=Language(language) if language else None, shellcheck=shellcheck)
    render = {"table": report.table, "json": report.as_json, "sarif": report.sarif}[format_]
    hand_out(render(reading), out)
    if format_ != "table":
        for remark in reading.remarks:
            tell(remark)
    return ExitCode.PASS if reading.clean else ExitCode.FAIL
