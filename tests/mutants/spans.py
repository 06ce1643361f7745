"""A source file as bytes and as a tree: which bytes a node is, what surrounds it, and what is only text.

Texts that people read (messages, witnesses, docstrings, help) are left out: a test that held them word by word would
be a copy of them. So are annotations, imports, assertions and protocols, which decide nothing at run time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_TEXT_KEYWORDS = frozenset(
    [
        "message",
        "witness",
        "help",
        "description",
        "metavar",
        "short_help",
        "encoding",
        "errors",
        "title",
        "label",
        "end",
        "daemon",
        "name_hint",
        "frozen",
        "slots",
        "kw_only",
        "strict",
        "stacklevel",
    ]
)
_TEXT_NAMES = frozenset(
    [
        "message",
        "witness",
        "problem",
        "note",
        "where",
        "shown",
        "text",
        "lines",
        "line",
        "title",
        "what",
        "why",
        "said",
        "more",
        "heading",
        "detail",
        "todo",
        "hint",
        "reason",
        "reasons",
        "failed",
        "log",
        "place",
        "doubt",
    ]
)
"""Names that hold what is shown; what is assigned to them is left out if it is a text."""
_TELLING = frozenset(
    [
        "not_checked",
        "_log",
        "_say",
        "_note",
        "note",
        "stage",
        "Note",
        "StageBegan",
        "CaseDone",
        "tell",
        "_tell",
        "say",
        "echo",
        "print",
        "warn",
        "stages",
        "attempt",
        "_kept",
        "PreconditionError",
        "getLogger",
        "TypeVar",
        "NewType",
        "namedtuple",
        "cast",
    ]
)
"""Functions whose texts are shown, or are names of stages."""

_TYPES = frozenset(
    ["Callable", "dict", "frozenset", "list", "set", "tuple", "type", "Mapping", "Sequence", "Iterable"]
)
"""What stands behind these in brackets are types."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file, from `start` up to `end`."""

    start: int
    end: int


class Source:
    """One file. Columns of the tree count bytes of UTF-8, so all spans do."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.data = text.encode()
        self.tree = ast.parse(text)
        self._starts = [0]
        for line in self.data.split(b"\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def left_out(self) -> frozenset[ast.AST]:
        """Every node in which nothing is changed."""
        roots = [root for node in ast.walk(self.tree) for root in _quiet(node)]
        return frozenset(inner for root in roots for inner in ast.walk(root))

    def span(self, node: ast.AST) -> Span:
        """The bytes of a node. Only nodes that have a place may be asked for."""
        return Span(
            self._starts[node.lineno - 1] + node.col_offset,  # type: ignore[attr-defined]
            self._starts[node.end_lineno - 1] + node.end_col_offset,  # type: ignore[attr-defined]
        )

    def of(self, node: ast.AST) -> str:
        found = self.span(node)
        return self.data[found.start : found.end].decode()

    def line_of(self, byte: int) -> int:
        return self.data.count(b"\n", 0, byte) + 1

    def between(self, left: ast.AST, right: ast.AST, token: str) -> Span | None:
        """The first token between two nodes, past brackets, and not in a comment."""
        start, end = self.span(left).end, self.span(right).start
        at = self.data.find(token.encode(), start, end)
        comment = self.data.find(b"#", start, end)
        return None if at < 0 or 0 <= comment < at else Span(at, at + len(token.encode()))

    def lines(self, span: Span) -> str:
        """The whole lines that a span touches, white space as one."""
        start = self.data.rfind(b"\n", 0, span.start) + 1
        end = self.data.find(b"\n", span.end)
        return " ".join(self.data[start : end if end >= 0 else None].decode().split())

    def changed_lines(self, span: Span, new: str) -> str:
        """The same lines after the change."""
        start = self.data.rfind(b"\n", 0, span.start) + 1
        end = self.data.find(b"\n", span.end)
        rest = self.data[span.end : end if end >= 0 else None].decode()
        return " ".join((self.data[start : span.start].decode() + new + rest).split())

    def function_of(self, node: ast.AST) -> str:
        """Class and function around a node; empty for what a module does when it is imported."""
        names: list[str] = []
        at: ast.AST | None = node
        while at is not None:
            above = self.parents.get(at)
            defaults = isinstance(above, ast.FunctionDef) and at is above.args
            if isinstance(above, ast.FunctionDef | ast.ClassDef) and not defaults and at in above.body:
                names.append(above.name)
            elif defaults:
                assert isinstance(above, ast.FunctionDef)
                names.append(above.name)
            at = above
        return ".".join(reversed(names))

    def run_lines(self, node: ast.AST) -> range | None:
        """Lines of which a test must run one to run this node; None if it is run when the module is imported."""
        at = node
        while not isinstance(at, ast.stmt | ast.ExceptHandler | ast.match_case):
            above = self.parents[at]
            if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef) and at is above.args:
                return range(above.body[0].lineno, (above.end_lineno or 0) + 1)
            at = above
        if not any(isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) for one in self._around(at)):
            return None
        first, last = _head(at)
        return range(first, last + 1)

    def _around(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parents:
            node = self.parents[node]
            yield node


def _head(node: ast.AST) -> tuple[int, int]:
    """First and last line of what a statement itself does, its body left out."""
    match node:
        case ast.If() | ast.While():
            return node.lineno, node.test.end_lineno or 0
        case ast.For():
            return node.lineno, node.iter.end_lineno or 0
        case ast.With():
            return node.lineno, node.items[-1].context_expr.end_lineno or 0
        case ast.Match():
            return node.lineno, node.subject.end_lineno or 0
        case ast.match_case():
            return node.pattern.lineno, node.body[0].end_lineno or 0
        case ast.ExceptHandler() | ast.Try():
            return node.lineno, node.body[0].end_lineno or 0
    assert isinstance(node, ast.stmt)
    return node.lineno, node.end_lineno or 0


def _quiet(node: ast.AST) -> Iterator[ast.AST]:
    """Parts of a node in which nothing is changed."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Global() | ast.Assert() | ast.JoinedStr():
            yield node
        case ast.Expr(value=ast.Constant()):
            yield node
        case ast.AnnAssign():
            yield node.annotation
        case ast.FunctionDef():
            yield from node.decorator_list
            yield from filter(None, [node.returns])
        case ast.arg():
            yield from filter(None, [node.annotation])
        case ast.ClassDef():
            yield from [*node.decorator_list, *node.bases]
            if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases):
                yield node
        case ast.Raise():
            yield from filter(None, [node.exc, node.cause])
        case ast.keyword():
            if node.arg in _TEXT_KEYWORDS:
                yield node.value
        case ast.Assign(targets=[ast.Name(id=name)]):
            if name == "__all__" or (name in _TEXT_NAMES and _is_text(node.value)):
                yield node.value
        case ast.Subscript(value=ast.Name(id=name)) if name in _TYPES:
            yield node.slice
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            yield node
        case ast.Call():
            if _called(node) in _TELLING:
                yield from (one for one in node.args if _is_text(one))
            if _called(node) in ("TypeVar", "cast"):
                yield node


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr)
