"""What a reading of scripts states: a `Finding`, made under a `Rule`, at a place in a file."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How much a finding matters; the words are those of SARIF."""

    ERROR = "error"  # a backup that is worthless, or an instance that stays frozen, can pass unnoticed
    WARNING = "warning"  # it goes wrong under circumstances that happen
    NOTE = "note"  # worth a look; may be intended


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that is looked for.

    `faults` are numbers of the catalogue of script faults (F01-F37), `source` is where its fact is stated.
    """

    id: str
    level: Level
    summary: str
    faults: tuple[str, ...]
    source: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place where a rule is broken. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    rule: str
    level: Level
    message: str
    remedy: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that was found in some files, in their order. `remarks` say what could not be looked at."""

    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """True without a finding that is an error or a warning."""
        return all(finding.level is Level.NOTE for finding in self.findings)


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Each finding once, by line."""
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda one: (one.line, one.column, one.rule)))
