"""The session is made by the hook's own user, often root, whom the instance may not know."""

from __future__ import annotations

from collections.abc import Iterator

from harness.lint import sources
from harness.lint.engine import CONTAINERS, EngineCall, Status, Verb
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.steps import Step
from harness.lint.shell.tree import text, walk

RULE = Rule(
    id="session-as-root",
    level=Level.NOTE,
    faults=("F20",),
    summary="the session is made by the user who runs the hook",
    source=sources.DATA_INTEGRITY_GUIDE,
    remedy="Run it as the instance's owner (su, sudo -u), or redirect credentials to it.",
)
_OWNERS = {"su", "sudo", "runuser", "doas", "setpriv", "ssh", "chroot"} | CONTAINERS
_ASKS_WHO = ("id", "whoami", "EUID", "UID")


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """The first such call of a script that nowhere asks who runs it."""
    asks_who = any(
        node.type in ("command_name", "variable_name") and text(node) in _ASKS_WHO
        for node in walk(reading.script.root)
    )
    for step in () if asks_who else reading.script.calls:
        assert step.call is not None
        if not (step.call.status is Status.UNKNOWN or _gets_credentials(step) or _names_user(step.call)):
            yield at(step.node, "The hook's own user, often root, makes this session.")
            return


def _gets_credentials(step: Step) -> bool:
    fed = any(redirect.operator == "<" and redirect.target != "/dev/null" for redirect in step.redirects)
    return fed or (step.call is not None and step.call.status is Status.TYPED)


def _names_user(call: EngineCall) -> bool:
    """True if the call names another user, another machine or a container, or needs no login."""
    return bool(_OWNERS & set(call.wrappers)) or call.verb is Verb.LIST
