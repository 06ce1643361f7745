"""Rules about the call itself: its arguments, its namespace, who makes it. The same for both kinds of script."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.scripts.lint.engine import Call, Status, Verb

_FREEZE_S_MAX = 1200
_FREEZE_S_DEFAULT = 600
_TERMINAL = re.compile(r"-[ie]*t[ie]*|--tty(=true)?")
_CONTAINERS = {"docker", "podman", "kubectl", "oc"}
_OWNERS = {"su", "sudo", "runuser", "doas", "setpriv", "ssh", "chroot"} | _CONTAINERS


def findings(call: Call, *, captured: bool) -> Iterator[tuple[str, str]]:
    """Rules broken by a call, each with a message.

    Args:
        call: The call.
        captured: True if its standard output is kept in a file.
    """
    if call.verb is Verb.FREEZE and call.status is not Status.ZERO:
        yield from _log(call, captured)
        yield from _limits(call)
    elif call.verb is Verb.FREEZE:
        yield from _control_limits(call)
    if call.program in ("irisdb", "cache") and any(re.fullmatch(r"-s\.[\\/]?", word) for word in call.words):
        yield "engine-by-current-directory", f"`{call.program} -s.` works in the manager's folder only."
    if _CONTAINERS & set(call.wrappers):
        asked = next((word for word in call.wrapper_words if _TERMINAL.fullmatch(word)), "")
        if asked:
            yield "terminal-in-automation", f"`{asked}` asks for a terminal; a scheduled job has none."


def is_by_owner(call: Call) -> bool:
    """True if the call names who makes it: another user, another machine, a container."""
    return bool(_OWNERS & set(call.wrappers)) or call.verb in (Verb.LIST,)


def _log(call: Call, captured: bool) -> Iterator[tuple[str, str]]:
    log = call.argument(1)
    if log in ("", '""'):
        yield (
            "marker-not-kept",
            "ExternalFreeze has no LogFile: no file names journal and offset of this freeze.",
        )
    elif log == "0" and not captured:
        yield (
            "marker-not-kept",
            "LogFile is 0 and the output is not kept: nothing names this freeze's marker.",
        )
    elif log != "0" and re.match(r"[\\/]|[A-Za-z]:\\", log):
        yield (
            "objectscript-string-unquoted",
            f"ExternalFreeze gets {log} without quotes, which is no ObjectScript.",
        )
    if call.argument(3) == "0":
        yield (
            "no-journal-switch",
            "Argument 3, SwitchJournalFile, is 0: roll-forward has no marker to begin at.",
        )


def _limits(call: Call) -> Iterator[tuple[str, str]]:
    timeout, limit = call.argument(7), call.argument(10)
    if timeout in ("", "0"):
        yield "freeze-timeout-missing", f"Users are blocked after {_FREEZE_S_DEFAULT} s, the default."
    elif timeout.isdigit() and int(timeout) > _FREEZE_S_MAX:
        yield "freeze-timeout-too-large", f"ExternalFreezeTimeOut {timeout} is more than {_FREEZE_S_MAX}."
    if limit in ("", "0"):
        yield "no-self-thaw-limit", "WDSuspendLimit (argument 10) is not given: only a thaw ends this freeze."
        return
    blocked = int(timeout) if timeout.isdigit() and timeout != "0" else _FREEZE_S_DEFAULT
    known = timeout in ("", "0") or timeout.isdigit()
    if known and limit.isdigit() and int(limit) >= min(blocked, _FREEZE_S_MAX):
        yield (
            "self-thaw-after-block",
            f"WDSuspendLimit {limit} is not smaller than ExternalFreezeTimeOut {blocked}.",
        )


def _control_limits(call: Call) -> Iterator[tuple[str, str]]:
    timeout = next((word.partition("=")[2] for word in call.arguments if word.startswith("timeout=")), "")
    if timeout in ("", "0"):
        yield "freeze-timeout-missing", f"Users are blocked after {_FREEZE_S_DEFAULT} s, the default."
    elif timeout.isdigit() and int(timeout) > _FREEZE_S_MAX:
        yield "freeze-timeout-too-large", f"timeout={timeout} is more than {_FREEZE_S_MAX}."
    yield "control-freeze-unlimited", "`iris freeze` takes no WDSuspendLimit: only a thaw ends this freeze."
