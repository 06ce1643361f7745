"""`scripts check` judges scripts wherever the harness lies, and says UNKNOWN where the stand-in cannot answer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import harness
from harness.errors import PreconditionError
from harness.model import Verdict
from harness.scripts import install
from harness.scripts.check import check
from harness.scripts.model import Outcome, Scripts
from harness.scripts.scene.caller import Caller
from harness.session.progress import SilentProgress
from tests.noting import Noting
from tests.script_faults import FOLDER, scripts_of

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

PACKAGE = Path(harness.__file__).parent
PAIR = ("--freeze", str(FOLDER / "right" / "pre.sh"), "--thaw", str(FOLDER / "right" / "post.sh"))
ONLY = ("--only", "one-instance", "--only", "freeze-ends-3")


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(params=["closed", "home of root"])
def closed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder below one that only root may enter."""
    if os.geteuid() != 0:
        pytest.skip("the machine has several users only if root makes it")
    top = tmp_path if request.param == "closed" else Path("/root")
    folder = Path(tempfile.mkdtemp(dir=top))  # mode 0700
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def checked(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *map(str, _libraries())])}
    return subprocess.run(
        [python, "-m", "harness", "scripts", "check", *PAIR, *ONLY, "--out", str(folder / "out")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        umask=0o077,
    )


def _libraries() -> list[Path]:
    """Where the packages of this environment are."""
    return [Path(path) for path in sys.path if path.endswith("site-packages")]


def only_mine(*paths: Path) -> None:
    """As a `umask 077` leaves files."""
    subprocess.run(["chmod", "-R", "go=", *map(str, paths)], check=True)


def test_a_package_below_a_closed_folder(closed: Path) -> None:
    """It lies below a folder of mode 0700, and is itself closed to others: as good as anywhere."""
    shutil.copytree(PACKAGE, closed / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    only_mine(closed / "harness")
    done = checked(closed, sys.executable)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "2 scenarios" in done.stdout and "2 PASS" in done.stdout


@pytest.mark.parametrize("mode", ["open", "only mine"])
def test_a_python_below_a_closed_folder(tmp_path: Path, mode: str) -> None:
    """As pyenv has it: what the virtual environment rests on lies in somebody's home."""
    if os.geteuid() != 0 or sys.base_prefix != "/usr":
        pytest.skip("needs root, and the Python of the machine to copy")
    tmp_path.chmod(0o700)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base, home = tmp_path / "base", tmp_path / "venv"
    for folder in (base / "bin", base / "lib"):
        folder.mkdir(parents=True)
    shutil.copy(f"/usr/bin/{version}", base / "bin")
    unused = shutil.ignore_patterns("__pycache__", "test", "idlelib", "ensurepip")
    shutil.copytree(f"/usr/lib/{version}", base / "lib" / version, ignore=unused)
    subprocess.run([base / "bin" / version, "-m", "venv", "--without-pip", home], check=True)
    shutil.copytree(PACKAGE, tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    if mode == "only mine":
        only_mine(base, home)
    done = checked(tmp_path, str(home / "bin" / "python"))
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "2 PASS" in done.stdout


def _outcomes(scripts: Scripts, only: Sequence[str], folder: Path) -> dict[str, Outcome]:
    run = folder / "run"
    run.mkdir()
    report = check(scripts, only=only, folder=run, jobs=2, progress=SilentProgress())
    return {one.name: one for one in report.outcomes}


def test_a_stand_in_that_scripts_cannot_reach_is_told_before_anything_is_judged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No scenario is played: no script is blamed for what is wrong with this machine."""
    monkeypatch.setattr(install, "_STANDIN", Path("/nowhere"))
    told = Noting()
    with pytest.raises(PreconditionError, match="does not answer in the machine"):
        check(scripts_of("right"), only=["ordinary"], folder=tmp_path, jobs=1, progress=told)
    assert [] == told.done and not (tmp_path / "scenarios").exists() and not (tmp_path / "work").exists()


@pytest.mark.parametrize("name", ["one-instance", "freeze-ends-3", "thawed-by-another", "log-folder-gone"])
@pytest.mark.parametrize("when", ["before the freeze script", "after it"])
def test_an_instance_that_falls_silent_is_not_held_against_the_scripts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, when: str
) -> None:
    """Its processes end, by no doing of the scripts: UNKNOWN, whatever the scripts do then."""
    asked = Caller.call

    def ended(caller: Caller) -> None:
        if caller._runner._folder.name == name:
            for process in caller._observer.control("IRISA"):
                os.kill(process, signal.SIGKILL)

    def call(caller: Caller, hook: str, **options: object) -> object:
        if hook == "freeze" and when.startswith("before"):
            ended(caller)
        ran = asked(caller, hook, **options)  # type: ignore[arg-type]
        if hook == "freeze" and when.startswith("after"):
            ended(caller)
        return ran

    monkeypatch.setattr(Caller, "call", call)
    outcome = _outcomes(scripts_of("right"), [name], tmp_path)[name]
    assert Verdict.UNKNOWN is outcome.verdict, outcome
    assert [] == [one for one in outcome.findings if one.verdict is Verdict.FAIL]
