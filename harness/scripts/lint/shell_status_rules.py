"""Rules about what a shell script does with the exit status of a freeze or thaw."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tree_sitter import Node

from harness.scripts.lint.engine import Status, Verb
from harness.scripts.lint.shell import Script, Step, ancestors, scope_of, statement_of, text, walk
from harness.scripts.lint.shell_status import Fate, Outcome, errexit, pipefail, trace

Found = tuple[str, Node, str]
_FAILURE = re.compile(r"fail|error|\bnot\b|n't\b|refused|cannot|abort", re.IGNORECASE)
_FLAG = re.compile(r"fail|err|exit|code|status|bad|void|^rc$|^ret", re.IGNORECASE)
_SUCCESS = re.compile(r"\b(ok|success\w*|is frozen|frozen|is thawed|thawed)\b", re.IGNORECASE)
_QUIET = {"echo", "printf", "logger", "date", "rm", ":", "true", "unset", "tee", "mkdir", "touch"}


def findings(script: Script) -> Iterator[Found]:
    """Rules broken, each with its place and a message."""
    outcomes: list[tuple[Step, Outcome]] = []
    for step in script.calls:
        call = step.call
        if (
            call
            and call.verb in (Verb.FREEZE, Verb.THAW)
            and call.status in (Status.FIVE, Status.ZERO)
            and not step.trapped
        ):
            outcomes.append((step, trace(script, step)))
    tests_of_freeze = [
        test
        for step, outcome in outcomes
        if step.call and step.call.verb is Verb.FREEZE and outcome.variable
        for test in outcome.tests
    ]
    for step, outcome in outcomes:
        yield from _of_call(script, step, outcome, tests_of_freeze)
    if outcomes:
        yield from _exit(script)


def _of_call(
    script: Script, step: Step, outcome: Outcome, tests_of_freeze: Sequence[Node]
) -> Iterator[Found]:
    call = step.call
    assert call is not None
    what = "freeze" if call.verb is Verb.FREEZE else "thaw"
    five = call.status is Status.FIVE
    if five and errexit(script, step) and not _guarded(script, step):
        yield (
            "set-e-aborts-frozen",
            step.node,
            f"The {what} succeeds with 5, and `set -e` ends the script there.",
        )
        return
    if call.verb is Verb.THAW and is_rollback(script, step):
        return
    if outcome.fate is Fate.PIPED:
        yield (
            "status-lost-in-pipe",
            step.node,
            f"The status of the {what} is lost: the pipe's last command gives it.",
        )
    elif outcome.fate is Fate.OVERWRITTEN:
        line = outcome.place.start_point[0] + 1
        message = f"`$?` is read after another command (line {line}), not after the {what}."
        yield "status-overwritten", step.node, message
    elif outcome.fate in (Fate.UNREAD, Fate.DISCARDED):
        late = [test for test in tests_of_freeze if test.start_byte > step.node.end_byte]
        if call.verb is Verb.THAW and outcome.variable and late:
            message = f"After the thaw the status of the freeze is tested; ${outcome.variable} never is."
            yield "wrong-status-tested", late[0], message
        else:
            how = "only written to a log" if outcome.logged else "never tested"
            yield "status-never-read", step.node, f"The exit status of the {what} is {how}."
    elif outcome.fate is Fate.BOOLEAN and five:
        yield "five-taken-as-failure", step.node, f"The {what} is asked for zero, but its success is 5."
    elif outcome.fate is Fate.CALLER and five:
        yield "five-returned-to-caller", outcome.place, f"The {what}'s 5 becomes the status of the script."
    elif outcome.fate is Fate.TESTED and outcome.tests:
        yield from _tested(step, outcome, what) if five else _tested_control(step, outcome, what)


def _tested(step: Step, outcome: Outcome, what: str) -> Iterator[Found]:
    five, three, other, zero = (outcome.regions(value) for value in (5, 3, 255, 0))
    place = outcome.tests[0]
    if five == three == other != zero:
        yield "five-taken-as-failure", place, f"The {what}'s status is compared with 0, but its success is 5."
        return
    if _meaning(three) == "success" or (_meaning(five) == "failure" and _meaning(three) != "failure"):
        yield (
            "meaning-inverted",
            place,
            f"The {what} ends with 5 when it is done and 3 when not; here it is taken the other way.",
        )
    elif (other == five != three) or (not other and _fails(three) and three != five):
        yield "unknown-status-passes", place, f"Only 3 counts as a failed {what}; any other status passes."
    yield from _handed_on(outcome, five, what)


def _handed_on(outcome: Outcome, five: Sequence[Node], what: str) -> Iterator[Found]:
    """`exit $status` where status can still be 5."""
    if not outcome.variable:
        return
    settled = any(_leaves(node) or _assigns(node, outcome.variable) for node in five)
    regions = [node for value in (3, 255, 0, 1) for node in outcome.regions(value)]
    for node in walk(scope_of(outcome.place)):
        if node.type != "command" or text(node.child_by_field_name("name")) != "exit":
            continue
        if node.start_byte < outcome.place.start_byte or not re.search(
            rf"\$\{{?{outcome.variable}\b", text(node)
        ):
            continue
        inside_five = any(_contains(region, node) for region in five)
        inside_other = any(_contains(region, node) for region in regions)
        if inside_five or (not inside_other and not settled):
            yield "five-returned-to-caller", node, f"After a good {what} this ends with 5."


def _tested_control(step: Step, outcome: Outcome, what: str) -> Iterator[Found]:
    zero, one, three, five = (outcome.regions(value) for value in (0, 1, 3, 5))
    if zero == one and (five != zero or three != zero):
        message = f"`iris {what}` ends with 0 or 1; it is compared with 5 or 3."
        yield "control-status-compared-with-five", outcome.tests[0], message


def _guarded(script: Script, step: Step) -> bool:
    """True where `set -e` does not look at a command's status."""
    child = statement_of(step.node)
    for parent in step.around():
        if parent.type == "list" and parent.children[0] == child:
            return True
        if parent.type == "negated_command":
            return True
        if parent.type in ("if_statement", "while_statement", "elif_clause") and _in_condition(parent, child):
            return True
        if parent.type == "pipeline" and parent.named_children[-1] != child and not pipefail(script, step):
            return True
        child = parent
    return False


def _in_condition(parent: Node, child: Node) -> bool:
    word = next((one for one in parent.children if one.type in ("then", "do_group")), None)
    return word is not None and child.end_byte <= word.start_byte


def is_rollback(script: Script, step: Step) -> bool:
    """True for a thaw on the way to a failure: what follows it in its branch ends with another status than 0."""
    if step.trapped:
        return True
    child = step.node
    for parent in step.around():
        if (
            parent.type in ("if_statement", "elif_clause", "else_clause", "case_item")
            or (parent.type == "list" and parent.children[0] != child and text(parent.children[1]) == "||")
        ) and not (parent.type in ("if_statement", "elif_clause") and _in_condition(parent, child)):
            later = [node for node in walk(parent) if node.start_byte >= child.start_byte]
            if parent.type == "if_statement":
                later = [node for node in later if not _other_branch(parent, node)]
            if any(_is_failing_exit(node, script) for node in later) and _depends_on_failure(parent):
                return True
        child = parent
    return False


def _depends_on_failure(branch: Node) -> bool:
    """A branch by an argument of the script is no branch of failure."""
    decision = branch if branch.type == "if_statement" else branch.parent
    while decision is not None and decision.type not in ("if_statement", "case_statement", "list"):
        decision = decision.parent
    if decision is None:
        return False
    asked = text(decision.child_by_field_name("value")) or text(decision.child_by_field_name("condition"))
    return not re.search(r"\$\{?(1\b|mode\b|MODE\b|action\b|ACTION\b)", asked)


def _other_branch(decision: Node, node: Node) -> bool:
    return any(
        other.type in ("elif_clause", "else_clause") and _contains(other, node) for other in decision.children
    )


def _is_failing_exit(node: Node, script: Script, depth: int = 0) -> bool:
    if node.type != "command":
        return False
    name = text(node.child_by_field_name("name"))
    words = [text(child).strip("\"'") for child in node.named_children[1:] if child.type != "file_redirect"]
    if name in ("exit", "return"):
        return bool(words) and words[0] != "0"
    body = script.functions.get(name)
    return (
        body is not None
        and depth < 4
        and any(_is_failing_exit(inner, script, depth + 1) for inner in walk(body))
    )


def fails(nodes: Sequence[Node], script: Script) -> bool:
    """True if statements end with another status than 0, or note that they will."""
    return _fails(nodes) or any(_is_failing_exit(inner, script) for node in nodes for inner in walk(node))


def _fails(nodes: Sequence[Node]) -> bool:
    for node in (inner for one in nodes for inner in walk(one)):
        if node.type == "command" and text(node.child_by_field_name("name")) in ("exit", "return"):
            words = [text(child) for child in node.named_children[1:]]
            if words and words[0] != "0":
                return True
        if node.type == "variable_assignment":
            name, value = (text(node.child_by_field_name(field)) for field in ("name", "value"))
            if _FLAG.search(name) and re.fullmatch(r"[1-9]\d*|yes|true|\$\(\(.*\)\)", value.strip("\"'")):
                return True
    return False


def _meaning(nodes: Sequence[Node]) -> str:
    """Whether statements speak of success or of failure; empty if they do not say."""
    words = ""
    for node in (inner for one in nodes for inner in walk(one)):
        if node.type == "variable_assignment" and _fails([node]):
            words += " failed"
        if node.type != "command":
            continue
        name = text(node.child_by_field_name("name"))
        if name in ("exit", "return"):
            status = " ".join(text(child) for child in node.named_children[1:])
            if status == "0":
                return "success"
            if status.isdigit():
                return "failure"
        if name in ("echo", "printf", "logger", "log", "say", "fail", "die"):
            words += " " + text(node)
    if _FAILURE.search(words):
        return "failure"
    return "success" if _SUCCESS.search(words) else ""


def _leaves(node: Node) -> bool:
    return any(
        inner.type == "command" and text(inner.child_by_field_name("name")) in ("exit", "return")
        for inner in walk(node)
    )


def _assigns(node: Node, variable: str) -> bool:
    return any(
        inner.type == "variable_assignment" and text(inner.child_by_field_name("name")) == variable
        for inner in walk(node)
    )


def _contains(outer: Node, inner: Node) -> bool:
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte


def _exit(script: Script) -> Iterator[Found]:
    """A script that cannot end with another status than 0."""
    calls = [step for step in script.calls if step.call and step.call.verb in (Verb.FREEZE, Verb.THAW)]
    later = script.steps[calls[0].index :]
    ways = [step for step in later if step.name in ("exit", "return", "false", "kill")]
    if any(step.words[1:] != ("0",) for step in ways):
        return
    if any(errexit(script, step) for step in script.calls):
        return
    statements = [
        node
        for node in script.root.named_children
        if node.type not in ("comment", "function_definition", "ERROR")
    ]
    if statements and _surely_zero(statements[-1]):
        yield (
            "always-exits-zero",
            statements[-1],
            "The script ends with 0 whatever freeze and thaw have answered.",
        )


def _surely_zero(node: Node) -> bool:
    if node.type == "redirected_statement":
        return _surely_zero(node.named_children[0])
    if node.type == "command":
        words = [text(child) for child in node.named_children] or [""]
        return words[0] in _QUIET or words == ["exit", "0"]
    if node.type in ("for_statement", "while_statement"):
        body = node.child_by_field_name("body")
        inner = [child for child in body.named_children if child.type != "comment"] if body else []
        return bool(inner) and _surely_zero(inner[-1])
    if node.type == "case_statement":
        items = [child for child in node.named_children if child.type == "case_item"]
        return all(bool(item.named_children) and _surely_zero(item.named_children[-1]) for item in items)
    return node.type == "variable_assignment" and not any(
        child.type == "command_substitution" for child in ancestors(node)
    )
