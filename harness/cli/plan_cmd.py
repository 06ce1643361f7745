"""`harness plan check PLAN`: what a plan would do, without doing it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli.output import emit
from harness.errors import ExitCode
from harness.plan.expand import expand
from harness.plan.load import load
from harness.plan.model import Case, Plan
from harness.report.grid import grid


@click.group("plan")
def plan_group() -> None:
    """Work with plans without running them."""


@plan_group.command("check", short_help="Check a plan, and show what it would run.")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How the cases are printed.",
)
def plan_check_command(plan: Path, format_: str) -> int:
    """Check PLAN and print its cases.

    All mistakes are reported at once, each with its line. The exit status is 0 for a plan without mistakes
    and 2 otherwise.
    """
    loaded = load(plan)
    cases = expand(loaded)
    emit(_as_json(cases) if format_ == "json" else _as_table(loaded, cases))
    return ExitCode.PASS


def _as_table(plan: Plan, cases: tuple[Case, ...]) -> str:
    work = plan.workload
    until = f" or {work.transactions} transactions" if work.transactions else ""
    heading = [
        f"plan {plan.name} · {len(cases)} {'case' if len(cases) == 1 else 'cases'}",
        f"instance: {plan.instance.image} on {plan.instance.host}",
        f"workload: {work.writers} writers for {work.duration_s:g} s{until}, {work.commit.value} commit",
    ]
    rows = [[case.name, _options(case)] for case in cases]
    return "\n".join([*heading, "", grid(("case", "snapshot options"), rows, ("left", "left")), ""])


def _options(case: Case) -> str:
    shown = (f"{key}: {_option(value)}" for key, value in sorted(case.snapshot.options.items()))
    return ", ".join(shown) or "-"


def _option(value: object) -> str:
    words = value if isinstance(value, list) else str(value).split()
    return " ".join(str(word) for word in words)


def _as_json(cases: tuple[Case, ...]) -> str:
    rows = [
        {
            "name": case.name,
            "cycle": case.cycle,
            "snapshot": {"provider": case.snapshot.provider, "options": case.snapshot.options},
            "recovery": case.recovery.value,
        }
        for case in cases
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
