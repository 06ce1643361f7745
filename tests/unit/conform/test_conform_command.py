"""`harness conform`: what it accepts, what it prints, how it ends. No instance is started here."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli import cli
from harness.cli.conform_cmd import spec_of
from harness.conform import run as conform_run
from harness.errors import ThawError, UsageError
from harness.facts import known
from harness.facts.catalogue import FACTS
from harness.facts.conformance import Conformance, loads
from harness.model import Verdict
from tests.unit.facts.made import conformance


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)


def called(monkeypatch: pytest.MonkeyPatch, found: Conformance | Exception, *arguments: str) -> Result:
    def conform(*_: object) -> Conformance:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(conform_run, "conform", conform)
    return CliRunner().invoke(cli, ["conform", "--image", "example/iris:2024.1", *arguments])


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ({}, 0),
        ({"thaw.asks_first": Verdict.SKIPPED}, 0),
        ({"thaw.asks_first": Verdict.UNKNOWN}, 3),
        ({"thaw.asks_first": Verdict.FAIL}, 1),
        ({"thaw.asks_first": Verdict.FAIL, "agent.answers": Verdict.UNKNOWN}, 1),
    ],
)
def test_exit_status(monkeypatch: pytest.MonkeyPatch, verdicts: dict[str, Verdict], status: int) -> None:
    assert status == called(monkeypatch, conformance(verdicts)).exit_code


def test_a_thaw_that_was_not_confirmed_ends_with_4(monkeypatch: pytest.MonkeyPatch) -> None:
    result = called(monkeypatch, ThawError("no answer", "iris session X"))
    assert 4 == result.exit_code
    assert "may still be FROZEN" in result.stderr
    assert known.known_for("IRIS", "2024.1.0.263.0", False) is None


def test_the_record_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = conformance()
    assert found == loads(called(monkeypatch, found, "--format", "json").stdout)
    assert found == known.known_for(found.product, found.version, found.stand_in)


def test_out_takes_the_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = called(monkeypatch, conformance(), "--format", "markdown", "--out", str(tmp_path / "page.md"))
    assert (0, "") == (result.exit_code, result.stdout)
    text = (tmp_path / "page.md").read_text()
    assert all(f"| {fact.id}".replace("_", r"\_") in text for fact in FACTS)


def test_table_shows_every_fact_in_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = called(monkeypatch, conformance({"thaw.asks_first": Verdict.FAIL})).stdout.splitlines()
    for fact in FACTS:
        assert 1 == sum(line.split(" ")[0] == fact.id for line in lines), fact.id
    assert max(map(len, lines)) <= 125
    assert lines[-1].startswith("FAIL: ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--image", "stand-in", "--instance", "PROD"],
        ["--instance", "PROD", "--host", "docker"],
        ["--image", "stand-in", "--format", "xml"],
    ],
)
def test_usage(arguments: list[str]) -> None:
    assert 2 == CliRunner().invoke(cli, ["conform", *arguments]).exit_code


def test_which_instance() -> None:
    assert ("stand-in", "local") == (
        spec_of("stand-in", None, None).image,
        spec_of("stand-in", None, None).host,
    )
    assert "docker" == spec_of("example/iris:2024.1", None, None).host
    assert "docker" == spec_of("stand-in", "docker", None).host
    assert ("local", "PROD") == (spec_of(None, None, "PROD").host, spec_of(None, None, "PROD").name)
    with pytest.raises(UsageError):
        spec_of(None, None, None)


def test_every_fact_is_tried_or_says_why_not() -> None:
    assert {fact.id for fact in FACTS if not fact.untried} == set(conform_run.PROBES)
