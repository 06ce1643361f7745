"""Runs on an instance that is installed on this machine: it is somebody's, and stays as it was.

A stand-in is made by hand, as `iris` would be installed, and reached by its name alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.command import Transcript
from harness.errors import InstanceError, ParseError
from harness.instance.installed import InstalledPlace
from harness.instance.iris import Instance
from harness.plan.model import WorkloadSpec
from harness.stages.load import Driver
from harness.workload.ledger import Ledger
from tests.runs import HELD, Run, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

BIN = Path(__file__).parents[2] / "harness" / "standin" / "bin"
PASSWORD = "correct horse battery"
LOGIN = f"ann\n{PASSWORD}\n"
PLAN = """\
plan: killed
instance: {host: local, name: DEMO, CREDENTIALS}
target: {image: stand-in, host: local}
workload: {writers: WRITERS, transactions: 3000, rate: 4000}
snapshot: SNAPSHOT
recovery: [as-of-freeze, rollforward, point-in-time]
"""
OTHER = 4711
HELD_WINDOW = f"""
  provider: command
  run: [sh, -c, 'cp -a "$1"/. "$2" && touch "$0" && {HELD}', FLAG, '{{source}}', '{{target}}']"""
SLOW = """
  provider: command
  run: [sh, -c, 'cp -a "$1"/. "$2" && touch "$0" && sleep 60', FLAG, '{source}', '{target}']"""
SPY = """
  provider: command
  run:
    - sh
    - -c
    - >-
      (ps axww -o args; cat /proc/[0-9]*/environ; find "${2%/*}/../.." -type f -exec cat {} +) >"$0";
      cp -a "$1"/. "$2"
    - FLAG
    - '{source}'
    - '{target}'"""


class Demo:
    """An instance called DEMO, and plans that use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stdin = ""

    def create(self, *options: str) -> None:
        iris("create", "DEMO", f"directory={self.folder / 'demo'}", *options)
        assert 0 == iris("start", "DEMO").returncode

    def create_with_login(self) -> None:
        (self.folder / "users").write_text(f"ann:{PASSWORD}\n")
        self.create(f"users={self.folder / 'users'}")
        (self.folder / "users").unlink()
        self.stdin = LOGIN

    def credentials(self, text: str = LOGIN) -> str:
        """A file of credentials, as the plan names it."""
        file = self.folder / "credentials"
        file.write_text(text)
        file.chmod(0o600)
        return f"credentials: {file}"

    @property
    def running(self) -> bool:
        return "^running" in iris("qlist", "DEMO").stdout

    @property
    def frozen(self) -> bool:
        call = "##class(Backup.General).IsWDSuspendedExt()"
        return 5 == iris("session", "DEMO", "-U%SYS", call, stdin=self.stdin).returncode

    def sessions(self) -> list[str]:
        """What runs of sessions in the instance."""
        mark = f"iris_root={self.folder / 'demo'}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return [line for line in found if "mumps" in line]

    def run(self, credentials: str = "", writers: int = 3, snapshot: str = "copy") -> Result:
        return Result(self, plan(credentials, writers, snapshot))

    def begin(self, snapshot: str, credentials: str = "") -> Run:
        return Run(self.folder, plan(credentials, 2, snapshot))


class Result:
    """A run that has ended, and all that it left."""

    def __init__(self, demo: Demo, text: str) -> None:
        self._run = Run(demo.folder, text)
        self._run.process.wait(timeout=90)
        assert self._run.process.stderr
        self.stderr = self._run.process.stderr.read().decode()
        self._run.process.stderr.close()
        self.status = self._run.process.returncode
        self.seen = self._run.flag
        self.folder = max(self._run.out.glob("killed/*"), key=lambda folder: folder.stat().st_mtime_ns)
        self.record = json.loads((self.folder / "record.json").read_text())
        self.left = self._run.left()
        self.registered = self._run.token()

    def words(self) -> str:
        """Everything that it wrote anywhere."""
        files = [file.read_bytes() for file in self.folder.rglob("*") if file.is_file()]
        return self.stderr + b"\n".join(files).decode("utf-8", "replace")


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    """Where one can be made; ended afterwards."""
    monkeypatch.setenv("IRISSYS", str(tmp_path / "registry"))
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    monkeypatch.setenv("IRIS_STANDIN_PYTHON", sys.executable)
    monkeypatch.delenv("HARNESS_RUN", raising=False)
    yield Demo(tmp_path)
    iris("force", "DEMO")


def iris(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["iris", *arguments], input=stdin, capture_output=True, text=True, timeout=60)


def plan(credentials: str, writers: int, snapshot: str) -> str:
    text = PLAN.replace("SNAPSHOT", snapshot).replace("WRITERS", str(writers))
    return text.replace(", CREDENTIALS", f", {credentials}" if credentials else "")


def is_untouched(demo: Demo) -> bool:
    return demo.running and not demo.frozen and not demo.sessions()


def test_runs_pass_one_after_another_and_leave_the_instance_as_it_was(demo: Demo) -> None:
    """The second run finds the first one's globals, with another seed and from more writers."""
    demo.create()
    for writers in (3, 2, 1):
        done = demo.run(writers=writers)
        assert (0, "PASS", "local") == (
            done.status,
            done.record["verdict"],
            done.record["instance"]["host"],
        ), done.words()
        assert is_untouched(demo)
        assert [] == done.left and not done.registered
    # the agent of IRIS reads every writer's commits, so it must not be shown the journals of an earlier run
    commands = (done.folder / "commands.log").read_text()
    begun = re.search(r'Agent\)\.Clear\(\)(?:.|\n)*?\| {"journal_file": "([\d.]+)"', commands)
    assert begun and f'mgr/journal/","{begun[1]}"' in commands


def test_what_an_earlier_run_left_would_fail_the_next_one(demo: Demo, tmp_path: Path) -> None:
    """So it is right to remove it first: without that, nodes of another seed are there."""
    demo.create()
    source = Instance(InstalledPlace("DEMO", None, Transcript(None)))
    for seed, writers in ((1, 3), (2, 1)):
        ledger = Ledger(writers, tmp_path / f"ledger-{seed}")
        with Driver(source, WorkloadSpec(writers=writers, transactions=90), seed, ledger) as driver:
            driver.finish()
        ledger.close()
    summary = source.start_state("summary", 0)
    assert summary.stdout and b"\nw|3\n" in summary.stdout.read()
    summary.stdout.close()
    summary.wait()
    source.clear()
    summary = source.start_state("summary", 0)
    assert summary.stdout and b"r|1%44;17919\nn|\nend\n" == summary.stdout.read()
    summary.stdout.close()
    summary.wait()


@pytest.mark.parametrize("with_login", [False, True])
def test_killed_inside_the_freeze_window(demo: Demo, with_login: bool) -> None:
    """The watchdog thaws within 2 s, by a login where one is needed; the instance runs on, and a next run passes."""
    demo.create_with_login() if with_login else demo.create()
    credentials = demo.credentials() if with_login else ""
    run = demo.begin(SLOW, credentials)
    assert wait_for(run.flag.exists, 30)
    assert demo.frozen
    run.kill()
    killed = time.monotonic()
    assert wait_for(lambda: not demo.frozen, 10)
    assert time.monotonic() - killed < 2.0
    log = next(run.out.glob("killed/*/watchdog.log"))
    assert wait_for(lambda: log.read_text().endswith(" not frozen\n"), 20)
    assert PASSWORD not in log.read_text() and "Username" not in log.read_text()
    run.clean()
    assert [] == run.left() and not run.token()
    assert wait_for(lambda: is_untouched(demo), 5)
    assert 0 == demo.run(credentials).status


def test_credentials_are_seen_by_nobody(demo: Demo) -> None:
    """Not in a process list, an environment or a file while it is frozen and written to, nor in a file afterwards."""
    demo.create_with_login()
    done = demo.run(demo.credentials(), snapshot=SPY)
    assert (0, "PASS") == (done.status, done.record["verdict"]), done.words()
    seen = done.seen.read_bytes().decode("utf-8", "replace")
    assert (
        "write^RVWORK" in seen and "HARNESS_WATCHDOG" in seen and "ExternalFreeze: System suspended" in seen
    )
    for secret in (PASSWORD, PASSWORD.split()[0], "Username"):
        assert secret not in seen and secret not in done.words()
    assert is_untouched(demo)


@pytest.mark.parametrize("credentials", ["ann\nwrong horse battery\n", "bob\nwrong horse battery\n", ""])
def test_wrong_credentials_are_told_and_not_shown(demo: Demo, credentials: str) -> None:
    demo.create_with_login()
    done = demo.run(demo.credentials(credentials) if credentials else "")
    assert 3 == done.status
    assert "Access Denied" in done.stderr and "instance.credentials" in done.stderr
    assert "Traceback" not in done.stderr and "horse" not in done.words()
    assert [] == done.left and not done.registered
    assert is_untouched(demo)


def test_a_credentials_file_for_all_eyes_is_refused(demo: Demo) -> None:
    demo.create_with_login()
    line = demo.credentials()
    (demo.folder / "credentials").chmod(0o644)
    done = demo.run(line)
    assert 3 == done.status and "chmod 600" in done.stderr and PASSWORD not in done.words()


@pytest.mark.parametrize("state", ["unknown", "down", "frozen"])
def test_an_instance_that_cannot_be_used_is_left_alone(demo: Demo, state: str) -> None:
    """Exit 3, why and what to do, and nothing is left. Whoever froze it finds it frozen."""
    if state != "unknown":
        demo.create()
    if state == "down":
        iris("stop", "DEMO")
    if state == "frozen":
        iris("session", "DEMO", "-U%SYS", '##class(Backup.General).ExternalFreeze("")')
    done = demo.run()
    assert 3 == done.status and [] == done.left and not done.registered
    words = {
        "unknown": "there is no instance DEMO",
        "down": "Run: iris start DEMO",
        "frozen": "frozen already",
    }
    assert words[state] in done.stderr and "Traceback" not in done.stderr
    assert (state == "frozen") == demo.frozen


def test_an_instance_without_an_agent_is_told_how_to_get_it(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two calls are shown, and not made."""
    fake = tmp_path / "bin" / "iris"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >>{tmp_path}/calls\n'
        'case $1 in qlist) echo "DEMO^/usr/iris^2024.1^running, since today^iris.cpf";; '
        '*) echo "<CLASS DOES NOT EXIST> Harness.Agent"; exit 1;; esac\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    done = demo.run()
    assert 3 == done.status and [] == done.left and not done.registered
    assert '##class(%SYSTEM.OBJ).Load("' in done.stderr and "##class(Harness.Agent).Install(" in done.stderr
    assert "CLASS DOES NOT EXIST" in done.stderr
    calls = (tmp_path / "calls").read_text()
    assert "OBJ" not in calls and "Install" not in calls


def test_two_runs_at_a_time_are_refused(demo: Demo) -> None:
    """The second one touches nothing: the first goes on and passes."""
    demo.create()
    first = demo.begin(SLOW.replace("60", "3"))
    assert wait_for(first.flag.exists, 30)
    (demo.folder / "second").mkdir()
    second = Run(demo.folder / "second", plan("", 3, "copy"))
    _, said = second.process.communicate(timeout=30)
    assert 3 == second.process.returncode and b"another run is using DEMO" in said
    _, said = first.process.communicate(timeout=60)
    assert 0 == first.process.returncode, said
    assert is_untouched(demo)


def test_a_licence_limits_the_writers(demo: Demo) -> None:
    """12 are asked for, and 8 sessions allowed: 5 write, and run, report and record say so."""
    demo.create("sessions=8")
    done = demo.run(writers=12)
    assert (0, "PASS") == (done.status, done.record["verdict"]), done.words()
    note = "5 writers instead of 12: the licence of the instance allows 8 sessions at a time"
    assert f"note: {note}\n" in done.stderr
    assert [note] == done.record["instance"]["notes"]


def test_more_writers_than_the_licence_allows_would_be_refused(demo: Demo, tmp_path: Path) -> None:
    """What the run above avoids; the instance serves others again as soon as they are gone."""
    demo.create("sessions=8")
    source = Instance(InstalledPlace("DEMO", None, Transcript(None)))
    ledger = Ledger(12, tmp_path / "ledger")
    with (
        pytest.raises((InstanceError, ParseError), match="LICENSE LIMIT EXCEEDED"),
        Driver(source, WorkloadSpec(writers=12), 1, ledger),
    ):
        pass
    ledger.close()
    assert wait_for(lambda: not demo.sessions(), 5)
    assert 8 == source.describe().sessions_max


@pytest.mark.parametrize("broken", [False, True])
def test_every_database_of_an_instance_is_brought_back_and_looked_at(demo: Demo, broken: bool) -> None:
    """Those beside the two of the harness, too: a damaged one is named, in each recovery mode."""
    demo.create("databases=app,audit")
    damage = 'dd if=/dev/zero of="$2"/db/app/IRIS.DAT bs=4096 seek=1030 count=12 conv=notrunc status=none'
    script = f'cp -a "$1"/. "$2" && {damage if broken else ":"}'
    done = demo.run(
        snapshot=f"{{provider: command, run: [sh, -c, '{script}', sh, '{{source}}', '{{target}}']}}"
    )
    checks = [check for case in done.record["cases"] for check in case["checks"]]
    found = {f["code"] for check in checks for f in check["findings"]}
    if broken:
        assert "FAIL" == done.record["verdict"] and {"image.integrity.damaged", "integrity.damaged"} == found
        assert all("demo/db/app" in f["message"] for check in checks for f in check["findings"])
        assert any("only the structure" in note for note in done.record["instance"]["notes"])
    else:
        assert "PASS" == done.record["verdict"], found


def test_a_database_that_was_left_out_is_missed(demo: Demo) -> None:
    demo.create("databases=app")
    script = 'cp -a "$1"/. "$2" && rm "$2"/db/app/IRIS.DAT'
    done = demo.run(
        snapshot=f"{{provider: command, run: [sh, -c, '{script}', sh, '{{source}}', '{{target}}']}}"
    )
    messages = {
        f["message"] for c in done.record["cases"] for check in c["checks"] for f in check["findings"]
    }
    assert "FAIL" == done.record["verdict"]
    assert any("the image lacks db/app/IRIS.DAT" in message for message in messages), messages


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an instance as another user")
def test_an_instance_of_another_user_is_backed_up(demo: Demo, tmp_path: Path) -> None:
    """He may write the freeze log while the run lives, and nobody else; restored files belong to whom restores."""
    if not BIN.stat().st_mode & 0o005 or any(not above.stat().st_mode & 0o001 for above in BIN.parents):
        pytest.skip("the stand-in of this checkout can be run by its owner alone")
    for folder in (
        tmp_path,
        *(one for one in tmp_path.parents if one.name.startswith(("pytest-", "popen-"))),
    ):
        folder.chmod(0o711)
    registry, root = tmp_path / "registry", tmp_path / "demo"
    for folder in (registry, root):
        folder.mkdir()
        os.chown(folder, OTHER, OTHER)
    as_other = ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", "iris"]
    for words in (["create", "DEMO", f"directory={root}"], ["start", "DEMO"]):
        subprocess.run([*as_other, *words], check=True, capture_output=True, cwd="/")
    assert OTHER == (root / "db/one/IRIS.DAT").stat().st_uid
    run = demo.begin(HELD_WINDOW)
    assert wait_for(run.flag.exists, 30)
    log = run.work / "log" / "freeze.log"
    assert (OTHER, OTHER, 0o660) == (log.stat().st_uid, log.stat().st_gid, log.stat().st_mode & 0o777)
    appended = [
        "setpriv",
        f"--reuid={OTHER}",
        f"--regid={OTHER}",
        "--clear-groups",
        "sh",
        "-c",
        f': >>"{log}"',
    ]
    assert 0 == subprocess.run(appended, cwd="/").returncode
    appended[1:3] = ["--reuid=65534", "--regid=65534"]
    assert 0 != subprocess.run(appended, cwd="/", stderr=subprocess.DEVNULL).returncode
    run.let_go()
    _, said = run.process.communicate(timeout=90)
    assert 0 == run.process.returncode, said.decode()
    assert b"may be written by every user" not in said
