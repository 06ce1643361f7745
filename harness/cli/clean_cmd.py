"""`harness clean`: removes what a run that was killed left behind."""

from __future__ import annotations

import click

from harness.cli.output import emit
from harness.errors import ExitCode


@click.command("clean", short_help="Remove what killed runs left behind.")
def clean_command() -> int:
    """Remove instances, snapshots and mounts that killed runs left behind.

    Every such thing was registered before it was made; nothing else is touched, and results stay.
    """
    # Imported here because only this verb and a run need it.
    from harness import registered

    removed = registered.clean()
    emit("".join(f"{line}\n" for line in removed) or "nothing to remove\n")
    return ExitCode.PASS
