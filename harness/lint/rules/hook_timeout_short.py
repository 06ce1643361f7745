"""The freeze has less time than a healthy one may take: it is killed halfway and the instance may be frozen later."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint.azure import AzureHook
from harness.lint.engine import Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading

RULE = Rule(
    id="hook-timeout-short",
    level=Level.WARNING,
    faults=("F26",),
    summary="the hook may be killed in the middle of a freeze",
    source="Azure Backup, timeoutInSeconds",
    remedy="Give the hook more time than a freeze may take.",
)
_KEY = "timeoutInSeconds"
# Unverified: how long a healthy freeze may take. It switches the journal and flushes all buffers first.
_AZURE_S_MIN = 60
_SESSION_S_MIN = 30


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each freeze under a `timeout` that is too short."""
    for one in reading.calls:
        words = one.call.wrapper_words if "timeout" in one.call.wrappers else ()
        limit = next((word for word in words if re.fullmatch(r"\d+s?", word)), "")
        if limit and int(limit.rstrip("s")) < _SESSION_S_MIN and one.call.verb is Verb.FREEZE:
            message = f"The session is killed after {limit}; the instance may still be frozen later."
            yield at(one.node, message)


@RULE.azure
def in_azure(hook: AzureHook) -> Iterator[Hit]:
    """The key, if its value is too small."""
    timeout = hook.values.get(_KEY, "")
    if timeout.isdigit() and int(timeout) < _AZURE_S_MIN:
        message = f"{_KEY} is {timeout}: a freeze that takes longer is killed halfway."
        yield Hit(line=hook.line_of(_KEY), column=1, message=message)
