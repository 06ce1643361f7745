"""A reading as text for people, as JSON, or as SARIF 2.1.0 for code review tools."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from harness.report.grid import grid
from harness.scripts.lint.model import Finding, Level, Reading
from harness.scripts.lint.rules import RULES

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_WIDTH = 100


def table(reading: Reading) -> str:
    """The findings of each file, with what to do about each kind once at the end."""
    parts: list[str] = []
    for file in reading.files:
        found = [finding for finding in reading.findings if finding.file == file]
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
    remedies = {finding.rule: finding.remedy for finding in reading.findings if finding.rule in RULES}
    if remedies:
        parts.append("what to do")
        for rule, remedy in sorted(remedies.items()):
            parts += [f"  {rule}", *(f"    {line}" for line in _wrapped(remedy, _WIDTH - 4))]
        parts.append("")
    parts += [*reading.remarks, _score(reading)]
    return "\n".join(parts) + "\n"


def _score(reading: Reading) -> str:
    count = Counter(finding.level for finding in reading.findings)
    said = [f"{count[level]} {level.value}{'' if count[level] == 1 else 's'}" for level in Level]
    files = len(reading.files)
    return f"{', '.join(said)} in {files} {'file' if files == 1 else 'files'}"


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def as_json(reading: Reading) -> str:
    """Everything, in a form of its own; `version` changes with it."""
    data = {
        "version": 1,
        "files": list(reading.files),
        "findings": [asdict(finding) for finding in reading.findings],
        "remarks": list(reading.remarks),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def sarif(reading: Reading) -> str:
    """SARIF 2.1.0, with the rules that were broken described."""
    broken = sorted({finding.rule for finding in reading.findings})
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "harness scripts lint", "rules": [_rule(name) for name in broken]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, broken.index(finding.rule)) for finding in reading.findings],
    }
    document = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(name: str) -> dict[str, Any]:
    rule = RULES.get(name)
    if rule is None:
        return {"id": name, "helpUri": f"https://www.shellcheck.net/wiki/{name}"}
    return {
        "id": name,
        "shortDescription": {"text": rule.summary},
        "help": {"text": f"{rule.remedy} Source: {rule.source}."},
        "defaultConfiguration": {"level": rule.level.value},
        "properties": {"tags": list(rule.faults)},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    region = {"startLine": max(finding.line, 1), "startColumn": max(finding.column, 1)}
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.level.value,
        "message": {"text": f"{finding.message} {finding.remedy}".strip()},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": _uri(finding.file)}, "region": region}}
        ],
    }


def _uri(file: str) -> str:
    from urllib.parse import quote

    return quote(file.replace("\\", "/"))
