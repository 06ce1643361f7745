"""The routines that must run unchanged on IRIS and GT.M use only what both accept.

GT.M compiles and runs them in the tests of the stand-in. IRIS is not at hand, so its side is shown in two
ways: InterSystems' own grammar accepts every line, and nothing is used that is not in the lists below. These
hold what the M standard (ANSI X11.1-1995) has and both products document, and `$increment` and `$zversion`,
which are outside of the standard but in both. Indirection is of a name only: `@name`, `@name@(subscripts)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_objectscript
from tree_sitter import Language, Node, Parser

AGENT = Path(__file__).parents[3] / "harness" / "instance" / "agent"
ROUTINES = sorted(AGENT.glob("*.m"))
PARSER = Parser(Language(tree_sitter_objectscript.language_objectscript()))

COMMANDS = frozenset(
    ["do", "else", "for", "hang", "if", "kill", "new", "quit", "set", "write", "xecute", "lock"]
)
FUNCTIONS = frozenset(
    [
        "ascii",
        "char",
        "data",
        "extract",
        "find",
        "get",
        "increment",
        "justify",
        "length",
        "name",
        "order",
        "piece",
        "qlength",
        "qsubscript",
        "query",
        "select",
        "translate",
    ]
)
VARIABLES = frozenset(["horolog", "job", "test", "tlevel", "zversion"])
NAME_CHARACTERS_MAX = 31

_STRING = re.compile(r'"(?:[^"]|"")*"')
_COMMAND = re.compile(
    r"""
    [ .]*
    (?P<name> [A-Za-z]+ ) (?: :\S+ )?       # command, postcondition
    (?: \ (?! \ ) \S+ )?                    # one blank and the arguments; two blanks: it has none
    (?= \  | $ )
    """,
    re.VERBOSE,
)


def code_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, and with every string emptied."""
    for number, line in enumerate(text.splitlines(), 1):
        yield number, _STRING.sub('""', line).split(";")[0].rstrip()


def complaints(text: str) -> list[str]:
    """Everything that only one of the two products would accept."""
    found = []
    for number, line in code_lines(text):
        body = re.sub(r"^[%A-Za-z][A-Za-z0-9]*(?:\([^()]*\))?", "", line)
        for problem in (*_characters(line), *_names(line), *_dollars(line), *_commands(body)):
            found.append(f"line {number}: {problem}")
    return found


def _characters(line: str) -> Iterator[str]:
    if "\t" in line or not line.isascii():
        yield "tabs and characters beyond ASCII are read differently"
    for token in ("{", "}", "&&", "||", "//", "/*", "##", "..", "$$$"):
        if token in line:
            yield f"{token!r} has no meaning, or another one, in one of the two"


def _names(line: str) -> Iterator[str]:
    for name in re.findall(r"[%A-Za-z][A-Za-z0-9]*", line):
        if len(name) > NAME_CHARACTERS_MAX:
            yield f"name {name} is longer than {NAME_CHARACTERS_MAX} characters"
    if re.search(r"[A-Za-z0-9]_[A-Za-z0-9]*\(?=", line):
        yield "an underscore is an operator, not part of a name"


def _dollars(line: str) -> Iterator[str]:
    for name, call in re.findall(r"(?<!\$)\$([A-Za-z]+)(\(?)", line):
        if name.lower() not in (FUNCTIONS if call else VARIABLES):
            yield f"${name} is not known to both"


def _commands(body: str) -> Iterator[str]:
    place = 0
    while rest := body[place:].strip(" ."):
        match = _COMMAND.match(body, place)
        if match is None:
            yield f"no command can be read in {rest!r}"
            return
        if match["name"].lower() not in COMMANDS:
            yield f"command {match['name']} is not known to both"
        place = match.end()


def mistakes(text: str) -> list[str]:
    """Lines that InterSystems' grammar does not accept."""

    def walk(node: Node) -> Iterator[Node]:
        yield node
        for child in node.children:
            yield from walk(child)

    root = PARSER.parse(text.encode()).root_node
    return [f"line {n.start_point.row + 1}" for n in walk(root) if n.type == "ERROR" or n.is_missing]


def test_there_are_routines() -> None:
    """The tests below have something to look at."""
    assert {routine.stem for routine in ROUTINES} >= {"RVCHECK", "RVWORK"}


@pytest.mark.parametrize("routine", ROUTINES, ids=lambda path: path.stem)
def test_only_what_both_accept(routine: Path) -> None:
    """No command, function or special variable outside of the lists."""
    assert complaints(routine.read_text()) == []


@pytest.mark.parametrize("routine", ROUTINES, ids=lambda path: path.stem)
def test_grammar_accepts_it(routine: Path) -> None:
    """InterSystems' own grammar accepts every line."""
    assert mistakes(routine.read_text()) == []


@pytest.mark.parametrize("routine", ROUTINES, ids=lambda path: path.stem)
def test_first_line_names_the_routine(routine: Path) -> None:
    """GT.M finds a routine by its file, IRIS by its name: they must agree."""
    assert routine.read_text().startswith(f"{routine.stem} ;")


@pytest.mark.parametrize(
    "line",
    [
        ' zsystem "ls"',
        " set x=$zpiece(y,1)",
        " set x=$zdate($horolog)",
        " do $zf(1)",
        " while x { set x=0 }",
        " set x=$listbuild(1)",
        " tstart ():serial",
        " halt:1",
        " set x=1 view 1",
        " if x=1  zwrite",
        " if a&&b quit",
        f" set {'x' * 32}=1",
        " set\tx=1",
        " set x=$$$OK",
        " try  set x=1",
    ],
)
def test_lists_refuse(line: str) -> None:
    """What only one product has is found."""
    assert complaints(f"TEST ;\n{line}\n") != []


@pytest.mark.parametrize("line", [" set x=(", " quit )", " set =1"])
def test_grammar_refuses(line: str) -> None:
    """The grammar is strict enough for the test above to mean something."""
    assert mistakes(f"TEST ;\n{line}\n") != []
