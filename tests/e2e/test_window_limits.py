"""A freeze ends: whatever the snapshot's command leaves behind, however long it takes, and if the harness stops."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.runs import left_below, wait_for

pytestmark = pytest.mark.e2e

PLAN = """\
plan: limits
workload: {writers: 2, duration: 1s}
snapshot: {provider: command, timeout: TIMEOUT, run: [sh, -c, 'SCRIPT', '{source}', '{target}']}
recovery: [as-of-freeze]
freeze: {wd_suspend_limit: 120s}
"""
COPY = 'cp -a "$0"/. "$1"'


class Window:
    """A run of which the snapshot is one of ours."""

    def __init__(self, folder: Path, script: str, timeout: str) -> None:
        """`script` is that of the snapshot, or a whole plan."""
        self.out, self.plan = folder / "out", folder / "plan.yaml"
        plan = PLAN.replace("TIMEOUT", timeout).replace("SCRIPT", script.replace("'", "''"))
        self.plan.write_text(script if script.startswith("plan:") else plan)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness", "run", str(self.plan), "--out", str(self.out), "--seed", "1"],
            env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err

    def log(self) -> str:
        return "".join(file.read_text() for file in self.out.glob("limits/*/freeze.log"))

    def frozen(self) -> bool:
        return "System suspended" in self.log()

    def thawed(self) -> bool:
        return "System resumed" in self.log()

    def watchdog(self) -> int:
        """Its process, which no child of ours is but by the harness."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", "watchdog.py"], capture_output=True, text=True
        )
        return int((found.stdout.split() or ["0"])[0])

    def frozen_s(self) -> float:
        """As the engine logged it."""
        times = [
            datetime.strptime(found, "%m/%d/%Y %H:%M:%S")
            for found in re.findall(r"(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d): Backup.General.External", self.log())
        ]
        return (times[-1] - times[0]).total_seconds()


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Any]:
    """Makes one; nothing is left of it."""
    made: list[Window] = []

    def make(script: str, timeout: str = "60s") -> Window:
        made.append(Window(tmp_path, script, timeout))
        return made[0]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGCONT)
            one.process.kill()
            one.process.communicate()
    subprocess.run(
        [sys.executable, "-m", "harness", "clean"],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        check=True,
        capture_output=True,
    )
    assert [] == left_below(tmp_path / "out")


def test_a_child_of_the_snapshot_does_not_make_the_window_longer(window: Any) -> None:
    began = time.monotonic()
    one = window(f"{COPY}; setsid sleep 100 & exit 0")
    status, out, err = one.end()
    assert 0 == status, out + err
    assert time.monotonic() - began < 90 and one.frozen_s() < 60


def test_a_snapshot_that_takes_too_long_is_ended_thawed_and_fails(window: Any) -> None:
    one = window(f"{COPY}; sleep 300", timeout="2s")
    status, out, err = one.end()
    assert 1 == status, out + err
    assert "snapshot.timeout" in out and "not there 2 s after the freeze" in " ".join(out.split())
    assert one.thawed() and one.frozen_s() < 30


@pytest.mark.parametrize("also", ["harness", "a watchdog that was killed before"])
def test_a_harness_that_stands_still_is_thawed_in_time(window: Any, also: str) -> None:
    """SIGSTOP, a debugger, swap: the watchdog sees the end of the time; a harness that goes on says what came."""
    one = window(f"{COPY}; sleep 6", timeout="2s")
    assert wait_for(one.frozen, 60)
    if also != "harness":
        first = one.watchdog()
        os.kill(first, signal.SIGKILL)
        assert wait_for(lambda: one.watchdog() not in (0, first), 20)
    one.process.send_signal(signal.SIGSTOP)
    assert wait_for(one.thawed, 60)
    one.process.send_signal(signal.SIGCONT)
    status, out, err = one.end()
    assert 1 == status, out + err
    assert "so its watchdog thawed" in " ".join(out.split()) or "snapshot.timeout" in out
    assert "Traceback" not in err
    if also != "harness":
        assert f"the watchdog (process {first}) ended with -9" in err


def test_a_window_of_a_harness_that_stood_still_for_a_moment_is_a_good_one(window: Any) -> None:
    one = window(f"{COPY}; sleep 2")
    assert wait_for(one.frozen, 60)
    one.process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    one.process.send_signal(signal.SIGCONT)
    status, out, err = one.end()
    assert 0 == status, out + err


RELEASED = """\
plan: limits
workload: {writers: 2, duration: 1s}
snapshot:
  provider: command
  run: [sh, -c, 'mkdir "$1" && cp -a "$0"/. "$1"', '{source}', '{target}']
  expose: [sh, -c, 'touch FOLDER/exposing; sleep 30; cp -a "$0"/. "$1"', '{source}', '{target}']
  release: [sh, -c, 'echo "$0" >>FOLDER/released', '{target}']
recovery: [as-of-freeze]
"""


def test_an_interrupted_run_releases_its_snapshot(tmp_path: Path, window: Any) -> None:
    """A clone or a volume of an array would stay for ever."""
    one = window(RELEASED.replace("FOLDER", str(tmp_path)))
    assert wait_for((tmp_path / "exposing").exists, 60)
    one.process.send_signal(signal.SIGTERM)
    status, out, err = one.end()
    assert 3 == status, out + err
    assert 1 == len((tmp_path / "released").read_text().splitlines())
