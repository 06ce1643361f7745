"""The report for programs: the stored record itself, as `record.schema.json` describes it."""

from __future__ import annotations

from harness.model import Record
from harness.record_json import RECORDS
from harness.report.guide import Guide


class JSONReporter:
    """The stored record as JSON, for programs."""

    def render(self, record: Record, guide: Guide) -> str:
        """One JSON object, the same text as `record.json`."""
        return RECORDS.dumps(record)
