"""Rules about Windows batch files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tree_sitter import Node

from harness.scripts.lint import call_rules
from harness.scripts.lint.batch import BatchScript, End, walk
from harness.scripts.lint.engine import Call, Status, Verb
from harness.scripts.lint.model import Finding
from harness.scripts.lint.rules import finding
from harness.scripts.lint.source import Source

Found = tuple[str, Node, str]
_UNKNOWN = (255, 1)
_COPY = re.compile(r"^(robocopy|xcopy|copy|7z|wbadmin|tar|rclone|aws|az)\b", re.IGNORECASE)


def findings(source: Source) -> list[Finding]:
    """Everything found in one batch file."""
    if not source.text.strip():
        return [finding("empty-script", source.file, 1, 1, "There is nothing in it.")]
    found = []
    if source.wide or source.marked:
        what = "UTF-16" if source.wide else "UTF-8 with a byte order mark"
        found.append(
            finding(
                "byte-order-mark", source.file, 1, 1, f"It is {what}: cmd.exe does not run its first line."
            )
        )
    script = BatchScript(source)
    for rule, node, message in _rules(script):
        row, column = node.start_point
        found.append(finding(rule, source.file, row + 1, column + 1, message))
    return found


def _rules(script: BatchScript) -> Iterator[Found]:
    yield from _mistakes(script)
    yield from _calls(script)
    yield from _statuses(script)
    yield from _order(script)
    yield from _arguments(script)
    yield from _words(script)


def _mistakes(script: BatchScript) -> Iterator[Found]:
    for node in walk(script.root):
        if node.type == "ERROR" and (node.parent is None or node.parent.type != "ERROR"):
            shown = script.text(node).strip().split("\n")[0][:40]
            yield (
                "not-understood",
                node,
                f"Not understood from here: {shown!r}. Nothing is said about this part.",
            )
        if node.type == "goto_stmt":
            label = script.text(node).split(None, 1)[-1].strip(": \t").upper()
            if label not in script.labels and label != "EOF" and not re.search("[%!]", label):
                yield (
                    "malformed-script",
                    node,
                    f"There is no label :{label} to go to; the script ends here with 1.",
                )


def _calls(script: BatchScript) -> Iterator[Found]:
    for node, call in script.calls:
        redirected = node.parent is not None and node.parent.type == "redirect_stmt"
        for rule, message in call_rules.findings(call, captured=redirected):
            yield rule, node, message
        if re.search(r"(?<!%)%SYS\b", script.text(node), re.IGNORECASE):
            yield (
                "namespace-percent",
                node,
                "In a batch file a single % begins a variable: the namespace is lost.",
            )
        if call.verb is Verb.LIST and {"qall", "all"} & {word.lower() for word in call.words[1:]}:
            yield "list-parsed-by-columns", node, f"`{' '.join(call.words[:2])}` is made for people."
    for node in walk(script.root):
        if node.type == "for_set" and re.search(
            r"\b(iris|ccontrol)(\.exe)?\"?\s+(qall|all)\b", script.text(node)
        ):
            yield "list-parsed-by-columns", node, "`qall` is made for people: it cuts lines off."


def _statuses(script: BatchScript) -> Iterator[Found]:
    asked = [(node, call) for node, call in script.calls if call.verb in (Verb.FREEZE, Verb.THAW)]
    never_fails = bool(asked)
    for node, call in asked:
        ends = {status: script.ends(node, status) for status in (5, 3, 0, *_UNKNOWN)}
        if not ends[5]:
            continue  # only come to when another call has failed: a thaw that undoes a freeze
        never_fails = never_fails and all(_statuses_of(some) <= {0} for some in ends.values())
        if call.status is Status.FIVE:
            yield from _of_call(script, node, call, ends)
    if never_fails:
        last = script.statements[-1]
        yield "always-exits-zero", last, "The file ends with 0 whatever freeze and thaw have answered."


def _statuses_of(ends: Sequence[End]) -> set[int]:
    return {end.status for end in ends}


def _of_call(script: BatchScript, node: Node, call: Call, ends: dict[int, list[End]]) -> Iterator[Found]:
    what = call.verb.value
    statement = node
    while statement.parent is not None and statement.parent.type == "redirect_stmt":
        statement = statement.parent
    parent = statement.parent
    if parent is not None and parent.type == "pipe_stmt" and parent.named_children[-1] != statement:
        yield (
            "status-lost-in-pipe",
            node,
            f"The status of the {what} is lost: the pipe's last command gives it.",
        )
        return
    if parent is not None and parent.type == "cond_exec" and parent.named_children[0] == statement:
        yield "five-taken-as-failure", node, f"The {what} is asked for zero, but its success is 5."
        return
    early = _early(script, node)
    if early is not None:
        yield "errorlevel-expanded-early", early, "%ERRORLEVEL% has the value from before this block."
    done, failed = _statuses_of(ends[5]), _statuses_of(ends[3])
    tests = _level_tests(script, statement)
    if _lower_first(script, tests):
        yield (
            "errorlevel-three-first",
            tests[0],
            "`if errorlevel 3` holds for 5 too: `if errorlevel 5` is never reached.",
        )
        if _inverted(script, tests):
            yield "meaning-inverted", tests[0], f"3, a failed {what}, goes on as success, and 5 as failure."
    elif not any(end.state.read for end in ends[3]) and 0 in failed:
        yield "status-never-read", node, f"The exit status of the {what} is never tested."
    elif done == {5}:
        yield "five-returned-to-caller", node, f"After a good {what} the file ends with 5."
    elif 0 not in done and failed == {0}:
        yield (
            "meaning-inverted",
            node,
            f"The {what} ends with 5 when it is done and 3 when not; here it is taken the other way.",
        )
    elif 0 in done and 0 in failed:
        yield "failure-passes", node, f"The file ends with 0 although the {what} failed."
    elif 0 in done and any(0 in _statuses_of(ends[value]) for value in _UNKNOWN):
        yield "unknown-status-passes", node, f"Only 3 counts as a failed {what}; another status passes."
    elif 0 not in done and done == failed:
        yield "five-taken-as-failure", node, f"The {what} ends the file with {min(done)} even if it succeeds."


def _level_tests(script: BatchScript, statement: Node) -> list[Node]:
    """The `if errorlevel N` that come right after a call."""
    tests: list[Node] = []
    after = statement.next_named_sibling
    while after is not None and after.type in ("if_stmt", "comment"):
        if after.type == "if_stmt" and script.level_of(after):
            tests.append(after)
        after = after.next_named_sibling
    return tests


def _lower_first(script: BatchScript, tests: Sequence[Node]) -> bool:
    levels = [level for test in tests for level in [script.level_of(test)] if level]
    positive = [number for number, negated in levels if not negated]
    return bool(positive) and 5 in positive and 3 in positive and positive.index(3) < positive.index(5)


def _inverted(script: BatchScript, tests: Sequence[Node]) -> bool:
    ends: dict[int, set[int]] = {}
    for test in tests:
        level, body = script.level_of(test), script.body_of(test)
        if level and body is not None:
            ends[level[0]] = _statuses_of(script.ends_from(body))
    return ends.get(3) == {0} and bool(ends.get(5)) and 0 not in ends[5]


def _early(script: BatchScript, node: Node) -> Node | None:
    """%ERRORLEVEL% in the block of a call, which cmd.exe replaces before the call is made."""
    block = None
    parent = node.parent
    while parent is not None:
        if parent.type in ("parenthesized", "command_sep"):
            block = parent
        parent = parent.parent
    if block is None:
        return None
    for other in walk(block):
        later = other.type == "variable_reference" and other.start_byte > node.end_byte
        if later and script.text(other).lower() == "%errorlevel%":
            return other
    return None


def _order(script: BatchScript) -> Iterator[Found]:
    freezes = [node for node, call in script.calls if call.verb is Verb.FREEZE]
    thaws = [node for node, call in script.calls if call.verb is Verb.THAW]
    asked = [node for node, call in script.calls if call.verb is Verb.SUSPENDED]
    final = [node for node in thaws if 0 in _statuses_of(script.ends(node, 5))]
    if final and not any(node.start_byte < final[0].start_byte for node in asked):
        message = "If the engine has thawed itself before, this thaw succeeds and a torn snapshot passes."
        yield "self-thaw-not-checked", final[0], message
    for node, call in script.calls:
        if call.verb is Verb.HISTORY:
            before = [thaw for thaw in thaws if thaw.start_byte < node.start_byte]
            copies = [
                other
                for other in walk(script.root)
                if other.type == "cmd"
                and _COPY.match(script.text(other))
                and before
                and before[-1].start_byte < other.start_byte < node.start_byte
            ]
            if before and not copies:
                message = "ExternalSetHistory follows the thaw; whether a backup was made is not known yet."
                yield "history-before-copy", node, message
    looped = [node for node in freezes if _loop_of(node) is not None]
    if not thaws and (len(freezes) > 1 or looped):
        message = "When the freeze of a later instance fails, those frozen before it are not thawed."
        yield "no-thaw-after-partial-freeze", (looped or freezes[1:])[0], message
    for node in looped:
        loop = _loop_of(node)
        listed = loop is not None and re.search(r"\b(qlist|qall|all)\b", script.text(loop).split(")")[0])
        if loop is not None and listed and 0 in _statuses_of(script.ends_without_loops()):
            message = "If no instance is running, this loop does nothing and the file ends with 0."
            yield "no-instance-passes", loop, message


def _loop_of(node: Node) -> Node | None:
    parent = node.parent
    while parent is not None and parent.type != "for_stmt":
        parent = parent.parent
    return parent


def _arguments(script: BatchScript) -> Iterator[Found]:
    tests = [
        node
        for node in walk(script.root)
        if node.type == "if_stmt"
        and re.search(r"%~?1\b", script.condition_of(node))
        and '""' not in script.condition_of(node)
    ]
    if not tests or not any(call.verb in (Verb.FREEZE, Verb.THAW) for _, call in script.calls):
        return
    if any(end.status == 0 for end in script.ends_without_argument()):
        yield (
            "argument-matches-nothing",
            tests[0],
            "An argument that matches none of these ends with status 0.",
        )


def _words(script: BatchScript) -> Iterator[Found]:
    for node in walk(script.root):
        if node.type != "cmd":
            continue
        words = script.words(node)
        name = words[0].lower() if words else ""
        if name in ("cd", "chdir") and len(words) > 1 and re.match(r"[A-Za-z]:", words[1]):
            yield (
                "cd-without-drive",
                node,
                f"`cd {words[1]}` stays on the current drive if that is another one.",
            )
        freezes = [other for other, call in script.calls if call.verb is Verb.FREEZE]
        if (
            name in ("find", "findstr")
            and re.search(r"system\W{0,3}suspended", script.text(node), re.IGNORECASE)
            and freezes
            and not any(end.state.read for end in script.ends(freezes[0], 3))
        ):
            yield (
                "success-read-from-log",
                node,
                "The log's `System suspended` is all that tells of success.",
            )
    logs = {
        call.argument(1).strip('"').lower()
        for _, call in script.calls
        if call.verb in (Verb.FREEZE, Verb.THAW) and call.status is Status.FIVE
    } - {"", "0"}
    for node in walk(script.root):
        if node.type == "redirection" and re.match(r"1?>(?![>&])", script.text(node)):
            target = script.text(node).lstrip("1> ").strip('"')
            resolved = script.words(node)
            name = (resolved[-1] if resolved else target).lstrip("1>").strip('"').lower()
            if name in logs:
                yield "log-truncated", node, f"`>` empties {target}, and with it the last marker."
