"""What another user of the same machine can do to a run: read nothing that is secret, write and disturb nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import HELD, Run, wait_for

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("needs_stand_in"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user"),
]

NOBODY = 65534
OWNER = 51773
PLAN = """\
plan: killed
instance: {image: stand-in, host: HOST}
workload: {writers: 2, transactions: 3000, rate: 3000}
snapshot:
  provider: command
  run: [sh, -c, 'cp -a "$1"/. "$2" && touch "$0" && HELD', FLAG, '{source}', '{target}']
recovery: [as-of-freeze, rollforward, boot]
"""
OTHER = r"""
import json, os, socket, stat, sys
os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
done = []
def tried(what, path, act):
    try:
        act()
    except OSError:
        return
    done.append((what, path))
def connect(path):
    with socket.socket(socket.AF_UNIX) as one:
        os.chdir(os.path.dirname(path))
        one.connect(os.path.basename(path))
for path in json.load(sys.stdin):
    there = lambda flags: os.close(os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW))
    tried("read", path, lambda: there(os.O_RDONLY))
    tried("write", path, lambda: there(os.O_WRONLY))
    tried("chmod", path, lambda: os.chmod(path, 0o666))
    tried("make", path, lambda: os.mkdir(path + "/new"))
    tried("replace", path, lambda: os.rename(path, path + ".old"))
    tried("remove", path, lambda: os.unlink(path))
    tried("link", path, lambda: os.link(path, path + ".new"))
    tried("connect", path, lambda: connect(path))
print(json.dumps(done))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Where everybody may enter, as /var/tmp/results would be; pytest's own folders are closed."""
    made = Path(tempfile.mkdtemp(prefix="others-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def other(user: int, paths: list[Path]) -> list[tuple[str, Path]]:
    """What a user could do with paths: the act, and the path."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", OTHER, str(user)],
        input=json.dumps([str(path) for path in paths]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [(what, Path(path)) for what, path in json.loads(done.stdout)]


def everything(run: Run) -> list[Path]:
    (folder,) = run.out.glob("killed/*")
    return [folder, *folder.rglob("*"), run.out, run.out / "killed"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000], ids=oct, indirect=True)
@pytest.mark.parametrize("host", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_nobody_else_can_read_or_write_a_run(
    request: pytest.FixtureRequest, open_folder: Path, umask: int, host: str
) -> None:
    """Every file, folder, pipe and socket, in the window and while something is restored; the verdict is unchanged.

    What is left for people when the run has ended they may read, if the caller's umask lets them, and not write.
    """
    if host == "docker":
        request.getfixturevalue("needs_docker")
    run = Run(open_folder, PLAN.replace("HELD", HELD), HOST=host)
    try:
        assert wait_for(run.flag.exists, 60)
        seen = everything(run)
        assert any(path.is_fifo() for path in seen) == (host == "docker")
        assert any(path.is_socket() for path in seen) and any(path.name == "freeze.log" for path in seen)
        in_window = other(NOBODY, seen)
        as_owner = other(OWNER, seen)
        run.let_go()
        assert wait_for(lambda: any(run.work.glob("target-*/db/one/IRIS.DAT")), 60)
        restored = other(NOBODY, everything(run))
        _, said = run.process.communicate(timeout=120)
    finally:
        run.process.kill()
    assert 0 == run.process.returncode, said.decode()
    # the number of the user in containers may be that of somebody here
    for what, path in (*in_window, *as_owner, *restored):
        assert (what, "work" in path.relative_to(run.out).parts) == ("read", False), (what, path)
    assert {"read"} >= {what for what, _ in other(NOBODY, everything(run))}
    log = next(run.out.glob("killed/*/freeze.log"))
    assert (0o644, 1) == (log.stat().st_mode & 0o777, log.stat().st_nlink)
    assert "ExternalThaw: System resumed" in log.read_text()
