"""What reading scripts yields: a `Violation` of a rule at a place in a file, and a `Reading` of several files."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How much a violation matters; the words are those of SARIF."""

    ERROR = "error"  # a worthless backup, or an instance that stays frozen, can pass unnoticed
    WARNING = "warning"  # the backup fails under circumstances that happen in practice
    NOTE = "note"  # worth a look; may be intended


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
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
    """All violations in some files, file by file. `remarks` say what was not checked."""

    files: tuple[str, ...]
    violations: tuple[Violation, ...]
    remarks: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """True without an error or a warning."""
        return all(violation.level is Level.NOTE for violation in self.violations)


def in_order(violations: Sequence[Violation]) -> tuple[Violation, ...]:
    """Each violation once, by line."""
    unique = dict.fromkeys(violations)
    return tuple(sorted(unique, key=lambda one: (one.line, one.column, one.rule)))
