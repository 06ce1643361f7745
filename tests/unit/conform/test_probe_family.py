"""A probe names its fact as an object: one probe a fact, and none for a fact that is not tried."""

from __future__ import annotations

import pytest

from harness.conform.bench import Bench, Observation
from harness.conform.family import ProbeFamily
from harness.facts import elsewhere, sessions


def probe(bench: Bench) -> Observation:
    return Observation(observed="", holds=None)


def test_a_fact_has_one_probe() -> None:
    """A second one, or one for a fact that says why it is not tried, is a mistake of ours."""
    family = ProbeFamily()
    assert probe is family.tries(sessions.AGENT_ANSWERS)(probe)
    assert {"agent.answers": probe} == family.probes
    for fact in (sessions.AGENT_ANSWERS, elsewhere.MIRROR_FREEZE_LOG):
        with pytest.raises(AssertionError, match=fact.id):
            family.tries(fact)
