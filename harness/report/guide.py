"""What the checks declare, as far as a reader of records needs it: a report has no other way to know a check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.model import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """How the checks of a record are read.

    Attributes:
        checks: Names of those that every case must hold to be believed, both looks of a check that has two.
        codes: What they can say, by its code. A finding with another code is shown like all others, and ranked last.
        remedies: Check → what to do where a code has no remedy of its own.
    """

    checks: tuple[str, ...]
    codes: Mapping[str, Code]
    remedies: Mapping[str, str]

    def rank(self, code: str) -> int | None:
        """The place of a code among the causes; None if it explains nothing, or nobody declares it."""
        known = self.codes.get(code)
        return known.rank if known else None

    def remedy(self, code: str) -> str:
        """What to do about a code, or about its check; empty if nobody says."""
        known = self.codes.get(code)
        own = known.remedy if known else ""
        return own or self.remedies.get(code.partition(".")[0], "")
