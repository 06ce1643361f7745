"""Reporters by the name given to `--format`."""

from __future__ import annotations

from harness import registry
from harness.report.base import Reporter


def reporter_named(name: str) -> Reporter:
    """A reporter.

    Raises:
        UsageError: no reporter has that name; says which there are.
        PreconditionError: it cannot be loaded.
    """
    reporter: Reporter = registry.load("harness.reporters", name, ("render",))()
    return reporter
