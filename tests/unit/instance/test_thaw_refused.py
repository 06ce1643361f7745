"""A thaw that reports a failure: what the instance says afterwards decides whether it may still be frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import CommandError, InstanceGone, ThawError
from harness.instance import iris
from harness.instance.answer import Answer
from harness.instance.iris import Instance


class Place:
    name = where = "A"

    def argv(self, argv: list[str]) -> list[str]:
        return argv


class Refusing(Instance):
    """Its thaw is refused; afterwards it is frozen, or not, or says nothing."""

    def __init__(self, afterwards: bool | Exception) -> None:
        super().__init__(Place())  # type: ignore[arg-type]
        self.afterwards = afterwards

    def _one(self, verb: str, *arguments: Any, **options: Any) -> Answer:
        raise AssertionError

    def is_frozen(self) -> bool:
        if isinstance(self.afterwards, Exception):
            raise self.afterwards
        return self.afterwards


@pytest.fixture(autouse=True)
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = iris._Thaw(suspended=True, thawed=False, message="no room for the journal")
    monkeypatch.setattr(Refusing, "_thaw_prepared", lambda self, prepared: answer)


def thaw(afterwards: bool | Exception) -> iris.ThawAnswer:
    return Refusing(afterwards).thaw(Path("/log"), object())  # type: ignore[arg-type]


def test_one_that_is_not_frozen_afterwards_was_thawed() -> None:
    answer = thaw(False)
    assert (True, "no room for the journal") == (answer.suspended, answer.message)


@pytest.mark.parametrize("afterwards", [True, CommandError(["iris"], 1, 0.1, "no way in")])
def test_one_that_is_frozen_or_says_nothing_may_be_frozen(afterwards: bool | Exception) -> None:
    with pytest.raises(
        ThawError, match=r"refused: no room for the journal.* Thaw it by hand: iris session A"
    ):
        thaw(afterwards)


def test_one_that_is_gone_is_gone() -> None:
    with pytest.raises(InstanceGone):
        thaw(InstanceGone("killed"))
