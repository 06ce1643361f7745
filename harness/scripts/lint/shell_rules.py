"""Rules about shell scripts: the file, its calls and its words; status and order have modules of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from harness.scripts.lint import call_rules, shell_order_rules, shell_status_rules
from harness.scripts.lint.engine import Call, Status, Verb
from harness.scripts.lint.model import Finding
from harness.scripts.lint.rules import finding
from harness.scripts.lint.shell import LOOPS, Script, Step, text, walk
from harness.scripts.lint.shell_status import Fate, trace
from harness.scripts.lint.source import Source

Found = tuple[str, Node, str]
_INVERTED = re.compile(
    r"""
      \b5\b \s* (?:=|:|-|->|is|means)? \s* (?:\w+\s){0,2} (?:fail|error|not\sfrozen|still\sfrozen)
    | \b3\b \s* (?:=|:|-|->|is|means)? \s* (?:\w+\s){0,1} (?:success|succeeded|ok\b|done\b)
    | \b0\b \s* (?:=|:|-|->|is|means)? \s* (?:\w+\s){0,1} success .* \b5\b
    | \b5\b .* \b0\b \s* (?:=|:|-|->|is|means)? \s* (?:\w+\s){0,1} success
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PHRASES = re.compile(r"errors exposed|globals with errors found", re.IGNORECASE)
_INTEGRITY = re.compile(r"integrity|no errors|errors were found", re.IGNORECASE)
_DATABASE = re.compile(r"(IRIS|CACHE)\.DAT", re.IGNORECASE)
_JOURNALS = re.compile(r"journal|\.WIJ|\bjrn\b", re.IGNORECASE)
_HOOK_S_MIN = 30


def findings(source: Source) -> list[Finding]:
    """Everything found in one shell script."""
    if not source.text.strip():
        return [finding("empty-script", source.file, 1, 1, "There is nothing in it.")]
    found = list(_of_file(source))
    script = Script(source)
    for line, column, what in script.mistakes():
        message = f"{what[0].upper()}{what[1:]}."
        found.append(finding("malformed-script", source.file, line + 1, column + 1, message))
    for rule, node, message in _rules(script):
        row, column = node.start_point
        found.append(finding(rule, source.file, row + 1, column + 1, message))
    return found


def _of_file(source: Source) -> Iterator[Finding]:
    if source.carriage_returns:
        message = "Its lines end with CR LF: the shell takes the CR for part of each last word."
        yield finding("carriage-returns", source.file, 1, 1, message)
    if source.wide or source.marked:
        what = "UTF-16" if source.wide else "UTF-8 with a byte order mark"
        yield finding(
            "byte-order-mark", source.file, 1, 1, f"It is {what}: its first line is not seen as `#!`."
        )


def _rules(script: Script) -> Iterator[Found]:
    yield from _followed(script)
    yield from _calls(script)
    yield from shell_status_rules.findings(script)
    yield from shell_order_rules.findings(script)
    yield from _logs(script)
    yield from _lists(script)
    yield from _proofs(script)
    yield from _integrity(script)
    yield from _words(script)


def _followed(script: Script) -> Iterator[Found]:
    """What a reader must know about a script without findings: that there was little to look at."""
    calls = [step.call for step in script.calls if step.call and step.call.verb is not Verb.LIST]
    if not calls and re.search(r"frozen|freez|thaw", script.source.text, re.IGNORECASE):
        message = "It speaks of freeze or thaw, but no call of the engine was recognised."
        yield "no-call-recognised", script.root, message
    elif calls and all(call.status is Status.UNKNOWN for call in calls):
        message = "Its calls go through words that could not be followed: nothing is said about their status."
        yield "no-call-recognised", script.root, message


def _calls(script: Script) -> Iterator[Found]:
    asked_who = any(
        node.type in ("command_name", "variable_name") and text(node) in ("id", "whoami", "EUID", "UID")
        for node in walk(script.root)
    )
    told_root = False
    for step in script.calls:
        call = step.call
        assert call is not None
        captured = any(redirect.writes for redirect in step.redirects) or _in_pipe_or_substitution(step.node)
        for rule, message in call_rules.findings(call, captured=captured):
            yield rule, step.node, message
        if "%%SYS" in " ".join(call.words).upper():
            yield "namespace-percent", step.node, "%%SYS outside of a batch file names no namespace."
        if _broken_quotes(step.node):
            message = "The quotes inside of this argument end it: they are gone when the engine reads it."
            yield "objectscript-string-unquoted", step.node, message
        if call.verb in (Verb.FREEZE, Verb.THAW):
            yield from _window(step, call)
        fed = (
            any(redirect.operator == "<" and redirect.target != "/dev/null" for redirect in step.redirects)
            or call.status is Status.TYPED
        )
        followed = call.status is not Status.UNKNOWN
        if followed and not (told_root or asked_who or fed or call_rules.is_by_owner(call)):
            told_root = True
            yield "session-as-root", step.node, "The hook's own user, often root, makes this session."
        instance = _instance(step.node, call)
        if instance is not None:
            yield "unquoted-instance", instance, f"{text(instance)} is split at blanks."


def _window(step: Step, call: Call) -> Iterator[Found]:
    if "timeout" in call.wrappers:
        limit = next((word for word in call.wrapper_words if re.fullmatch(r"\d+s?", word)), "")
        if limit and int(limit.rstrip("s")) < _HOOK_S_MIN and call.verb is Verb.FREEZE:
            message = f"After {limit} the session is killed; the freeze may come true all the same."
            yield "hook-timeout-short", step.node, message
    if call.verb is not Verb.FREEZE:
        return
    log = call.argument(1).strip('"')
    loop = next((node for node in step.around() if node.type in LOOPS), None)
    if (
        loop is not None
        and log not in ("", "0")
        and "$" not in log
        and any("$" in word for word in call.words[1:3])
    ):
        yield "log-shared-by-instances", step.node, f"Every instance of this loop writes {log}."


def _in_pipe_or_substitution(node: Node) -> bool:
    parent = node.parent
    while parent is not None and parent.type in (
        "redirected_statement",
        "pipeline",
        "list",
        "compound_statement",
    ):
        if parent.type == "pipeline":
            return "tee" in text(parent)
        parent = parent.parent
    return parent is not None and parent.type in ("command_substitution", "subshell")


def _broken_quotes(node: Node) -> bool:
    for child in node.children:
        if child.type == "concatenation" and re.search(r"##class\s*\(", text(child), re.IGNORECASE):
            quoted = [part for part in child.named_children if part.type in ("string", "raw_string")]
            bare = [part for part in child.named_children if part.type not in ("string", "raw_string")]
            if len(quoted) >= 2 and quoted[0].type == "string" and bare:
                return True
    return False


def _instance(node: Node, call: Call) -> Node | None:
    """The word that names the instance, if it is a variable without quotes."""
    words = [child for child in node.children if child.is_named and child.type != "file_redirect"]
    bare = [child for child in words[1:4] if child.type in ("simple_expansion", "expansion")]
    if call.wrappers or not bare or call.verb is Verb.LIST or call.status is Status.UNKNOWN:
        return None
    return bare[0]


def _logs(script: Script) -> Iterator[Found]:
    """The log that holds the marker, emptied or removed."""
    logs = {
        step.call.argument(1).strip('"')
        for step in script.calls
        if step.call and step.call.verb in (Verb.FREEZE, Verb.THAW) and step.call.status is not Status.ZERO
    } - {"", "0"}
    kept = {
        redirect.target
        for step in script.calls
        if step.call and step.call.verb is Verb.FREEZE and step.call.argument(1) == "0"
        for redirect in step.redirects
        if redirect.truncates
    }
    for step in script.steps:
        if step.name == "rm" and any(word in logs for word in step.words[1:]):
            yield (
                "log-truncated",
                step.node,
                "This removes the log, and with it the marker of the backup before.",
            )
    for node in walk(script.root):
        if node.type == "file_redirect":
            redirect = script.redirect(node, {})
            target = redirect.target
            if redirect.truncates and (target in logs or target in kept) and "date" not in target:
                yield (
                    "log-truncated",
                    node,
                    f"`>` empties {text(node).lstrip('> ')}, and with it the last marker.",
                )


def _lists(script: Script) -> Iterator[Found]:
    for step in script.calls:
        if step.call and step.call.verb is Verb.LIST and {"qall", "all"} & set(step.call.words[1:]):
            message = f"`{' '.join(step.call.words[:2])}` is made for people: it cuts lines off."
            yield "list-parsed-by-columns", step.node, message


def _proofs(script: Script) -> Iterator[Found]:
    """Searches of a log whose result decides something."""
    tested = any(
        step.call
        and step.call.verb is Verb.FREEZE
        and step.call.status in (Status.FIVE, Status.ZERO)
        and trace(script, step).fate is Fate.TESTED
        for step in script.calls
    )
    said = [
        " ".join(step.words[1:])
        for step in script.steps
        if step.name in ("echo", "printf") and any(redirect.writes for redirect in step.redirects)
    ]
    for step in script.steps:
        if step.name not in ("grep", "egrep", "fgrep"):
            continue
        pattern = _pattern(step)
        freezes = any(one.call and one.call.verb is Verb.FREEZE for one in script.calls)
        if freezes and not tested and re.search(r"system\W{0,3}suspended", pattern, re.IGNORECASE):
            yield (
                "success-read-from-log",
                step.node,
                "The log's `System suspended` is all that tells of success.",
            )
        if len(pattern) > 7 and any(pattern in one for one in said):
            yield "own-words-taken-as-proof", step.node, f"`{pattern}` is written by this script itself."


def _pattern(step: Step) -> str:
    words = list(step.words[1:])
    while words:
        word = words.pop(0)
        if word == "-e" and words:
            return words[0]
        if not word.startswith("-"):
            return word
    return ""


def _integrity(script: Script) -> Iterator[Found]:
    for step in script.steps:
        if step.name in ("grep", "egrep", "fgrep", "awk", "sed"):
            line = " ".join(step.words)
            if _PHRASES.search(line):
                yield (
                    "integrity-by-phrase",
                    step.node,
                    "A report in any other layout has no such line and counts as clean.",
                )
            elif step.name != "sed" and re.search(r"(^|\s)-\w*c", line) and _INTEGRITY.search(_pattern(step)):
                yield (
                    "integrity-by-count",
                    step.node,
                    "Counting lines tells nothing about databases that are not in the report.",
                )


def _words(script: Script) -> Iterator[Found]:
    names = {
        text(node)
        for node in walk(script.root)
        if node.type == "variable_name" and re.fullmatch(r"[A-Z][A-Z0-9_]{3,}", text(node))
    }
    frozen = [step for step in script.calls if step.call and step.call.verb is Verb.FREEZE]
    for node in walk(script.root):
        if node.type in ("word", "string_content", "raw_string", "concatenation"):
            word = text(node)
            for name in (
                re.findall(r"/(?:[\w.-]*[.-])?([A-Z][A-Z0-9_]{3,})(?![\w$])", word) if "/" in word else ()
            ):
                if name in names:
                    yield (
                        "variable-without-dollar",
                        node,
                        f"{word.strip()} holds the word {name}, not its value.",
                    )
    for step in script.steps:
        fixed = [word for word in step.words[1:] if re.fullmatch(r"/(var/)?tmp/[\w./-]+", word)]
        if frozen and step.name in ("mkdir", "touch") and fixed:
            yield "fixed-state-in-tmp", step.node, f"{fixed[0]} may be there from a run that was killed."
    copies = [
        step for step in script.steps if step.name in ("cp", "tar", "rsync", "dd", "scp") and not step.call
    ]
    if any(_DATABASE.search(" ".join(step.words)) for step in copies) and not any(
        _JOURNALS.search(" ".join(step.words)) for step in copies
    ):
        place = next(step for step in copies if _DATABASE.search(" ".join(step.words)))
        yield (
            "database-without-journals",
            place.node,
            "Only database files are copied, no WIJ and no journals.",
        )
    if any(step.call and step.call.status is Status.FIVE for step in script.calls):
        for node in walk(script.root):
            if node.type == "comment" and _INVERTED.search(text(node)):
                yield "comment-inverted", node, f"{text(node).strip()!r}: 5 is done, 3 is not done."
