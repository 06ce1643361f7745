"""What the contract suites run against: the stand-in, as local processes and in containers, and IRIS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import containers
from harness.command import Transcript
from harness.errors import PreconditionError
from harness.instance.base import TO_READ, Host
from harness.instance.docker import DockerHost
from harness.instance.local import LocalHost
from harness.plan.model import InstanceSpec
from harness.session.session import log_folder
from tests.conftest import required

IRIS_IMAGE = os.environ.get("HARNESS_IRIS_IMAGE", "intersystems/iris-community:latest-em")
_HOSTS = {
    "local": (LocalHost, InstanceSpec(), "stand-in"),
    "docker": (DockerHost, InstanceSpec(host="docker"), "docker"),
    "iris": (DockerHost, InstanceSpec(image=IRIS_IMAGE, host="docker"), "iris"),
}


@pytest.fixture(scope="module", params=list(_HOSTS))
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One column of the contract: a host and what answers on it. What cannot run here is a skip with its reason,
    or a failure if `--require` names it."""
    kind, spec, need = _HOSTS[request.param]
    made = kind(spec, tmp_path_factory.mktemp("host"), Transcript(None))
    try:
        made.probe()
    except PreconditionError as error:
        if need in required(request.config):
            raise
        pytest.skip(error.missing)
    yield made
    made.close()
    if made.in_containers:
        containers.remove(containers.token())


@pytest.fixture
def shared(host: Host) -> Path:
    """An empty folder that the source can reach and write to."""
    new = _new(log_folder(host.root().parent))
    new.chmod(0o777)
    return new


@pytest.fixture
def lent(host: Host) -> Path:
    """An empty folder that restored instances can read."""
    return _new(host.root().parent / TO_READ)


def _new(parent: Path) -> Path:
    parent.mkdir(exist_ok=True)
    new = parent / f"shared-{sum(1 for _ in parent.iterdir())}"
    new.mkdir()
    return new
