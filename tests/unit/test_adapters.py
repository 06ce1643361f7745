"""Every adapter of the harness is found by entry point and protected from imports: none is left out of either."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from harness.declared import GROUP, own
from harness.declared import registered as registered_checks

CHECKERS = {one.declaration.name: one.checker for one in registered_checks()}
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())


def registered() -> set[str]:
    """The modules that entry points name."""
    groups: dict[str, dict[str, str]] = PROJECT["project"]["entry-points"]
    return {value.partition(":")[0] for group in groups.values() for value in group.values()}


def test_every_check_of_the_harness_is_registered_under_the_name_of_its_module() -> None:
    """And declares itself so: `declared.registered` takes nothing else."""
    found = {
        name: value.partition(":")[0] for name, value in PROJECT["project"]["entry-points"][GROUP].items()
    }
    assert {name: f"harness.verify.{name}" for name in own()} == found
    assert [*found] == [name for name in found if isinstance(CHECKERS[name], type)]


def protected() -> list[str]:
    contracts: list[dict[str, Any]] = PROJECT["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["name"].startswith("adapters are found by entry point")]
    assert [] == contract["allowed_importers"]
    modules: list[str] = contract["protected_modules"]
    return modules


def test_every_registered_module_is_protected_and_no_other() -> None:
    """A module that is not would be imported by name one day, and nobody would notice."""
    assert registered() == set(protected())
    assert len(protected()) == len(set(protected()))
