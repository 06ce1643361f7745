"""Whole runs in containers: they pass, they are alone, and whatever is killed leaves nothing and nobody frozen."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness import containers
from harness.errors import ExitCode
from tests.runs import HELD, Run, wait_for
from tests.soak.marks import by_name

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.usefixtures("needs_docker")]

CYCLE = """\
plan: killed
instance: {image: IMAGE, host: docker, storage: STORAGE}
workload: {writers: 3, transactions: 4000, rate: 3000}
snapshot: [PROVIDERS]
recovery: [as-of-freeze, rollforward, point-in-time, boot]
"""
IN_WINDOW = """\
plan: killed
instance: {image: stand-in, host: docker}
workload: {writers: 2, transactions: 3000, rate: 3000}
snapshot:
  provider: command
  run: [sh, -c, 'cp -a "$1"/. "$2" && touch "$0" && sleep SECONDS', FLAG, '{source}', '{target}']
recovery: [as-of-freeze, rollforward]
"""
LONGER = IN_WINDOW.replace("3000, rate: 3000", "8000, rate: 1500")
"""A load that is not over before the freeze, however busy the machine is."""
LONG_LOAD = LONGER.replace("SECONDS", "0")
WINDOW_HELD = LONGER.replace("sleep SECONDS", HELD)
IN_USE = "restore", "Dismount", "Mount", "RollForward", "Integrity"
"""Boundaries at which an instance to restore into is at work."""
_MARK_S = 90.0
_OFFSET_S = 0.3
"""A boundary is seen by polling, so the stage that follows has begun; where in it a kill falls decides nothing."""


def reached(run: Run, mark: str) -> None:
    """Wait until a run has passed a stage boundary, and then a moment that is drawn from the mark's name."""
    passed = by_name(mark).passed
    assert wait_for(lambda: passed(run) or run.process.poll() is not None, _MARK_S)
    wait_for(lambda: run.process.poll() is not None, random.Random(mark).uniform(0.0, _OFFSET_S))


def source(run: Run) -> str:
    return f"harness-{run.token()}-source"


def docker(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=60)


def made_by(token: str) -> list[str]:
    """Containers and volumes of a run; networks it makes none."""
    wanted = f"label={containers.RUN_LABEL}={token}"
    listed = (
        docker("ps", "-aq", "--filter", wanted).stdout
        + docker("volume", "ls", "-q", "--filter", wanted).stdout
    )
    return listed.split()


def is_frozen(run: Run) -> bool:
    call = ["iris", "session", "IRIS", "-U%SYS", "##class(Backup.General).IsWDSuspendedExt()"]
    return docker("exec", source(run), *call).returncode == 5


def finished(run: Run, seconds: float = 90) -> int:
    """Exit status; standard error holds no traceback."""
    _, err = run.process.communicate(timeout=seconds)
    assert b"Traceback" not in err, err.decode()
    return run.process.returncode


@pytest.mark.parametrize(("storage", "providers"), [("folder", "copy"), ("volume", "copy, docker_volume")])
def test_a_run_passes_and_leaves_nothing(tmp_path: Path, storage: str, providers: str) -> None:
    """Every case in a container of its own, which saw no network; the image is on record."""
    run = Run(tmp_path, CYCLE, IMAGE="stand-in", STORAGE=storage, PROVIDERS=providers)
    assert wait_for(run.token, 20)
    token = run.token()
    assert 0 == finished(run)
    record = json.loads(json.dumps(run.record()))
    assert "PASS" == record["verdict"] and record["instance"]["stand_in"]
    assert record["instance"]["image_digest"].startswith("sha256:")
    restored = [case["restore"] for case in record["cases"]]
    assert [["lo"]] * len(restored) == [one["interfaces"] for one in restored]
    places = {one["into"] for one in restored}
    assert len(restored) == len(places) and all(place.startswith("container harness-") for place in places)
    assert [] == made_by(token) and not run.work_left()


def test_an_image_that_is_not_here(tmp_path: Path) -> None:
    """What to pull and how; exit 3; nothing was begun."""
    image = "intersystems/iris-community:no-such-tag"
    run = Run(tmp_path, CYCLE, IMAGE=image, STORAGE="folder", PROVIDERS="copy")
    _, err = run.process.communicate(timeout=60)
    assert ExitCode.UNKNOWN == run.process.returncode
    assert f"docker pull {image}".encode() in err and b"Traceback" not in err
    assert not run.work_left() and not run.token()


@pytest.mark.parametrize("inside", [True, False])
def test_a_stun_of_three_seconds_changes_no_verdict(tmp_path: Path, inside: bool) -> None:
    """Paused as by a hypervisor, in the window or before it: PASS, and the report tells when and how long.

    Not while a `docker exec` begins: there Docker 20.10 hangs for good (seen with exec and pause alone).
    """
    plan = WINDOW_HELD if inside else LONG_LOAD
    run = Run(tmp_path, plan)
    if inside:
        assert wait_for(run.flag.exists, 60)
    else:
        # the engine has become the writers, so no `docker exec` is beginning any more
        assert wait_for(lambda: run.token() and docker("top", source(run)).stdout.count("mumps") == 2, 60)
    asked = time.monotonic()
    assert 0 == docker("pause", source(run)).returncode
    time.sleep(3)  # how long the stun is to be
    assert 0 == docker("unpause", source(run)).returncode
    longest_s = time.monotonic() - asked
    run.let_go()
    _, err = run.process.communicate(timeout=90)
    assert 0 == run.process.returncode, err.decode()
    where = "inside" if inside else "outside"
    assert f"UTC, {where} the freeze window" in run.report()
    (stun,) = json.loads(json.dumps(run.record()))["cases"][0]["freeze"]["stuns"]
    assert 2.9 < stun["duration_s"] <= longest_s


@pytest.mark.parametrize("act", ["kill", "rm -f", "restart -t 0", "restart"])
def test_an_instance_ended_in_the_window(tmp_path: Path, act: str) -> None:
    """No backup, so UNKNOWN; nobody is told that something may be frozen which is not, also if it runs again."""
    run = Run(tmp_path, WINDOW_HELD)
    assert wait_for(run.flag.exists, 60)
    token = run.token()
    assert 0 == docker(*act.split(), source(run)).returncode
    run.let_go()
    assert ExitCode.UNKNOWN == finished(run)
    assert "UNKNOWN" == run.record()["verdict"]
    assert [] == made_by(token) and not run.work_left()


@pytest.mark.parametrize("mark", ["instance started", "freeze asked for", "thawed", "Journals", *IN_USE])
def test_an_instance_killed_at_any_moment(tmp_path: Path, mark: str) -> None:
    """The container that is at work at a boundary: never a wrong PASS, never a FAIL, nothing left, no traceback."""
    run = Run(tmp_path, CYCLE, IMAGE="stand-in", STORAGE="folder", PROVIDERS="copy")
    assert wait_for(run.token, 20)
    token = run.token()
    reached(run, mark)
    names = docker(
        "ps", "--format", "{{.Names}}", "--filter", f"label={containers.RUN_LABEL}={token}"
    ).stdout.split()  # the youngest first
    chosen = [name for name in names if name.endswith("-source") != (mark in IN_USE)]
    victim = chosen[-1] if chosen else ""
    killed = bool(victim) and docker("kill", victim).returncode == 0
    status = finished(run)
    record = run.record()
    if killed and status == ExitCode.UNKNOWN:
        reasons = json.dumps(record)
        assert f"container {victim}" in reasons or "nothing_between" in reasons
    if killed and victim.endswith("-source") and len(record["cases"]) < 4:  # type: ignore[arg-type]
        assert ExitCode.UNKNOWN == status
    assert status in (ExitCode.PASS, ExitCode.UNKNOWN), json.dumps(record["cases"], indent=1)
    assert (status == 0) == (record["verdict"] == "PASS")
    run.clean()
    assert [] == made_by(token) and not run.work_left()


def test_the_harness_killed_in_the_window(tmp_path: Path) -> None:
    """`kill -9`: thawed within two seconds, and `clean` removes every container and volume."""
    run = Run(tmp_path, IN_WINDOW.replace("SECONDS", "60"))
    assert wait_for(run.flag.exists, 60)
    token = run.token()
    assert is_frozen(run)
    run.kill()
    killed = time.monotonic()
    assert wait_for(lambda: not is_frozen(run), 10)
    assert time.monotonic() - killed < 2.0
    assert "container harness-" in run.clean()
    assert [] == made_by(token) and [] == run.left()


@pytest.mark.parametrize(
    "mark", ["registered", "instance started", "freeze asked for", "thawed", "restore", "Mount", "Integrity"]
)
def test_the_harness_killed_at_any_moment(tmp_path: Path, mark: str) -> None:
    run = Run(tmp_path, CYCLE, IMAGE="stand-in", STORAGE="volume", PROVIDERS="docker_volume")
    assert wait_for(run.token, 20)
    token = run.token()
    reached(run, mark)
    run.kill()
    assert run.watchdog_ended(token)
    if made_by(token):
        # a command of the killed run may still set a marker inside, which holds updates for a moment
        assert wait_for(lambda: not is_frozen(run), 10)
    run.clean()
    assert [] == made_by(token) and [] == run.left()
    if not run.record()["finished"]:
        assert "PASS" != run.record()["verdict"]


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM in the window: thawed and removed before it ends, exit 3."""
    run = Run(tmp_path, IN_WINDOW.replace("SECONDS", "60"))
    assert wait_for(run.flag.exists, 60)
    token = run.token()
    threading.Timer(0.2, run.process.send_signal, (signal.SIGTERM,)).start()
    assert ExitCode.UNKNOWN == finished(run)
    assert [] == made_by(token) and not run.work_left()


def test_clean_says_when_no_engine_answers_and_can_be_asked_again(tmp_path: Path) -> None:
    """What it cannot reach it does not call clean."""
    run = Run(tmp_path, IN_WINDOW.replace("SECONDS", "60"))
    assert wait_for(run.flag.exists, 60)
    token = run.token()
    run.kill()
    nowhere = {**run.environment, "DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    done = subprocess.run(
        [sys.executable, "-m", "harness", "clean"], env=nowhere, capture_output=True, text=True, timeout=60
    )
    assert ExitCode.UNKNOWN == done.returncode and "no container engine answers" in done.stderr
    assert "Traceback" not in done.stderr and token == run.token()
    run.clean()
    assert [] == made_by(token) and [] == run.left()
