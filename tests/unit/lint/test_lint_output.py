"""Exit statuses and formats of `harness scripts lint`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.lint import lint, report
from tests.unit.lint.samples import SCRIPTS


def test_exit_statuses_and_formats(tmp_path: Path) -> None:
    """0 clean, 1 with findings, 2 for what cannot be read; the machine formats are valid and complete."""
    run = CliRunner().invoke
    right, wrong = SCRIPTS / "right" / "pre.sh", SCRIPTS / "F01" / "pre.sh"
    assert run(cli, ["scripts", "lint", "--no-shellcheck", str(right)]).exit_code == 0
    assert run(cli, ["scripts", "lint", "--no-shellcheck", str(wrong)]).exit_code == 1
    unnamed = tmp_path / "hook"
    unnamed.write_text("exit 0\n", encoding="utf-8")
    assert run(cli, ["scripts", "lint", "--no-shellcheck", "--language", "sh", str(unnamed)]).exit_code == 0
    for bad in (unnamed, tmp_path / "absent.sh", tmp_path):
        done = run(cli, ["scripts", "lint", str(bad)])
        assert done.exit_code == 2 and "Traceback" not in done.output and done.output.strip()
    document = json.loads(
        run(cli, ["scripts", "lint", "--no-shellcheck", "--format", "sarif", str(wrong)]).output
    )
    results = document["runs"][0]["results"]
    described = document["runs"][0]["tool"]["driver"]["rules"]
    assert "2.1.0" == document["version"]
    assert all(described[one["ruleIndex"]]["id"] == one["ruleId"] for one in results)
    stored = json.loads(
        run(cli, ["scripts", "lint", "--no-shellcheck", "--format", "json", str(wrong)]).output
    )
    assert {one["ruleId"] for one in results} == {one["rule"] for one in stored["findings"]}


def test_a_missing_shellcheck_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A remark says that it was not run; the reading is made without it."""
    monkeypatch.setenv("PATH", "/nowhere")
    reading = lint([SCRIPTS / "right" / "pre.sh"])
    assert (
        reading.clean and "not installed" in reading.remarks[0] and "not installed" in report.table(reading)
    )
