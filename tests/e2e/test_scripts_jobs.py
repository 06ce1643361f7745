"""Jobs that freeze, take their snapshot and thaw: bad ones are found, right ones pass, and unknown is not bad."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.model import Verdict
from harness.scripts import init
from harness.scripts.check import check
from harness.scripts.model import Outcome, Report
from harness.scripts.suite import of_job
from harness.session.progress import SilentProgress
from tests.script_faults import FOLDER, scripts_of

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

JOBS = Path(__file__).parent.parent / "data" / "scripts-more" / "jobs"
PASS, FAIL, UNKNOWN, SKIPPED = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIPPED
TAR = "/usr/bin/tar -cf /tmp/dbs.tar -C / usr/bin/true"
CALLS = ("one-instance", "cron", "slow-snapshot", "two-nights", "as-root", "snapshot-fails")


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def tried(job: Path, program: str, only: tuple[str, ...], folder: Path, *, timeout_s: float = 8.0) -> Report:
    scripts = replace(of_job(str(job), program, timeout_s), instances=("IRISA",))
    run = folder / "results" / "job" / "run"
    run.mkdir(parents=True)
    return check(scripts, only=only, folder=run, jobs=3, progress=SilentProgress())


def by_name(report: Report) -> dict[str, Outcome]:
    return {one.name: one for one in report.outcomes}


def codes(outcome: Outcome) -> set[str]:
    return {finding.code for finding in outcome.findings}


def changed(folder: Path, *changes: tuple[str, str], name: str = "program-by-absolute-path.sh") -> Path:
    """A job like one of these, with other words in it."""
    text = (JOBS / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    job = folder / "job" / "job.sh"
    job.parent.mkdir()
    job.write_text(text)
    job.chmod(0o755)
    return job


def test_a_job_that_was_called_good_is_found(tmp_path: Path) -> None:
    """It thaws what is another's, stays frozen if its snapshot fails, waits for ever and sets no marker."""
    expected = {
        "frozen-by-another": "other.thawed",
        "freeze-twice": "other.thawed",
        "session-hangs": "freeze.no_end",
        "journal-switched": "marker.none",
        "marker-kept": "marker.not_kept",
        "freeze-timeout": "timeout.too_long",
        "snapshot-fails": "left_frozen",
    }
    good = ("one-instance", "none-running", "none-listed", "dead-mans-switch", "caller-dies", "two-at-once")
    report = tried(JOBS / "wrong-pass.sh", "lvcreate", (*expected, *good), tmp_path)
    assert FAIL is report.verdict
    found = by_name(report)
    assert {} == {name: found[name] for name, code in expected.items() if code not in codes(found[name])}
    assert dict.fromkeys(good, PASS) == {name: found[name].verdict for name in good}, found


def test_a_job_that_stays_frozen_when_its_snapshot_fails(tmp_path: Path) -> None:
    only = ("one-instance", "snapshot-fails", "caller-dies", "dead-mans-switch")
    found = by_name(tried(JOBS / "left-frozen-when-snapshot-fails.sh", "lvcreate", only, tmp_path))
    assert PASS is found["one-instance"].verdict
    assert {"left_frozen"} == codes(found["snapshot-fails"])
    assert {"left_frozen"} == codes(found["caller-dies"])
    assert {"limit.none"} == codes(found["dead-mans-switch"])


@pytest.mark.parametrize("call", [TAR, TAR.replace("/usr", "", 1), TAR.replace("/usr/bin/", "", 1)])
def test_a_program_is_met_by_whatever_path_it_is_called(tmp_path: Path, call: str) -> None:
    """A right job is right: also by an absolute path, and under cron's PATH."""
    report = tried(changed(tmp_path, (TAR, call)), "tar", CALLS, tmp_path)
    assert dict.fromkeys(CALLS, PASS) == {one.name: one.verdict for one in report.outcomes}, report.outcomes


@pytest.mark.parametrize(
    ("call", "program"),
    [
        ("lvcreate -s", "snapshot"),
        ("lvcreate -s", "lvcraete"),
        ("/opt/array/bin/snap now", "snap"),
        ("true", "tar"),
    ],
    ids=["forgotten", "misspelt", "in an unknown folder", "never called, and well"],
)
def test_a_program_that_was_never_called_is_not_held_against_the_job(
    tmp_path: Path, call: str, program: str
) -> None:
    """Nothing is known of its snapshot: UNKNOWN, with the question whether it has another name."""
    report = tried(changed(tmp_path, (TAR, call)), program, CALLS, tmp_path)
    assert UNKNOWN is report.verdict, report.outcomes
    assert {UNKNOWN} == {one.verdict for one in report.outcomes}, report.outcomes
    said = [finding.message for finding in by_name(report)["one-instance"].findings]
    assert any(f"{program} of --program was never called" in text for text in said)


def test_programs_beside_a_job_and_by_their_path(tmp_path: Path) -> None:
    """One that lies beside the job is met there; one that is named with its folder is met in that."""
    job = changed(tmp_path, (TAR, '"$(dirname "$0")"/snap now'))
    snap = job.parent / "snap"
    snap.write_text("#!/bin/sh\nexit 1\n")
    snap.chmod(0o755)
    assert PASS is tried(job, "snap", ("one-instance", "snapshot-fails"), tmp_path).verdict
    other = tmp_path / "other"
    other.mkdir()
    job = changed(other, (TAR, "/srv/array/snap now"))
    assert PASS is tried(job, "/srv/array/snap", ("one-instance", "snapshot-fails"), other).verdict


def test_a_limit_longer_than_the_check_is_not_called_endless(tmp_path: Path) -> None:
    """Nobody waits for a job of cron: a session with a time limit of its own is no fault because we wait less."""
    job = changed(tmp_path, ("timeout -k 5 20", "timeout -k 5 120"))
    found = by_name(tried(job, "tar", ("session-hangs",), tmp_path))
    assert UNKNOWN is found["session-hangs"].verdict, found
    assert "--timeout" in found["session-hangs"].findings[0].message


def test_what_a_job_is_spared_does_not_apply_to_it(tmp_path: Path) -> None:
    """Of all situations a right job that names one instance is put into most, and each reason is true of it."""
    report = tried(JOBS / "program-by-absolute-path.sh", "tar", (), tmp_path, timeout_s=30.0)
    counts = Counter(one.verdict for one in report.outcomes)
    assert PASS is report.verdict, [one for one in report.outcomes if one.verdict not in (PASS, SKIPPED)]
    assert counts[PASS] > 2 * counts[SKIPPED]
    reasons = {one.seen for one in report.outcomes if one.verdict is SKIPPED}
    assert not [text for text in reasons if "two scripts" in text or "called apart" in text], reasons


@pytest.mark.slow
def test_a_job_of_the_reference_scripts_is_right(tmp_path: Path) -> None:
    """Freeze script, snapshot, thaw script: put into all situations, and spared what needs a thaw script alone."""
    folder = tmp_path / "job"
    init.write(init.variant("vmware"), folder, force=False)
    job = folder / "job.sh"
    job.write_text(_WHOLE)
    job.chmod(0o755)
    run = tmp_path / "results" / "job" / "run"
    run.mkdir(parents=True)
    scripts = of_job(str(job), "lvcreate", 30.0)
    report = check(scripts, only=(), folder=run, jobs=4, progress=SilentProgress())
    assert PASS is report.verdict, [one for one in report.outcomes if one.verdict not in (PASS, SKIPPED)]
    skipped = {one.name for one in report.outcomes if one.verdict is SKIPPED}
    alone = {"thaw-without-freeze", "thaw-after-failed-freeze", "wrong-argument"}
    assert alone | {"credentials"} == skipped


_WHOLE = """#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$(dirname -- "$0")
"$here/pre-freeze-script" || exit 1
trap '"$here/post-thaw-script"; exit 1' TERM INT HUP
status=0
lvcreate -s -n night vg/iris || status=1
"$here/post-thaw-script" || status=1
exit $status
"""


def test_the_folder_of_a_shared_log_really_goes(tmp_path: Path) -> None:
    """The published pair does nothing if the folder of its log, /var/log, is not there."""
    run = tmp_path / "run"
    run.mkdir()
    scripts = scripts_of("seed-linux-mended-typos")
    only = ["log-folder-gone", "log-folder-missing"]
    report = check(scripts, only=only, folder=run, jobs=2, progress=SilentProgress())
    found = by_name(report)
    assert {"left_frozen", "thaw.claimed"} <= codes(found["log-folder-gone"]), found
    assert FOLDER.is_dir()


def test_what_nothing_is_known_of_is_not_skipped(tmp_path: Path) -> None:
    """Scripts that never came to a freeze: whether they keep a log cannot be told."""
    job = tmp_path / "job.sh"
    job.write_text("#!/bin/sh\nexit 1\n")
    job.chmod(0o755)
    found = by_name(tried(job, "tar", ("log-kept", "listing-fails"), tmp_path))
    assert {UNKNOWN} == {one.verdict for one in found.values()}
