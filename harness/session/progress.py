"""How a run tells that it goes on. Whoever runs cases calls it; where it is shown is decided above."""

from __future__ import annotations

from typing import Protocol

from harness.model import CaseRecord


class Progress(Protocol):
    """Told of every step of a run. Must not raise and must not slow a step down."""

    def stage(self, case: str, name: str) -> None:
        """A stage of a case begins; the stage before it has ended."""

    def case_done(self, case: CaseRecord) -> None:
        """A case has its verdict."""

    def note(self, text: str) -> None:
        """Something that whoever waits should know, in one line."""

    def close(self) -> None:
        """The run is over; may be called twice."""


class SilentProgress:
    """Shows nothing."""

    def stage(self, case: str, name: str) -> None:
        """Nothing to show."""

    def case_done(self, case: CaseRecord) -> None:
        """Nothing to show."""

    def note(self, text: str) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """Nothing to end."""
