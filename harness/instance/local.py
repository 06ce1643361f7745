"""Instances as local processes, each in Linux namespaces of its own.

Every instance lives in a sandbox: its own System V memory (IPC), process table (PID) and mounts; a restored
one has no network either. The memory must be its own because the header of a copied database still names the
live one's. Ending the sandbox's first process makes the kernel end all others and drop the memory, so nothing
can be left behind. Without root the sandbox begins with a user namespace.

This module starts the stand-in, by its commands alone. With the name of an instance that is installed on this
machine that one is the source, used as it is (`harness.instance.installed`); nothing here restores into it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from harness.command import AT_THE_WORD, Completed, Prepared, Transcript, run
from harness.errors import (
    CommandError,
    CommandTimeout,
    InstanceError,
    InstanceGone,
    PreconditionError,
    StartError,
)
from harness.files import make_volume, remove_tree
from harness.instance.base import Place
from harness.instance.installed import InstalledPlace, require_usable
from harness.instance.login import read_login
from harness.plan.model import InstanceSpec

_BIN = Path(__file__).parent.parent / "standin" / "bin"
_SOURCE_NAME = "SOURCE"
_START_TIMEOUT_S = 60.0
_UNFIT = re.compile(r'[\s(),="]')
"""What GT.M cannot have in a path, in its list of routines or on mupip's command line (measured)."""
_PF_EXITING = 0x4
_KILLED_TOGETHER_S = 0.5
"""Whoever kills a sandbox process by process may come to the command before the first process."""
_HOLD = "trap '' CHLD; {mounts} echo ready && exec sleep infinity"
"""Ignoring SIGCHLD lets the kernel bury the processes that end in the sandbox."""


class LocalHost:
    """Local processes in namespaces, for the stand-in; or, with a name, the instance that is installed here."""

    in_containers = False
    image_digest = ""

    def __init__(self, spec: InstanceSpec, folder: Path, transcript: Transcript | None = None) -> None:
        self._spec = spec
        self._transcript = transcript or Transcript(None)
        self._folder = folder
        self._places: list[LocalPlace] = []
        self._source_root = folder / "source"
        self._installed: InstalledPlace | None = None

    def probe(self) -> None:
        if self._spec.name:
            login = read_login(self._spec.credentials) if self._spec.credentials else None
            self._installed = InstalledPlace(self._spec.name, login, self._transcript)
            self._source_root = require_usable(self._installed).root
        else:
            self._probe_stand_in()

    def _probe_stand_in(self) -> None:
        if self._spec.image != "stand-in":
            raise PreconditionError(
                f"host local cannot run image {self._spec.image!r}", "Use image: stand-in, or another host."
            )
        for folder in (self._folder.resolve(), _BIN):
            if found := _UNFIT.search(str(folder)):
                raise PreconditionError(
                    f"GT.M, on which the stand-in rests, takes no path with {found[0]!r}: {folder}",
                    "Choose another place with --out, or move the checkout",
                )
        for tool, package in (("unshare", "util-linux"), ("nsenter", "util-linux"), ("perl", "perl-base")):
            if shutil.which(tool) is None:
                raise PreconditionError(f"{tool} is missing", f"apt-get install {package}")
        if not _gtm_is_here():
            raise PreconditionError(
                "GT.M, on which the stand-in rests, is missing", "apt-get install fis-gtm"
            )
        try:
            run([*_unshare(network=False), "true"], timeout_s=10)
        except CommandError as error:
            raise PreconditionError(
                f"namespaces cannot be made here: {error.output.strip()}",
                "Run as root, or allow them: sysctl kernel.unprivileged_userns_clone=1",
            ) from error

    def root(self) -> Path:
        return self._source_root

    def source(self) -> Place:
        if self._installed:
            return self._installed
        make_volume(self._source_root)
        place = self._open(_SOURCE_NAME, network=True, mounts=[])
        self._create_and_start(place, self._source_root)
        return place

    def target(self, name: str, hidden: Path) -> LocalPlace:
        self._require_image()
        empty = self._folder / "empty"
        empty.mkdir(exist_ok=True)
        if hidden == self._source_root:
            make_volume(hidden)  # whoever is first: the source may not have begun
        # a restored database names the live journals in its header: here they are not to be found
        place = self._open(name.upper(), network=False, mounts=[(empty, hidden)])
        place.files = self._folder / name
        self._create_and_start(place, place.files)
        return place

    def boot(self, name: str, image: Path, root: Path) -> LocalPlace:
        self._require_image()
        place = self._open(_SOURCE_NAME, network=False, mounts=[(image, root)])
        place.files = image
        _iris(place, "start", place.name)
        return place

    def _require_image(self) -> None:
        if self._spec.name:
            raise PreconditionError(
                f"nothing is restored into the installed instance {self._spec.name}",
                "Say in the plan which image to restore into: target.",
            )

    def environment(self) -> dict[str, str]:
        if self._spec.name:
            return {}
        return {
            "IRISSYS": str(self._folder / "registry"),
            "IRIS_STANDIN_PYTHON": sys.executable,
            "PATH": f"{_BIN}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        }

    def close(self) -> None:
        for place in self._places:
            place.close()
        if self._installed:
            self._installed.close()

    def _open(self, name: str, *, network: bool, mounts: list[tuple[Path, Path]]) -> LocalPlace:
        place = LocalPlace(
            name,
            network=network,
            mounts=mounts,
            environment=self.environment(),
            transcript=self._transcript,
        )
        self._places.append(place)
        return place

    def _create_and_start(self, place: LocalPlace, root: Path) -> None:
        _iris(place, "create", place.name, f"directory={root}")
        _iris(place, "start", place.name)


class LocalPlace:
    """One sandbox. Made running; `close` ends it."""

    def __init__(
        self,
        name: str,
        *,
        network: bool,
        mounts: list[tuple[Path, Path]],
        environment: dict[str, str],
        transcript: Transcript,
    ) -> None:
        self.name = name
        self.files: Path | None = None
        self.isolated = not network
        self.where = f"namespaces of its own ({name})"
        self._environment = environment
        self._transcript = transcript
        script = _HOLD.format(
            mounts="".join(f'mount --bind "${2 * n + 1}" "${2 * n + 2}" &&' for n in range(len(mounts)))
        )
        arguments = [str(path) for mount in mounts for path in mount]
        self._holder = subprocess.Popen(
            [*_unshare(network=network), "sh", "-c", script, "sh", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._holder.stdout and self._holder.stderr
        self._pid = 0
        if self._holder.stdout.readline() != b"ready\n":
            said = self._holder.stderr.read().decode("utf-8", "replace").strip()
            self.close()
            raise PreconditionError(
                f"the sandbox of {name} could not be made: {said}", "See `harness doctor`."
            )
        self._pid = self._first_process()
        namespaces = ["--ipc", "--pid", "--mount", *([] if network else ["--net"])]
        namespaces += [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        self._enter = ["nsenter", f"--target={self._pid}", *namespaces, "--"]

    def run(
        self, argv: Sequence[str], *, accept: Collection[int] | None = (0,), timeout_s: float = 60.0
    ) -> Completed:
        self._require_running()
        with self._transcript.noting(self.name, argv) as note:
            done = run(self.argv(argv), accept=None, timeout_s=timeout_s, env=self._environment)
            if done.status == -signal.SIGKILL:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._holder.wait(timeout=_KILLED_TOGETHER_S)
            if done.status != 0:
                self._require_running()  # whatever a command says that ended with its sandbox, it is no answer
            if accept is not None and done.status not in accept:
                raise CommandError(argv, done.status, done.duration_s, done.stdout + done.stderr)
            return note(done)

    def _first_process(self) -> int:
        pid = self._holder.pid
        try:
            return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        except (OSError, IndexError) as error:
            self.close()
            raise InstanceGone(f"the processes of {self.name} have been ended") from error

    def _require_running(self) -> None:
        if self._holder.poll() is not None or _is_ending(self._pid):
            raise InstanceGone(f"the processes of {self.name} have been ended")

    def prepare(self, argv: Sequence[str]) -> Prepared:
        way_in = [*self._enter, *AT_THE_WORD]
        return Prepared([*way_in, *self._found(argv)], argv, self._environment)

    def open(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.argv(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self._environment, "LC_ALL": "C"},
            start_new_session=True,
        )

    def argv(self, argv: Sequence[str]) -> list[str]:
        return [*self._enter, *self._found(argv)]

    def _found(self, argv: Sequence[str]) -> list[str]:
        return [shutil.which(argv[0], path=self._environment["PATH"]) or argv[0], *argv[1:]]

    def stop(self) -> None:
        _iris(self, "stop", self.name, "quietly")

    def crash(self) -> None:
        _iris(self, "force", self.name)

    def restart(self) -> None:
        _iris(self, "start", self.name)

    def discard(self) -> None:
        self.close()
        if self.files:
            remove_tree(self.files)

    def close(self) -> None:
        if self._holder.poll() is None:
            # the kernel ends everything in the sandbox with its first process, before unshare can reap that
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid or self._holder.pid, signal.SIGKILL)
            self._holder.wait()
        for stream in (self._holder.stdout, self._holder.stderr):
            if stream:
                stream.close()


def _gtm_is_here() -> bool:
    """Where the stand-in looks for it: $gtm_dist, else Debian's folder."""
    if chosen := os.environ.get("gtm_dist"):
        return (Path(chosen) / "mupip").exists()
    return any(Path("/usr/lib").glob("*/fis-gtm/V*/mupip"))


def _unshare(*, network: bool) -> list[str]:
    argv = ["unshare", "--ipc", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
    argv += [] if network else ["--net"]
    return argv if os.geteuid() == 0 else [*argv, "--user", "--map-root-user"]


def _is_ending(pid: int) -> bool:
    """Whether a process is gone, or about to go. Ending the first process of a namespace, the kernel first ends all
    others. Source: proc_pid_stat(5), field 9; PF_EXITING in the kernel's include/linux/sched.h."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True
    return fields[0] in "ZX" or bool(int(fields[6]) & _PF_EXITING)


def _iris(place: LocalPlace, *arguments: str) -> None:
    try:
        place.run(["iris", *arguments], timeout_s=_START_TIMEOUT_S)
    except CommandTimeout as error:
        place.close()
        raise InstanceError(f"iris {' '.join(arguments)} did not end: {error}") from error
    except CommandError as error:
        place.close()
        raise StartError(f"iris {' '.join(arguments)}: {error.output.strip() or error}") from error
