"""`harness scripts init`: writes the reference freeze and thaw scripts."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.output import emit
from harness.errors import ExitCode
from harness.scripts import init

_HELP = {
    "generic": "A freeze and a thaw script for whatever calls them (default).",
    "vmware": "pre-freeze-script and post-thaw-script for VMware Tools.",
    "azure": "preScript.sh, postScript.sh and their JSON for Azure Backup.",
    "lvm": "One job: freeze, LVM snapshots, thaw, copy, verify, record.",
    "veeam": "Pre-freeze and post-thaw script for Veeam Backup & Replication.",
    "aws": "An SSM document for Amazon Data Lifecycle Manager.",
}


def _variants(command: click.decorators.FC) -> click.decorators.FC:
    for name, text in reversed(_HELP.items()):
        command = click.option(f"--{name}", "name", flag_value=name, help=text)(command)
    return command


@click.command("init", short_help="Write the reference freeze and thaw scripts.")
@_variants
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="this folder",
    metavar="DIR",
    help="Where to.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
def scripts_init_command(name: str | None, out: Path, force: bool) -> int:
    """Write freeze and thaw scripts for IRIS and Caché, commented with the reason for each step.

    They are POSIX sh and need nothing of the harness. A file that is there already is not overwritten, and then
    nothing is written; the exit status is 2.
    """
    chosen = init.variant(name or "generic")
    paths = init.write(chosen, out, force=force)
    lines = [f"{path}  ->  {file.installed}" for path, file in zip(paths, chosen.files, strict=True)]
    emit(
        "".join(
            f"{line}\n" for line in ["written  ->  to be installed as", *lines, "", *_advice(chosen, out)]
        )
    )
    return ExitCode.PASS


def _advice(chosen: init.Variant, out: Path) -> list[str]:
    """How to go on: owner, mode and a check."""
    advice = ["Install them with owner root, and scripts with mode 0700; the reasons are at the top of each."]
    if chosen.check:
        advice.append(f"Check them before: harness scripts check {chosen.check.format(out=out)}")
    return advice
