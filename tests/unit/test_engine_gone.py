"""The container engine goes away in mid-run: a message, never a traceback, and nothing is called removed."""

from __future__ import annotations

import pytest
from requests.exceptions import ConnectionError as NoAnswer

from harness import containers
from harness.errors import PreconditionError


class Gone:
    """An engine that answered once."""

    def __getattr__(self, name: str) -> object:
        raise NoAnswer("connection refused")


@pytest.fixture(autouse=True)
def gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "engine", Gone)


def test_removal_of_all_says_that_it_could_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the run stays registered, and `clean` can be asked again."""
    with pytest.raises(PreconditionError, match="could not be removed: connection refused"):
        containers.remove("token")


def test_removal_of_one_leaves_it_to_the_removal_of_all() -> None:
    containers.remove_container("harness-token-source")
