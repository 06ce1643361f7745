"""Every module of `harness/lint/rules` declares one rule, whole and under its own name."""

from __future__ import annotations

import ast
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

from harness.lint import rules as package
from harness.lint.rule import Rule
from harness.lint.rules import rules_by_id
from tests.lint_rules import page

DOCS = Path(__file__).parents[3] / "docs"
MODULES = sorted(module.name for module in pkgutil.iter_modules(package.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_declares_the_rule_it_is_named_after(name: str) -> None:
    """One rule, called RULE, whose id is the name of the file; the text says why in its first line."""
    module = import_module(f"{package.__name__}.{name}")
    declared = [one for one in vars(module).values() if isinstance(one, Rule)]
    made = [
        node
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Rule"
    ]
    assert [module.RULE] == declared and len(made) == 1
    assert name.replace("_", "-") == module.RULE.id
    assert (module.__doc__ or "").split("\n")[0].endswith(".")


@pytest.mark.parametrize("name", MODULES)
def test_a_rule_is_whole(name: str) -> None:
    """It has words, a source, a remedy, at least one finder, and known numbers of faults."""
    rule = rules_by_id()[name.replace("_", "-")]
    assert rule.summary and rule.source and rule.remedy.endswith(".")
    finders = rule.finders
    assert any((finders.text, finders.call, finders.shell, finders.batch, finders.azure, finders.together))
    assert all(len(fault) == 3 and fault[0] == "F" and 1 <= int(fault[1:]) <= 37 for fault in rule.faults)


def test_every_fault_of_the_catalogue_has_a_rule() -> None:
    """F01 to F37 are all named by a rule."""
    covered = {fault for rule in rules_by_id().values() for fault in rule.faults}
    assert {f"F{number:02}" for number in range(1, 38)} == covered


def test_rules_are_found_in_the_order_of_their_ids() -> None:
    """And each module is one of them."""
    assert [name.replace("_", "-") for name in MODULES] == list(rules_by_id())
    assert sorted(rules_by_id()) == list(rules_by_id())


def test_the_page_of_rules_is_of_today() -> None:
    """docs/lint-rules.md is what `python -m tests.lint_rules` prints, so it lists every rule."""
    assert page() == (DOCS / "lint-rules.md").read_text(encoding="utf-8")
    assert all(f"| `{rule}` |" in page() for rule in rules_by_id())
