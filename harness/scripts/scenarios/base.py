"""What a scenario is. A module of this package makes some; `harness.scripts.check` runs them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from harness.model import Finding
from harness.scripts import rules
from harness.scripts.scene import Scene

Play = Callable[[Scene], Iterable[Finding]]

CLASS_REFERENCE = "Class reference 2024.1, Backup.General"
INTEGRITY_GUIDE = "Data Integrity Guide, External Backup"
ADMIN_GUIDE = "System Administration Guide, Controlling Instances"


class Need(Enum):
    """What must be there for a scenario to mean anything."""

    SEVERAL_USERS = "the machine has one user only; run as root"
    TWO_INSTANCES = "the scripts name one instance only"
    LOG_FILE = "the scripts gave ExternalFreeze no log file with a path, so there is none to spoil"
    LISTING = "the scripts name their instances and list none"
    CREDENTIALS = "nothing says where the scripts expect their credentials"
    ONE_SCRIPT = "freeze and thaw are two scripts without an argument"
    MACHINE_ROOT = "the scripts are not run as root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One situation.

    Attributes:
        name: In words with dashes; it is how a report and `--only` name it.
        situation: What is the case, in a sentence.
        right: What a right script does.
        source: Where the rule comes from.
        play: Makes the situation, lets the caller do its part, gives findings.
        needs: What it needs; without it the scenario is SKIPPED with the need's text.
        waits_s: Roughly how long it waits, so that the longest begin first.
    """

    name: str
    family: str
    situation: str
    right: str
    source: str
    play: Play
    needs: tuple[Need, ...] = ()
    waits_s: float = 0.0


class Family:
    """Collects the scenarios of a module; `SCENARIOS = family.scenarios` at its end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.scenarios: list[Scenario] = []

    def scenario(
        self,
        name: str,
        *,
        situation: str,
        right: str,
        source: str,
        needs: tuple[Need, ...] = (),
        waits_s: float = 0.0,
    ) -> Callable[[Play], Play]:
        def keep(play: Play) -> Play:
            self.scenarios.append(
                Scenario(
                    name=name,
                    family=self.name,
                    situation=situation,
                    right=right,
                    source=source,
                    play=_doubted(play),
                    needs=needs,
                    waits_s=waits_s,
                )
            )
            return play

        return keep


def _doubted(play: Play) -> Play:
    """After each scenario: did its situation come about, and can what was seen be believed?"""

    def played(scene: Scene) -> Iterator[Finding]:
        yield from play(scene)
        yield from rules.came_about(scene)

    return played
