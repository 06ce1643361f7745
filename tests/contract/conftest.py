"""What the contract suites run against; one fixture per host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.instance.local import LocalHost
from harness.plan.model import InstanceSpec


@pytest.fixture(scope="module")
def host(needs_stand_in: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHost]:
    """Local processes, with the stand-in."""
    made = LocalHost(InstanceSpec(), tmp_path_factory.mktemp("host"))
    yield made
    made.close()
