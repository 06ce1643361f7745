"""Things of other people around a run: made before it, compared afterwards. What changed was changed by the run.

They lie where a removal that goes astray would find them: beside the results, in them, in the folder of the plan,
where runs are registered, and behind mounts and links that the snapshot's own command makes in the run's folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness import containers

LEND = (
    'L="$T-lent"; mkdir -p "$L/m"; ln -s "$C" "$L/leads"; ln "$C/file" "$L/twin"; mount --bind "$C" "$L/m";'
)
"""Shell: lead to canaries of the folder $C from beside the image $T, by a symlink, a hard link and a bind mount."""
_TIMEOUT_S = 60


@dataclass
class Canaries:
    """Files and processes of one run. `lent` is the folder for LEND, `tops` are all that are not below another."""

    lent: Path
    _before: dict[Path, str] = field(default_factory=dict)
    tops: list[Path] = field(default_factory=list)
    _mounts: list[Path] = field(default_factory=list)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def around(cls, results: Path, state: Path, plan: str) -> Canaries:
        """Make them. Nothing of the run is there yet."""
        made = cls(lent=results.parent / "lent")
        made.tops = [
            made.lent,
            results.parent / "beside",
            results / "kept",
            results / plan / "19990101T000000Z-1",
            state / "another-tool",
            state / "iris-restore-harness" / "notes.txt",
        ]
        for top in made.tops[:-1]:
            _fill(top)
        made.tops[-1].parent.mkdir(mode=0o700, parents=True)
        made.tops[-1].write_text("somebody's notes")
        made._bind(results.parent / "beside" / "mounted", made.lent)
        made._before = made._now()
        made._sleeper({"HARNESS_RUN": "1-0123456789ab"})
        made._sleeper({"HARNESS_WATCHDOG": "1-0123456789ab"})
        return made

    def look_alikes(self, token: str) -> None:
        """Processes that only look as if they were the run's."""
        self._sleeper({"HARNESS_RUN": f"{token}0"})
        self._sleeper({"OTHER": f"HARNESS_RUN={token}"})
        self._sleeper({}, f"HARNESS_RUN={token}")

    def changed(self) -> list[str]:
        """What is not as it was."""
        now = self._now()
        found = [f"gone: {path}" for path in sorted(self._before.keys() - now.keys())]
        found += [f"new: {path}" for path in sorted(now.keys() - self._before.keys())]
        both = sorted(self._before.keys() & now.keys())
        found += [f"changed: {path}" for path in both if self._before[path] != now[path]]
        found += [f"process {one.pid}, a look-alike" for one in self._processes if not _is_well(one)]
        return found

    def close(self) -> None:
        """End the processes and unmount; the files go with the folder they lie in."""
        for process in self._processes:
            process.kill()
            process.communicate()
        for mount in self._mounts:
            subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
        self._processes, self._mounts = [], []

    def _now(self) -> dict[Path, str]:
        return {path: _digest(path) for top in self.tops for path in _walk(top)}

    def _bind(self, at: Path, what: Path) -> None:
        at.mkdir()
        if subprocess.run(["mount", "--bind", what, at], capture_output=True, check=False).returncode == 0:
            self._mounts.append(at)

    def _sleeper(self, variables: dict[str, str], *words: str) -> None:
        own = {name: value for name, value in os.environ.items() if name != "HARNESS_RUN"}
        argv = ["sh", "-c", "read -r word", "canary", *words]
        process = subprocess.Popen(
            argv,
            env={**own, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._processes.append(process)


class ContainerCanaries:
    """A container and a volume with the label of another run; for a whole sweep, since they take seconds."""

    def __init__(self) -> None:
        self._name = f"canary-{os.getpid()}"
        label = ["--label", f"{containers.RUN_LABEL}=1-0123456789ab"]
        self._there = _docker("volume", "create", *label, self._name) is not None
        argv = [
            "run",
            "-d",
            "--pull",
            "never",
            "--name",
            self._name,
            *label,
            "--network",
            "none",
            "--entrypoint",
            "sleep",
        ]
        self._container = self._there and _docker(*argv, _IMAGE, "infinity") is not None
        self._before = self._now()

    @property
    def are_there(self) -> bool:
        return bool(self._container)

    def changed(self) -> list[str]:
        return [] if self._now() == self._before else [f"container or volume {self._name}"]

    def close(self) -> None:
        _docker("rm", "-f", self._name)
        _docker("volume", "rm", "-f", self._name)

    def _now(self) -> tuple[str | None, str | None]:
        state = _docker("inspect", "-f", "{{.Id}} {{.State.Status}} {{.State.StartedAt}}", self._name)
        return state, _docker("volume", "inspect", "-f", "{{.CreatedAt}} {{.Mountpoint}}", self._name)


_IMAGE = "debian:bookworm-slim"


def _fill(top: Path) -> None:
    """A folder with all kinds of entries; `work` in it looks like that of a run."""
    (top / "work" / "source" / "db").mkdir(parents=True)
    (top / "file").write_bytes(os.urandom(4096))
    (top / "work" / "source" / "db" / "IRIS.DAT").write_bytes(os.urandom(8192))
    (top / "run-token").write_text("1-0123456789ab")
    (top / "run-token").chmod(0o600)
    (top / "twin").hardlink_to(top / "file")
    (top / "link").symlink_to("file")


def _walk(top: Path) -> Iterator[Path]:
    if not os.path.lexists(top):
        return
    yield top
    if top.is_dir() and not top.is_symlink():
        for path in sorted(top.iterdir()):
            yield from _walk(path)


def _digest(path: Path) -> str:
    """Type, mode, owner, time of writing and content. A hard link in the run's folder may come and go, so the number
    of names does not count."""
    status = path.lstat()
    seen = f"{status.st_mode:o} {status.st_uid} {status.st_gid} {status.st_ino} {status.st_mtime_ns}"
    if stat.S_ISREG(status.st_mode):
        return f"{seen} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    if stat.S_ISLNK(status.st_mode):
        return f"{seen} {path.readlink()}"
    return seen


def _is_well(process: subprocess.Popen[bytes]) -> bool:
    """Alive, and not stopped."""
    if process.poll() is not None:
        return False
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state not in "TtZX"


def _docker(*argv: str) -> str | None:
    """What it said; None if it could not be done."""
    try:
        done = subprocess.run(
            ["docker", *argv], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
