"""`harness scripts lint`: known faults of freeze and thaw scripts, found by reading them.

A script is parsed. The calls of the engine in it are found through functions, variables, `su`, `ssh` and containers.
Then every rule is held against the result. Nothing is run, so a script without findings is not yet a good one.

Where to look:

* `rules/` holds one module a rule: what it says, where its fact is stated, and the code that finds it.
* `rule.py` says what a rule is and what its finders are called with.
* `shell/` and `batch/` parse scripts and work out what several rules need, above all what becomes of an exit status.
* `engine.py` recognises calls of the engine, `script_text.py` reads files, `azure.py` reads Azure's configuration.

tree-sitter's grammars parse; shellcheck looks at quoting and portability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.lint import shellcheck as shellcheck_
from harness.lint.azure import AzureHook
from harness.lint.batch.reading import BatchReading
from harness.lint.model import Reading, Violation, in_order
from harness.lint.rule import Hit, Rule
from harness.lint.rules import rules_by_id
from harness.lint.script_text import Language, ScriptText, read
from harness.lint.shell.reading import ShellReading

__all__ = ["Language", "lint", "violations"]


def lint(paths: Sequence[Path], *, language: Language | None = None, shellcheck: bool = True) -> Reading:
    """Read scripts and return every violation of a rule.

    Args:
        paths: The files; scripts of one backup are best given together.
        language: Of all files; None to take it from each one's name and first line.
        shellcheck: Whether to run shellcheck too, where it is installed.
    Raises:
        UsageError: a file cannot be read, or its language is unknown.
    """
    texts = [read(path, language) for path in paths]
    found = [violation for text in texts for violation in violations(text)]
    found += _together(texts)
    remarks: list[str] = []
    shells = [text for text in texts if text.language is Language.SH and not text.empty]
    if shellcheck and shells:
        more, remark = shellcheck_.violations(shells)
        found += more
        if remark:
            remarks.append(remark)
    files = tuple(dict.fromkeys(text.file for text in texts))
    ordered = [one for file in files for one in in_order([other for other in found if other.file == file])]
    return Reading(files=files, violations=tuple(ordered), remarks=tuple(remarks))


def violations(text: ScriptText) -> list[Violation]:
    """Every violation in one file, rule by rule."""
    return [rule.violation(text.file, hit) for rule, hit in _hits(text)]


def _hits(text: ScriptText) -> Iterator[tuple[Rule, Hit]]:
    for rule in rules_by_id().values():
        yield from ((rule, hit) for hit in rule.in_text(text))
    if text.empty:
        return
    if text.language is Language.SH:
        shell = ShellReading(text)
        for rule in rules_by_id().values():
            yield from ((rule, hit) for hit in rule.in_shell(shell))
    elif text.language is Language.BATCH:
        batch = BatchReading(text)
        for rule in rules_by_id().values():
            yield from ((rule, hit) for hit in rule.in_batch(batch))
    else:
        hook = AzureHook.of(text)
        for rule in rules_by_id().values():
            yield from ((rule, hit) for hit in rule.in_azure(hook))


def _together(texts: Sequence[ScriptText]) -> list[Violation]:
    return [
        rule.violation(text.file, hit) for rule in rules_by_id().values() for text, hit in rule.in_all(texts)
    ]
