"""A licence that allows few sessions: fewer writers, told and recorded, and fewer walkers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.evidence.answers import Description
from harness.instance.iris import Instance
from harness.session.opening import within_licence
from harness.stages.walk import _walkers
from tests.conftest import small_plan


def description(sessions_max: int | None) -> Description:
    return Description(
        product="IRIS",
        version="2024.1",
        stand_in=False,
        root=Path("/iris"),
        journal_folder=Path("/iris/mgr/journal"),
        databases={},
        notes=(),
        sessions_max=sessions_max,
    )


@pytest.mark.parametrize(
    ("asked", "most", "writers"), [(12, 8, 5), (5, 8, 5), (12, None, 12), (12, 15, 12), (4, 3, 1), (4, 1, 1)]
)
def test_three_sessions_are_left_to_the_run(asked: int, most: int | None, writers: int) -> None:
    """A freeze, its watchdog and a spare one must always get in; one writer there must be."""
    load, notes = within_licence(small_plan(writers=asked).workload, description(most))
    assert writers == load.writers
    assert bool(notes) == (writers != asked)
    if notes:
        assert f"{writers} writers instead of {asked}" in notes[0] and f"{most} sessions" in notes[0]
    assert replace(load, writers=asked) == small_plan(writers=asked).workload


@pytest.mark.parametrize(("most", "walkers"), [(None, 16), (8, 6), (3, 1), (1, 1)])
def test_two_sessions_are_left_beside_the_walkers(
    most: int | None, walkers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    instance = Instance(None)  # type: ignore[arg-type] # it has been described and is not asked again
    instance._description = description(most)
    assert walkers == _walkers(instance)
