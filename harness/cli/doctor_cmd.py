"""`harness doctor`: what this machine has, what it lacks, and how to get it.

What counts is what works, so abilities that depend on privileges or a filesystem are tried, not guessed. The
exit status speaks of the built-in quick plan only: the stand-in as local processes, copied with `copy`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from harness import containers
from harness.cli.output import emit
from harness.command import run
from harness.errors import ExitCode, HarnessError, PreconditionError
from harness.report.grid import grid

GTM_ROOT = Path("/usr/lib")
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing looked for. `needed` says whether testplans/quick.yaml cannot run without it."""

    what: str
    found: bool
    version: str
    needed: bool
    remedy: str


@click.command("doctor")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder of results; reflinks depend on its filesystem.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How the rows are printed.",
)
def doctor_command(out: Path, format_: str) -> int:
    """Show what is here, what is missing and how to get it.

    The exit status is 0 if testplans/quick.yaml can run on this machine and 3 otherwise.
    """
    rows = examine(out)
    emit(_as_json(rows) if format_ == "json" else _as_table(rows))
    lacking = any(row.needed and not row.found for row in rows)
    return ExitCode.UNKNOWN if lacking else ExitCode.PASS


def examine(out: Path) -> list[Row]:
    """Look for everything that a plan may use; `out` is the folder whose filesystem is tried."""
    engine = _engine()
    return [
        Row(what="Python", found=True, version=platform.python_version(), needed=True, remedy=""),
        _gtm(),
        _program("unshare", "--version", needed=True, remedy="apt-get install util-linux"),
        _program("nsenter", "--version", needed=True, remedy="apt-get install util-linux"),
        _namespaces(),
        _machines(),
        _program("perl", "-e", "print $^V", needed=True, remedy="apt-get install perl"),
        _reflink(out),
        _program("btrfs", "--version", needed=False, remedy="apt-get install btrfs-progs"),
        engine,
        _image(engine),
        _program("iris", "qlist", needed=False, remedy="install IRIS, or use a container image"),
    ]


def _gtm() -> Row:
    """Where the stand-in looks for its database: $gtm_dist, or the newest below /usr/lib."""
    chosen = os.environ.get("gtm_dist")  # GT.M spells it so
    found = [Path(chosen) / "mupip"] if chosen else sorted(GTM_ROOT.glob("*/fis-gtm/V*/mupip"))
    programs = [program for program in found if program.is_file()]
    version = programs[-1].parent.name.partition("_")[0] if programs else ""
    return Row(
        what="GT.M", found=bool(programs), version=version, needed=True, remedy="apt-get install fis-gtm"
    )


def _program(name: str, *arguments: str, needed: bool, remedy: str) -> Row:
    if shutil.which(name) is None:
        return Row(what=name, found=False, version="", needed=needed, remedy=remedy)
    said = _said([name, *arguments])
    return Row(what=name, found=True, version=_first_line(said or ""), needed=needed, remedy=remedy)


def _namespaces() -> Row:
    mapped = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    works = _said(["unshare", *mapped, "--ipc", "--net", "true"]) is not None
    how = "by root" if not mapped else "by user namespaces"
    return Row(
        what="IPC and network namespaces",
        found=works,
        version=how if works else "",
        needed=True,
        remedy="run as root, or permit user namespaces (sysctl kernel.unprivileged_userns_clone=1)",
    )


def _machines() -> Row:
    """What `harness scripts check` needs: a user namespace in which a filesystem can be mounted."""
    mount = "mount -t tmpfs harness /mnt && mount -t proc proc /proc"
    argv = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "sh", "-c", mount]
    works = _said(argv) is not None
    return Row(
        what="user namespaces",
        found=works,
        version="for harness scripts check" if works else "",
        needed=False,
        remedy="for harness scripts check: sysctl kernel.unprivileged_userns_clone=1; in a container, --privileged",
    )


def _reflink(out: Path) -> Row:
    """Tried in the results folder, or in the folder that will hold it."""
    near = next(folder for folder in [out, *out.absolute().parents] if folder.is_dir())
    try:
        with tempfile.TemporaryDirectory(dir=near, prefix=".harness-doctor-") as scratch:
            source = Path(scratch, "source")
            source.write_bytes(b"reflink")
            works = _said(["cp", "--reflink=always", str(source), str(source) + ".copy"]) is not None
    except OSError:
        works = False
    return Row(
        what="cp --reflink",
        found=works,
        version=f"on {near}" if works else "",
        needed=False,
        remedy=f"depends on the filesystem, and that of {near} has none: use XFS with reflink=1 or btrfs",
    )


def _engine() -> Row:
    """The engine that host docker would use, and whether this user may."""
    try:
        containers.program()
        answer = containers.engine().version()
    except (PreconditionError, OSError) as error:
        missing = error.missing if isinstance(error, PreconditionError) else str(error)
        return Row(
            what="container engine",
            found=False,
            version="",
            needed=False,
            remedy=f"{missing}: apt-get install docker.io and start dockerd, or a Podman socket in DOCKER_HOST",
        )
    name = "Podman" if containers.is_podman() else "Docker"
    return Row(
        what="container engine",
        found=True,
        version=f"{name} {answer.get('Version', '')} at {containers.address()}",
        needed=False,
        remedy="",
    )


def _image(found: Row) -> Row:
    version = containers.image_id(containers.STAND_IN_IMAGE) if found.found else None
    return Row(
        what=f"image {containers.STAND_IN_IMAGE}",
        found=version is not None,
        version=(version or "")[:19],
        needed=False,
        remedy="./dev image" if found.found else "a container engine, then ./dev image",
    )


def _said(argv: list[str]) -> str | None:
    """Standard output of a program, None if it cannot be run or does not succeed."""
    try:
        return run(argv, timeout_s=_TIMEOUT_S).stdout
    except HarnessError:
        return None


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:40] if lines else ""


def _as_table(rows: list[Row]) -> str:
    cells = [
        [
            row.what,
            "yes" if row.found else "NO" if row.needed else "no",
            row.version or "-",
            "yes" if row.needed else "-",
            "-" if row.found else row.remedy,
        ]
        for row in rows
    ]
    headers = ("what", "found", "version", "needed by quick.yaml", "how to get it")
    missing = [row.what for row in rows if row.needed and not row.found]
    ending = (
        f"testplans/quick.yaml cannot run here: {', '.join(missing)} missing."
        if missing
        else ("testplans/quick.yaml can run here.")
    )
    return f"{grid(headers, cells, ('left',) * len(headers))}\n\n{ending}\n"


def _as_json(rows: list[Row]) -> str:
    return json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False) + "\n"
