"""The command line: one module per verb, one exit status table, no tracebacks.

A verb parses its arguments, calls one function, prints and returns an exit status. What happens when it
raises instead is decided once, in `guard.py`.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import click

from harness.cli.clean_cmd import clean_command
from harness.cli.conform_cmd import conform_command
from harness.cli.doctor_cmd import doctor_command
from harness.cli.guard import guarded
from harness.cli.list_cmd import list_command
from harness.cli.matrix_cmd import matrix_command
from harness.cli.plan_cmd import plan_group
from harness.cli.report_cmd import report_command
from harness.cli.run_cmd import run_command
from harness.cli.scripts_cmd import scripts_group

_OTHERS_WRITE = 0o022


class HarnessGroup(click.Group):
    """A click group whose process always ends with a status of our own table."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run a verb and end the process; called by `main` and by click's test runner."""
        extra["standalone_mode"] = False
        run_verb = super().main
        sys.exit(guarded(lambda: run_verb(*args, **extra)))


@click.group(cls=HarnessGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="iris-restore-harness", prog_name="harness")
def cli() -> None:
    """Proves that an external backup of InterSystems IRIS restores.

    Freezes an instance under load, takes a snapshot, thaws, restores it, rolls journals forward and verifies
    that every transaction that was promised is there.

    Exit status: 0 pass, 1 fail, 2 usage or plan, 3 unknown, 4 thaw not confirmed, 70 defect in the harness.
    """


for _verb in (
    run_command,
    report_command,
    plan_group,
    conform_command,
    matrix_command,
    doctor_command,
    list_command,
    scripts_group,
    clean_command,
):
    cli.add_command(_verb)


def _open_standard_streams() -> None:
    """A caller may have closed some of them (`>&-`, a daemon): no file that is opened later may take their place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def main() -> NoReturn:
    """Entry point of the `harness` command. Whoever calls it with no umask at all lets nobody else write, either: a
    verdict must not be anybody's to change.
    """
    os.umask(os.umask(_OTHERS_WRITE) | _OTHERS_WRITE)
    _open_standard_streams()
    cli.main(prog_name="harness")
