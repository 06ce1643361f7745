"""Snapshot commands that go wrong in ways seen at users, from the plan to the verdict and to what is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runs import left_below, record_of

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

MODES = "as-of-freeze, rollforward"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


class Tried:
    """A run whose snapshot is taken by commands of a shell ($0 source, $1 target, $2 a folder of the test's)."""

    def __init__(self, folder: Path, modes: str, **commands: str) -> None:
        self.out = folder / "out"
        self.kept = folder / "kept"
        self.kept.mkdir()
        lines = ["plan: bad", "workload: {writers: 2, transactions: 4000, rate: 4000}"]
        lines += ["snapshot:", "  provider: command"]
        for option, script in commands.items():
            (folder / f"{option}.sh").write_text(f"set -e\n{script}\n")
            lines.append(f"  {option}: [sh, {folder}/{option}.sh, '{{source}}', '{{target}}', {self.kept}]")
        (folder / "plan.yaml").write_text("\n".join([*lines, f"recovery: [{modes}]", ""]))
        argv = [sys.executable, "-m", "harness", "run", "plan.yaml", "--out", "out", "--seed", "11"]
        environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
        done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        self.status, self.said, self.err = done.returncode, done.stdout, done.stderr

    @property
    def cases(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = record_of(self.out)["cases"]
        return found

    def codes(self, verdict: str = "FAIL") -> set[str]:
        return {
            f["code"]
            for c in self.cases
            for k in c["checks"]
            for f in k["findings"]
            if f["verdict"] == verdict
        }


def test_a_command_that_takes_nothing(tmp_path: Path) -> None:
    """FAIL, and it says so once; the freeze that was is on record, and what could not be looked at is one line."""
    tried = Tried(tmp_path, MODES, run="true")
    assert 1 == tried.status and {"snapshot.incomplete"} == tried.codes()
    assert all(case["freeze"]["journal_file"] and case["freeze"]["held"] for case in tried.cases)
    assert 1 == " ".join(tried.said.split("FAIL: ")[0].split()).count("left nothing:")
    assert 1 == tried.said.count("checks could not look")
    assert "what to do: do not count on this backup" in tried.said


@pytest.mark.parametrize("lost", ["db/two/IRIS.DAT", "db/one", "db/*/IRIS.DAT"])
def test_an_image_without_a_database_file(tmp_path: Path, lost: str) -> None:
    """Never called clean: the file that the target had of its own is not taken for it."""
    tried = Tried(tmp_path, MODES, run=f'cp -a "$1"/. "$2" && rm -rf "$2"/{lost}')
    assert 1 == tried.status
    assert {"snapshot.incomplete"} <= tried.codes()
    verdicts = {c["verdict"] for case in tried.cases for c in case["checks"] if "integrity" in c["name"]}
    assert "PASS" not in verdicts


@pytest.mark.parametrize(
    "odd", ['mkdir "$f"', 'ln -s /etc/passwd "$f"', 'mkfifo "$f"', 'ln -s "$1"/db/one/IRIS.DAT "$f"']
)
def test_something_else_in_the_place_of_a_file(tmp_path: Path, odd: str) -> None:
    """A folder, a link or a pipe is an answer about the image, no defect of the harness."""
    script = f'cp -a "$1"/. "$2" && f="$2"/db/one/IRIS.DAT && rm "$f" && {odd}'
    tried = Tried(
        tmp_path,
        MODES,
        run='mkdir "$2" && cp -a "$1" "$2"/kept',
        expose=script.replace('"$1"/.', '"$1"/kept/.'),
    )
    assert 1 == tried.status, tried.err
    assert {"snapshot.incomplete"} <= tried.codes()
    assert [] == left_below(tried.out)


def test_an_image_taken_when_it_is_asked_for(tmp_path: Path) -> None:
    """Long after the thaw, where nobody could watch: the look at the image fails, in a plan without as-of-freeze."""
    tried = Tried(
        tmp_path,
        "rollforward",
        run='mkdir "$2" && echo "$1" >"$2"/promise',
        expose='cp -a "$(cat "$1"/promise)"/. "$2"/',
    )
    assert 1 == tried.status
    assert {"image.ceiling.newer"} <= tried.codes()
    assert "PASS" == next(c["verdict"] for c in tried.cases[0]["checks"] if c["name"] == "ceiling")


def test_a_copy_that_sets_access_times_back(tmp_path: Path) -> None:
    """A change time alone is no write: not FAIL, and what moved is said."""
    tried = Tried(
        tmp_path, MODES, run='mkdir "$2" && cd "$1" && tar -c --atime-preserve=replace . | tar -x -C "$2"'
    )
    assert 3 == tried.status and set() == tried.codes()
    assert {"hold.touched"} == tried.codes("UNKNOWN")


def test_the_engine_logs_that_it_ended_the_freeze(tmp_path: Path) -> None:
    script = """cp -a "$1"/. "$2"
line='Backup.General.ExternalFreeze: WDSuspendLimit of 300 seconds reached, resuming system'
echo "$(date '+%m/%d/%Y %H:%M:%S'): $line" >>"$1"/../log/freeze.log"""
    tried = Tried(tmp_path, MODES, run=script)
    assert 1 == tried.status and {"hold.self_thaw"} == tried.codes()


@pytest.mark.parametrize(
    "lost", ["mgr/journal", "mgr/gtm/*.mjl*", "iris.cpf", "mgr/messages.log", "mgr/gtm/*.gld"]
)
def test_a_machine_boots_from_what_the_image_holds(tmp_path: Path, lost: str) -> None:
    """What the running instance still has does not count."""
    tried = Tried(tmp_path, "boot", run=f'cp -a "$1" "$2" && cd "$2" && rm -rf {lost}')
    assert 1 == tried.status
    assert {"snapshot.incomplete"} <= tried.codes()


@AS_ROOT
def test_a_clone_that_is_mounted_where_it_is_wanted(tmp_path: Path) -> None:
    """It is copied from and unmounted: what was mounted is left as it was, and nothing stays mounted."""
    tried = Tried(
        tmp_path,
        MODES,
        run='mkdir "$2" && cp -a "$1"/. "$3"/',
        expose='mount --bind "$3" "$2"',
    )
    assert 0 == tried.status, tried.said + tried.err
    assert 2 == len(list(tried.kept.glob("db/*/IRIS.DAT")))
    assert [] == [path for path in left_below(tried.out) if "/proc/" not in path]


@pytest.mark.parametrize("modes", [MODES, "boot"])
def test_hard_links_never_reach_an_instance(tmp_path: Path, modes: str) -> None:
    """What `expose` links is copied: the image that the links lead to stays as it is, byte for byte."""
    tried = Tried(
        tmp_path,
        modes,
        run='mkdir "$2" && cp -a "$1"/. "$3"/ && cd "$3" && md5sum db/*/IRIS.DAT >"$3"/sums',
        expose='cp -al "$3"/. "$2"/ && rm "$2"/sums',
    )
    assert 0 == tried.status, tried.said
    checked = subprocess.run(["md5sum", "--status", "-c", "sums"], cwd=tried.kept)
    assert 0 == checked.returncode


@pytest.mark.parametrize("modes", [MODES, "boot"])
def test_what_links_lead_to_stays_as_it_is(tmp_path: Path, modes: str) -> None:
    """`expose` links to the folders of a good image: it is copied, and is there whole for the next case."""
    tried = Tried(
        tmp_path,
        modes,
        run='mkdir "$2" && cp -a "$1"/. "$3"/',
        expose='for f in "$3"/*; do ln -s "$f" "$2"/; done' if modes == MODES else 'cp -a "$3"/. "$2"/',
    )
    assert 0 == tried.status, tried.said
    assert 2 == len(list(tried.kept.glob("db/*/IRIS.DAT")))


def test_links_to_the_running_instance_do_it_no_harm(tmp_path: Path) -> None:
    """Its own files are not moved away: the image is newer than the freeze, in both cases, and nothing is missing."""
    tried = Tried(
        tmp_path,
        MODES,
        run='mkdir "$2" && echo "$1" >"$2"/where',
        expose='ln -s "$(cat "$1"/where)"/db "$2"/db',
    )
    assert 1 == tried.status, tried.said
    assert "snapshot.incomplete" not in tried.codes()
    assert [{"image.ceiling.newer"}, {"image.ceiling.newer"}] == [
        {f["code"] for c in case["checks"] if c["name"] == "image.ceiling" for f in c["findings"]}
        for case in tried.cases
    ]


@AS_ROOT
@pytest.mark.parametrize("name", ["out", "back\\slash", "a blank"])
def test_a_share_that_is_mounted_in_the_working_folder_is_not_deleted(tmp_path: Path, name: str) -> None:
    """Whatever its path looks like in the kernel's list."""
    folder = tmp_path / name.replace(" ", "_")
    folder.mkdir()
    script = 'cp -a "$1"/. "$2" && mkdir "$2-share" && echo backup >"$3"/file && mount --bind "$3" "$2-share"'
    tried = Tried(folder, "as-of-freeze", run=script)
    assert 0 == tried.status, tried.err
    assert ["file"] == [path.name for path in tried.kept.iterdir()]
    assert [] == [line for line in left_below(tried.out) if "cgroup" not in line]


def test_a_link_in_the_place_of_the_snapshot(tmp_path: Path) -> None:
    """Only the link is removed, and the run goes on to its report."""
    tried = Tried(tmp_path, MODES, run='cp -a "$1"/. "$3"/ && ln -s "$3" "$2"')
    assert 0 == tried.status, tried.err
    assert "PASS: 2 of 2 cases passed." in tried.said
    assert 2 == len(list(tried.kept.glob("db/*/IRIS.DAT")))


def test_a_release_that_fails_is_told_and_changes_no_verdict(tmp_path: Path) -> None:
    tried = Tried(tmp_path, MODES, run='cp -a "$1"/. "$2"', release="exit 7")
    assert 0 == tried.status, tried.said
    assert "PASS: 2 of 2 cases passed." in tried.said
    assert "could not be removed" in tried.err and "status 7" in tried.err
    assert [] == left_below(tried.out)


@pytest.mark.parametrize("change", ["s/=/;/", "s/RVB/RVX/"])
def test_a_configuration_that_was_altered(tmp_path: Path, change: str) -> None:
    """Its size is that of the source; what did not change there must be the same in the image."""
    tried = Tried(tmp_path, "boot", run=f'cp -a "$1" "$2" && sed -i \'{change}\' "$2"/iris.cpf')
    assert 1 == tried.status
    assert {"snapshot.altered"} <= tried.codes()


def ran(tmp_path: Path, plan: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """How a run of a plan ended, and the verdict of each case."""
    file = tmp_path / "plan.yaml"
    file.write_text(plan)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(file), "--out", str(tmp_path / "out")],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=180,
    )
    return done, [case["verdict"] for case in record_of(tmp_path / "out")["cases"]]


def test_a_late_image_is_no_good_one_where_the_load_was_over_by_then(tmp_path: Path) -> None:
    """Nothing tells when it was taken: nobody watched it, and it has nothing that it must not hold."""
    run = 'echo "$1" >"$2.src"'
    expose = 'cp -a "$(cat "$1.src")"/. "$2"/'
    done, verdicts = ran(
        tmp_path,
        "plan: idle\nworkload: {writers: 1, transactions: 20}\nsnapshot:\n  provider: command\n"
        f"  run: [sh, -c, '{run}', sh, '{{source}}', '{{target}}']\n"
        f"  expose: [sh, -c, '{expose}', sh, '{{source}}', '{{target}}']\n  release: 'true'\n"
        "recovery: [as-of-freeze, boot, point-in-time, rollforward]\n",
    )
    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert 4 == len(verdicts) and "PASS" not in verdicts


def test_a_snapshot_that_was_ended_leaves_every_mode_an_answer(tmp_path: Path) -> None:
    done, verdicts = ran(
        tmp_path,
        "plan: late\nworkload: {writers: 2, duration: 1s}\n"
        "snapshot: {provider: command, timeout: 1s, run: [sleep, '60']}\n"
        "recovery: [as-of-freeze, boot, point-in-time, rollforward]\n",
    )
    assert 1 == done.returncode, done.stdout + done.stderr
    assert ["FAIL"] * 4 == verdicts
