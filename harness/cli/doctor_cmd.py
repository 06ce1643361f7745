"""`harness doctor`: what this machine has, what it lacks, and how to get it.

What counts is what works, so abilities that depend on privileges or a filesystem are tried, not guessed, in the way
in which `run` and `scripts check` use them. Each of these has a line of its own, and so have plans with containers.
The exit status speaks of what `--for` names: by default of `run`, with the stand-in as local processes and `copy`.
"""

from __future__ import annotations

import grp
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from harness import containers, plugins
from harness.cli.output import emit
from harness.command import Transcript, run
from harness.errors import CommandError, ExitCode, HarnessError, PreconditionError
from harness.instance.namespaces import in_container, rights_for_root
from harness.plan.model import InstanceSpec
from harness.report.grid import grid
from harness.snapshot.base import NeedsProgram
from harness.undo import SNAPSHOTS

GTM_ROOT = Path("/usr/lib")
_QUICK = "testplans/quick.yaml"
_CHECKOUT = Path(__file__).parents[2]
_TIMEOUT_S = 10.0
_ASKED = "##class(Backup.General).IsWDSuspendedExt()"
_ENGINE, _IMAGE = "container engine", f"image {containers.STAND_IN_IMAGE}"
_FOR_CONTAINERS = (_ENGINE, _IMAGE)
_FOR_CHECK = ("GT.M", "unshare", "nsenter", "perl", "user namespaces")
RUN_NAMESPACES = (
    *("unshare", "--ipc", "--pid", "--mount", "--propagation", "slave"),
    *("--fork", "--kill-child", "--mount-proc", "--net"),
)
"""As host local makes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorRow:
    """One thing looked for. `needed` says whether `run` cannot do without it, with the stand-in on this machine."""

    what: str
    found: bool
    version: str
    needed: bool
    remedy: str

    @property
    def serves_check(self) -> bool:
        return self.what in _FOR_CHECK


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """Whether one verb can do its work here; `why` says why not, and what to do."""

    what: str
    can: bool
    why: str

    def __str__(self) -> str:
        return f"{self.what} {'can' if self.can else 'cannot'} run here{'' if self.can else f': {self.why}'}."


@click.command("doctor", short_help="Show what this machine can do, and what is missing.")
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
@click.option(
    "--for",
    "for_",
    type=click.Choice(["run", "scripts-check", "containers"]),
    default="run",
    show_default=True,
    help="What the exit status speaks of.",
)
def doctor_command(out: Path, format_: str, for_: str) -> int:
    """Show what is here, what is missing and how to get it.

    The exit status is 0 if a plan can run on this machine with the stand-in as local processes, and 3 otherwise. With
    --for it is 0 if `scripts check`, or a plan with containers of the stand-in's image, can run here.
    """
    rows = examine(out)
    tried = {"scripts-check": can_check, "containers": can_contain, "run": can_run}
    abilities = {name: can(rows) for name, can in tried.items() if format_ == "table" or name == for_}
    emit(_as_json(rows) if format_ == "json" else _as_table(rows, list(abilities.values())))
    return ExitCode.PASS if abilities[for_].can else ExitCode.UNKNOWN


def can_run(rows: Sequence[DoctorRow]) -> Ability:
    """`run` with a plan on host local."""
    missing = [row for row in rows if row.needed and not row.found]
    what = _QUICK if (_CHECKOUT / _QUICK).is_file() else "a plan with the stand-in on host local"
    return Ability(what=what, can=not missing, why=f"{', '.join(row.what for row in missing)} missing")


def can_check(rows: Sequence[DoctorRow]) -> Ability:
    """`scripts check`: makes a machine as it does, starts an instance in it and asks it something."""
    what = "scripts check"
    missing = [row.what for row in rows if row.serves_check and not row.found]
    if missing:
        return Ability(what=what, can=False, why=f"{', '.join(missing)} missing")
    with tempfile.TemporaryDirectory(prefix="harness-doctor-") as scratch:
        host = plugins.load("harness.hosts", "sandbox", ("probe", "machine", "close"))(
            InstanceSpec(host="sandbox"), Path(scratch)
        )
        try:
            host.probe()
            machine = host.machine()
            machine.create("DOCTOR", machine.inside / "iris")
            place = machine.instance("DOCTOR")
            place.run(["iris", "session", "DOCTOR", "-U%SYS", _ASKED], accept=(3,), timeout_s=_TIMEOUT_S)
        except HarnessError as error:
            remedy = f". {rights_for_root()}" if in_container() and os.geteuid() == 0 else ""
            said = str(error.missing if isinstance(error, PreconditionError) else error)
            return Ability(what=what, can=False, why=f"{said}{remedy}")
        finally:
            host.close()
    return Ability(what=what, can=True, why="")


def can_contain(rows: Sequence[DoctorRow]) -> Ability:
    """A plan with `host: docker` and the image of the stand-in: asked as a run asks before it begins."""
    what = "a plan with containers"
    missing = [row for row in rows if row.what in _FOR_CONTAINERS and not row.found]
    if missing:
        names = ", ".join(row.what for row in missing)
        return Ability(what=what, can=False, why=f"{names} missing: {missing[0].remedy}")
    with tempfile.TemporaryDirectory(prefix="harness-doctor-") as scratch:
        host = plugins.load("harness.hosts", "docker", ("probe", "close"))(
            InstanceSpec(host="docker"), Path(scratch), Transcript(None)
        )
        try:
            host.probe()
        except PreconditionError as error:
            return Ability(what=what, can=False, why=str(error).rstrip("."))
        finally:
            host.close()
    return Ability(what=what, can=True, why="")


def examine(out: Path) -> list[DoctorRow]:
    """Look for everything that a plan may use; `out` is the folder whose filesystem is tried."""
    engine = _engine()
    return [
        DoctorRow(what="Python", found=True, version=platform.python_version(), needed=True, remedy=""),
        _gtm(),
        _program("unshare", "--version", needed=True, remedy="apt-get install util-linux"),
        _program("nsenter", "--version", needed=True, remedy="apt-get install util-linux"),
        _namespaces(),
        _machines(),
        _program("perl", "-e", "print $^V", needed=True, remedy="apt-get install perl"),
        _reflink(out),
        *_of_providers(),
        engine,
        _image(engine),
        _program("iris", "qlist", needed=False, remedy="install IRIS, or use a container image"),
    ]


def _gtm() -> DoctorRow:
    """Where the stand-in looks for its database: $gtm_dist, or the newest below /usr/lib."""
    chosen = os.environ.get("gtm_dist")  # GT.M spells it so
    found = [Path(chosen) / "mupip"] if chosen else sorted(GTM_ROOT.glob("*/fis-gtm/V*/mupip"))
    programs = [program for program in found if program.is_file()]
    version = programs[-1].parent.name.partition("_")[0] if programs else ""
    return DoctorRow(
        what="GT.M", found=bool(programs), version=version, needed=True, remedy="apt-get install fis-gtm"
    )


def _program(name: str, *arguments: str, needed: bool, remedy: str) -> DoctorRow:
    if shutil.which(name) is None:
        return DoctorRow(what=name, found=False, version="", needed=needed, remedy=remedy)
    said = _said([name, *arguments])
    return DoctorRow(what=name, found=True, version=_first_line(said or ""), needed=needed, remedy=remedy)


def _of_providers() -> list[DoctorRow]:
    """The programs that snapshot providers call."""
    providers: list[NeedsProgram] = plugins.having(SNAPSHOTS, "program")
    programs = [provider.program for provider in providers]
    return [_program(one.name, one.version, needed=False, remedy=one.remedy) for one in programs]


def _namespaces() -> DoctorRow:
    root = os.geteuid() == 0
    mapped = [] if root else ["--user", "--map-root-user"]
    why = _refusal([*RUN_NAMESPACES, *mapped, "true"])
    return DoctorRow(
        what="namespaces with a /proc of their own",
        found=why is None,
        version="by root" if root else "by user namespaces",
        needed=True,
        remedy=f"{why}: {_rights()}" if why else "",
    )


def _rights() -> str:
    """What to do if namespaces or mounts are refused, for whoever asks."""
    if os.geteuid() == 0:
        return rights_for_root()
    if in_container():
        return f"run as root, if that does not help: {rights_for_root()}"
    return "run as root, or permit user namespaces (sysctl kernel.unprivileged_userns_clone=1)"


def _machines() -> DoctorRow:
    """What `harness scripts check` needs: a user namespace in which a filesystem can be mounted."""
    mount = "mount -t tmpfs harness /mnt && mount -t proc proc /proc"
    argv = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "sh", "-c", mount]
    why = _refusal(argv)
    return DoctorRow(
        what="user namespaces",
        found=why is None,
        version="" if why else "for harness scripts check",
        needed=False,
        remedy=f"for harness scripts check: {why}: {_rights()}" if why else "",
    )


def _reflink(out: Path) -> DoctorRow:
    """Tried in the results folder, or in the folder that will hold it."""
    near = next(folder for folder in [out, *out.absolute().parents] if folder.is_dir())
    try:
        with tempfile.TemporaryDirectory(dir=near, prefix=".harness-doctor-") as scratch:
            source = Path(scratch, "source")
            source.write_bytes(b"reflink")
            works = _said(["cp", "--reflink=always", str(source), str(source) + ".copy"]) is not None
    except OSError:
        works = False
    return DoctorRow(
        what="cp --reflink",
        found=works,
        version=f"on {near}" if works else "",
        needed=False,
        remedy=f"depends on the filesystem, and that of {near} has none: use XFS with reflink=1 or btrfs",
    )


def _engine() -> DoctorRow:
    """The engine that host docker would use, and whether this user may."""
    try:
        containers.program()
        answer = containers.engine().version()
    except (PreconditionError, OSError) as error:
        missing = error.missing if isinstance(error, PreconditionError) else str(error)
        missing = missing.partition(": Error while")[0]  # what follows are words of a library
        remedy = f"{missing}: apt-get install docker.io and start dockerd, or a Podman socket in DOCKER_HOST"
        return DoctorRow(what=_ENGINE, found=False, version="", needed=False, remedy=_forbidden() or remedy)
    name = "Podman" if containers.is_podman() else "Docker"
    return DoctorRow(
        what=_ENGINE,
        found=True,
        version=f"{name} {answer.get('Version', '')} at {containers.address()}",
        needed=False,
        remedy="",
    )


def _forbidden() -> str:
    """Who may use the engine's socket, if it is there and this user may not; else empty."""
    scheme, _, path = containers.address().partition("://")
    if scheme != "unix" or not Path(path).exists() or os.access(path, os.R_OK | os.W_OK):
        return ""
    try:
        group = grp.getgrgid(Path(path).stat().st_gid).gr_name
    except (KeyError, OSError):
        group = "docker"
    return f"no permission for {path}: be root, or a member of group {group}"


def _image(found: DoctorRow) -> DoctorRow:
    version = containers.image_id(containers.STAND_IN_IMAGE) if found.found else None
    return DoctorRow(
        what=_IMAGE,
        found=version is not None,
        version=(version or "")[:19],
        needed=False,
        remedy="./dev image" if found.found else "a container engine, then ./dev image",
    )


def _refusal(argv: list[str]) -> str | None:
    """What a program said that did not succeed, in a line; None if it did."""
    try:
        run(argv, timeout_s=_TIMEOUT_S)
    except CommandError as error:
        return _first_line(error.output) or "refused"
    except HarnessError as error:
        return str(error)
    return None


def _said(argv: list[str]) -> str | None:
    """Standard output of a program, None if it cannot be run or does not succeed."""
    try:
        return run(argv, timeout_s=_TIMEOUT_S).stdout
    except HarnessError:
        return None


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:60] if lines else ""


def _as_table(rows: list[DoctorRow], abilities: Sequence[Ability]) -> str:
    cells = [
        [
            row.what,
            "yes" if row.found else "NO" if row.needed else "no",
            row.version if row.found and row.version else "-",
            "yes" if row.needed else "-",
            "-" if row.found else row.remedy,
        ]
        for row in rows
    ]
    headers = ("what", "found", "version", "needed by run", "how to get it")
    ending = "".join(f"{one}\n" for one in abilities)
    return f"{grid(headers, cells, ('left',) * len(headers))}\n\n{ending}"


def _as_json(rows: list[DoctorRow]) -> str:
    return json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False) + "\n"
