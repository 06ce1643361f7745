"""Scripts cannot harm the machine they are tried on: what they take, delete and start stays in one of their own."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from harness.model import Verdict
from harness.scripts.check import check
from harness.scripts.model import Scripts
from harness.session.progress import SilentProgress

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

HARMFUL = Path(__file__).parent.parent / "data" / "harmful"
SCRIPTS = ("deletes", "forks", "fills", "endless", "hungry", "talks", "kills")


def _digest(folder: Path) -> str:
    """Of every file below a folder: name, mode, owner and content."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts):
        status = path.lstat()
        total.update(f"{path} {status.st_mode} {status.st_uid}".encode())
        if path.is_file() and not path.is_symlink():
            total.update(path.read_bytes())
    return total.hexdigest()


@pytest.fixture
def canaries(tmp_path: Path) -> list[Path]:
    """Folders that anybody may write to, beside what the harness itself rests on."""
    folder = tmp_path / "canaries"
    folder.mkdir()
    folder.chmod(0o777)
    for number in range(3):
        canary = folder / f"canary-{number}"
        canary.write_text("alive")
        canary.chmod(0o666)
    return [folder, Path(__file__).parent.parent.parent / "harness", HARMFUL]


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_contained_and_reported(tmp_path: Path, canaries: list[Path], name: str) -> None:
    before = [_digest(folder) for folder in canaries]
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    script = str(HARMFUL / f"{name}.sh")
    run = tmp_path / "run"
    run.mkdir()
    began = time.monotonic()
    scripts = Scripts(name=name, freeze=(script, "freeze"), thaw=(script, "thaw"), timeout_s=6.0)
    report = check(scripts, only=["one-instance"], folder=run, jobs=1, progress=SilentProgress())
    assert time.monotonic() - began < 60
    (outcome,) = report.outcomes
    assert outcome.verdict is Verdict.FAIL, outcome
    assert before == [_digest(folder) for folder in canaries]
    assert not (run / "work").exists()
    assert free - os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize < 2 << 30
    assert [] == _processes_below(run)


def _processes_below(folder: Path) -> list[str]:
    mark = str(folder).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if mark in words and process.name != str(os.getpid()):
            found.append(words.decode(errors="replace"))
    return found
