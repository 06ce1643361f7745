"""Reporters by the name given to `--format`."""

from __future__ import annotations

from harness import plugins
from harness.errors import PreconditionError
from harness.model import Record
from harness.report.base import Reporter
from harness.report.guide import Guide


def reporter_named(name: str) -> Reporter:
    """A reporter.

    Raises:
        UsageError: no reporter has that name; says which there are.
        PreconditionError: it cannot be loaded.
    """
    reporter: Reporter = plugins.load("harness.reporters", name, ("render",))()
    return reporter


def rendered(reporter: Reporter, name: str, record: Record, guide: Guide) -> str:
    """A report. Raises PreconditionError if the reporter breaks off; the record is whole."""
    try:
        return reporter.render(record, guide)
    except (Exception, SystemExit) as error:  # whatever a plug-in does, what was recorded is not lost
        raise PreconditionError(
            f"the reporter {name} of {plugins.origin('harness.reporters', name)} broke off: {error!r}",
            "The record is not lost: use another one, harness report RUN --format table.",
        ) from error
