"""`kill -9` of the harness: the instance is thawed within two seconds, and `harness clean` leaves nothing.

Real runs in processes of their own, killed at stage boundaries and in the middle of the freeze window.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.instance.local import LocalHost
from harness.model import RecoveryMode
from harness.plan.model import InstanceSpec
from tests.runs import Run, wait_for
from tests.soak import kills
from tests.soak.kills import Kill, carry_out
from tests.soak.victims import Sandboxes
from tests.soak.witness import Answer

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

ROOT = Path(__file__).parents[2]
TARGET_AT_MOUNT, TARGET_AT_A_LATER_RECOVERY = 772431487, 372779166
"""Seeds of the kill sweep that found a defect."""
PLAN = """\
plan: killed
workload: {writers: 2, transactions: 3000, rate: 3000}
snapshot:
  provider: command
  run: [sh, -c, 'cp -a "$1"/. "$2" && touch "$0" && sleep SECONDS', FLAG, '{source}', '{target}']
recovery: [as-of-freeze, rollforward]
"""


def sweep(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "tests.soak.kills", *arguments]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=600)


def is_frozen(run: Run) -> bool:
    """The control process's socket is reached from outside of its namespaces."""
    environment = {**os.environ, **LocalHost(InstanceSpec(), run.work).environment()}
    call = ["iris", "session", "SOURCE", "-U%SYS", "##class(Backup.General).IsWDSuspendedExt()"]
    return subprocess.run(call, env=environment, capture_output=True).returncode == 5


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


def test_killed_inside_the_freeze_window(folder: Path) -> None:
    """Frozen, the copy going on, and the harness dies: thawed within 2 s, by the watchdog."""
    run = Run(folder, PLAN, SECONDS=60)
    assert wait_for(run.flag.exists, 30)
    assert is_frozen(run)
    run.kill()
    killed = time.monotonic()
    assert wait_for(lambda: not is_frozen(run), 10)
    assert time.monotonic() - killed < 2.0
    removed = run.clean()
    assert "folder" in removed and "process" in removed
    assert [] == run.left()
    assert (False, "UNKNOWN") == (run.record()["finished"], run.record()["verdict"])
    assert "nothing to remove\n" == run.clean()


def test_killed_at_any_moment() -> None:
    """Harness, instance or both, wherever they were: the sweep of tests/soak finds no violation. So few kills may
    fall where they prove little, which ends a sweep with 3.
    """
    done = sweep("--kills", "10")
    assert done.returncode in (0, 3), done.stdout + done.stderr


@pytest.mark.parametrize("seed", [TARGET_AT_MOUNT, TARGET_AT_A_LATER_RECOVERY])
def test_a_target_that_is_killed_is_no_verdict_on_the_backup(seed: int) -> None:
    """Once FAIL, since an engine that is gone takes no restored files; and a reason that named nobody."""
    done = sweep("--replay", str(seed))
    assert 0 == done.returncode, done.stdout + done.stderr


def test_terminated_run_thaws_and_leaves_nothing(folder: Path) -> None:
    """SIGTERM inside the window: thawed, removed, exit 3, and a record that says so."""
    run = Run(folder, PLAN, SECONDS=60)
    assert wait_for(run.flag.exists, 30)
    run.process.send_signal(signal.SIGTERM)
    _, err = run.process.communicate(timeout=30)
    assert 3 == run.process.returncode
    assert b"Traceback" not in err
    assert [] == run.left()
    assert run.record()["error"]


IN_THE_WINDOW = Kill(
    seed=1,
    host="local",
    what="harness",
    victim="source",
    mark="frozen",
    after_s=0.0,
    modes=(RecoveryMode.AS_OF_FREEZE, RecoveryMode.ROLLFORWARD),
)


def test_the_sweep_tells_of_a_watchdog_that_does_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in the window after which nobody thaws: left frozen, and said so."""
    deaf = folder / "deaf.py"
    deaf.write_text("import sys\nsys.stdin.buffer.read()\n")
    (folder / "sitecustomize.py").write_text(
        f"from harness.session import watchdog\nwatchdog.__file__ = {str(deaf)!r}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(kills, "_END_TIMEOUT_S", 8.0)
    outcome = carry_out(IN_THE_WINDOW, folder / "kill")
    assert outcome.what == "harness" and outcome.frozen
    assert any("frozen" in wrong for wrong in outcome.wrong), outcome


def test_the_sweep_tells_of_a_source_that_says_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is not taken for "not frozen"."""
    monkeypatch.setattr(Sandboxes, "ask", lambda self: Answer.NONE)
    monkeypatch.setattr(kills, "_END_TIMEOUT_S", 8.0)
    outcome = carry_out(IN_THE_WINDOW, folder / "kill")
    assert outcome.what == "harness" and outcome.wrong, outcome


def test_the_sweep_finds_nothing_wrong_where_nothing_is(folder: Path) -> None:
    """The same kill, with a watchdog that thaws and a source that answers."""
    outcome = carry_out(IN_THE_WINDOW, folder / "kill")
    assert outcome.frozen and not outcome.wrong and not outcome.left, outcome
