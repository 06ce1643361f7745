"""Bad scripts that a check once called good, or that broke it; and right ones that look odd."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.model import Verdict
from harness.scripts.check import check
from harness.scripts.model import Outcome, Scripts
from harness.session.progress import SilentProgress

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("needs_stand_in")]

SCRIPT = str(Path(__file__).parent.parent / "data" / "scripts-more" / "adversary.sh")
PASS, FAIL, UNKNOWN, SKIPPED = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIPPED


def _tried(folder: Path, variant: str, *only: str, **environment: str) -> dict[str, Outcome]:
    scripts = Scripts(
        name=variant,
        freeze=(SCRIPT, variant, "freeze"),
        thaw=(SCRIPT, variant, "thaw"),
        environment=environment,
        timeout_s=6.0,
    )
    run = folder / "run"
    run.mkdir()
    report = check(scripts, only=only, folder=run, jobs=2, progress=SilentProgress())
    assert not (run / "work").exists()
    return {one.name: one for one in report.outcomes}


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("late-freeze", {"one-instance": (FAIL, "freeze.claimed")}),
        ("late-thaw", {"one-instance": (UNKNOWN, "not_measured")}),
        ("short-limit", {"one-instance": (PASS, ""), "slow-snapshot": (FAIL, "freeze.not_held")}),
        ("first-only", {"one-instance": (PASS, ""), "two-instances": (FAIL, "freeze.claimed")}),
        ("only-three", {"one-instance": (PASS, ""), "freeze-ends-1": (FAIL, "freeze.claimed")}),
        ("fake-marker", {"one-instance": (PASS, ""), "marker-kept": (FAIL, "marker.not_kept")}),
        (
            "refuses",
            {
                "freeze-ends-3": (UNKNOWN, "not_measured"),
                "caller-dies": (UNKNOWN, "not_measured"),
                "no-history": (UNKNOWN, "not_measured"),
            },
        ),
        (
            "verbs",
            {
                "one-instance": (PASS, ""),
                "logs-apart": (SKIPPED, ""),
                "freeze-ends-0": (SKIPPED, ""),
                "journal-switched": (PASS, ""),
                "dead-mans-switch": (FAIL, "limit.none"),
            },
        ),
        ("relative", {"one-instance": (PASS, ""), "marker-kept": (PASS, "")}),
        ("output", {"one-instance": (PASS, ""), "marker-kept": (PASS, "")}),
        (
            "bypass",
            {"one-instance": (UNKNOWN, "not_measured"), "journal-switched": (UNKNOWN, "not_measured")},
        ),
        ("leads-out", {"one-instance": (PASS, ""), "restored": (UNKNOWN, "not_measured")}),
        ("env", {"one-instance": (FAIL, "tampered")}),
        ("forges", {"one-instance": (PASS, "")}),
        ("deep", {"one-instance": (FAIL, "contained")}),
        ("mounts", {"one-instance": (PASS, "")}),
    ],
)
def test_it_is_judged_rightly(tmp_path: Path, variant: str, expected: dict[str, tuple[Verdict, str]]) -> None:
    """What a report says of each; the first code named is among the findings."""
    outcomes = _tried(tmp_path, variant, *expected)
    for name, (verdict, code) in expected.items():
        assert verdict is outcomes[name].verdict, outcomes[name]
        assert not code or code in [one.code for one in outcomes[name].findings], outcomes[name]


def test_nothing_outside_is_read_or_written_through_a_link(tmp_path: Path) -> None:
    """A script leaves links to files of the real machine, and a pipe where its log was."""
    canary = tmp_path / "closed" / "canary"
    canary.parent.mkdir()
    canary.write_text("offset 4711 of /etc/shadow\n")
    began = time.monotonic()
    names = ("marker-kept", "night-after-a-failure", "self-thaw", "restored", "log-kept")
    outcomes = _tried(tmp_path, "links", *names, CANARY=str(canary))
    assert time.monotonic() - began < 60
    assert all(one.verdict is not PASS for one in outcomes.values()), outcomes
    assert "offset 4711 of /etc/shadow\n" == canary.read_text()
    assert [canary] == list(canary.parent.iterdir())
    kept = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"4711 of /etc" in path.read_bytes()]


def test_a_stopped_script_leaves_no_process(tmp_path: Path) -> None:
    """The way into a machine stops with the script in it; it must not stay when the machine is gone."""
    outcomes = _tried(tmp_path, "stopped", "one-instance")
    assert "freeze.no_end" in [one.code for one in outcomes["one-instance"].findings]
    mark = b"stopped\0freeze"
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if mark in _content(p)]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
