"""Adapters of other distributions that raise: their part is UNKNOWN, they are named, and nothing recorded is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs import record_of

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

ROOT = Path(__file__).parents[2]
PLAN = """\
plan: plugged
workload: {writers: 2, transactions: 2000, rate: 4000}
snapshot: [SNAPSHOT]
recovery: [as-of-freeze, rollforward]
"""
CHECK = """
from harness.declared import Declaration

class Boom:
    declared = Declaration(name="boom")

    def check(self, evidence):
        raise KeyError("a defect of a plug-in")
"""
FINDS = """
from harness.declared import Declaration
from harness.model import Code, Finding, Upstream

class Boom:
    declared = Declaration(
        name="boom",
        codes=(Code(name="boom.bad", rank=Upstream.JOURNALS + 5, remedy="ask whoever wrote the plug-in"),),
        needs=("copied",),
        facts=("journals.linked",),
    )

    def check(self, evidence):
        return [Finding(code="boom.bad", message="a finding of a plug-in", witness=evidence.copied[0].name)]
"""
REPORT = """
class Boom:
    def render(self, record, guide):
        raise ZeroDivisionError("no report")
"""
PROVIDER = """
class Boom:
    options_schema = {"type": "object"}
    def __init__(self, folder, options): pass
    def probe(self, source): pass
    def capture(self, source, deadline): raise RuntimeError("no array answers")
    def expose(self, snapshot, target): pass
    def release(self, snapshot): pass
"""


def run(
    folder: Path, group: str, code: str, *arguments: str, snapshot: str = "copy"
) -> subprocess.CompletedProcess[str]:
    """A run with one more distribution, which registers `boom`."""
    made = folder / "site"
    info = made / "boom_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (made / "boom_plugin.py").write_text(code)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: boom-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\nboom = boom_plugin:Boom\n")
    (folder / "plan.yaml").write_text(PLAN.replace("SNAPSHOT", snapshot))
    argv = [sys.executable, "-m", "harness", "run", "plan.yaml", "--out", "out", "--seed", "7", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(made), "XDG_STATE_HOME": str(folder / "state")}
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_a_check_that_raises_is_unknown_and_the_run_goes_on(tmp_path: Path) -> None:
    done = run(tmp_path, "harness.checkers", CHECK)
    assert 3 == done.returncode, done.stderr
    assert "boom of boom-plugin failed" in " ".join(done.stdout.split())
    record = record_of(tmp_path / "out")
    assert record["finished"] and 2 == len(record["cases"])
    for case in record["cases"]:
        assert {"boom": "UNKNOWN"} == {
            c["name"]: c["verdict"] for c in case["checks"] if c["verdict"] != "PASS"
        }


def test_a_check_of_another_distribution_is_told_as_one_of_ours(tmp_path: Path) -> None:
    """Its finding is the cause and its remedy is printed, by the run and of the stored record; without the
    distribution the record is still readable, and nothing is hidden.
    """
    done = run(tmp_path, "harness.checkers", FINDS)
    assert 1 == done.returncode, done.stderr
    assert "FAIL: boom.bad: a finding of a plug-in (2" in done.stdout
    assert "what to do: ask whoever wrote the plug-in" in done.stdout
    (folder,) = (tmp_path / "out").glob("*/*")
    again = reported(folder, tmp_path / "site")
    assert (1, done.stdout) == (again.returncode, again.stdout)
    without = reported(folder, tmp_path)
    assert 1 == without.returncode and "FAIL: boom.bad: a finding of a plug-in (2" in without.stdout
    assert "what to do" not in without.stdout


def reported(folder: Path, path: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "harness", "report", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_a_reporter_that_raises_loses_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "harness.reporters", REPORT, "--format", "boom")
    assert 3 == done.returncode
    assert "the reporter boom of boom-plugin broke off" in done.stderr and "Traceback" not in done.stderr
    assert "PASS" == record_of(tmp_path / "out")["verdict"]
    (junit,) = (tmp_path / "out").glob("*/*/junit.xml")
    assert "<failure" not in junit.read_text()


def test_a_provider_that_raises_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    """The freeze is on record, the instance is thawed, and the cases of the other provider pass."""
    done = run(tmp_path, "harness.snapshots", PROVIDER, snapshot="boom, copy")
    assert 3 == done.returncode, done.stderr
    assert "boom of boom-plugin broke off in capture" in " ".join(done.stdout.split())
    record = record_of(tmp_path / "out")
    verdicts = {case["name"]: case["verdict"] for case in record["cases"]}
    assert {"cycle 1 · boom · as-of-freeze": "UNKNOWN", "cycle 1 · copy · as-of-freeze": "PASS"}.items() <= (
        verdicts.items()
    )
    assert all(case["freeze"]["journal_file"] for case in record["cases"])


def test_every_command_is_in_the_transcript(tmp_path: Path) -> None:
    """Freeze, thaw, snapshot, namespaces, writers and watchdog, each with what it said."""
    script = (
        "{provider: command, run: [sh, -c, 'cp -a \"$0\"/. \"$1\" && echo copied', '{source}', '{target}']}"
    )
    done = run(tmp_path, "harness.unused", "Boom = 1", snapshot=script)
    assert 0 == done.returncode, done.stdout
    (log,) = (tmp_path / "out").glob("*/*/commands.log")
    text = log.read_text()
    for said in (
        "unshare --ipc",
        "Backup.General).ExternalFreeze",
        "Harness.Agent).Thaw",
        '"thawed": true',
        "    | copied",
        "Harness.Agent).Work",
        "Harness.Agent).State",
        "watchdog.py",
    ):
        assert said in text, said
    assert json.loads(json.dumps(record_of(tmp_path / "out")))["finished"]
