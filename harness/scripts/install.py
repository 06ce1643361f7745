"""What is put into a machine before a scenario: the commands scripts look for, and the scripts themselves."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from harness.instance.base import Machine, PlacedFile
from harness.instance.namespaces import interpreter
from harness.scripts.model import Scripts

_OWN = Path(__file__).parent / "machine"
_STANDIN = Path(__file__).parent.parent / "standin" / "bin"
PROGRAM = "/run/snapshot-program"
_PROGRAMS = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
_ADMINISTRATORS = ("/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
_NOT_MERGED = ("/bin", "/sbin")
_LENT = ("/opt", "/usr/local", "/usr/libexec")
_COPIED_BYTES, _COPIED_FILES = 8 << 20, 200


def commands(machine: Machine, scripts: Scripts, *, iris: bool, cache: bool) -> list[PlacedFile]:
    """The programs of machine/, under the names of the product that is to be there."""
    names = (["iris", "irissession"] if iris else []) + (["ccontrol", "csession"] if cache else [])
    recorder = _filled("iris.pl", machine)
    become = (_OWN / "su.sh").read_bytes()
    planted = [PlacedFile(path=f"/usr/bin/{name}", content=recorder, mode=0o755) for name in names]
    planted += [
        PlacedFile(path=f"/usr/{path}", content=become, mode=0o755)
        for path in ("bin/su", "bin/sudo", "sbin/runuser")
    ]
    planted.append(PlacedFile(path="/usr/bin/logger", content=_filled("logger.sh", machine), mode=0o755))
    return planted


@dataclass(frozen=True, slots=True)
class Program:
    """The stand-in for the program by which a job takes its snapshot.

    Attributes:
        planted: Where it is written.
        over: Programs of that name in folders that are lent read-only: it is mounted over them.
        guessed: Nothing of that name is installed here, so its folder is unknown.
    """

    planted: tuple[PlacedFile, ...]
    over: tuple[str, ...]
    guessed: bool


def program(machine: Machine, scripts: Scripts) -> Program:
    """Cover every place where the name is found here, so that no job calls the real program."""
    name = posixpath.basename(scripts.program)
    found = [f"{folder}/{name}" for folder in _PROGRAMS if Path(folder, name).is_file()]
    over = [f"{folder}/{name}" for folder in _NOT_MERGED if _is_own(folder) and Path(folder, name).is_file()]
    over += [path for path in _lent(name) if path not in found]
    given = [scripts.program] if scripts.program.startswith("/") and scripts.program not in over else []
    guessed = not found and not over and not given
    content = _filled("snapshot.sh", machine)
    paths = dict.fromkeys([PROGRAM, *found, *given, *(f"{f}/{name}" for f in _ADMINISTRATORS if guessed)])
    return Program(
        planted=tuple(PlacedFile(path=path, content=content, mode=0o755) for path in paths),
        over=tuple(over),
        guessed=guessed,
    )


@cache
def _lent(name: str) -> tuple[str, ...]:
    inner = (path for top in _LENT for path in Path(top).rglob(name))
    return tuple(str(path) for path in inner if path.is_file() and os.access(path, os.X_OK))


def _is_own(folder: str) -> bool:
    return Path(folder).is_dir() and not Path(folder).is_symlink()


def files(machine: Machine, scripts: Scripts, results: Path) -> list[PlacedFile]:
    """The scripts and the files beside them, unchanged: some scripts read a file next to them.

    Args:
        results: Where checks leave their results, which are not copied.
    """
    found: dict[str, PlacedFile] = {}
    for hook in (scripts.freeze, scripts.thaw, scripts.snapshot):
        if hook and hook[0] not in scripts.install and not machine.tree.exists(hook[0]):
            for path in _with_neighbours(Path(hook[0]), results):
                found[str(path)] = _as_it_is(path)
    for target, path in scripts.install.items():
        found[target] = PlacedFile(path=target, content=path.read_bytes(), mode=0o700)
    if scripts.program:
        takes = _filled("snapshot.sh", machine)
        for beside in found:
            same = posixpath.basename(beside) == posixpath.basename(scripts.program)
            if same and beside != scripts.freeze[0]:
                found[beside] = PlacedFile(path=beside, content=takes, mode=0o755)
    return list(found.values())


def names_program(planted: Iterable[PlacedFile], scripts: Scripts) -> bool:
    """Whether a job, or a file beside it, has the name of its program as a word."""
    word = re.compile(rb"(?<![A-Za-z0-9_])" + re.escape(posixpath.basename(scripts.program)).encode())
    return any(word.search(file.content) for file in planted)


def _filled(name: str, machine: Machine) -> bytes:
    settings = {"IRISSYS": str(machine.inside / "registry"), "IRIS_STANDIN_PYTHON": str(interpreter())}
    if "gtm_dist" in os.environ:
        settings["gtm_dist"] = os.environ["gtm_dist"]
    pairs = ", ".join(f"'{key}' => '{value}'" for key, value in settings.items())
    text = (_OWN / name).read_text()
    for mark, value in (
        ("INSIDE", str(machine.inside)),
        ("TOLD", str(machine.told)),
        ("STANDIN", str(_STANDIN)),
        ("SETTINGS", pairs),
    ):
        text = text.replace(f"@{mark}@", value)
    return text.encode()


def _with_neighbours(script: Path, results: Path) -> list[Path]:
    """The script, and the files beside and below it that can be read, if they are few."""
    found = (path for path in script.parent.rglob("*") if path.is_file() and not path.is_symlink())
    wanted = (path for path in found if not path.is_relative_to(results) and os.access(path, os.R_OK))
    files = list(islice(wanted, _COPIED_FILES + 1))
    small = len(files) <= _COPIED_FILES and sum(path.stat().st_size for path in files) <= _COPIED_BYTES
    return files if small else [script]


def _as_it_is(path: Path) -> PlacedFile:
    return PlacedFile(path=str(path), content=path.read_bytes(), mode=stat.S_IMODE(path.stat().st_mode))
