"""The reference scripts against the real stand-in: what they say to their caller, and what the instances are then."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.instance.local import LocalHost, LocalPlace
from harness.plan.model import InstanceSpec
from harness.scripts import init

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

TREE = Path(__file__).parents[2]
BIN = TREE / "harness" / "standin" / "bin"
PASSWORD = "correct horse battery"
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "sh": ["sh"]}


class Machine:
    """A sandbox with the instance SOURCE, and the generic scripts installed for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._host = LocalHost(InstanceSpec(), folder)
        place = self._host.source()
        assert isinstance(place, LocalPlace)
        self.place = place
        self.shell = ["sh"]
        self.settings = {
            "EXTRA_PATH": str(BIN),
            "LOG_DIR": str(folder / "log"),
            "STATE_DIR": str(folder / "state"),
            "MARKER_DIR": str(folder / "markers"),
            "CREDENTIALS": str(folder / "credentials"),
        }
        init.write(init.variant("generic"), folder / "scripts", force=False)

    def close(self) -> None:
        self._host.close()

    def create(self, name: str, *options: str) -> None:
        self.place.run(["iris", "create", name, f"directory={self.folder / name.lower()}", *options])
        self.place.run(["iris", "start", name])

    def start(self, hook: str) -> subprocess.Popen[str]:
        """Start `freeze`, `thaw` or `backup-done` as a caller without a terminal does."""
        lines = "".join(f"{key}={value}\n" for key, value in self.settings.items())
        (self.folder / "conf").write_text(lines)
        environment = {
            **self._host.environment(),
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(TREE),
            "IRIS_BACKUP_CONF": str(self.folder / "conf"),
        }
        # the way into the place lets nothing of this process through
        given = ["env", *(f"{key}={value}" for key, value in environment.items())]
        return subprocess.Popen(
            self.place.argv([*given, *self.shell, str(self.folder / "scripts" / f"iris-{hook}")]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, hook: str) -> tuple[int, str]:
        """Exit status, and what was said."""
        with self.start(hook) as process:
            said, _ = process.communicate(timeout=60)
            return process.returncode, said

    def status(self, hook: str) -> int:
        return self.run(hook)[0]

    def call(self, name: str, expression: str) -> int:
        argv = ["iris", "session", name, "-U%SYS", f"##class(Backup.General).{expression}"]
        return self.place.run(argv, accept=None).status

    def frozen(self, name: str = "SOURCE") -> bool:
        return self.call(name, "IsWDSuspendedExt()") == 5

    def iris_that(self, does: str) -> None:
        """Put an `iris` in the way of the stand-in's that begins with these lines of sh."""
        folder = self.folder / "bin"
        folder.mkdir()
        (folder / "iris").write_text(f'#!/bin/sh\nreal={BIN}/iris\n{does}\nexec "$real" "$@"\n')
        (folder / "iris").chmod(0o755)
        self.settings["EXTRA_PATH"] = str(folder)

    def log(self) -> str:
        return (self.folder / "log" / "hooks.log").read_text()

    def messages(self) -> str:
        return (self._host.root() / "mgr" / "messages.log").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


@pytest.fixture(params=list(SHELLS))
def in_shell(request: pytest.FixtureRequest, machine: Machine) -> Machine:
    """The machine, with scripts run by one shell."""
    machine.shell = SHELLS[request.param]
    if shutil.which(machine.shell[0]) is None:
        pytest.skip(f"{machine.shell[0]} is not here")
    return machine


def test_a_backup_is_frozen_thawed_and_then_recorded(in_shell: Machine) -> None:
    """Both hooks end with 0, the marker is kept, and only `backup-done` writes the history, once."""
    assert (0, "") == in_shell.run("freeze")
    assert in_shell.frozen()
    assert (0, "") == in_shell.run("thaw")
    assert not in_shell.frozen()
    (marker,) = in_shell.folder.glob("markers/marker-*-SOURCE.txt")
    assert "Journal marker set at\noffset " in marker.read_text()
    assert "ExternalSetHistory" not in in_shell.messages()
    assert 0 == in_shell.status("backup-done")
    assert 1 == in_shell.messages().count("ExternalSetHistory")
    assert 1 == in_shell.status("backup-done")


def test_every_freeze_has_a_log_of_its_own(machine: Machine) -> None:
    """Two instances, two nights: four logs, four markers."""
    machine.create("SECOND")
    for _ in range(2):
        assert [0, 0] == [machine.status("freeze"), machine.status("thaw")]
    assert 4 == len(list(machine.folder.glob("log/freeze-*.log")))
    assert 4 == len(list(machine.folder.glob("markers/*.txt")))


def test_what_somebody_else_froze_is_left_alone(machine: Machine) -> None:
    """The other instance is not frozen, and neither the freeze nor the thaw after it ends the freeze in force."""
    machine.create("SECOND")
    assert 5 == machine.call("SECOND", "ExternalFreeze()")
    status, said = machine.run("freeze")
    assert (1, True) == (status, "SECOND is frozen already" in said)
    assert [False, True] == [machine.frozen(), machine.frozen("SECOND")]
    assert 1 == machine.status("thaw")
    assert machine.frozen("SECOND")


def test_the_second_of_two_backups_is_refused(machine: Machine) -> None:
    """The first one's freeze and its thaw are as if the second had not been."""
    assert 0 == machine.status("freeze")
    status, said = machine.run("freeze")
    assert (1, True) == (status, "is not over" in said)
    assert machine.frozen()
    assert 0 == machine.status("thaw")


def test_an_instance_that_is_down_is_left_out(machine: Machine) -> None:
    machine.create("SECOND")
    machine.place.run(["iris", "stop", "SECOND", "quietly"])
    assert [0, 0] == [machine.status("freeze"), machine.status("thaw")]
    assert "SECOND: down, left out" in machine.log()


def test_nothing_that_runs_is_a_failure(machine: Machine) -> None:
    """Nothing would be frozen; unless the configuration says that it may be so."""
    machine.place.run(["iris", "stop", "SOURCE", "quietly"])
    status, said = machine.run("freeze")
    assert (1, True) == (status, "no instance is running" in said)
    machine.settings["ALLOW_NONE"] = "yes"
    assert 0 == machine.status("freeze")


def test_an_instance_that_is_named_and_missing_is_a_failure(machine: Machine) -> None:
    machine.settings["INSTANCE"] = "ELSEWHERE"
    status, said = machine.run("freeze")
    assert (1, True) == (status, "ELSEWHERE" in said)
    assert not machine.frozen()


def test_sign_on_inhibited_is_a_failure(machine: Machine) -> None:
    machine.iris_that(
        '[ "$1" != qlist ] || { "$real" qlist | sed "s/running, since[^^]*/sign-on inhibited/"; exit; }'
    )
    assert 1 == machine.status("freeze")
    assert not machine.frozen()


@pytest.mark.parametrize("status", [0, 1, 3])
def test_a_freeze_that_fails_undoes_the_one_before(machine: Machine, status: int) -> None:
    """Only 5 is success; what was frozen is thawed, and the next backup is not hindered."""
    machine.create("SECOND")
    machine.iris_that(f'case "$*" in *SECOND*ExternalFreeze*) exit {status} ;; esac')
    assert 1 == machine.status("freeze")
    assert [False, False] == [machine.frozen(), machine.frozen("SECOND")]
    assert (1, True) == ((found := machine.run("thaw"))[0], "nothing was frozen" in found[1])
    machine.settings["EXTRA_PATH"] = str(BIN)
    assert [0, 0] == [machine.status("freeze"), machine.status("thaw")]


def test_an_instance_that_froze_though_it_said_otherwise_is_thawed(machine: Machine) -> None:
    machine.iris_that('case "$*" in *ExternalFreeze*) "$real" "$@"; exit 1 ;; esac')
    assert 1 == machine.status("freeze")
    assert not machine.frozen()


def test_a_freeze_without_a_marker_is_none(machine: Machine) -> None:
    machine.iris_that(
        'case "$*" in *ExternalFreeze*) set -- session "$2" -U%SYS "$(echo "$4" | sed s/,1,,/,0,,/)";; esac'
    )
    status, said = machine.run("freeze")
    assert (1, True) == (status, "no journal marker" in said)
    assert not machine.frozen()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_freeze_that_is_told_to_end_undoes_itself(machine: Machine, number: signal.Signals) -> None:
    """The first instance is frozen, the second does not answer."""
    machine.create("SECOND")
    machine.iris_that('case "$*" in *SECOND*ExternalFreeze*) exec sleep 50 ;; esac')
    with machine.start("freeze") as process:
        wait_until(machine.frozen)
        os.kill(in_the_sandbox(process.pid), number)
        said, _ = process.communicate(timeout=30)
    assert 1 == process.returncode, said
    assert [False, False] == [machine.frozen(), machine.frozen("SECOND")]


def test_a_freeze_that_is_killed_is_undone_by_the_thaw(machine: Machine) -> None:
    machine.create("SECOND")
    machine.iris_that('case "$*" in *SECOND*ExternalFreeze*) exec sleep 8 ;; esac')
    with machine.start("freeze") as process:
        wait_until(machine.frozen)
        os.kill(in_the_sandbox(process.pid), signal.SIGKILL)
        process.stdout.close()  # type: ignore[union-attr] # the session that is left holds it open
    assert 1 == machine.status("thaw")
    assert not machine.frozen()


def test_a_session_that_hangs_ends_with_the_hook(machine: Machine) -> None:
    machine.settings |= {"HOOK_LIMIT": "8", "ROLLBACK_TIME": "4"}
    machine.iris_that('case "$*" in *ExternalFreeze*) exec sleep 100 ;; esac')
    began = time.monotonic()
    assert 1 == machine.status("freeze")
    assert time.monotonic() - began < 10
    assert not machine.frozen()


def test_a_thaw_by_wdsuspendlimit_is_noticed(machine: Machine) -> None:
    """The instance runs, so there is nothing to thaw; the snapshot is not good and is not recorded."""
    machine.settings["WD_SUSPEND_LIMIT"] = "2"
    assert 0 == machine.status("freeze")
    wait_until(lambda: not machine.frozen())
    status, said = machine.run("thaw")
    assert (1, True) == (status, "runs already" in said)
    assert 1 == machine.status("backup-done")


@pytest.mark.parametrize("lost", [["log"], ["state"], ["log", "state", "markers"]])
def test_a_lost_folder_prevents_no_thaw(machine: Machine, lost: list[str]) -> None:
    assert 0 == machine.status("freeze")
    for name in lost:
        shutil.rmtree(machine.folder / name)
    assert (0 if lost == ["log"] else 1) == machine.status("thaw")
    assert not machine.frozen()


@pytest.mark.parametrize("setting", ["LOG_DIR", "STATE_DIR", "MARKER_DIR"])
def test_a_folder_that_cannot_be_made_prevents_a_freeze(machine: Machine, setting: str) -> None:
    machine.settings[setting] = "/dev/null/folder"
    assert 1 == machine.status("freeze")
    assert not machine.frozen()


def test_one_thaw_that_fails_does_not_keep_the_others(machine: Machine) -> None:
    machine.create("SECOND")
    assert 0 == machine.status("freeze")
    machine.settings["HOOK_LIMIT"] = "12"
    machine.iris_that('case "$*" in *SOURCE*ExternalThaw* | *"stat SOURCE"*) exit 3 ;; esac')
    status, said = machine.run("thaw")
    assert (1, True) == (status, "SOURCE: may still be frozen" in said)
    assert [True, False] == [machine.frozen(), machine.frozen("SECOND")]
    machine.settings["EXTRA_PATH"] = str(BIN)
    assert 1 == machine.status("thaw"), "SECOND runs already, and was thawed by another call"
    assert not machine.frozen()


def test_the_emergency_release_is_the_last_resort(machine: Machine) -> None:
    assert 0 == machine.status("freeze")
    machine.iris_that('case "$*" in *ExternalThaw*) exit 1 ;; esac')
    _, said = machine.run("thaw")
    assert "emergency release" in said
    assert not machine.frozen()


def test_a_thaw_of_nothing_fails(machine: Machine) -> None:
    status, said = machine.run("thaw")
    assert (1, True) == (status, "nothing was frozen" in said)


def test_a_setting_that_is_none_prevents_a_freeze_and_no_thaw(machine: Machine) -> None:
    assert 0 == machine.status("freeze")
    machine.settings["WD_SUSPEND_LIMTI"] = "300"
    assert 0 == machine.status("thaw")
    status, said = machine.run("freeze")
    assert (1, True) == (status, "WD_SUSPEND_LIMTI is not a setting" in said)


def test_a_configuration_that_others_may_write_prevents_a_freeze(machine: Machine) -> None:
    """It names a folder of programs."""
    (machine.folder / "conf").touch()
    (machine.folder / "conf").chmod(0o622)
    status, said = machine.run("freeze")
    assert (1, True) == (status, "others may write" in said)
    assert not machine.frozen()


def test_credentials_come_on_standard_input(machine: Machine) -> None:
    """They are in no log and no argument, and others may not be able to read their file."""
    (machine.folder / "users").write_text(f"ann:{PASSWORD}\n")
    machine.place.run(["iris", "stop", "SOURCE", "quietly"])
    machine.create("LOGIN", f"users={machine.folder / 'users'}")
    assert 1 == machine.status("freeze")
    given = machine.folder / "credentials"
    given.write_text(f"ann\n{PASSWORD}\n")
    given.chmod(0o644)
    status, said = machine.run("freeze")
    assert (1, True) == (status, "others may read" in said)
    given.chmod(0o600)
    machine.iris_that(f'printf "%s\\n" "$*" >>{machine.folder}/arguments; env >>{machine.folder}/arguments')
    assert [0, 0] == [machine.status("freeze"), machine.status("thaw")]
    written = [
        *machine.folder.glob("log/*"),
        machine.folder / "arguments",
        *machine.folder.rglob("state/**/*"),
    ]
    assert not [file for file in written if file.is_file() and PASSWORD in file.read_text()]


def test_cache_alone_is_enough(machine: Machine) -> None:
    """No `iris` on this machine; each instance is frozen once."""
    folder = machine.folder / "cache"
    folder.mkdir()
    for name in ("ccontrol", "csession"):
        (folder / name).symlink_to(BIN / "iris")
    machine.settings["EXTRA_PATH"] = str(folder)
    assert 0 == machine.status("freeze")
    assert machine.frozen()
    assert 0 == machine.status("thaw")
    assert not machine.frozen()
    (log,) = machine.folder.glob("log/freeze-*.log")
    assert 1 == log.read_text().count("ExternalFreeze: Suspending system")


def test_a_state_from_before_a_restart_of_the_machine_is_over(machine: Machine) -> None:
    assert 0 == machine.status("freeze")
    owner = machine.folder / "state" / "backup" / "owner"
    words = owner.read_text().split()
    owner.write_text(" ".join([*words[:3], "another-boot", *words[4:]]) + "\n")
    assert 1 == machine.status("thaw")
    assert 5 == machine.call("SOURCE", "ExternalThaw()")
    assert [0, 0] == [machine.status("freeze"), machine.status("thaw")]


def test_a_backup_that_never_came_to_its_thaw_does_not_hinder_the_next(machine: Machine) -> None:
    assert 0 == machine.status("freeze")
    assert 5 == machine.call("SOURCE", "ExternalThaw()")
    assert [0, 0] == [machine.status("freeze"), machine.status("thaw")]


FAKE_LVM = """#!/bin/sh
# lvs, lvcreate, lvremove, mount, umount: notes the call, and whether the instance was frozen at the time
IRISSYS={registry} {bin}/iris session SOURCE -U%SYS '##class(Backup.General).IsWDSuspendedExt()' </dev/null
echo "${{0##*/}} $? $*" >>{folder}/lvm
case "${{0##*/}} $*" in {fails}) exit 1 ;; esac
"""


def lvm_job(machine: Machine, fails: str = "nothing") -> tuple[int, list[str]]:
    """Run the job over fake commands of LVM: its status, and the commands with what the instance was (5 or 3)."""
    folder = machine.folder
    tools = folder / "tools"
    shutil.copytree(BIN, tools, symlinks=True)
    for name in ("lvs", "lvcreate", "lvremove", "mount", "umount"):
        text = FAKE_LVM.format(bin=BIN, folder=folder, fails=fails, registry=folder / "registry")
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    (tools / "verify").write_text(f'#!/bin/sh\necho "verify 0" >>{folder}/lvm\n[ "{fails}" != verify ]\n')
    (tools / "verify").chmod(0o755)
    machine.settings |= {"EXTRA_PATH": str(tools), "VOLUME": "vg/db\nVOLUME = /dev/vg/journal"}
    machine.settings |= {"COPY_TO": str(folder / "copies"), "VERIFY": str(tools / "verify")}
    (folder / "scripts" / "iris-lvm").write_text(init.variant("lvm").files[0].text)
    (folder / "scripts" / "iris-lvm").chmod(0o700)
    status, said = machine.run("lvm")
    assert not machine.frozen(), said
    return status, [" ".join(line.split()[:2]) for line in (folder / "lvm").read_text().splitlines()]


def test_the_lvm_job_takes_all_snapshots_in_the_window_and_records_a_verified_copy(machine: Machine) -> None:
    status, calls = lvm_job(machine)
    assert 0 == status
    window = ["lvs 3", "lvs 3", "lvcreate 5", "lvcreate 5"]
    copies = ["mount 3", "mount 3", "verify 0"]
    assert [*window, *copies, "umount 3", "umount 3", "lvremove 3", "lvremove 3"] == calls
    assert 1 == machine.messages().count("ExternalSetHistory")
    assert 1 == len(list(machine.folder.glob("copies/*/marker-*-SOURCE.txt")))


@pytest.mark.parametrize("fails", ["lvcreate*journal*", "mount*", "verify", "lvs*"])
def test_an_lvm_job_that_fails_leaves_nothing_and_records_nothing(machine: Machine, fails: str) -> None:
    status, calls = lvm_job(machine, fails)
    assert 1 == status
    assert calls.count("lvcreate 5") == calls.count("lvremove 3")
    assert "ExternalSetHistory" not in machine.messages()


def test_the_document_for_aws_ends_with_the_codes_of_data_lifecycle_manager(machine: Machine) -> None:
    """Source: Amazon EBS User Guide, automating application-consistent snapshots."""
    document = yaml.safe_load(init.variant("aws").files[0].text)
    (script,) = document["mainSteps"][0]["inputs"]["runCommand"]
    for command in ("pre-script", "post-script", "dry-run"):
        (machine.folder / "scripts" / f"iris-{command}").write_text(script.replace("{{ command }}", command))
    said = [
        machine.status(name) for name in ("dry-run", "post-script", "pre-script", "pre-script", "post-script")
    ]
    assert [0, 205, 0, 204, 0] == said
    assert not machine.frozen()
    machine.settings["WD_SUSPEND_LIMIT"] = "1"
    assert 0 == machine.status("pre-script")
    wait_until(lambda: not machine.frozen())
    assert 203 == machine.status("post-script")
    machine.place.run(["iris", "stop", "SOURCE", "quietly"])
    assert [206, 206] == [machine.status("dry-run"), machine.status("pre-script")]


def every_script() -> list[object]:
    """All that `init` writes in sh, once; that of the SSM document as well."""
    texts = {file.text: file.name for name in init.VARIANTS for file in init.variant(name).files}
    found = {text: name for text, name in texts.items() if text.startswith("#!/bin/sh\n")}
    document = next(text for text, name in texts.items() if name == "iris-dlm.yaml")
    found[yaml.safe_load(document)["mainSteps"][0]["inputs"]["runCommand"][0]] = "iris-dlm.yaml"
    return [pytest.param(text, id=name) for text, name in found.items()]


@pytest.mark.parametrize("text", every_script())
@pytest.mark.parametrize(
    "shell",
    [["dash", "-n"], ["busybox", "sh", "-n"], ["shellcheck", "-s", "sh", "-"]],
    ids=lambda argv: argv[0],
)
def test_every_script_is_clean(text: str, shell: list[str]) -> None:
    """No shell and no shellcheck has anything to say."""
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not here")
    done = subprocess.run(shell, input=text, capture_output=True, text=True, timeout=60)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def wait_until(true: object) -> None:
    assert callable(true)
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not come within 20 s"
        time.sleep(0.1)


def in_the_sandbox(pid: int) -> int:
    """The script itself: `nsenter` stays outside and waits for it, unless it has become it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    started = Path(f"/proc/{pid}/comm").read_text().strip() == "nsenter"
    return int(children[0]) if started else pid
