"""Rules about what a shell script does before, in and after the freeze window."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tree_sitter import Node

from harness.scripts.lint.engine import Verb
from harness.scripts.lint.shell import LOOPS, Script, Step, ancestors, exclusive, text, walk
from harness.scripts.lint.shell_status import chosen, patterns
from harness.scripts.lint.shell_status_rules import fails, is_rollback

Found = tuple[str, Node, str]
_SNAPSHOT = re.compile(
    r"""
    ^( lvcreate\b.*\s(-\w*s\b|--snapshot)
     | (zfs\s+snapshot | btrfs\s+subvolume\s+snapshot)\b
     | aws\b.*\screate-snapshots?\b
     | az\s+snapshot\s+create\b
     | gcloud\b.*\bsnapshots?\b
     | kubectl\s+(apply|create)\b.*(snap|Snap)
     | virsh\s+snapshot-create
     | acli\b.*\b(snapshot|clone)
     | vmware-cmd\b|govc\s+snapshot|vim-cmd\s+vmsvc/snapshot
     | cp\b.*--reflink
     | \S*snap\S*\b
    )
    """,
    re.VERBOSE,
)
_SNAPSHOT_WAIT = re.compile(r"^(kubectl\s+wait\b|aws\b.*\swait\s+snapshot-completed\b|az\b.*\swait\b)")
_COPY = re.compile(
    r"^(tar|rsync|dd|cpio|pax|scp|gzip|pigz|zip|xz|zstd|restic|borg|duplicity|rclone)\b|^cp\s+-\w*[rRa]"
)
_STORE = re.compile(
    r"^(tar|rsync|dd|cpio|scp|cp|mv|restic|borg|rclone|aws|az|gsutil|mount|tape|bpbackup|sha256sum)\b"
)
_SMALL = re.compile(r"\blogs?\b|\.log\b|journal", re.IGNORECASE)


def findings(script: Script) -> Iterator[Found]:
    """Rules broken, each with its place and a message."""
    freezes = [step for step in script.calls if step.call and step.call.verb is Verb.FREEZE]
    thaws = [
        step
        for step in script.calls
        if step.call and step.call.verb is Verb.THAW and not is_rollback(script, step)
    ]
    yield from _window(script, freezes, thaws)
    yield from _snapshots(script, freezes, thaws)
    yield from _thaws(script, thaws)
    yield from _history(script, thaws)
    yield from _loops(script, freezes)
    yield from _waits(script, freezes)
    yield from _arguments(script)


def _line(step: Step) -> str:
    return " ".join(step.words)


def _window(script: Script, freezes: list[Step], thaws: list[Step]) -> Iterator[Found]:
    """Copies between a freeze and the thaw that belongs to it."""
    for freeze in freezes:
        thaw = next((one for one in thaws if one.index > freeze.index and not exclusive(one, freeze)), None)
        if thaw is None:
            continue
        for step in script.steps[freeze.index + 1 : thaw.index]:
            if exclusive(step, freeze) or step.name in script.functions:
                continue
            line = _line(step)
            if _COPY.search(line) and "--reflink" not in line and not _SMALL.search(line):
                began = freeze.node.start_point[0] + 1
                message = f"`{step.name}` runs between freeze (line {began}) and thaw."
                yield "long-copy-while-frozen", step.node, message


def _snapshots(script: Script, freezes: list[Step], thaws: list[Step]) -> Iterator[Found]:
    snapshots = [
        step
        for step in script.steps
        if _SNAPSHOT.search(_line(step)) and step.name not in script.functions and not step.call
    ]
    waits = [step for step in script.steps if _SNAPSHOT_WAIT.search(_line(step))]
    if not freezes or not snapshots:
        return
    for freeze in freezes:
        taken = [one for one in snapshots if one.index > freeze.index and not exclusive(one, freeze)]
        thawed = [one for one in thaws if one.index > freeze.index and not exclusive(one, freeze)]
        if not taken:
            continue
        if thawed and thawed[0].index < taken[0].index:
            yield "snapshot-after-thaw", taken[0].node, "The instance is thawed before the snapshot is taken."
            continue
        if not _left(script, freeze, taken[0]):
            line = freeze.node.start_point[0] + 1
            message = f"Nothing keeps the script from this snapshot if the freeze (line {line}) fails."
            yield "snapshot-after-failed-freeze", taken[0].node, message
        if thawed:
            later = [one for one in waits if one.index > thawed[0].index]
            between = [one for one in waits if taken[0].index < one.index < thawed[0].index]
            if later and not between:
                yield (
                    "thaw-before-snapshot-complete",
                    thawed[0].node,
                    "The script waits for the snapshot only after this thaw.",
                )
            elif _in_background(script, taken[0], thawed[0]):
                yield (
                    "thaw-before-snapshot-complete",
                    thawed[0].node,
                    "The snapshot runs in the background; nothing waits for it before this thaw.",
                )
        return


def _left(script: Script, freeze: Step, snapshot: Step) -> bool:
    """True if the script can end, or turn another way, between a freeze and the snapshot."""
    for step in script.steps[freeze.index + 1 : snapshot.index]:
        if step.name in ("exit", "return", "break", "continue") and not exclusive(step, freeze):
            return True
    child = snapshot.node
    for parent in snapshot.around():
        decides = parent.type in ("if_statement", "case_item") and freeze.node.start_byte < child.start_byte
        if decides and (parent not in freeze.around() or _is_condition_of(parent, freeze)):
            return True
        if parent.type == "list" and parent.children[0] != child and text(parent.children[1]) == "&&":
            return True
        child = parent
    return False


def _is_condition_of(parent: Node, step: Step) -> bool:
    then = next((child for child in parent.children if child.type == "then"), None)
    nodes = (step.node, *step.stack)
    return then is not None and any(parent.start_byte <= one.start_byte < then.start_byte for one in nodes)


def _in_background(script: Script, snapshot: Step, thaw: Step) -> bool:
    after = snapshot.node.next_sibling or (
        snapshot.node.parent.next_sibling if snapshot.node.parent else None
    )
    if after is None or after.type != "&":
        return False
    return not any(step.name == "wait" for step in script.steps[snapshot.index : thaw.index])


def _thaws(script: Script, thaws: list[Step]) -> Iterator[Found]:
    asked = [step for step in script.calls if step.call and step.call.verb is Verb.SUSPENDED]
    if thaws and not any(step.index < thaws[0].index or _before(step, thaws[0]) for step in asked):
        message = "If the engine has thawed itself before, this thaw succeeds and a torn snapshot passes."
        yield "self-thaw-not-checked", thaws[0].node, message
    for thaw in thaws:
        child = thaw.node
        for parent in thaw.around():
            if parent.type == "if_statement" and child.type not in ("else_clause", "elif_clause"):
                test = text(parent.child_by_field_name("condition"))
                if _is_log_test(script, test) and not _in_condition_of(parent, child):
                    yield "thaw-depends-on-folder", parent, f"There is no thaw unless {test} holds."
            if parent.type == "list" and parent.children[0] != child and text(parent.children[1]) == "&&":
                test = text(parent.children[0])
                if _is_log_test(script, test):
                    yield "thaw-depends-on-folder", parent, f"There is no thaw unless {test} holds."
            child = parent
        for step in script.steps[: thaw.index]:
            outer = step.node.parent
            if step.name == "[" and outer is not None and outer.type == "list" and not exclusive(step, thaw):
                leaves = (
                    re.match(r"(\{\s*)?exit\b", text(outer.children[2])) and text(outer.children[1]) == "||"
                )
                if leaves and _is_log_test(script, text(step.node)):
                    yield "thaw-depends-on-folder", outer, f"There is no thaw unless {text(step.node)} holds."


def _before(one: Step, other: Step) -> bool:
    return one.node.start_byte < other.node.start_byte


def _is_log_test(script: Script, test: str) -> bool:
    found = re.fullmatch(
        r"\[\[?\s*-[defswrx]\s+(?P<word>\S+)\s*\]\]?|test\s+-[defswrx]\s+(?P<other>\S+)", test.strip()
    )
    return bool(found and re.search(r"log", found["word"] or found["other"], re.IGNORECASE))


def _in_condition_of(parent: Node, child: Node) -> bool:
    then = next((one for one in parent.children if one.type == "then"), None)
    return then is not None and child.end_byte <= then.start_byte


def _history(script: Script, thaws: list[Step]) -> Iterator[Found]:
    for step in script.calls:
        if not step.call or step.call.verb is not Verb.HISTORY:
            continue
        before = [thaw for thaw in thaws if thaw.index < step.index and not exclusive(thaw, step)]
        if not before:
            continue
        between = script.steps[before[-1].index + 1 : step.index]
        if not any(_STORE.search(_line(one)) and one.name not in script.functions for one in between):
            message = (
                "ExternalSetHistory follows the thaw; whether a backup was made and copied is not known yet."
            )
            yield "history-before-copy", step.node, message


def _loops(script: Script, freezes: list[Step]) -> Iterator[Found]:
    for freeze in freezes:
        loop = next((node for node in freeze.around() if node.type in LOOPS), None)
        if loop is None:
            continue
        if not _thaws_in_scope(script, freeze, loop):
            message = "When the freeze of a later instance fails, those frozen before it are not thawed."
            yield "no-thaw-after-partial-freeze", freeze.node, message
        source = _list_of(script, loop)
        if source is not None and not _counted(script, loop, source):
            yield (
                "no-instance-passes",
                loop,
                "If no instance is running, this loop does nothing and the script succeeds.",
            )


def _thaws_in_scope(script: Script, freeze: Step, loop: Node) -> bool:
    """True if a thaw stands where the failure of this freeze can lead."""
    thaws = [step for step in script.calls if step.call and step.call.verb is Verb.THAW]
    if any(step.trapped for step in thaws):
        return True
    if any(
        re.search(r"thaw", _line(step))
        and "/" in _line(step)
        and not step.call
        and step.name not in ("echo", "rm", "printf", "logger", "touch", "mkdir")
        and step.name not in script.functions
        for step in script.steps
    ):
        return True  # another script that thaws
    return any(not exclusive(thaw, freeze) for thaw in thaws)


def _list_of(script: Script, loop: Node) -> Node | None:
    """Where a loop's instances come from, if that is the engine's own list."""
    listed = [step for step in script.calls if step.call and step.call.verb is Verb.LIST]
    places = [node for step in listed for node in (step.node, *step.stack)]
    body = loop.child_by_field_name("body")
    outer: Node = loop
    for parent in ancestors(loop):
        if parent.type not in ("redirected_statement", "pipeline"):
            break
        outer = parent
    for place in places:
        if _inside(outer, place) and not (body is not None and _inside(body, place)):
            return place
    head = text(outer).split("\ndo", 1)[0] + text(outer)[len(text(loop)) :]
    for name in re.findall(r"\$\{?(\w+)", head):
        for assigned in script.assignments.get(name, ()):
            if any(_inside(assigned, place) for place in places):
                return assigned
    return None


def _inside(outer: Node, inner: Node) -> bool:
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte


def _counted(script: Script, loop: Node, source: Node) -> bool:
    """True if something after the list was made asks whether it was empty."""
    listed = text(source.child_by_field_name("name")) if source.type == "variable_assignment" else ""
    body = loop.child_by_field_name("body")
    called = {text(node) for node in walk(loop) if node.type == "command_name"}
    inner = [body, *(script.functions[name] for name in called if name in script.functions)]
    changed = _changed_in([part for part in inner if part is not None])
    for node in walk(script.root):
        if node.type not in ("test_command", "compound_statement", "case_statement", "command"):
            continue
        if body is not None and _inside(body, node):
            continue
        asked = text(node.child_by_field_name("value")) if node.type == "case_statement" else text(node)
        if node.type == "compound_statement" and not asked.startswith("(("):
            continue
        if node.type == "command":
            words = asked.split() or [""]
            name = re.sub(r"[\"'${}]", "", words[1]) if len(words) == 2 else ""
            if words[0] in ("exit", "return") and name in changed:
                start = _initial(script, name, loop)
                if start not in ("", "0"):
                    return True
            if words[0] != "test":
                continue
        if "${#" in asked and node.type != "command":
            return True
        names = set(re.findall(r"\$\{?(\w+)|\b(\w+)\b(?=\s*[=<>!])", asked))
        flat = {one for pair in names for one in pair if one}
        if listed in flat and re.search(r"(^|\s)(-z|-n|=|!=|==)\s", asked):
            return True
        for name in flat & changed:
            if _fails_at_start(script, node, name, _initial(script, name, loop), asked):
                return True
    return False


def _changed_in(parts: Sequence[Node]) -> set[str]:
    """Names of the variables that some parts of a script set, count or read."""
    inside = [node for part in parts for node in walk(part)]
    assigned = {
        text(node.child_by_field_name("name")) for node in inside if node.type == "variable_assignment"
    }
    counted = [node for node in inside if node.type == "postfix_expression" and node.named_children]
    read = {
        text(child)
        for node in inside
        if node.type == "command" and text(node.child_by_field_name("name")) == "read"
        for child in node.named_children[1:]
    }
    return assigned | read | {text(node.named_children[0]) for node in counted}


def _initial(script: Script, name: str, loop: Node) -> str:
    """The value of a variable before a loop, as text; empty if it has none."""
    for assigned in script.assignments.get(name, ()):
        if assigned.start_byte < loop.start_byte and not _inside(loop, assigned):
            return text(assigned.child_by_field_name("value")).strip("\"'")
    return ""


def _fails_at_start(script: Script, test: Node, name: str, value: str, asked: str) -> bool:
    decision = test
    for parent in ancestors(test):
        if parent.type in ("if_statement", "list"):
            decision = parent
        if parent.type in ("if_statement", "function_definition", "do_group", "case_item"):
            break
    if re.search(r"-z\s", asked) and value == "":
        return True
    if re.search(r"-n\s", asked) and value == "":
        return any(child.type == "else_clause" for child in decision.children) or "||" in text(decision)
    taken = chosen(decision, {name}, int(value) if value.isdigit() else 0)
    return fails(taken, script)


def _waits(script: Script, freezes: list[Step]) -> Iterator[Found]:
    """Loops that wait for something with no end."""
    if not freezes:
        return
    for node in walk(script.root):
        if node.type != "while_statement":
            continue
        body = node.child_by_field_name("body")
        condition = text(node.child_by_field_name("condition"))
        names = {text(one.child_by_field_name("name")) for one in walk(node) if one.type == "command"}
        if "sleep" not in names or names & {"break", "exit", "return", "read", "timeout"} or body is None:
            continue
        changed = _changed_in([node, *(script.functions[name] for name in names if name in script.functions)])
        counted = any(re.search(rf"\b{re.escape(name)}\b", condition) for name in changed)
        if counted or "SECONDS" in condition or "date" in condition:
            continue
        if any(
            name in script.functions and re.search(r"\bexit\b", text(script.functions[name]))
            for name in names
        ):
            continue
        yield "wait-without-limit", node, f"This waits for ever while {condition} says so."


def _arguments(script: Script) -> Iterator[Found]:
    for node in walk(script.root):
        if node.type == "case_statement":
            value = node.child_by_field_name("value")
            asked = _resolved_text(script, value) if value is not None else ""
            if not re.search(r"\$\{?1\b", asked) or not _calls_in(script, node):
                continue
            items = [child for child in node.named_children if child.type == "case_item"]
            if not any("*" in patterns(item) for item in items):
                yield (
                    "argument-matches-nothing",
                    node,
                    "An argument that matches none of these ends with status 0.",
                )
        elif node.type == "if_statement" and node.parent is not None and node.parent.type == "program":
            condition = node.child_by_field_name("condition")
            if condition is None or not re.search(r"\$\{?1\b", _resolved_text(script, condition)):
                continue
            if not re.search(r"=|-eq", text(condition)) or not _calls_in(script, node):
                continue
            if any(child.type == "else_clause" for child in node.children):
                continue
            after = [other for other in node.parent.named_children if other.start_byte >= node.end_byte]
            chain = [other for other in after if other.type == "if_statement" and "$" in text(other)]
            if chain and any("1" in text(one.child_by_field_name("condition")) for one in chain):
                continue  # the last one of a row is judged
            if not fails(after, script):
                yield (
                    "argument-matches-nothing",
                    node,
                    "An argument that matches none of these ends with status 0.",
                )


def _resolved_text(script: Script, condition: Node) -> str:
    made = text(condition)
    for name in re.findall(r"\$\{?(\w+)", made):
        made += " " + " ".join(
            text(one.child_by_field_name("value")) for one in script.assignments.get(name, ())
        )
    return made


def _calls_in(script: Script, node: Node) -> bool:
    return any(
        _inside(node, place)
        for step in script.calls
        if step.call and step.call.verb in (Verb.FREEZE, Verb.THAW)
        for place in (step.node, *step.stack)
    )
