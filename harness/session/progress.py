"""How whoever does many things one after another tells how far it is; where that is shown is decided above.

A run, a conformance run, the fault matrix and a check of scripts tell the same events. A case is what is counted: a
recovery, a fact, a fault, a scenario.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan:
    """There are so many cases, if nothing ends it before. `alike`: those that are done tell how long others take."""

    cases: int
    alike: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBegan:
    """A stage of a case, or of the backup that several cases share; the stage before it has ended, but where cases go
    on side by side.
    """

    case: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDone:
    """`said` is its verdict, or `ok` and `BAD` where a verdict is not what was asked."""

    case: str
    said: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that whoever waits should know, in one line."""

    text: str


Event = RunBegan | StageBegan | CaseDone | Note


class Progress(Protocol):
    """Told of every step."""

    def tell(self, event: Event) -> None:
        """Must not raise and must not slow a step down; may be called by several threads."""


class SilentProgress:
    """Shows nothing."""

    def tell(self, event: Event) -> None:
        """Nothing to show."""
