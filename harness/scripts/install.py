"""What is put into a machine before a scenario: the commands scripts look for, and the scripts themselves."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

from harness.instance.base import Machine, Planted
from harness.instance.sandbox import interpreter
from harness.scripts.model import Scripts

_OWN = Path(__file__).parent / "machine"
_STANDIN = Path(__file__).parent.parent / "standin" / "bin"
_COPIED_BYTES, _COPIED_FILES = 8 << 20, 200


def commands(machine: Machine, scripts: Scripts, *, iris: bool, cache: bool) -> list[Planted]:
    """The programs of machine/, under the names of the product that is there."""
    names = (["iris", "irissession"] if iris else []) + (["ccontrol", "csession"] if cache else [])
    recorder = _filled("iris.pl", machine)
    become = (_OWN / "su.sh").read_bytes()
    planted = [Planted(path=f"/usr/bin/{name}", content=recorder, mode=0o755) for name in names]
    planted += [
        Planted(path=f"/usr/{path}", content=become, mode=0o755)
        for path in ("bin/su", "bin/sudo", "sbin/runuser")
    ]
    planted.append(Planted(path="/usr/bin/logger", content=_filled("logger.sh", machine), mode=0o755))
    if scripts.program:
        takes = _filled("snapshot.sh", machine)
        planted.append(Planted(path=f"/usr/sbin/{scripts.program}", content=takes, mode=0o755))
    return planted


def files(machine: Machine, scripts: Scripts, results: Path) -> list[Planted]:
    """The scripts with what lies beside them, as it is: some read a file next to them.

    Args:
        results: Where checks leave their results, which are not copied.
    """
    found: dict[str, Planted] = {}
    for hook in (scripts.freeze, scripts.thaw, scripts.snapshot):
        if hook and hook[0] not in scripts.install and not machine.tree.exists(hook[0]):
            for path in _with_neighbours(Path(hook[0]), results):
                found[str(path)] = _as_it_is(path)
    for target, path in scripts.install.items():
        found[target] = Planted(path=target, content=path.read_bytes(), mode=0o700)
    return list(found.values())


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


def _as_it_is(path: Path) -> Planted:
    return Planted(path=str(path), content=path.read_bytes(), mode=stat.S_IMODE(path.stat().st_mode))
