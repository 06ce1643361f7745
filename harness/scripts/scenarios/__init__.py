"""The situations scripts are put into, by family."""

from harness.scripts.scenarios import (
    instances,
    interruptions,
    logs,
    ordinary,
    refusals,
    restored,
    thaws,
    users,
)
from harness.scripts.scenarios.base import Scenario


def every() -> list[Scenario]:
    """All of them, in the order of a report."""
    families = (ordinary, restored, instances, refusals, interruptions, thaws, logs, users)
    return [scenario for family in families for scenario in family.SCENARIOS]
