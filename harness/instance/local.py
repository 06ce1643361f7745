"""Instances as local processes, each in Linux namespaces of its own.

Every instance lives in a sandbox: its own System V memory (IPC), process table (PID) and mounts; a restored one
has no network either, and of the run's folder it sees what is its own alone: no other instance, no snapshot, no
freeze log. What it must read is in one folder that it cannot write. Of the caller's environment it inherits a
short list. The memory must be its own because the header of a copied database still names the live one's. Ending
the sandbox's first process makes the kernel end all others and drop the memory, so nothing can be left behind.
Without root the sandbox begins with a user namespace.

This module starts the stand-in, by its commands alone. With the name of an instance that is installed on this
machine that one is the source, used as it is (`harness.instance.installed`); nothing here restores into it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path

from harness.command import Transcript
from harness.containers import TOKEN_VARIABLE
from harness.errors import PreconditionError
from harness.instance.base import TO_READ, Place
from harness.instance.installed import InstalledPlace, require_usable
from harness.instance.login import read_login
from harness.instance.namespaces import STANDIN_BIN, NamespacePlace, iris, require_namespaces
from harness.plan.model import InstanceSpec
from harness.snapshot.volume import make_volume

_SOURCE_NAME = "SOURCE"
_UNFIT = re.compile(r'[\s(),="]')
"""What GT.M cannot have in a path, in its list of routines or on mupip's command line (measured)."""
_ALONE = """\
cd "$1" && mount -t tmpfs -o size=1m,mode=755 others "$1" || exit
for name in $2; do
    mkdir -p "$1/$name" && mount --no-canonicalize --bind "./$name" "$1/$name" || exit
done
mount -o remount,bind,ro "$1/{to_read}" || exit
"""
"""Hides all of a run's folder but what is named: the working folder still is the one underneath."""
_HOLD = """\
shift 2
while [ $# -gt 0 ]; do
    mkdir -p "$2" && mount --no-canonicalize --bind "$1" "$2" || exit
    shift 2
done
echo ready
exec env --ignore-signal=CHLD sleep infinity </dev/null >/dev/null 2>&1
"""
"""Ignoring SIGCHLD lets the kernel bury the processes that end in the sandbox. Not by `trap`: dash does not hand that
on to what it becomes.
"""
_KEPT = ("gtm_dist", "HOME", "LD_LIBRARY_PATH", "TZ", TOKEN_VARIABLE)
"""Of the environment of whoever called the harness: where GT.M and the libraries of this Python lie, the time that
logs are written in, and the token by which `harness clean` finds what is left.
"""


_WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"]
"""A restored instance needs none: root in it cannot mount, nor open what its mode keeps from its owner.
Source: capabilities(7), "Capabilities and execution of programs by root".
"""


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
        for folder in (self._folder.resolve(), STANDIN_BIN):
            if found := _UNFIT.search(str(folder)):
                raise PreconditionError(
                    f"GT.M, on which the stand-in rests, takes no path with {found[0]!r}: {folder}",
                    "Choose another place with --out, or move the checkout",
                )
        require_namespaces(
            _unshare(network=False),
            "Run as root, or allow them: sysctl kernel.unprivileged_userns_clone=1",
        )

    def root(self) -> Path:
        return self._source_root

    def source(self) -> Place:
        if self._installed:
            return self._installed
        make_volume(self._source_root)
        place = self._open(_SOURCE_NAME, mounts=[], shown=None)
        self._create_and_start(place, self._source_root)
        return place

    def target(self, name: str, hidden: Path) -> LocalPlace:
        self._require_image()
        root, empty = self._folder / name, self._folder / "empty"
        for made in (root, empty):
            made.mkdir(exist_ok=True)
        # a restored database names the live journals in its header: here they are not to be found
        mounts = [] if hidden.is_relative_to(self._folder) else [(empty, hidden)]
        place = self._open(name.upper(), mounts=mounts, shown=(name,))
        place.files = root
        self._create_and_start(place, root)
        return place

    def boot(self, name: str, image: Path, root: Path) -> LocalPlace:
        self._require_image()
        place = self._open(_SOURCE_NAME, mounts=[(image, root)], shown=())
        place.files = image
        iris(place, "start", place.name)
        return place

    def _require_image(self) -> None:
        if self._spec.name:
            raise PreconditionError(
                f"nothing is restored into the installed instance {self._spec.name}",
                "Name in the plan the image to restore into: target.",
            )

    def environment(self) -> dict[str, str]:
        if self._spec.name:
            return {}
        return {
            "IRISSYS": str(self._folder / "registry"),
            "IRIS_STANDIN_PYTHON": sys.executable,
            "PATH": f"{STANDIN_BIN}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        }

    def close(self) -> None:
        with contextlib.ExitStack() as ending:
            for place in self._places:
                ending.callback(place.close)
            if self._installed:
                ending.callback(self._installed.close)

    def _open(
        self, name: str, *, mounts: list[tuple[Path, Path]], shown: tuple[str, ...] | None
    ) -> LocalPlace:
        always = ("registry", TO_READ)
        for part in always:
            (self._folder / part).mkdir(exist_ok=True)
        place = LocalPlace(
            name,
            folder=self._folder,
            shown=None if shown is None else (*always, *shown),
            mounts=mounts,
            environment=self.environment(),
            transcript=self._transcript,
        )
        self._places.append(place)
        return place

    def _create_and_start(self, place: LocalPlace, root: Path) -> None:
        iris(place, "create", place.name, f"directory={root}")
        iris(place, "start", place.name)


class LocalPlace(NamespacePlace):
    """One sandbox over this machine's own files. Made running; `close` ends it."""

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        shown: tuple[str, ...] | None,
        mounts: list[tuple[Path, Path]],
        environment: dict[str, str],
        transcript: Transcript,
    ) -> None:
        """Make it.

        Args:
            folder: Of the run.
            shown: What of that is seen, by name; then there is no network either. None: all of it, with a network.
            mounts: Folders and where they are seen.
        """
        self.isolated = shown is not None
        hold = _HOLD if shown is None else f"{_ALONE.format(to_read=TO_READ)}{_HOLD}"
        arguments = [str(path) for mount in mounts for path in mount]
        if shown is not None:
            arguments = [_below(path, folder) if n % 2 == 0 else path for n, path in enumerate(arguments)]
        namespaces = ["--ipc", "--pid", "--mount", *([] if shown is None else ["--net"])]
        given = {**{key: os.environ[key] for key in _KEPT if key in os.environ}, "LC_ALL": "C", **environment}
        super().__init__(
            name,
            [
                *(*_unshare(network=shown is None), "sh", "-c", hold, "sh"),
                *(str(folder), " ".join(shown or ()), *arguments),
            ],
            [*namespaces, *([] if os.geteuid() == 0 else ["--user", "--preserve-credentials"])],
            environment=environment,
            transcript=transcript,
            bare=["env", "-i", *(f"{key}={value}" for key, value in given.items())],
        )
        if shown is not None:
            self._enter += _WITHOUT_RIGHTS


def _below(path: str, folder: Path) -> str:
    """A path of the run's folder as it is reached from there, even when something else is mounted on that."""
    return f"./{Path(path).relative_to(folder)}" if Path(path).is_relative_to(folder) else path


def _unshare(*, network: bool) -> list[str]:
    # what is unmounted outside goes in here, too: nothing of others is held by a run
    argv = ["unshare", "--ipc", "--pid", "--mount", "--propagation", "slave"]
    argv += ["--fork", "--kill-child", "--mount-proc"]
    argv += [] if network else ["--net"]
    return argv if os.geteuid() == 0 else [*argv, "--user", "--map-root-user"]
