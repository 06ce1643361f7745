"""The thaw is made only if a log or its folder exists. If it is missing the instance stays frozen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from harness.lint import sources
from harness.lint.model import Level
from harness.lint.rule import Hit, Rule, at
from harness.lint.shell.reading import ShellReading
from harness.lint.shell.script import ShellScript
from harness.lint.shell.steps import Step, exclusive
from harness.lint.shell.tree import in_condition, text

RULE = Rule(
    id="thaw-depends-on-folder",
    level=Level.ERROR,
    faults=("F08",),
    summary="the thaw is skipped if a log or its folder is missing",
    source=sources.CLASS_REFERENCE,
    remedy="Thaw in any case; make the folder if it is missing.",
)
_FILE_TEST = re.compile(r"\[\[?\s*-[defswrx]\s+(?P<word>\S+)\s*\]\]?|test\s+-[defswrx]\s+(?P<other>\S+)")


@RULE.shell
def in_shell(reading: ShellReading) -> Iterator[Hit]:
    """Each test for a log or its folder without which a thaw is not reached."""
    for thaw in reading.thaws:
        for node, test in (*_around(thaw), *_before(reading.script, thaw)):
            if _is_about_log(test):
                yield at(node, f"The thaw is made only if {test} is true.")


def _around(thaw: Step) -> Iterator[tuple[Node, str]]:
    """The ifs and lists in which a thaw stands, each with its condition."""
    child = thaw.node
    for parent in thaw.around():
        in_then = child.type not in ("else_clause", "elif_clause") and not in_condition(parent, child)
        if parent.type == "if_statement" and in_then:
            yield parent, text(parent.child_by_field_name("condition"))
        if parent.type == "list" and parent.children[0] != child and text(parent.children[1]) == "&&":
            yield parent, text(parent.children[0])
        child = parent


def _before(script: ShellScript, thaw: Step) -> Iterator[tuple[Node, str]]:
    """The `[ … ] || exit` before a thaw, each with its condition."""
    for step in script.steps[: thaw.index]:
        outer = step.node.parent
        if step.name == "[" and outer is not None and outer.type == "list" and not exclusive(step, thaw):
            leaves = re.match(r"(\{\s*)?exit\b", text(outer.children[2]))
            if leaves and text(outer.children[1]) == "||":
                yield outer, text(step.node)


def _is_about_log(test: str) -> bool:
    found = _FILE_TEST.fullmatch(test.strip())
    return bool(found and re.search(r"log", found["word"] or found["other"], re.IGNORECASE))
