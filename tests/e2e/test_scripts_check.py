"""`harness scripts check` as its users call it: good scripts, wrong words, Ctrl-C, `kill -9`, no root."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from harness.scripts import init, scenarios
from harness.scripts.report import REPORTS
from harness.scripts.scenarios.base import Need
from tests.runs import left_below, wait_for
from tests.script_faults import FOLDER

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

ROOT = Path(__file__).parents[2]
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
WHOLE_S = 500
RIGHT = FOLDER / "right"
NOT_TRIED = {"credentials", "as-owner", "as-somebody"}
"""Of scripts that only root may run, and of which nobody says where they expect a login."""


class Caller:
    """Somebody who calls `harness` in a folder of his own, where its results and its registry are."""

    def __init__(self, folder: Path, become: Sequence[str] = ()) -> None:
        self.folder = folder
        self.out = folder / "out"
        self._become = become
        self._environment = {
            **os.environ,
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._become, sys.executable, "-m", "harness", *arguments],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """To its end; whatever is called leaves nothing and shows no traceback."""
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert "Traceback" not in out + err and "defect" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def check(self, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        done = self.run("scripts", "check", *arguments, "--out", str(self.out), timeout_s=timeout_s)
        assert [] == self.left()
        return done

    def started_check(self) -> subprocess.Popen[str]:
        """All scenarios of the right scripts, in the middle of several at once."""
        pair = ("--freeze", str(RIGHT / "pre.sh"), "--thaw", str(RIGHT / "post.sh"))
        process = self.start("scripts", "check", *pair, "--out", str(self.out))
        assert wait_for(lambda: len(list(self.out.glob("*/*/scenarios/*/calls"))) >= 2, 60)
        assert self.left()
        return process

    def left(self) -> list[str]:
        """Processes, mounts, folders and entries in the registry."""
        return [*left_below(self.folder), *map(str, self.folder.glob("state/*/*"))]


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path)


def as_words(name: str, folder: Path) -> list[str]:
    """The reference scripts of a variant, written to a folder, as arguments of `check`."""
    chosen = init.variant(name)
    init.write(chosen, folder / name, force=False)
    return shlex.split(chosen.check.format(out=folder / name))


def verdicts(document: dict[str, object]) -> dict[str, str]:
    found = document["scenarios"]
    assert isinstance(found, list)
    return {one["name"]: one["verdict"] for one in found}


def assert_right(caller: Caller, name: str, skipped: set[str]) -> dict[str, object]:
    """Every scenario passes, and none but these is skipped."""
    done = caller.check(*as_words(name, caller.folder), "--format", "json", timeout_s=WHOLE_S)
    document: dict[str, object] = json.loads(done.stdout)
    bad = {one: verdict for one, verdict in verdicts(document).items() if verdict != "PASS"}
    assert dict.fromkeys(skipped, "SKIPPED") == bad, done.stdout + done.stderr
    assert 0 == done.returncode
    return document


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("the machine has several users only if root makes it")


def test_the_reference_scripts_are_right(caller: Caller) -> None:
    """All scenarios; the run's folder holds what was printed, and `harness report` takes it for no run of a plan."""
    needs_root()
    document = assert_right(caller, "generic", NOT_TRIED | {"wrong-argument"})
    assert [one.name for one in scenarios.every()] == list(verdicts(document))
    Draft202012Validator(REPORTS.json_schema).validate(document)
    (folder,) = caller.out.glob("scripts-iris-freeze/*")
    assert {"scripts.json", "junit.xml", "scenarios"} == {path.name for path in folder.iterdir()}
    assert document == json.loads((folder / "scripts.json").read_text())
    assert len(scenarios.every()) < len(list(ElementTree.parse(folder / "junit.xml").iter("testcase")))
    tried = {name for name, verdict in verdicts(document).items() if verdict == "PASS"}
    assert tried <= {path.name for path in (folder / "scenarios").iterdir()}
    kept = {path.name for path in (folder / "scenarios" / "two-instances").iterdir()}
    assert {"calls", "commands.log", "freeze-1.out", "thaw-1.out", "messages-IRISA.log"} <= kept
    shown = caller.run("report", "--out", str(caller.out))
    assert (0, True) == (shown.returncode, "no runs below" in shown.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "skipped"),
    [
        ("vmware", NOT_TRIED | {"wrong-argument"}),
        ("azure", NOT_TRIED | {"wrong-argument"}),
        ("veeam", NOT_TRIED | {"wrong-argument"}),
        ("lvm", NOT_TRIED),
    ],
)
def test_every_variant_is_right(caller: Caller, name: str, skipped: set[str]) -> None:
    """As its own advice says to check it; that of LVM is one script for both hooks."""
    needs_root()
    assert_right(caller, name, skipped)


def test_credentials_come_by_standard_input(caller: Caller) -> None:
    """A suite that says where the scripts expect them."""
    needs_root()
    init.write(init.variant("generic"), caller.folder, force=False)
    suite = caller.folder / "suite.yaml"
    suite.write_text(
        "scripts: with-login\nfreeze: [iris-freeze]\nthaw: [iris-thaw]\ncredentials: /etc/iris-backup.credentials\n"
        "skip: {restored: it takes long}\n"
    )
    words = ("--only", "credentials", "--only", "restored", "--format", "json")
    done = caller.check(str(suite), *words)
    assert {"credentials": "PASS", "restored": "SKIPPED"} == verdicts(json.loads(done.stdout))
    assert 0 == done.returncode


def test_one_script_for_both_is_called_with_wrong_words(caller: Caller) -> None:
    """`--script`, a fault that only it can show, and exit status 1."""
    words = f"{FOLDER / 'F34' / 'script.sh'} {{freeze|thaw}}"
    done = caller.check("--script", words, "--only", "wrong-argument")
    assert 1 == done.returncode
    assert "FAIL wrong-argument" in done.stdout and "freeze.claimed" in done.stdout
    assert "FAIL     wrong-argument" in done.stderr and "run folder" in done.stderr


def test_nothing_tried_is_unknown(caller: Caller) -> None:
    """Scripts to which no chosen scenario applies were not checked."""
    pair = ("--freeze", str(RIGHT / "pre.sh"), "--thaw", str(RIGHT / "post.sh"))
    done = caller.check(*pair, "--only", "credentials")
    assert 3 == done.returncode
    assert "UNKNOWN: 1 scenarios" in done.stdout and Need.CREDENTIALS.value[:60] in done.stdout


WRONG = {
    "no such file": (["--freeze", "absent.sh", "--thaw", "a.sh"], "there is no script"),
    "a batch file": (["--freeze", "a.bat", "--thaw", "a.bat"], "harness scripts lint"),
    "no such scenario": (
        ["--freeze", "a.sh", "--thaw", "a.sh", "--only", "nonsense"],
        "no scenario 'nonsense'",
    ),
    "two forms": (["--freeze", "a.sh", "--thaw", "a.sh", "--script", "a.sh {a|b}"], "name a suite, or"),
    "suite and words": (["suite.yaml", "--job", "a.sh"], "name a suite, or"),
    "half a pair": (["--freeze", "a.sh"], "name a suite, or"),
    "nothing": ([], "name a suite, or"),
    "no alternatives": (["--script", "a.sh freeze"], "{freeze|thaw}"),
    "no end": (["--freeze", "a.sh 'x", "--thaw", "a.sh"], "no closing quotation"),
    "blank": (["--job", " "], "names no script"),
    "no program": (["--job", "a.sh", "--program", ""], "names no program"),
    "no such suite": (["absent.yaml"], "absent.yaml"),
    "a wrong suite": (["suite.yaml"], "colour"),
    "a script as a suite": (["a.sh"], "a.sh"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_words_are_told_before_anything_runs(caller: Caller, case: str) -> None:
    """Exit status 2, one message on standard error, and no folder for results."""
    words, said = WRONG[case]
    (caller.folder / "a.sh").write_text("#!/bin/sh\n")
    (caller.folder / "a.bat").touch()
    (caller.folder / "suite.yaml").write_text("scripts: x\nfreeze: [a.sh]\nthaw: [a.sh]\ncolour: red\n")
    done = caller.check(*words)
    assert (2, "") == (done.returncode, done.stdout)
    assert said in done.stderr
    assert not caller.out.exists()


def test_ctrl_c_ends_it_and_leaves_nothing(caller: Caller) -> None:
    """In the middle of several scenarios: UNKNOWN, and what is left of the run are its results."""
    process = caller.started_check()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (3, "") == (process.returncode, out)
    assert "interrupted" in err and "UNKNOWN" in err and "Traceback" not in err
    assert [] == caller.left()
    begun = list(caller.out.glob("*/*/scenarios/*"))
    assert len(begun) < len(scenarios.every()) / 2, "it went on with the scenarios that were left"
    assert list(caller.out.glob("*/*/scenarios/one-instance/commands.log"))


def test_a_killed_check_is_cleaned(caller: Caller) -> None:
    """`kill -9`, then `harness clean`: no process, no mount, no folder of instances; and a second time nothing."""
    process = caller.started_check()
    process.kill()
    process.communicate(timeout=60)
    assert caller.left()
    done = caller.run("clean")
    assert 0 == done.returncode and "folder" in done.stdout
    assert [] == caller.left()
    assert "nothing to remove\n" == caller.run("clean").stdout


@pytest.fixture
def nobody() -> Iterator[Caller]:
    """Somebody who is not root, in a folder that he can reach. Skips where he may make no namespaces."""
    become = AS_NOBODY if os.geteuid() == 0 else ()
    probe = [*become, "unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "true"]
    if subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("only root makes namespaces here")
    if become and subprocess.run([*become, "test", "-x", sys.executable, "-a", "-r", ROOT]).returncode:
        pytest.skip("others cannot read this checkout")
    folder = Path(tempfile.mkdtemp(prefix="harness-nobody-"))
    try:
        if become:
            os.chown(folder, NOBODY, NOBODY)
        yield Caller(folder, become)
    finally:
        shutil.rmtree(folder)


def test_without_root_there_is_one_user(nobody: Caller) -> None:
    """What needs no second user is tried and passes; what needs one is skipped, with the reason."""
    assert 0 == nobody.run("scripts", "init", "--generic").returncode
    only = ("one-instance", "second-refuses", "as-somebody")
    words = [word for name in only for word in ("--only", name)]
    pair = ("--freeze", "iris-freeze", "--thaw", "./iris-thaw")
    done = nobody.check(*pair, *words, "--format", "json")
    document = json.loads(done.stdout)
    expected = {"one-instance": "PASS", "second-refuses": "PASS", "as-somebody": "SKIPPED"}
    assert expected == verdicts(document), done.stdout
    assert 0 == done.returncode
    assert Need.SEVERAL_USERS.value in {one["seen"] for one in document["scenarios"]}


def test_scripts_that_cannot_be_read_are_told(nobody: Caller) -> None:
    """Hooks of root, with mode 0700, are not read by others."""
    needs_root()
    script = nobody.folder / "hook.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    done = nobody.check("--freeze", "hook.sh", "--thaw", "hook.sh")
    assert 2 == done.returncode and "cannot be read" in done.stderr
