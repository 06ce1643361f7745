"""`harness clean`: removes what a run that was killed left behind."""

from __future__ import annotations

import click

from harness.cli.output import emit, tell
from harness.errors import ExitCode


@click.command("clean", short_help="Remove what killed runs left behind.")
def clean_command() -> int:
    """Remove instances, snapshots and mounts that killed runs left behind.

    Every such thing was registered before it was made; nothing else is touched, and results stay. A run that goes on
    is left alone. The exit status is 3 if something could not be removed, or an entry is not to be believed: each is
    named, and all others are cleaned.
    """
    # Imported here because only this verb and a run need it.
    from harness.session import leftovers

    done = leftovers.clean()
    emit("".join(f"{_shown(line)}\n" for line in done.removed) or "nothing to remove\n")
    for line in done.skipped:
        tell(f"skipped {_shown(line)}")
    for line in done.problems:
        tell(f"harness: {_shown(line)}")
    return ExitCode.UNKNOWN if done.skipped or done.problems else ExitCode.PASS


def _shown(line: str) -> str:
    """One line, whatever stands in an entry: what does not print is an escape."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)
