"""Runs every registered check over the evidence of a case."""

from __future__ import annotations

from harness import registry
from harness.model import Check
from harness.verify.base import Checker, Evidence, judge

CHECKS = (
    "integrity",
    "atomicity",
    "content",
    "consistent_cut",
    "floor",
    "ceiling",
    "marker",
    "chain",
    "hold",
    "recovery_point",
)
"""The checks of every case, in the order of the report; other registered ones are run after them."""


def judge_all(evidence: Evidence) -> list[Check]:
    """Every registered check, those of `CHECKS` first. Raises PreconditionError if one cannot be loaded."""
    registered = registry.names("harness.checkers")
    names = [*CHECKS, *(name for name in registered if name not in CHECKS)]
    return [judge(name, _checker(name), evidence) for name in names]


def _checker(name: str) -> Checker:
    checker: Checker = registry.load("harness.checkers", name, ("check",))()
    return checker
