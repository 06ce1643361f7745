"""What a user may do wrong: a clear message, the right exit status, no traceback, nothing frozen or left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

SMALL = "plan: small\nworkload: {writers: 2, transactions: 2000, rate: 2000}\nsnapshot: copy\nrecovery: rollforward\n"


def harness(
    *arguments: str, state: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        env={**os.environ, "XDG_STATE_HOME": str(state), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
    )


def run(tmp_path: Path, plan: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "plan.yaml"
    file.write_text(plan)
    file.chmod(0o644)
    done = harness(
        "run", str(file), "--out", str(tmp_path / "out"), *arguments, state=tmp_path / "state", **options
    )  # type: ignore[arg-type]
    assert "Traceback" not in done.stdout + done.stderr
    assert [] == list(tmp_path.glob("out/*/*/work")), done.stdout + done.stderr
    assert [] == list(tmp_path.glob("state/*/*")), done.stdout + done.stderr
    return done


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (SMALL + "colour: red\n", "colour"),
        (SMALL.replace("writers: 2", "writers: two"), "workload.writers"),
        ("plan: [", "plan.yaml:1"),
        (SMALL.replace("snapshot: copy", "snapshot: {provider: command}"), "run"),
    ],
)
def test_wrong_plan(tmp_path: Path, plan: str, said: str) -> None:
    done = run(tmp_path, plan)
    assert 2 == done.returncode
    assert said in done.stderr
    assert "" == done.stdout


def test_missing_plan(tmp_path: Path) -> None:
    done = harness("run", str(tmp_path / "absent.yaml"), state=tmp_path)
    assert 2 == done.returncode
    assert "absent.yaml" in done.stderr and "Traceback" not in done.stderr


def test_no_gtm(tmp_path: Path) -> None:
    """Without GT.M: what is missing and how to get it."""
    done = run(tmp_path, SMALL, environment={"gtm_dist": str(tmp_path / "nowhere")})
    assert 3 == done.returncode
    assert "apt-get install fis-gtm" in done.stderr


def test_snapshot_command_fails_in_the_window(tmp_path: Path) -> None:
    """The user's command ends with an error while the instance is frozen: thawed, UNKNOWN, its words shown."""
    failing = "{provider: command, run: [sh, -c, 'echo no space left on array 7 >&2; exit 28']}"
    done = run(tmp_path, SMALL.replace("snapshot: copy", f"snapshot: {failing}"))
    assert 3 == done.returncode
    assert "no space left on array 7" in done.stdout.replace("\n", " ")
    (log,) = tmp_path.glob("out/small/*/freeze.log")
    assert log.read_text().rstrip().endswith("System resumed")


@pytest.fixture
def volume(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The results folder as a filesystem of its own, mounted with the options given."""
    if os.geteuid() != 0:
        pytest.skip("mounts a filesystem, which needs root")
    folder = tmp_path / "out"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.root
@pytest.mark.parametrize("volume", ["size=100m"], indirect=True)
def test_disk_full_during_the_snapshot(tmp_path: Path, volume: Path) -> None:
    """The volume has no room for the copy, nor for anything else at that moment: thawed all the same."""
    script = 'cp -a "$0"/. "$1" && head -c 200M /dev/zero >"$1"/more'
    filling = f"{{provider: command, run: [sh, -c, '{script}', '{{source}}', '{{target}}']}}"
    done = run(tmp_path, SMALL.replace("snapshot: copy", f"snapshot: {filling}"))
    assert 3 == done.returncode
    assert "No space left on device" in " ".join(done.stdout.split())
    (log,) = volume.glob("small/*/freeze.log")
    assert log.read_text().rstrip().endswith("System resumed")


@pytest.mark.root
@pytest.mark.parametrize("volume", ["ro"], indirect=True)
def test_no_permission_for_the_results(tmp_path: Path, volume: Path) -> None:
    """Results cannot be written: said before anything is started."""
    done = run(tmp_path, SMALL)
    assert 3 == done.returncode
    assert "--out" in done.stderr


def test_pipe_gets_results_and_no_progress(tmp_path: Path) -> None:
    """Standard output is the record alone, standard error has two plain lines."""
    done = run(tmp_path, SMALL, "--format", "json", "--seed", "5")
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "PASS" == json.loads(done.stdout)["verdict"]
    assert 2 == len(done.stderr.splitlines())
    assert "\x1b" not in done.stderr
    (folder,) = tmp_path.glob("out/small/*-5")
    assert {
        "record.json",
        "junit.xml",
        "freeze.log",
        "watchdog.log",
        "ledger.bin",
        "commands.log",
        "removed.log",
    } == {path.name for path in folder.iterdir()}
    shown = harness("report", str(folder), "--format", "markdown", state=tmp_path)
    assert 0 == shown.returncode and "20" in shown.stdout


def test_terminal_shows_progress(tmp_path: Path) -> None:
    """On a terminal the stages are shown while the run goes on."""
    if shutil.which("script") is None:
        pytest.skip("no `script` to make a terminal with")
    (tmp_path / "plan.yaml").write_text(SMALL)
    command = f"{sys.executable} -m harness run {tmp_path}/plan.yaml --out {tmp_path}/out"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert 0 == done.returncode
    assert "freeze window" in done.stdout


@pytest.mark.parametrize("closed", ["0<&-", ">&-", "2>&-", "0<&- >&- 2>&-"])
def test_closed_standard_streams(tmp_path: Path, closed: str) -> None:
    """As below some daemons and cron wrappers: the verdict stays, and no file takes the place of a stream."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(SMALL)
    line = f'exec "$0" -m harness run "$1" --out "$2" {closed}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, plan, tmp_path / "out"],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "PASS" == json.loads(next(tmp_path.glob("out/*/*/record.json")).read_text())["verdict"]
