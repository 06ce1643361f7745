"""Several instances are frozen in turn. When a later freeze fails, the earlier ones stay frozen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint import sources
from harness.lint.batch.reading import BatchReading
from harness.lint.engine import Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.script import ShellScript
from harness.lint.shell.steps import Step, exclusive

RULE = Rule(
    id="no-thaw-after-partial-freeze",
    level=Level.WARNING,
    faults=("F09",),
    summary="a later freeze fails and the earlier instances stay frozen",
    source=sources.CLASS_REFERENCE,
    remedy="On failure thaw what is frozen already, before the script ends.",
)
_MESSAGE = "When the freeze of a later instance fails, those frozen before it are not thawed."
_SAYS_ONLY = ("echo", "rm", "printf", "logger", "touch", "mkdir")


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each freeze in a loop from which no failure can lead to a thaw."""
    for one in reading.loops:
        if not _can_thaw(reading, one.freeze):
            yield at(one.freeze.node, _MESSAGE)


@RULE.batch
def in_batch(reading: BatchReading) -> Iterator[Hit]:
    """The first freeze in a loop, or the second freeze, of a file without a thaw."""
    freezes, thaws = reading.nodes_of(Verb.FREEZE), reading.nodes_of(Verb.THAW)
    looped = [node for node, _ in reading.looped_freezes]
    if not thaws and (len(freezes) > 1 or looped):
        yield at((looped or freezes[1:])[0], _MESSAGE)


def _can_thaw(reading: ShellReading, freeze: Step) -> bool:
    thaws = reading.steps_of(Verb.THAW)
    if any(step.trapped for step in thaws):
        return True
    if any(_is_another_script(step, reading.script) for step in reading.script.steps):
        return True
    return any(not exclusive(thaw, freeze) for thaw in thaws)


def _is_another_script(step: Step, script: ShellScript) -> bool:
    """True for a command with a path whose line says `thaw`."""
    return (
        bool(re.search(r"thaw", step.line))
        and "/" in step.line
        and not step.call
        and step.name not in _SAYS_ONLY
        and step.name not in script.functions
    )
