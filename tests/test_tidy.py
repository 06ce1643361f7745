"""The house keeps its habits: sizes, help texts, exit codes, exported names, adapters registered once."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from harness.cli import cli
from harness.errors import ExitCode

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "harness").rglob("*.py"))
MODULE_LINES_MAX, FUNCTION_LINES_MAX = 600, 70
GROUPS = (
    "harness.hosts",
    "harness.snapshots",
    "harness.checkers",
    "harness.reporters",
    "harness.faults",
)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (one for one in ast.walk(tree(path)) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Without its docstring: to explain costs nothing."""
    first = function.body[0]
    said = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0
    return (function.end_lineno or 0) - function.lineno + 1 - said


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_small_says_what_it_is_and_has_small_functions(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MODULE_LINES_MAX
    assert ast.get_docstring(tree(path)) or (path.name == "__init__.py" and lines <= 1)
    assert [] == [one.name for one in functions(path) if lines_of(one) > FUNCTION_LINES_MAX]


def test_a_class_name_means_one_thing() -> None:
    """But for names that a module keeps to itself."""
    names = Counter(
        one.name
        for path in MODULES
        for one in ast.walk(tree(path))
        if isinstance(one, ast.ClassDef) and not one.name.startswith("_")
    )
    assert {} == {name: count for name, count in names.items() if count > 1}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_a_module_exports_is_there(path: Path) -> None:
    body = tree(path).body
    exported = [
        name
        for one in body
        if isinstance(one, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "__all__" for t in one.targets)
        for name in ast.literal_eval(one.value)
    ]
    bound = {
        alias.asname or alias.name for one in body if isinstance(one, ast.ImportFrom) for alias in one.names
    }
    bound |= {one.name for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef)}
    bound |= {
        t.id for one in body if isinstance(one, ast.Assign) for t in one.targets if isinstance(t, ast.Name)
    }
    bound |= {
        t.id for one in body if isinstance(one, ast.AnnAssign) and isinstance(t := one.target, ast.Name)
    }
    assert set(exported) <= bound and len(exported) == len(set(exported))


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found
            yield from commands(found, *path, name)
    else:
        yield " ".join(path), command


COMMANDS = dict(commands(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_verb_says_what_it_does_and_each_option_what_it_is_for(name: str) -> None:
    command = COMMANDS[name]
    short = command.short_help or ""
    assert command.help and short.endswith(".") and len(short) <= 60
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert [] == [one.name for one in options if not one.help]


def test_exit_codes_are_few_and_told_apart() -> None:
    expected = {0: "PASS", 1: "FAIL", 2: "USAGE", 3: "UNKNOWN", 4: "STILL_FROZEN", 70: "DEFECT"}
    assert expected == {code.value: code.name for code in ExitCode}
    assert "0 pass, 1 fail, 2 usage or plan, 3 unknown, 4 thaw not confirmed, 70 defect" in (cli.help or "")


@pytest.mark.parametrize("group", GROUPS)
def test_an_adapter_is_registered_once(group: str) -> None:
    """Two distributions with one name would make chance choose."""
    found = Counter(point.name for point in entry_points(group=group))
    assert found and {1} == set(found.values())
    values = [point.value for point in entry_points(group=group)]
    assert len(values) == len(set(values))


def test_the_top_level_is_what_a_stranger_expects() -> None:
    """The results folder says what will lie in it before there is any."""
    expected = (
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "README.md",
        "pyproject.toml",
        "results/README.md",
        "testplans",
    )
    assert [] == [name for name in expected if not (ROOT / name).exists()]
