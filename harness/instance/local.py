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
import sys
from pathlib import Path

from harness.command import Transcript
from harness.errors import PreconditionError
from harness.files import make_volume
from harness.instance.base import Place
from harness.instance.installed import InstalledPlace, require_usable
from harness.instance.login import read_login
from harness.instance.namespaces import STANDIN_BIN, NamespacePlace, iris, require_namespaces
from harness.plan.model import InstanceSpec

_SOURCE_NAME = "SOURCE"
_UNFIT = re.compile(r'[\s(),="]')
"""What GT.M cannot have in a path, in its list of routines or on mupip's command line (measured)."""
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
        iris(place, "start", place.name)
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
            "PATH": f"{STANDIN_BIN}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        }

    def close(self) -> None:
        with contextlib.ExitStack() as ending:
            for place in self._places:
                ending.callback(place.close)
            if self._installed:
                ending.callback(self._installed.close)

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
        iris(place, "create", place.name, f"directory={root}")
        iris(place, "start", place.name)


class LocalPlace(NamespacePlace):
    """One sandbox over this machine's own files. Made running; `close` ends it."""

    def __init__(
        self,
        name: str,
        *,
        network: bool,
        mounts: list[tuple[Path, Path]],
        environment: dict[str, str],
        transcript: Transcript,
    ) -> None:
        self.isolated = not network
        script = _HOLD.format(
            mounts="".join(f'mount --bind "${2 * n + 1}" "${2 * n + 2}" &&' for n in range(len(mounts)))
        )
        arguments = [str(path) for mount in mounts for path in mount]
        namespaces = ["--ipc", "--pid", "--mount", *([] if network else ["--net"])]
        super().__init__(
            name,
            [*_unshare(network=network), "sh", "-c", script, "sh", *arguments],
            [*namespaces, *([] if os.geteuid() == 0 else ["--user", "--preserve-credentials"])],
            environment=environment,
            transcript=transcript,
        )


def _unshare(*, network: bool) -> list[str]:
    argv = ["unshare", "--ipc", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
    argv += [] if network else ["--net"]
    return argv if os.geteuid() == 0 else [*argv, "--user", "--map-root-user"]
