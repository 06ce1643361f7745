"""What is changed in a source: each operator on a line of its own, the bytes exact, texts left alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants import operators
from tests.mutants.operators import Mutant, mutants_of
from tests.mutants.spans import Source


def mutants(text: str) -> list[Mutant]:
    return mutants_of(Source("harness/toy.py", text))


def becomes(text: str) -> set[str]:
    """What a line of a function may become."""
    return {one.becomes for one in mutants(f"def f():\n    {text}\n")}


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("x = a < b", {"x = a <= b", "x = a >= b"}),
        ("x = a is not b", {"x = a is b"}),
        ("x = a not in b", {"x = a in b"}),
        ("x = a == b < c", {"x = a != b < c", "x = a == b <= c"}),
        ("x = a and b", {"x = a or b", "x = ((a))", "x = ((b))"}),
        ("x = a or b or c", {"x = ((a) or (c))", "x = a or b and c"}),
        ("x = not a", {"x = (a)"}),
        ("x = -a", {"x = (a)"}),
        ("x = a if b else c", {"x = a if True else c", "x = a if False else c"}),
        ("x = [a for a in b if c]", {"x = [a for a in b if True]", "x = [a for a in b if (not (c))]"}),
        ("x = 7", {"x = 8", "x = 6"}),
        ("x = True", {"x = False"}),
        ("x = 1.5", {"x = 4.0"}),
        ("x = a == 'word'", {"x = a != 'word'", "x = a == 'wor\\x1a'"}),
        ("x = a.split(':')", {"x = a.split('\\x1a')"}),
        ("x = a + b", {"x = a - b"}),
        ("x = a | b", {"x = a & b"}),
        ("x += 2", {"x -= 2", "pass", "x += 3", "x += 1"}),
        ("call(a)", {"pass"}),
        ("raise Odd('text')", {"pass"}),
        ("x.y = 1", {"pass"}),
        ("return a == b", {"return True", "return False", "return a != b"}),
        ("return a", {"return None"}),
        ("return [a, b]", {"return []", "return [b]", "return [a]"}),
        ("return", {"pass"}),
        ("x = (a, b, c)", {"x = (b, c)", "x = (a, c)", "x = (a, b)"}),
        ("x = (a, b)", {"x = (b,)", "x = (a,)"}),
        ("x = (a,)", set()),
        ("x = {a: b, c: d}", {"x = {c: d}", "x = {a: b}"}),
        ("x = {a, b}", {"x = {b}", "x = {a}"}),
        ("x = [a]", {"x = []"}),
        ("x = f(a, b=c)", {"x = f(a)"}),
        ("x = any(a)", {"x = all(a)"}),
        ("x = min(a)", {"x = max(a)"}),
        ("x = a.fullmatch(b)", {"x = a.match(b)", "x = a.search(b)"}),
        ("x = a.startswith(b)", {"x = a.endswith(b)"}),
        ("x = Verdict.UNKNOWN", {"x = Verdict.PASS", "x = Verdict.FAIL"}),
        ("x = ExitCode.FAIL", {"x = ExitCode.PASS"}),
        ("x = re.compile(r'a+b?')", {"x = re.compile(r'a*b?')", "x = re.compile(r'a+b')"}),
        ("x = re.compile(r'[0-9]{8}\\Z')", {"x = re.compile(r'[0-9]{9}\\Z')", "x = re.compile(r'[0-9]{8}')"}),
        ("x = re.compile('a+')", {"x = re.compile('a*')"}),
        ("x = dict[str, int]", set()),
        ("x = Callable[[A, B], C]", set()),
    ],
)
def test_what_a_line_may_become(line: str, some: set[str]) -> None:
    assert some <= becomes(line), becomes(line)
    assert bool(some) is bool(becomes(line))


@pytest.mark.parametrize(
    "line",
    [
        "x = f'{a} is {b}'",
        "raise Odd(f'{a} is', b)",
        "assert a and b",
        "import a",
        "x = Finding(message='a' + b)",
        "message = 'two words'",
        "'what a function does'",
        "x = a['one two three'] if 0 else 0",
    ],
)
def test_texts_are_left_alone(line: str) -> None:
    texts = ("two", "is", "what a")
    assert not [one for one in mutants(f"def f():\n    {line}\n") if one.old.strip("'\"").startswith(texts)]


def test_protocols_annotations_and_decorators_are_left_alone() -> None:
    text = (
        "@dataclass(frozen=True)\nclass A(Protocol):\n    x: int = 3\n\n"
        "@cache(1)\ndef f(a: dict[str, 'b'] | None) -> int | None:\n    '''Text.'''\n"
    )
    assert [] == mutants(text)


def test_statements_of_a_loop_and_of_a_handler() -> None:
    text = (
        "def f():\n    for a in b:\n        if a:\n            continue\n        break\n"
        "    try:\n        g()\n    except Odd:\n        h()\n    with suppress(Odd):\n        g()\n"
    )
    found = {(one.line, one.new) for one in mutants(text)}
    assert {(4, "break"), (4, "pass"), (5, "continue"), (5, "pass")} <= found
    assert {(9, "raise"), (9, "pass"), (10, "suppress()")} <= found


def test_every_change_is_one_span_and_compiles() -> None:
    """Bytes outside of the span stay; characters of several bytes before it move nothing."""
    text = "# äöü\ndef f(a, b):\n    é = 'ß' in a and b < 3  # < 4\n    return {é: 1, 'ü': 2}\n"
    found = mutants(text)
    assert len(found) > 10
    for one in found:
        changed = one.applied(text.encode())
        compile(changed, "toy", "exec")
        assert changed != text.encode()
        assert one.old.encode() == text.encode()[one.span.start : one.span.end]
        assert changed.startswith(text.encode()[: one.span.start])
        assert changed.endswith(text.encode()[one.span.end :])
    assert "< 4" in {one.becomes[-3:] for one in found}


def test_an_operator_in_a_comment_is_no_operator() -> None:
    found = mutants("x = (a  # < b\n     < b)\n")
    assert {"x = (a  # < b\n     <= b)\n", "x = (a  # < b\n     >= b)\n"} >= {
        one.applied(b"x = (a  # < b\n     < b)\n").decode() for one in found
    }


def test_no_change_is_listed_twice() -> None:
    text = "def f(a):\n    if a < 3 and not a:\n        return [a, 3]\n    return min(a, key=len)\n"
    found = [(one.span, one.new) for one in mutants(text)]
    assert len(found) == len(set(found))


def test_where_a_mutant_is_and_which_lines_run_it() -> None:
    text = "class A:\n    def f(self, a=3):\n        if a:\n            return a + 1\n        return 0\n\nX = 5\n"
    places = {(one.function, one.line): one.run_lines for one in mutants(text)}
    assert places["A.f", 2] == range(3, 6), "a default counts for the whole function"
    assert places["A.f", 3] == range(3, 4), "a condition, without its body"
    assert places["A.f", 4] == range(4, 5)
    assert places["", 7] is None, "what is done at the import"


def test_every_operator_is_tried_here() -> None:
    """Each of them changes something in this very file or in its own."""
    sources = [Source("x", Path(file).read_text()) for file in (__file__, operators.__file__)]
    for operator in operators.OPERATORS:
        assert any(list(operator(source, node)) for source in sources for node in ast.walk(source.tree)), (
            operator
        )
