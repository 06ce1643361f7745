"""A progress that keeps what it was told."""

from __future__ import annotations

from harness.session.progress import CaseDone, Event, Note, RunBegan, StageBegan


class Noting:
    """What it was told, by kind; a case by its name."""

    def __init__(self) -> None:
        self.cases = 0
        self.notes: list[str] = []
        self.done: list[str] = []
        self.stages: list[tuple[str, str]] = []

    def tell(self, event: Event) -> None:
        match event:
            case RunBegan():
                self.cases = event.cases
            case StageBegan():
                self.stages.append((event.case, event.stage))
            case CaseDone():
                self.done.append(event.case)
            case Note():
                self.notes.append(event.text)
