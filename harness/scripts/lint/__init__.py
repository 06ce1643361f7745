"""`harness scripts lint`: known faults of freeze and thaw scripts, found by reading them.

A script is parsed, the calls of the engine in it are found through functions, variables, `su`, `ssh` and containers,
and rules are held against the tree. Each rule stands in `rules.py` with its source. Nothing is run, so a script
without findings is not yet a good one.

Parsing is left to tree-sitter's grammars (`shell.py`, `batch.py`), quoting and portability to shellcheck.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.scripts.lint import azure, batch_rules, several, shell_rules
from harness.scripts.lint import shellcheck as shellcheck_
from harness.scripts.lint.model import Finding, Reading, in_order
from harness.scripts.lint.source import Language, Source, read

__all__ = ["Language", "lint"]


def lint(paths: Sequence[Path], *, language: Language | None = None, shellcheck: bool = True) -> Reading:
    """Read scripts and return what was found.

    Args:
        paths: The files; scripts of one backup are best given together.
        language: Of all files; None lets each one's name and first line tell.
        shellcheck: Whether to ask shellcheck too, where it is installed.
    Raises:
        UsageError: a file cannot be read or its language cannot be told.
    """
    sources = [read(path, language) for path in paths]
    findings: list[Finding] = []
    for source in sources:
        findings += _of(source)
    findings += several.findings(sources)
    remarks: list[str] = []
    shells = [source for source in sources if source.language is Language.SH and source.text.strip()]
    if shellcheck and shells:
        more, remark = shellcheck_.findings(shells)
        findings += more
        if remark:
            remarks.append(remark)
    files = tuple(dict.fromkeys(source.file for source in sources))
    ordered = [
        one for file in files for one in in_order([finding for finding in findings if finding.file == file])
    ]
    return Reading(files=files, findings=tuple(ordered), remarks=tuple(remarks))


def _of(source: Source) -> list[Finding]:
    if source.language is Language.SH:
        return shell_rules.findings(source)
    if source.language is Language.BATCH:
        return batch_rules.findings(source)
    return azure.findings(source)
