"""Every planted fault of `tests/data/scripts` is found by reading, and nothing else is claimed about its scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.lint import lint
from harness.lint.model import Level
from tests.unit.lint.samples import SCRIPTS

FAULTS: dict[str, dict[str, Any]] = yaml.safe_load((SCRIPTS / "faults.yaml").read_text(encoding="utf-8"))


def files_of(folder: str) -> list[Path]:
    """All scripts of a folder, with those that VMware Tools would call; other folders have rows of their own."""
    inside = SCRIPTS / folder
    hooks = [path for path in (inside / "backupScripts.d").glob("*") if path.is_file()]
    return sorted([*(path for path in inside.iterdir() if path.is_file()), *hooks])


@pytest.mark.parametrize("folder", FAULTS)
def test_exactly_the_planted_faults_are_found(folder: str) -> None:
    """Errors and warnings are those of the table, and each note of the table is there."""
    found = lint(files_of(folder), shellcheck=False).violations
    expected = set(FAULTS[folder]["lint"])
    loud = {one.rule for one in found if one.level is not Level.NOTE}
    notes = {one.rule for one in found if one.level is Level.NOTE}
    assert expected - notes == loud
    assert expected <= loud | notes


def test_every_fault_of_the_catalogue_has_a_script() -> None:
    """F01 to F37 are all there."""
    assert {f"F{number:02}" for number in range(1, 38)} <= {row["id"] for row in FAULTS.values()}


def test_every_script_stands_in_the_table() -> None:
    """A folder with scripts has a row, and each command of a row is a file."""
    folders = {path.parent for path in SCRIPTS.rglob("*") if path.is_file() and path.parent != SCRIPTS}
    rows = {SCRIPTS / folder for folder in FAULTS}
    assert {path.parent if path.name == "backupScripts.d" else path for path in folders} == rows
    for folder, row in FAULTS.items():
        for key in ("freeze", "thaw", "whole", "check"):
            assert not row.get(key) or (SCRIPTS / folder / row[key][0]).is_file()
