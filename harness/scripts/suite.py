"""A suite of scripts under test, from a YAML file or from the command line.

Paths of scripts are relative to the suite's file; a path that is installed (`install`) is one in the machine.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.plan.load import Problem, checked, duration_s, nearest, shape_problems
from harness.scripts import scenarios
from harness.scripts.model import Scripts

_BATCH = {".bat", ".cmd"}
_TIMEOUT = "30s"


def load(path: Path) -> Scripts:
    """Read a suite. Raises PlanError with every mistake and its line, or UsageError."""
    raw = checked(path, _problems)
    install = {target: _here(path, file) for target, file in raw.get("install", {}).items()}

    def command(key: str) -> tuple[str, ...]:
        words = raw.get(key, [])
        if not words or words[0] in install:
            return tuple(words)
        return (str(_here(path, words[0])), *words[1:])

    return require_runnable(
        Scripts(
            name=raw["scripts"],
            freeze=command("job" if "job" in raw else "freeze"),
            thaw=command("job" if "job" in raw else "thaw"),
            snapshot=command("snapshot"),
            program=raw.get("program", ""),
            user=raw.get("user", "root"),
            success=tuple(raw.get("success", (0,))),
            timeout_s=duration_s(raw.get("timeout", _TIMEOUT)) or 0.0,
            instances=tuple(name.upper() for name in raw.get("instances", ())),
            install=install,
            environment=dict(raw.get("environment", {})),
            credentials=raw.get("credentials", ""),
            skip=dict(raw.get("skip", {})),
        )
    )


def of_words(freeze: str, thaw: str, snapshot: str, timeout_s: float) -> Scripts:
    """A suite of two command lines. Raises UsageError if a script is missing or cannot be run here."""
    hooks = [_command(freeze), _command(thaw), _command(snapshot) if snapshot else ()]
    return require_runnable(
        Scripts(name=_name(hooks[0]), freeze=hooks[0], thaw=hooks[1], snapshot=hooks[2], timeout_s=timeout_s)
    )


def of_job(job: str, program: str, timeout_s: float) -> Scripts:
    """A suite of one job that does everything, and of the program that takes its snapshot. Raises UsageError."""
    argv = _command(job)
    if not posixpath.basename(program):
        raise UsageError(f"--program {program!r} names no program by which the job takes its snapshot")
    return require_runnable(
        Scripts(name=_name(argv), freeze=argv, thaw=argv, program=program, timeout_s=timeout_s)
    )


def alternatives(words: str) -> tuple[str, str]:
    """The two command lines that one with alternatives stands for: `backup.sh {freeze|thaw}`. Raises UsageError."""
    parts = _split(words)
    found = [re.fullmatch(r"\{([^{}|]+)\|([^{}|]+)\}", part) for part in parts]
    if sum(map(bool, found)) != 1:
        raise UsageError(
            f"{words!r} does not say how it is called: give the two arguments in one word, as in "
            "'backup.sh {freeze|thaw}'"
        )
    freeze, thaw = (
        shlex.join(match[side] if match else part for part, match in zip(parts, found, strict=True))
        for side in (1, 2)
    )
    return freeze, thaw


def require_runnable(scripts: Scripts) -> Scripts:
    """Return a suite as it is. Raises UsageError if a file of it is missing, unreadable, or cannot be run here."""
    called = (argv[0] for argv in (scripts.freeze, scripts.thaw, scripts.snapshot) if argv)
    for path in [*scripts.install.values(), *(Path(name) for name in called if name not in scripts.install)]:
        if path.suffix.lower() in _BATCH:
            raise UsageError(
                f"{path} is a Windows batch file, which cannot be run here; `harness scripts lint {path}` reads it"
            )
        if not path.is_file():
            raise UsageError(f"there is no script {path}")
        if not os.access(path, os.R_OK):
            raise UsageError(f"{path} cannot be read by the user who runs the harness")
    return scripts


def _command(words: str) -> tuple[str, ...]:
    parts = _split(words)
    return (str(Path(parts[0]).resolve()), *parts[1:])


def _split(words: str) -> list[str]:
    """The words of a command line. Raises UsageError if there is none."""
    try:
        parts = shlex.split(words)
    except ValueError as error:
        raise UsageError(f"{words!r} is not a command line: {str(error).lower()}") from error
    if not parts or not parts[0]:
        raise UsageError(f"{words!r} is not a command line: it names no script")
    return parts


def _name(argv: tuple[str, ...]) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", Path(argv[0]).stem).strip("-.") or "scripts"


def _here(suite: Path, file: str) -> Path:
    return (suite.parent / file).resolve()


def _problems(value: object) -> Iterator[Problem]:
    yield from shape_problems(_schema(), value, ())
    if not isinstance(value, dict):
        return
    if "timeout" in value and isinstance(value["timeout"], str) and not duration_s(value["timeout"]):
        yield Problem(("timeout",), f"{value['timeout']!r} is not a duration such as 30s")
    if ("job" in value) == ("freeze" in value) or ("freeze" in value) != ("thaw" in value):
        yield Problem((), "name freeze and thaw, or a job and the program by which it takes the snapshot")
    if ("job" in value) != ("program" in value):
        yield Problem((), "a job and the program by which it takes the snapshot belong together")
    if "job" in value and "snapshot" in value:
        yield Problem(("snapshot",), "a job takes its snapshot itself, by its program")
    known = [one.name for one in scenarios.every()]
    skipped = value.get("skip")
    for name in skipped if isinstance(skipped, dict) else ():
        if name not in known:
            yield Problem(("skip", name), f"there is no scenario {name!r}{nearest(str(name), known)}")


@cache
def _schema() -> dict[str, Any]:
    text = Path(__file__).with_name("suite.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
