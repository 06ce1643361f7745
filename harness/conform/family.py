"""Joins a probe to the fact that it tries."""

from __future__ import annotations

from collections.abc import Callable

from harness.conform.bench import Probe
from harness.facts.fact import Fact


class ProbeFamily:
    """The probes of one module, by the ids of their facts."""

    def __init__(self) -> None:
        self.probes: dict[str, Probe] = {}

    def tries(self, fact: Fact) -> Callable[[Probe], Probe]:
        """Decorate the probe of a fact. A fact has one probe; one that is `untried` has none."""
        assert not fact.untried, f"{fact.id} says why no probe tries it"
        assert fact.id not in self.probes, f"{fact.id} has a probe already"

        def keep(probe: Probe) -> Probe:
            self.probes[fact.id] = probe
            return probe

        return keep
