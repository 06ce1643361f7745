"""A `harness run` in a process of its own, which can be killed, and what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

HELD = 'while [ -e "$0" ]; do sleep 0.05; done'
"""In the command of a snapshot: the window lasts until `Run.let_go`."""


class Run:
    """A `harness run` that can be killed."""

    def __init__(
        self,
        folder: Path,
        plan_text: str,
        *,
        place: Path | None = None,
        besides: Sequence[Path] = (),
        **words: object,
    ) -> None:
        """Start it. FLAG in the plan becomes the path `flag`, other words of capitals their values.

        Args:
            place: Where results and state lie, `folder` or below it.
            besides: Folders that are none of the run's.
        """
        self._besides = besides
        self.out = (place or folder) / "results"
        self.flag = folder / "captured"
        plan = folder / "plan.yaml"
        for word, value in {"FLAG": self.flag, **words}.items():
            plan_text = plan_text.replace(word, str(value))
        plan.write_text(plan_text)
        self.state = (place or folder) / "state"
        self.environment = {**os.environ, "XDG_STATE_HOME": str(self.state)}
        self.environment.pop("HARNESS_RUN", None)
        argv = [sys.executable, "-m", "harness", "run", str(plan), "--out", str(self.out.relative_to(folder))]
        self.process = self._started(argv, folder)

    def _started(self, argv: list[str], folder: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self.environment,
        )

    def let_go(self) -> None:
        """End a window that is `HELD`."""
        self.flag.unlink(missing_ok=True)

    def watchdog_ended(self, token: str, seconds: float = 60) -> bool:
        """Whether its watchdog ends in time: from then on nobody thaws any more."""
        mark = f"HARNESS_WATCHDOG={token}".encode()
        return wait_for(lambda: not any(mark in environment for environment in _environments()), seconds)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()

    @property
    def work(self) -> Path:
        return next(self.out.glob("killed/*/work"))

    def record(self) -> dict[str, object]:
        file = next(self.out.glob("killed/*/record.json"))
        found: dict[str, object] = json.loads(file.read_text())
        return found

    def work_left(self) -> bool:
        """Whether the folder of its instances is still there."""
        return any(self.out.glob("killed/*/work"))

    def report(self) -> str:
        """The report on standard output, made again from the record."""
        (folder,) = self.out.glob("killed/*")
        argv = [sys.executable, "-m", "harness", "report", str(folder)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60).stdout

    def token(self) -> str:
        """What its containers and processes carry; empty before it is registered."""
        entries = list((self.state / "iris-restore-harness").glob("*.json"))
        return entries[0].stem if entries else ""

    def clean(self) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "clean"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def left(self) -> list[str]:
        """Processes, mounts and folders of this run."""
        return left_below(self.out, self._besides)


def record_of(out: Path) -> dict[str, Any]:
    """The record of the only run below a results folder."""
    (file,) = out.glob("*/*/record.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _environments() -> Iterator[list[bytes]]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield (process / "environ").read_bytes().split(b"\0")


def left_below(folder: Path, besides: Sequence[Path] = ()) -> list[str]:
    """Folders of instances below a folder, but for those of others, and the mounts and processes that know it by its
    name.
    """
    mark = str(folder).encode()
    works = (work for work in folder.rglob("work") if not any(map(work.is_relative_to, besides)))
    found = [str(work) for work in works]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes() or mark in (process / "cmdline").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
