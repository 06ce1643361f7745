"""`harness list`: every adapter that is installed, where it comes from, and why it cannot be used here."""

from __future__ import annotations

import json
from importlib.metadata import entry_points

import click

from harness import declared, plugins
from harness.cli.output import emit
from harness.errors import ExitCode, PreconditionError
from harness.report.grid import grid

KINDS = {
    "host": "harness.hosts",
    "snapshot": "harness.snapshots",
    "fault": "harness.faults",
    "check": declared.GROUP,
    "reporter": "harness.reporters",
}
_COLUMNS = ("kind", "name", "from", "help")


@click.command("list", short_help="Show hosts, providers, checks and reporters.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How the adapters are printed.",
)
def list_command(format_: str) -> int:
    """List hosts, snapshot providers, faults, checks and reporters.

    Each with the distribution it comes from and one line of help, or why it cannot be loaded.
    """
    rows = [row for kind, group in KINDS.items() for row in _rows(kind, group)]
    if format_ == "json":
        emit(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    else:
        cells = [[row[column] for column in _COLUMNS] for row in rows]
        emit(grid(_COLUMNS, cells, ("left",) * len(_COLUMNS)) + "\n")
    return ExitCode.PASS


def _rows(kind: str, group: str) -> list[dict[str, str]]:
    origins = {
        entry.name: entry.dist.name if entry.dist else "unknown" for entry in entry_points(group=group)
    }
    return [
        {"kind": kind, "name": shown, "from": origins.get(name, "unknown"), "help": help_}
        for name in plugins.names(group)
        for shown, help_ in _shown(kind, group, name)
    ]


def _shown(kind: str, group: str, name: str) -> list[tuple[str, str]]:
    """An adapter's name and help; a family of faults is shown fault by fault."""
    if kind != "fault":
        return [(name, _help(group, name))]
    try:
        return [(fault.name, fault.statement) for fault in plugins.load(group, name, ())]
    except PreconditionError as error:
        return [(name, f"cannot be used: {error}")]


def _help(group: str, name: str) -> str:
    try:
        adapter = plugins.load(group, name, ())
    except PreconditionError as error:
        return f"cannot be used: {error}"
    lines = (adapter.__doc__ or "").strip().splitlines()
    return lines[0] if lines else "says nothing about itself"
