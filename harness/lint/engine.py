"""What a command line asks of the engine: freeze, thaw, set history, say whether it is frozen, list instances.

Shell scripts and batch files both come here with a command as a list of words, wrappers such as `sudo` included.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tree_sitter import Node


class Verb(enum.StrEnum):
    """What the engine is asked to do."""

    FREEZE = "freeze"
    THAW = "thaw"
    HISTORY = "history"
    SUSPENDED = "suspended"
    LIST = "list"


class Status(enum.Enum):
    """Which exit statuses a call has."""

    FIVE = enum.auto()  # 5 done, 3 not done: Backup.General called on a session's command line
    ZERO = enum.auto()  # 0 done, 1 not done: iris freeze, iris thaw
    TYPED = enum.auto()  # commands fed to a session: the status of the last one
    UNKNOWN = enum.auto()  # the words go through a variable or a function that could not be followed


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCall:
    """One call of the engine; `wrappers` are the names of the commands in front of it, outermost first."""

    verb: Verb
    program: str
    words: tuple[str, ...]
    status: Status = Status.FIVE
    arguments: tuple[str, ...] = ()
    wrappers: tuple[str, ...] = ()
    wrapper_words: tuple[str, ...] = ()

    def argument(self, position: int) -> str:
        """The ObjectScript text of an argument, counted from 1; empty if it is left out."""
        return self.arguments[position - 1].strip() if len(self.arguments) >= position else ""

    @property
    def by_class(self) -> bool:
        """True for a freeze by Backup.General.ExternalFreeze, false for one by `iris freeze`."""
        return self.verb is Verb.FREEZE and self.status is not Status.ZERO

    @property
    def by_control(self) -> bool:
        """True for a freeze by `iris freeze` or `ccontrol freeze`."""
        return self.verb is Verb.FREEZE and self.status is Status.ZERO

    @property
    def freeze_timeout(self) -> str:
        """The ExternalFreezeTimeOut of a freeze as the script gives it; empty if it does not."""
        if self.by_class:
            return self.argument(7)
        return next((word.partition("=")[2] for word in self.arguments if word.startswith("timeout=")), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCall:
    """A call and where it stands; `captured` is true if its standard output is kept in a file."""

    call: EngineCall
    node: Node
    captured: bool


FREEZE_S_MAX = 1200
"""A larger ExternalFreezeTimeOut counts as this; external backup tutorial of InterSystems Japan for IRIS 2024.1."""
FREEZE_S_DEFAULT = 600
"""ExternalFreezeTimeOut if none is given; class reference."""
CONTAINERS = frozenset({"docker", "podman", "kubectl", "oc"})
"""Wrappers that run a command in a container."""

_METHODS = {
    "externalfreeze": Verb.FREEZE,
    "externalthaw": Verb.THAW,
    "externalsethistory": Verb.HISTORY,
    "iswdsuspendedext": Verb.SUSPENDED,
    "iswdsuspended": Verb.SUSPENDED,
}
_METHOD = re.compile(
    r"\#\#class \s* \( \s* Backup\.General \s* \) \s* \. \s* (?P<name>\w+) \s* (?P<open>\()?",
    re.IGNORECASE | re.VERBOSE,
)
_SESSIONS = {"csession", "irissession", "irisdb", "cache", "cterm", "iristerm"}
_CONTROLS = {"iris", "ccontrol"}
_LISTS = {"qlist", "qall", "all", "list"}
# By wrapper: its options whose value is the next word.
_WRAPPERS: dict[str, frozenset[str]] = {
    "sudo": frozenset({"-u", "--user", "-g", "-h", "-p", "-C", "-T"}),
    "doas": frozenset({"-u", "-C"}),
    "runuser": frozenset({"-u", "-g", "-G", "-s"}),
    "setpriv": frozenset({"--reuid", "--regid"}),
    "timeout": frozenset({"-s", "-k", "--signal", "--kill-after"}),
    "env": frozenset({"-u", "-C"}),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n"}),
    "chrt": frozenset(),
    "flock": frozenset({"-w", "-E"}),
    "nohup": frozenset(),
    "setsid": frozenset(),
    "command": frozenset(),
    "exec": frozenset({"-a"}),
    "time": frozenset(),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "chroot": frozenset(),
}
_OPERANDS = {"timeout": 1, "flock": 1, "chroot": 1, "chrt": 1}
_REMOTE: dict[str, frozenset[str]] = {
    "ssh": frozenset({"-i", "-l", "-p", "-o", "-F", "-J", "-E", "-S", "-W", "-b", "-c", "-m"}),
    "docker": frozenset({"-u", "--user", "-e", "--env", "-w", "--workdir", "--env-file", "--detach-keys"}),
    "podman": frozenset({"-u", "--user", "-e", "--env", "-w", "--workdir", "--env-file", "--detach-keys"}),
    "kubectl": frozenset({"-n", "--namespace", "-c", "--container", "--context", "--kubeconfig", "-l"}),
    "oc": frozenset({"-n", "--namespace", "-c", "--container", "--context"}),
}
_SHELLS = {"sh", "bash", "ksh", "dash", "ash"}
_DEPTH_MAX = 8


def indirect(words: Sequence[str]) -> EngineCall | None:
    """The call that one word of a command spells, for a command that cannot be followed."""
    for word in words[1:]:
        found = _METHOD.match(word)
        if found and found["name"].lower() in _METHODS:
            return EngineCall(
                verb=_METHODS[found["name"].lower()],
                program="",
                words=tuple(words),
                status=Status.UNKNOWN,
                arguments=split_arguments(word[found.end() :]) if found["open"] else (),
            )
    return None


def program_name(word: str) -> str:
    """`iris` for `/usr/bin/iris`, `irisdb` for `C:\\IRIS\\bin\\irisdb.exe`."""
    name = re.split(r"[/\\]", word.strip("\"'"))[-1].lower()
    return name.removesuffix(".exe").removesuffix(".bat").removesuffix(".cmd").removesuffix(".com")


def split_arguments(text: str) -> tuple[str, ...]:
    """The arguments of an ObjectScript call, from the text after its opening parenthesis.

    A quote inside a string is doubled. Commas and parentheses in strings and in inner calls do not count.
    """
    arguments: list[str] = []
    current = ""
    depth, quoted = 0, False
    for letter in text:
        if letter == '"':
            quoted = not quoted
        elif not quoted:
            if letter == ")" and depth == 0:
                break
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if letter == "," and depth == 0:
                arguments.append(current)
                current = ""
                continue
        current += letter
    if current.strip() or arguments:
        arguments.append(current)
    return tuple(arguments)


def recognise(
    words: Sequence[str],
    typed: str = "",
    inner: Callable[[str], Sequence[Sequence[str]]] | None = None,
    depth: int = 0,
) -> EngineCall | None:
    """The engine call in a command, or None.

    Args:
        words: The command, with known variables replaced by their values.
        typed: What the script itself feeds to its standard input.
        inner: Splits a text that another shell will read (`sh -c`, `ssh host`) into commands.
        depth: Of wrappers around wrappers so far.
    """
    if not words or depth > _DEPTH_MAX:
        return None
    name = program_name(words[0])
    if name in _SESSIONS or name in _CONTROLS:
        return _engine(name, words, typed)
    rest, text, option_words = _unwrapped(name, words)
    found: EngineCall | None = None
    if text and inner:
        calls = (recognise(command, typed, inner, depth + 1) for command in inner(text))
        found = next((call for call in calls if call), None)
    if found is None and rest:
        found = recognise(rest, typed, inner, depth + 1)
    if found is None:
        return None
    return replace(
        found, wrappers=(name, *found.wrappers), wrapper_words=(name, *option_words, *found.wrapper_words)
    )


def _engine(name: str, words: Sequence[str], typed: str) -> EngineCall | None:
    rest = [word for word in words[1:] if word]
    sub = rest[0].lower() if rest else ""
    if name in _CONTROLS:
        if sub in _LISTS:
            return EngineCall(verb=Verb.LIST, program=name, words=tuple(words), status=Status.ZERO)
        if sub in ("freeze", "thaw"):
            return EngineCall(
                verb=Verb(sub),
                program=name,
                words=tuple(words),
                status=Status.ZERO,
                arguments=tuple(rest[1:]),
            )
        if sub not in ("session", "terminal"):
            return None
    line = " ".join(rest)
    status = Status.FIVE
    found = _METHOD.search(line)
    if not found and typed:
        line, status = typed, Status.TYPED
        found = _METHOD.search(line)
    if not found or found["name"].lower() not in _METHODS:
        return None
    return EngineCall(
        verb=_METHODS[found["name"].lower()],
        program=name,
        words=tuple(words),
        status=status,
        arguments=split_arguments(line[found.end() :]) if found["open"] else (),
    )


def _unwrapped(name: str, words: Sequence[str]) -> tuple[Sequence[str], str, Sequence[str]]:
    """What a wrapper runs, as words or as text for another shell, and the wrapper's own options."""
    if name in _SHELLS or name == "su" or (name == "runuser" and "-c" in words):
        for position, word in enumerate(words[1:], 1):
            if re.fullmatch(r"-\w*c|--command", word) and position + 1 < len(words):
                return (), words[position + 1], words[1:position]
            if word.startswith("--command="):
                return (), word.split("=", 1)[1], words[1:position]
        return (), "", ()
    if name in _REMOTE:
        return _remote(name, words)
    if name not in _WRAPPERS:
        return (), "", ()
    position = _after_options(words, 1, _WRAPPERS[name])
    position += _OPERANDS.get(name, 0)
    while position < len(words) and re.match(r"\w+=", words[position]):
        position += 1
    return words[position:], "", words[1:position]


def _remote(name: str, words: Sequence[str]) -> tuple[Sequence[str], str, Sequence[str]]:
    position = _after_options(words, 1, _REMOTE[name])
    if name == "ssh":
        position = _after_options(words, position + 1, _REMOTE[name])
        return (), " ".join(words[position:]), words[1:position]
    if position >= len(words) or words[position] != "exec":
        return (), "", ()
    position = _after_options(words, position + 1, _REMOTE[name])
    if "--" in words[position:]:
        end = words.index("--", position) + 1
        return words[end:], "", words[1:end]
    return words[position + 1 :], "", words[1 : position + 1]


def _after_options(words: Sequence[str], position: int, with_value: frozenset[str]) -> int:
    while position < len(words) and words[position].startswith("-") and words[position] != "-":
        if words[position] == "--":
            return position + 1
        position += 2 if words[position] in with_value else 1
    return position
