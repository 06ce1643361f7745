"""What is changed: each operator takes a node of a file and gives spans with what stands there instead.

The changes are small and those that people make: one side of a limit, a forgotten part of a condition, a line that
was lost, the other one of two names, a verdict that is too mild. A change that does not compile is none.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.mutants.spans import Source, Span

Change = tuple[Span, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one file.

    Attributes:
        was, becomes: The lines that the change touches, before and after it, white space as one: what it is known by.
        run_lines: A test that runs none of them cannot notice; None if it is done when the module is imported.
    """

    file: str
    function: str
    line: int
    span: Span
    old: str
    new: str
    was: str
    becomes: str
    run_lines: range | None

    def applied(self, data: bytes) -> bytes:
        """The file with the change in it."""
        return data[: self.span.start] + self.new.encode() + data[self.span.end :]


def mutants_of(source: Source) -> list[Mutant]:
    """Every change of a file that compiles, each once, in the order of the file."""
    found: dict[tuple[Span, str], Mutant] = {}
    for node in ast.walk(source.tree):
        if node in source.left_out:
            continue
        for operator in OPERATORS:
            for span, new in operator(source, node):
                if (span, new) not in found and _compiles(source, span, new):
                    found[span, new] = _mutant(source, node, span, new)
    return sorted(found.values(), key=lambda mutant: (mutant.span.start, mutant.span.end))


def _mutant(source: Source, node: ast.AST, span: Span, new: str) -> Mutant:
    return Mutant(
        file=source.path,
        function=source.function_of(node),
        line=source.line_of(span.start),
        span=span,
        old=source.data[span.start : span.end].decode(),
        new=new,
        was=source.lines(span),
        becomes=source.changed_lines(span, new),
        run_lines=source.run_lines(node),
    )


def _compiles(source: Source, span: Span, new: str) -> bool:
    data = source.data[: span.start] + new.encode() + source.data[span.end :]
    if data == source.data:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(data, source.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
    return True


# --- conditions

_COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}


def comparisons(source: Source, node: ast.AST) -> Iterator[Change]:
    """A limit one further or the other way round."""
    if isinstance(node, ast.Compare):
        sides = pairwise([node.left, *node.comparators])
        for (left, right), kind in zip(sides, node.ops, strict=True):
            token, others = _COMPARISONS[type(kind)]
            if span := source.between(left, right, token):
                yield from ((span, other) for other in others)


def boolean_operators(source: Source, node: ast.AST) -> Iterator[Change]:
    """`and` for `or`, and a part of a condition that was forgotten."""
    if not isinstance(node, ast.BoolOp):
        return
    token, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    for left, right in pairwise(node.values):
        if span := source.between(left, right, token):
            yield span, other
    for dropped in node.values:
        rest = [f"({source.of(one)})" for one in node.values if one is not dropped]
        yield source.span(node), f"({f' {token} '.join(rest)})"


def signs(source: Source, node: ast.AST) -> Iterator[Change]:
    """`not`, `-` and `~` that are forgotten."""
    if isinstance(node, ast.UnaryOp):
        yield source.span(node), f"({source.of(node.operand)})"


def conditions(source: Source, node: ast.AST) -> Iterator[Change]:
    """A condition that always or never holds."""
    if isinstance(node, ast.If | ast.IfExp):
        yield from ((source.span(node.test), always) for always in ("True", "False"))
    elif isinstance(node, ast.While):
        yield source.span(node.test), "False"
    elif isinstance(node, ast.comprehension):
        for test in node.ifs:
            yield source.span(test), "True"
            yield source.span(test), f"(not ({source.of(test)}))"
    elif isinstance(node, ast.match_case) and node.guard:
        yield source.span(node.guard), "True"
        yield source.span(node.guard), "False"


# --- constants

_KEY_METHODS = frozenset(
    [
        "startswith",
        "endswith",
        "split",
        "rsplit",
        "partition",
        "rpartition",
        "removesuffix",
        "removeprefix",
        "strip",
        "lstrip",
        "rstrip",
        "get",
        "find",
        "rfind",
        "count",
        "index",
        "seconds",
        "replace",
        "encode",
        "getattr",
        "setdefault",
        "pop",
        "read_bytes",
        "glob",
        "joinpath",
    ]
)


def numbers(source: Source, node: ast.AST) -> Iterator[Change]:
    """One more, one less; the other one of two truths."""
    if not isinstance(node, ast.Constant):
        return
    value, span = node.value, source.span(node)
    if isinstance(value, bool):
        yield span, str(not value)
    elif isinstance(value, int):
        yield span, str(value + 1)
        if value > 0:
            yield span, str(value - 1)
    elif isinstance(value, float):
        yield span, repr(value * 2 + 1)


def strings(source: Source, node: ast.AST) -> Iterator[Change]:
    """A string that decides something, in another spelling. What is shown to people is left out (`spans`)."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str | bytes) or not node.value:
        return
    if _decides(source, node) and not _is_pattern(source, node):
        yield (
            source.span(node),
            repr(node.value[:-1] + (b"\x1a" if isinstance(node.value, bytes) else "\x1a")),
        )


def _decides(source: Source, node: ast.Constant) -> bool:
    above = source.parents[node]
    if isinstance(above, ast.Call):
        called = getattr(above.func, "attr", getattr(above.func, "id", ""))
        return called in _KEY_METHODS
    if isinstance(above, ast.Dict):
        return node in above.keys or not _is_prose(node)
    if isinstance(above, ast.Tuple | ast.List | ast.Set | ast.keyword):
        return not _is_prose(node)
    return isinstance(above, ast.Compare | ast.MatchValue | ast.Subscript)


def _is_prose(node: ast.Constant) -> bool:
    text = node.value
    return isinstance(text, str) and " " in text.strip()


# --- patterns


def patterns(source: Source, node: ast.AST) -> Iterator[Change]:
    """A regular expression that is less or more strict in one place: an alternative, a number of times, an end."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or not _is_pattern(source, node):
        return
    start, text = source.span(node).start, source.of(node)
    if not text.startswith(("r", "R")) and "\\" in text:
        return
    for found in _PATTERN_PARTS.finditer(_without_comments(text)):
        for new in _other_parts(found):
            at = start + len(text[: found.start()].encode())
            span = Span(at, at + len(found[0].encode()))
            if _is_expression(text[: found.start()] + new + text[found.end() :]):
                yield span, new


_PATTERN_PARTS = re.compile(
    r"""
    (?P<escaped> \\[^Zb] ) | (?P<set> \[ (?: \\. | [^\]\\] )+ \] )
  | (?P<times> \{ [0-9]+ (?: , [0-9]* )? \} )
  | (?P<end> \\Z | \\b ) | (?P<quantifier> [+*] | (?<! \( ) \? )
    """,
    re.VERBOSE,
)


def _without_comments(text: str) -> str:
    """Comments of a verbose pattern as blanks, so that nothing in them is found."""
    return re.sub(r"(?<![\\\[])\ \#.*", lambda match: " " * len(match[0]), text)


def _other_parts(found: re.Match[str]) -> list[str]:
    part = found[0]
    if found["end"]:
        return [""]
    if found["quantifier"]:
        return {"+": ["*", ""], "*": ["+", ""], "?": [""]}[part]
    if found["times"]:
        least, comma, most = part[1:-1].partition(",")
        more = f"{{{int(least) + 1}{comma}{most}}}"
        return [more, f"{{{max(0, int(least) - 1)}{comma}{most}}}"]
    return []


def _is_expression(text: str) -> bool:
    try:
        re.compile(ast.literal_eval(text), re.VERBOSE)
    except (re.error, SyntaxError, ValueError):
        return False
    return True


def _is_pattern(source: Source, node: ast.Constant) -> bool:
    """An argument of a function of `re`, or a part of one; a name in capitals that holds a raw string is one, too."""
    at: ast.AST = node
    while isinstance(source.parents.get(at), ast.BinOp):
        at = source.parents[at]
    above = source.parents.get(at)
    if isinstance(above, ast.Call):
        function = above.func
        owner = function.value if isinstance(function, ast.Attribute) else None
        return isinstance(owner, ast.Name) and owner.id == "re"
    raw = source.of(node).startswith(("r", "R"))
    return raw and isinstance(above, ast.Assign) and source.function_of(node) == ""


# --- arithmetic

_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "&"),
}


def arithmetic(source: Source, node: ast.AST) -> Iterator[Change]:
    """Plus for minus, intersection for union."""
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        token, other = _ARITHMETIC[type(node.op)]
        if span := source.between(node.left, node.right, token):
            yield span, other
    elif isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        token, other = _ARITHMETIC[type(node.op)]
        if span := source.between(node.target, node.value, f"{token}="):
            yield span, f"{other}="


# --- statements


def statements(source: Source, node: ast.AST) -> Iterator[Change]:
    """A statement that is lost."""
    removed: bool = isinstance(node, ast.AugAssign | ast.Delete | ast.Raise | ast.Expr)
    if isinstance(node, ast.Assign):
        removed = isinstance(node.targets[0], ast.Attribute | ast.Subscript)
    if removed:
        yield source.span(node), "pass"
    elif isinstance(node, ast.Continue):
        yield from ((source.span(node), other) for other in ("break", "pass"))
    elif isinstance(node, ast.Break):
        yield from ((source.span(node), other) for other in ("continue", "pass"))


def returns(source: Source, node: ast.AST) -> Iterator[Change]:
    """Another result: none, an empty one, always, never."""
    if not isinstance(node, ast.Return):
        return
    if node.value is None:
        yield source.span(node), "pass"
        return
    match node.value:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            others: tuple[str, ...] = ("True", "False")
        case ast.List() | ast.ListComp():
            others = ("[]",)
        case ast.Dict() | ast.DictComp():
            others = ("{}",)
        case ast.Constant() | ast.Tuple():
            others = ()
        case _:
            others = ("None",)
    if node.value not in source.left_out:
        yield from ((source.span(node.value), other) for other in others)


def handlers(source: Source, node: ast.AST) -> Iterator[Change]:
    """An error that is not dealt with."""
    if isinstance(node, ast.ExceptHandler) and not (
        len(node.body) == 1 and isinstance(node.body[0], ast.Raise)
    ):
        first = source.span(node.body[0])
        yield Span(first.start, source.span(node.body[-1]).end), "raise"
    elif (
        isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "suppress"
    ):
        yield source.span(node), f"{source.of(node.func)}()"


# --- containers and calls


def elements(source: Source, node: ast.AST) -> Iterator[Change]:
    """One element less of what is written down as a list, tuple, set or dictionary."""
    match node:
        case ast.List(ctx=ast.Load()) | ast.Set():
            parts = [source.span(one) for one in node.elts]
        case ast.Tuple(ctx=ast.Load()) if not _is_type(source, node) and len(node.elts) > 1:
            yield from _one_less(source, [source.span(one) for one in node.elts], is_tuple=True)
            return
        case ast.Dict() if all(node.keys):
            keys = [key for key in node.keys if key]
            parts = [
                Span(source.span(key).start, source.span(value).end)
                for key, value in zip(keys, node.values, strict=True)
            ]
        case ast.MatchOr():
            parts = [source.span(one) for one in node.patterns]
        case _:
            return
    yield from _one_less(source, parts)


def keywords(source: Source, node: ast.AST) -> Iterator[Change]:
    """A keyword that is forgotten, so that the default holds."""
    if isinstance(node, ast.Call):
        parts = [source.span(one) for one in (*node.args, *node.keywords)]
        known = {source.span(one) for one in node.keywords if one.arg and one.value not in source.left_out}
        yield from (
            change for change in _one_less(source, parts) if any(_ends_in(change[0], one) for one in known)
        )


def _ends_in(span: Span, part: Span) -> bool:
    return span.start <= part.start and part.end <= span.end


def _one_less(source: Source, parts: list[Span], *, is_tuple: bool = False) -> Iterator[Change]:
    """Without one part and the comma beside it. One that is left of a tuple keeps the comma that makes it one."""
    comma = "," if is_tuple and len(parts) == 2 else ""
    for at, part in enumerate(parts):
        if at + 1 < len(parts):
            after = parts[at + 1]
            kept = source.data[after.start : after.end].decode()
            yield (
                (Span(part.start, after.end), kept + comma) if comma else (Span(part.start, after.start), "")
            )
        elif at:
            yield Span(parts[at - 1].end, part.end), comma
        else:
            rest = source.data[part.end :]
            tail = rest.lstrip()
            more = len(rest) - len(tail) + 1 if tail.startswith(b",") else 0
            yield Span(part.start, part.end + more), ""


def _is_type(source: Source, node: ast.AST) -> bool:
    """Whether a tuple is the arguments of a type, as in dict[str, int]."""
    above = source.parents[node]
    return isinstance(above, ast.Subscript) and above.slice is node


# --- names

_NAMES = {
    "min": ("max",),
    "max": ("min",),
    "any": ("all",),
    "all": ("any",),
    "sorted": ("list",),
    "reversed": ("list",),
}
_METHODS = {
    "fullmatch": ("match", "search"),
    "match": ("search",),
    "startswith": ("endswith",),
    "endswith": ("startswith",),
    "removesuffix": ("removeprefix",),
    "removeprefix": ("removesuffix",),
    "rpartition": ("partition",),
    "partition": ("rpartition",),
    "rfind": ("find",),
    "lstrip": ("rstrip",),
    "rstrip": ("lstrip",),
    "keys": ("values",),
    "any": ("all",),
    "all": ("any",),
}
_MEMBERS = {
    "Verdict": {
        "FAIL": ("UNKNOWN", "PASS"),
        "UNKNOWN": ("PASS", "FAIL"),
        "SKIPPED": ("PASS",),
        "PASS": ("UNKNOWN",),
    },
    "ExitCode": {"FAIL": ("PASS",), "UNKNOWN": ("PASS",), "PASS": ("FAIL",)},
    "RecoveryMode": {
        "BOOT": ("AS_OF_FREEZE",),
        "AS_OF_FREEZE": ("ROLLFORWARD",),
        "ROLLFORWARD": ("BOOT",),
        "POINT_IN_TIME": ("ROLLFORWARD",),
    },
}


def names(source: Source, node: ast.AST) -> Iterator[Change]:
    """The other one of two functions, methods, verdicts or modes."""
    above = source.parents.get(node)
    called = isinstance(above, ast.Call) and above.func is node
    if isinstance(node, ast.Name) and called:
        yield from ((source.span(node), other) for other in _NAMES.get(node.id, ()))
    elif isinstance(node, ast.Attribute):
        end = source.span(node).end
        span = Span(end - len(node.attr.encode()), end)
        if called:
            yield from ((span, other) for other in _METHODS.get(node.attr, ()))
        elif isinstance(node.value, ast.Name):
            yield from ((span, other) for other in _MEMBERS.get(node.value.id, {}).get(node.attr, ()))


OPERATORS: tuple[Callable[[Source, ast.AST], Iterator[Change]], ...] = (
    comparisons,
    boolean_operators,
    signs,
    conditions,
    numbers,
    strings,
    patterns,
    arithmetic,
    statements,
    returns,
    handlers,
    elements,
    keywords,
    names,
)
