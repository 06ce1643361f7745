"""What a process says and returns when a verb does not end well.

Nobody sees a traceback: an error of the outside world is one message, a defect of the harness one paragraph
and a file. The exit statuses are those of `errors.ExitCode`.
"""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import click

from harness.cli.output import tell
from harness.errors import ExitCode, HarnessError, PlanError

_COMPLETION = "_HARNESS_COMPLETE"
"""Set by a shell that completes a command line (click, "Shell Completion")."""


def guarded(call: Callable[[], object]) -> int:
    """Run a verb; returns its exit status and turns every exception into a message and a status."""
    try:
        result = call()
    except HarnessError as error:
        tell(f"harness: {_message(error)}")
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        tell("harness: interrupted; whatever was not finished is UNKNOWN")
        return ExitCode.UNKNOWN
    except SystemExit as error:
        if _COMPLETION in os.environ and not error.code:  # a shell asks click, and no verb was run
            return ExitCode.PASS
        # A reader of the help text who has gone away ends so, and so may whatever a plug-in calls: nothing has been
        # judged, so it is no PASS.
        tell(f"harness: ended before its time, with {error.code!r}; whatever was not finished is UNKNOWN")
        return ExitCode.UNKNOWN
    except BaseException as error:  # noqa: BLE001 # the last line of defence; Python itself would end with 1, a FAIL
        tell(_defect(error))
        return ExitCode.DEFECT
    return int(result) if isinstance(result, int) else int(ExitCode.PASS)


def _message(error: HarnessError) -> str:
    if isinstance(error, PlanError):
        count = len(error.mistakes)
        return f"{count} {'mistake' if count == 1 else 'mistakes'} in {error.source}\n{error}"
    return str(error)


def _defect(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error))
    try:
        place = f"The details are in {_kept(text)}."
    except OSError:
        place = f"The details could not be written to a file:\n{text}"
    return (
        "harness: a defect of the harness itself, not a verdict on any backup: "
        f"{type(error).__name__}: {error}. {place} Please report it with them."
    )


def _kept(text: str) -> Path:
    with tempfile.NamedTemporaryFile(
        "w",
        encoding="utf-8",
        errors="backslashreplace",
        prefix="harness-defect-",
        suffix=".txt",
        delete=False,
    ) as file:
        file.write(text)
    return Path(file.name)
