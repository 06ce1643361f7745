"""`kill -9` of the harness: the instance is thawed within two seconds, and `harness clean` leaves nothing.

Real runs in processes of their own, killed at stage boundaries and in the middle of the freeze window.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.instance.local import LocalHost
from harness.plan.model import InstanceSpec

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

PLAN = """\
plan: killed
workload: {writers: 2, transactions: 3000, rate: 3000}
snapshot:
  provider: command
  run: [sh, -c, 'cp -a "$1"/. "$2" && touch "$0" && sleep SECONDS', FLAG, '{source}', '{target}']
recovery: [as-of-freeze, rollforward]
"""


class Run:
    """A `harness run` that can be killed."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.out = folder / "results"
        self.flag = folder / "captured"
        plan = folder / "plan.yaml"
        plan.write_text(PLAN.replace("FLAG", str(self.flag)).replace("SECONDS", str(seconds)))
        self.environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
        self.environment.pop("HARNESS_RUN", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness", "run", str(plan), "--out", str(self.out)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self.environment,
        )

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()

    @property
    def work(self) -> Path:
        return next(self.out.glob("killed/*/work"))

    def record(self) -> dict[str, object]:
        (file,) = self.out.glob("killed/*/record.json")
        found: dict[str, object] = json.loads(file.read_text())
        return found

    def is_frozen(self) -> bool:
        """The control process's socket is reached from outside of its namespaces."""
        environment = {**os.environ, **LocalHost(InstanceSpec(), self.work).environment()}
        call = ["iris", "session", "SOURCE", "-U%SYS", "##class(Backup.General).IsWDSuspendedExt()"]
        return subprocess.run(call, env=environment, capture_output=True).returncode == 5

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
        mark = str(self.out).encode()
        found = [str(work) for work in self.out.glob("killed/*/work")]
        found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(self.out) in line]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes() or mark in (process / "cmdline").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


def _wait_for(condition, seconds: float) -> bool:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_killed_inside_the_freeze_window(folder: Path) -> None:
    """Frozen, the copy going on, and the harness dies: thawed within 2 s, by the watchdog."""
    run = Run(folder, seconds=60)
    assert _wait_for(run.flag.exists, 30)
    assert run.is_frozen()
    run.kill()
    killed = time.monotonic()
    assert _wait_for(lambda: not run.is_frozen(), 10)
    assert time.monotonic() - killed < 2.0
    removed = run.clean()
    assert "folder" in removed and "process" in removed
    assert [] == run.left()
    assert (False, "UNKNOWN") == (run.record()["finished"], run.record()["verdict"])
    assert "" == run.clean().replace("nothing to clean\n", "").strip() or "nothing" in run.clean().lower()


@pytest.mark.parametrize("after_s", [0.05, 0.4, 0.8, 1.1, 1.5, 2.0, 2.6, 3.2])
def test_killed_at_any_moment(folder: Path, after_s: float) -> None:
    """Wherever it was: not frozen two seconds later, nothing left after `clean`, and never a PASS."""
    run = Run(folder, seconds=0.2)
    time.sleep(after_s)
    run.kill()
    time.sleep(2.0)
    if list(run.out.glob("killed/*/work/registry/iris.reg")):
        assert not run.is_frozen()
    run.clean()
    assert [] == run.left()
    if list(run.out.glob("killed/*/record.json")) and not run.record()["finished"]:
        assert "PASS" != run.record()["verdict"]


def test_terminated_run_thaws_and_leaves_nothing(folder: Path) -> None:
    """SIGTERM inside the window: thawed, removed, exit 3, and a record that says so."""
    run = Run(folder, seconds=60)
    assert _wait_for(run.flag.exists, 30)
    run.process.send_signal(signal.SIGTERM)
    _, err = run.process.communicate(timeout=30)
    assert 3 == run.process.returncode
    assert b"Traceback" not in err
    assert [] == run.left()
    assert run.record()["error"]
