"""`set -e` ends a script at the first status other than 0, and the success of a freeze is 5."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="set-e-aborts-frozen",
    level=Level.ERROR,
    faults=("F12",),
    summary="under `set -e` the success of a freeze, 5, ends the script and the instance stays frozen",
    source=f"{sources.SHELL}, set -e; {sources.CLASS_REFERENCE}",
    remedy="Write `call || status=$?`, which `set -e` lets pass.",
)


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each freeze or thaw that ends the script this way."""
    for one in reading.statuses:
        if one.aborts:
            yield at(one.step.node, f"The {one.what} succeeds with 5, and `set -e` ends the script there.")
