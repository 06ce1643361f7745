"""Writes the reference scripts: freeze, thaw and what belongs to them, for one way of taking snapshots.

A script is made of parts by concatenation, so that each is complete and reads from top to bottom. The parts are in
`reference/`, `core.sh` first. What is written here is which parts make which file, its mode and how it is installed.
A file that is there already stays, unless its overwriting was asked for: it may have been changed, and may be in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import destroy
from harness.errors import PreconditionError, UsageError

_PARTS = Path(__file__).parent / "reference"
_SCRIPT, _PLAIN, _SECRET = 0o700, 0o644, 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceFile:
    """One file of a variant: its name and mode, and where it is installed."""

    name: str
    mode: int
    text: str
    installed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The files for one way of taking snapshots. `check` are the arguments of `harness scripts check`."""

    name: str
    files: tuple[ReferenceFile, ...]
    check: str


VARIANTS = ("generic", "vmware", "azure", "lvm", "veeam", "aws")


def variant(name: str) -> Variant:
    """The files of a variant, as they are to be written. Raises KeyError for a name that is none."""
    return {
        "generic": _generic,
        "vmware": _vmware,
        "azure": _azure,
        "lvm": _lvm,
        "veeam": _veeam,
        "aws": _aws,
    }[name]()


def write(chosen: Variant, folder: Path, *, force: bool) -> tuple[Path, ...]:
    """Write all files of a variant, or none.

    Raises:
        UsageError: one of them is there already and `force` is not set; nothing was written.
        PreconditionError: the folder cannot be written; files before the one that is named were.
    """
    paths = tuple(folder / file.name for file in chosen.files)
    there = [str(path) for path in paths if path.exists() or path.is_symlink()]
    if there and not force:
        raise UsageError(f"already there: {', '.join(there)}; nothing was written (--force overwrites)")
    for path, file in zip(paths, chosen.files, strict=True):
        _write_one(path, file)
    return paths


def _write_one(path: Path, file: ReferenceFile) -> None:
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        destroy.file(new, destroy.Ground(folder=new.parent, right="a file on its way here"))
        new.touch(mode=0o600, exist_ok=False)
        new.write_text(file.text, encoding="utf-8")
        new.chmod(file.mode)
        new.replace(path)  # a script that is running keeps the old file
    except OSError as error:
        raise PreconditionError(
            f"cannot write {path}: {error.strerror}", "Choose another folder with --out."
        ) from error


def _generic() -> Variant:
    return Variant(
        name="generic",
        files=(
            _script("iris-freeze", "generic", "freeze", "/usr/local/sbin"),
            _script("iris-thaw", "generic", "thaw", "/usr/local/sbin"),
            _done(),
            _configuration(),
        ),
        check="--freeze {out}/iris-freeze --thaw {out}/iris-thaw",
    )


def _vmware() -> Variant:
    return Variant(
        name="vmware",
        files=(
            _script("pre-freeze-script", "vmware", "freeze", "/usr/sbin"),
            _script("post-thaw-script", "vmware", "thaw", "/usr/sbin"),
            _done(),
            _configuration(),
        ),
        check="--freeze {out}/pre-freeze-script --thaw {out}/post-thaw-script",
    )


def _azure() -> Variant:
    plugin = "VMSnapshotScriptPluginConfig.json"
    return Variant(
        name="azure",
        files=(
            _script("preScript.sh", "azure", "freeze", "/etc/azure"),
            _script("postScript.sh", "azure", "thaw", "/etc/azure"),
            ReferenceFile(name=plugin, mode=_SECRET, text=_part(plugin), installed=f"/etc/azure/{plugin}"),
            _done(),
            _configuration(),
        ),
        check="--freeze {out}/preScript.sh --thaw {out}/postScript.sh",
    )


def _veeam() -> Variant:
    return Variant(
        name="veeam",
        files=(
            _script("iris-pre-freeze.sh", "veeam", "freeze", "(a folder on the Veeam server)"),
            _script("iris-post-thaw.sh", "veeam", "thaw", "(a folder on the Veeam server)"),
            _done(),
            _configuration(),
        ),
        check="--freeze {out}/iris-pre-freeze.sh --thaw {out}/iris-post-thaw.sh",
    )


def _lvm() -> Variant:
    parts = ["freeze.sh", "thaw.sh", "done.sh", "lvm.sh"]
    text = f"#!/bin/sh\n{_part('heads/lvm.txt')}\n{_part('core.sh')}{''.join(map(_part, parts))}"
    job = ReferenceFile(
        name="iris-lvm-backup", mode=_SCRIPT, text=text, installed="/usr/local/sbin/iris-lvm-backup"
    )
    return Variant(
        name="lvm",
        files=(job, _configuration(_part("lvm.conf"))),
        check="--script '{out}/iris-lvm-backup {{freeze|thaw}}'",
    )


def _aws() -> Variant:
    parts = ["core.sh", "freeze.sh", "thaw.sh", "aws.sh"]
    script = "#!/bin/sh\n" + "".join(map(_part, parts))
    lines = (f"          {line}".rstrip() for line in script.splitlines())
    document = ReferenceFile(
        name="iris-dlm.yaml",
        mode=_PLAIN,
        text=_part("aws.yaml") + "\n".join(lines) + "\n",
        installed="Systems Manager, by the command at its top",
    )
    return Variant(name="aws", files=(document, _done(), _configuration()), check="")


def _script(name: str, of: str, hook: str, folder: str) -> ReferenceFile:
    heads = [f"heads/{hook}.txt", *([] if of == "generic" else [f"heads/{of}.txt"])]
    text = _assembled(heads, [f"{hook}.sh", "end.sh"], f"{hook}_hook")
    return ReferenceFile(name=name, mode=_SCRIPT, text=text, installed=f"{folder}/{name}")


def _done() -> ReferenceFile:
    text = _assembled(["heads/done.txt"], ["done.sh", "end.sh"], 'done_hook "$@"')
    return ReferenceFile(
        name="iris-backup-done", mode=_SCRIPT, text=text, installed="/usr/local/sbin/iris-backup-done"
    )


def _configuration(more: str = "") -> ReferenceFile:
    text = _part("iris-backup.conf") + more
    return ReferenceFile(
        name="iris-backup.conf",
        mode=_PLAIN,
        text=text,
        installed="/etc/iris-backup.conf (only to change settings)",
    )


def _assembled(heads: Sequence[str], parts: Sequence[str], call: str) -> str:
    head = "#\n".join(map(_part, heads))
    return f"#!/bin/sh\n{head}\n{_part('core.sh')}{''.join(map(_part, parts))}{call}\n"


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")
