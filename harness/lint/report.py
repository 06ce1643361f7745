"""A reading as text for people, as JSON, or as SARIF 2.1.0 for code review tools."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from harness.lint.model import Level, Reading, Violation
from harness.lint.rules import rules_by_id
from harness.report.grid import grid

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_WIDTH = 100


def table(reading: Reading) -> str:
    """The violations of each file, and at the end what to do about each broken rule."""
    parts: list[str] = []
    for file in reading.files:
        found = [one for one in reading.violations if one.file == file]
        parts.append(file)
        if not found:
            parts += ["  nothing found", ""]
            continue
        rows = []
        for one in found:
            lines = _wrapped(one.message, _WIDTH - 8)
            rows.append([f"{one.line}:{one.column}", one.level.value, one.rule, " ".join(one.faults)])
            rows += [["", "", line, ""] for line in lines]
        parts += [grid(("line", "level", "rule and message", "fault"), rows, ("left",) * 4), ""]
    remedies = {one.rule: one.remedy for one in reading.violations if one.rule in rules_by_id()}
    if remedies:
        parts.append("what to do")
        for rule, remedy in sorted(remedies.items()):
            parts += [f"  {rule}", *(f"    {line}" for line in _wrapped(remedy, _WIDTH - 4))]
        parts.append("")
    parts += [*reading.remarks, _score(reading)]
    return "\n".join(parts) + "\n"


def _score(reading: Reading) -> str:
    count = Counter(one.level for one in reading.violations)
    said = [f"{count[level]} {level.value}{'' if count[level] == 1 else 's'}" for level in Level]
    files = len(reading.files)
    return f"{', '.join(said)} in {files} {'file' if files == 1 else 'files'}"


def _wrapped(text: str, width: int) -> list[str]:
    words = " ".join(text.split())
    return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False) or [""]


def as_json(reading: Reading) -> str:
    """Everything, in a form of its own; `version` changes with it."""
    data = {
        "version": 1,
        "files": list(reading.files),
        "findings": [asdict(one) for one in reading.violations],
        "remarks": list(reading.remarks),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def sarif(reading: Reading) -> str:
    """SARIF 2.1.0, with the rules that were broken described."""
    broken = sorted({one.rule for one in reading.violations})
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "harness scripts lint", "rules": [_rule(name) for name in broken]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, broken.index(one.rule)) for one in reading.violations],
    }
    document = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(name: str) -> dict[str, Any]:
    rule = rules_by_id().get(name)
    if rule is None:
        return {"id": name, "helpUri": f"https://www.shellcheck.net/wiki/{name}"}
    return {
        "id": name,
        "shortDescription": {"text": rule.summary},
        "help": {"text": f"{rule.remedy} Source: {rule.source}."},
        "defaultConfiguration": {"level": rule.level.value},
        "properties": {"tags": list(rule.faults)},
    }


def _result(one: Violation, index: int) -> dict[str, Any]:
    region = {"startLine": max(one.line, 1), "startColumn": max(one.column, 1)}
    return {
        "ruleId": one.rule,
        "ruleIndex": index,
        "level": one.level.value,
        "message": {"text": f"{one.message} {one.remedy}".strip()},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(one.file)}, "region": region}}],
    }


def _uri(file: str) -> str:
    return quote(file.replace("\\", "/"))
