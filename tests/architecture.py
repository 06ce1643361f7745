"""docs/architecture.md, from the code: `python -m tests.architecture` writes it.

The path of a backup is followed from `cycle.run` through every function that it calls in the rooms of the core, in
the order of the text. The rooms are the packages, in the order of their layers in pyproject.toml.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
_CORE = ("cycle", "session.opening", "stages", "verify.judge")
"""What is followed; a call into another room ends there."""
_WIDTH = 110
_STAGE = ("stage", "attempt", "_kept")
_INTRODUCTION = """\
# How it is built

One core makes a backup under load, recovers from it and judges what came back; every verb uses it. This page is
written from the code (`python -m tests.architecture`), so it is right.

## The path of a backup

Every line is a function of the core, with what it is given and what it returns; `-` is a stage as the record and the
progress display name it. What is called more than once is shown the first time.

"""
_ROOMS = """
## The rooms

From the top down: a room imports only rooms below it (`./dev lint` holds it). Rooms with no empty row between them do
not import each other. The stand-in is at the bottom and imports nothing of the harness: it is reached by its
commands, as IRIS is.

"""


@dataclass(frozen=True)
class Function:
    module: str
    owner: str
    node: ast.FunctionDef

    @property
    def shown(self) -> bool:
        """Not private, or the way into a class."""
        return not self.node.name.startswith("_") and not self.owner.startswith("_")

    def __str__(self) -> str:
        given = [*self.node.args.args, *self.node.args.kwonlyargs]
        types = [_type(one.annotation) for one in given if one.annotation]
        name = f"{self.owner}.{self.node.name}" if self.owner else self.node.name
        returned = _type(self.node.returns)
        arrow = f" → {returned}" if returned != "None" else ""
        return f"{self.module}.{name}({', '.join(types)}){arrow}"


def _type(node: ast.expr | None) -> str:
    return ast.unparse(node) if node else "None"


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _functions() -> dict[tuple[str, str, str], Function]:
    """Module, class, name → function, of all modules of the core."""
    found = {}
    for path in sorted((ROOT / "harness").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "harness").with_suffix("").parts)
        if module.startswith(_CORE):
            for node in _tree(path).body:
                inner = node.body if isinstance(node, ast.ClassDef) else [node]
                owner = node.name if isinstance(node, ast.ClassDef) else ""
                for one in inner:
                    if isinstance(one, ast.FunctionDef):
                        found[module, owner, one.name] = Function(module, owner, one)
    return found


@cache
def _imported(module: str) -> dict[str, str]:
    """Name in a module → module of the harness that it is from."""
    path = ROOT / "harness" / (module.replace(".", "/") + ".py")
    return {
        alias.asname or alias.name: (one.module or "").removeprefix("harness.")
        for one in _tree(path).body
        if isinstance(one, ast.ImportFrom) and (one.module or "").startswith("harness")
        for alias in one.names
    }


def _called(caller: Function, call: ast.Call) -> Function | None:
    match call.func:
        case ast.Name(id=name):
            place = _imported(caller.module).get(name, caller.module)
            return _functions().get((place, "", name))
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return _functions().get((caller.module, caller.owner, name))
        case ast.Attribute(value=ast.Name(id="recovery"), attr=name):
            return _functions().get((caller.module, "Recovery", name))
        case ast.Attribute(value=ast.Attribute(attr="_steps"), attr=name):
            return _functions().get((_imported(caller.module).get(name, ""), "", name))
        case ast.Attribute(value=ast.Name(id="freezer"), attr="held"):
            return _functions().get(("stages.freeze", "OwnFreezer", "held"))
    return None


def _stage(call: ast.Call) -> str:
    """The name of a stage that a call begins; empty if it begins none."""
    match call:
        case ast.Call(func=ast.Attribute(attr=name), args=[first, *_]) if name in _STAGE:
            return " or ".join(dict.fromkeys(_words(first)))
    return ""


def _words(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=other):
            yield from _words(other)
            yield from _words(body)
        case ast.JoinedStr(values=values):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in values)


def _in_order(node: ast.AST) -> Iterator[ast.Call]:
    """Calls as they are made: what is given to a call comes before it, but for a stage, which begins before."""
    if isinstance(node, ast.Call) and _stage(node):
        yield node
        # what it is given to do may be a method
        yield from (
            ast.Call(func=one, args=[], keywords=[])
            for one in node.args[1:]
            if isinstance(one, ast.Attribute)
        )
    for inner in ast.iter_child_nodes(node):
        yield from _in_order(inner)
    if isinstance(node, ast.Call) and not _stage(node):
        yield node


def _followed(function: Function, depth: int, seen: set[Function]) -> Iterator[str]:
    indent = "  " * depth
    if function.shown:
        yield from textwrap.wrap(
            str(function), _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}    "
        )
        depth, indent = depth + 1, indent + "  "
    last = ""
    for statement in function.node.body:
        for call in _in_order(statement):
            if (name := _stage(call)) and name != last:
                yield f"{indent}- {name.replace('…', '')}"
            last = name or last
            found = _called(function, call)
            if found and found not in seen:
                seen.add(found)
                yield from _followed(found, depth, seen)


def path_of_a_backup() -> str:
    first = _functions()["cycle", "", "run"]
    return "\n".join(_followed(first, 0, {first}))


def rooms() -> str:
    """A line for each room or module at the top of the harness, with the first sentence of its docstring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    lines = ["| rooms | what they are |", "|---|---|"]
    for layer in layers:
        names = [name.strip() for name in layer.split("|") if not name.strip().startswith("(")]
        lines += [f"| `{name}` | {_sentence(name)} |" for name in names]
        lines.append("| | |")
    return "\n".join(lines[:-1])


def _sentence(name: str) -> str:
    place = ROOT / "harness" / name
    text = (
        ast.get_docstring(_tree(place / "__init__.py" if place.is_dir() else place.with_suffix(".py"))) or ""
    )
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def page() -> str:
    return f"{_INTRODUCTION}```\n{path_of_a_backup()}\n```\n{_ROOMS}{rooms()}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
