"""What a scenario is. A module of this package makes some; `harness.scripts.check` runs them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from harness.model import Finding, Verdict
from harness.scripts import rules
from harness.scripts.scene import Scene

Play = Callable[[Scene], Iterable[Finding]]

CLASS_REFERENCE = "Class reference 2024.1, Backup.General"
INTEGRITY_GUIDE = "Data Integrity Guide, External Backup"
ADMIN_GUIDE = "System Administration Guide, Controlling Instances"


class Need(Enum):
    """What a scenario needs to be meaningful."""

    SEVERAL_USERS = "the machine has one user only; run as root"
    TWO_INSTANCES = "the scripts name one instance only"
    LOG_FILE = "the scripts gave ExternalFreeze no log file with a path, so there is none to spoil"
    LISTING = "the scripts name their instances and list none"
    CREDENTIALS = "nothing says where the scripts expect their credentials"
    ONE_SCRIPT = "freeze and thaw are not one script whose argument chooses between them"
    MACHINE_ROOT = "the scripts are not run as root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One situation.

    Attributes:
        name: In words with dashes, as in a report and in `--only`.
        situation: The situation, in a sentence.
        right: What a correct script does.
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


Look = Callable[[], Iterable[Finding]]


def once_frozen(scene: Scene, look: Look) -> Iterator[Finding]:
    """Findings once the freeze script has ended well; of a job, while it takes its snapshot."""
    found: list[Finding] = []

    def when_frozen() -> None:
        found.extend(look() if scene.frozen(scene.first) else [_NOTHING_FROZEN])

    if not scene.scripts.program:
        scene.call("freeze")
        when_frozen()
    elif not (seen := scene.backup(during=when_frozen)).taken:
        found.append(_NOTHING_FROZEN if seen.known else rules.nothing_taken(seen, scene.scripts))
    yield from found


_NOTHING_FROZEN = Finding(code="freeze.none", message="the freeze script froze nothing")


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
    """Check after each scenario that its situation arose and that what was seen can be trusted.

    Where an instance did not answer, and the scripts are not the cause, no finding counts against them.
    """

    def played(scene: Scene) -> Iterator[Finding]:
        found = list(play(scene))
        silent = list(rules.unanswered(scene))
        doubted = any(one.verdict is Verdict.UNKNOWN for one in silent)
        yield from (replace(one, verdict=Verdict.UNKNOWN) if doubted else one for one in found)
        yield from silent
        yield from rules.situation_arose(scene)

    return played
