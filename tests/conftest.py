"""Fixtures that start real instances. A machine without GT.M skips them, with the reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from harness import containers
from harness.cycle import opened_for
from harness.errors import PreconditionError
from harness.instance.docker import DockerHost
from harness.instance.local import LocalHost
from harness.model import RecoveryMode
from harness.plan.model import Commit, FreezeSpec, InstanceSpec, Limits, Plan, SnapshotSpec, WorkloadSpec
from harness.session.progress import SilentProgress
from harness.session.session import Session

# a busy machine is no defect: examples have no time limit
settings.register_profile("harness", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("harness")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require",
        default=os.environ.get("HARNESS_REQUIRE", ""),
        help="what must be here (stand-in, docker, iris, separated by commas): its absence fails instead of skipping",
    )


def required(config: pytest.Config) -> set[str]:
    """What `--require` or $HARNESS_REQUIRE names."""
    return set(str(config.getoption("--require")).split(","))


Opener = Callable[..., AbstractContextManager[Session]]


def small_plan(
    *,
    transactions: int = 4000,
    rate: int | None = 3000,
    writers: int = 3,
    snapshot: SnapshotSpec | None = None,
    recovery: tuple[RecoveryMode, ...] = (RecoveryMode.ROLLFORWARD,),
    freeze: FreezeSpec | None = None,
    commit: Commit = Commit.BUFFERED,
    limits: Limits | None = None,
    cycles: int = 1,
    instance: InstanceSpec | None = None,
) -> Plan:
    """A plan whose cycle takes a second or two."""
    return Plan(
        name="small",
        instance=instance or InstanceSpec(),
        workload=WorkloadSpec(
            writers=writers, duration_s=30.0, transactions=transactions, rate=rate, commit=commit
        ),
        cycles=cycles,
        snapshots=(snapshot or SnapshotSpec(provider="copy", options={}),),
        recovery=recovery,
        freeze=freeze or FreezeSpec(),
        limits=limits or Limits(),
    )


@pytest.fixture(scope="session")
def needs_stand_in(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where no stand-in can run, unless `--require` names it."""
    try:
        LocalHost(InstanceSpec(), tmp_path_factory.mktemp("probe")).probe()
    except PreconditionError as error:
        if "stand-in" in required(request.config):
            raise
        pytest.skip(str(error))


def require_engine(config: pytest.Config) -> None:
    """Skips where no container engine answers, unless `--require` names docker."""
    try:
        containers.program()
        containers.engine()
        if os.geteuid() != 0:
            raise PreconditionError("containers need root", "Run it with sudo.")
    except PreconditionError as error:
        if "docker" in required(config):
            raise
        pytest.skip(error.missing)


@pytest.fixture(scope="session")
def needs_docker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where no stand-in can run in a container, unless `--require` names docker."""
    try:
        DockerHost(InstanceSpec(host="docker"), tmp_path_factory.mktemp("probe")).probe()
    except PreconditionError as error:
        if "docker" in required(request.config):
            raise
        pytest.skip(error.missing)


@pytest.fixture(scope="session")
def open_session(needs_stand_in: None, tmp_path_factory: pytest.TempPathFactory) -> Opener:
    """Opens a running stand-in for a plan, as `harness run` does."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))

    @contextmanager
    def open_plan(plan: Plan, seed: int = 20261122) -> Iterator[Session]:
        folder: Path = tmp_path_factory.mktemp("run")
        with opened_for(plan, seed, folder, SilentProgress()) as session:
            yield session

    return open_plan


@pytest.fixture(autouse=True)
def _same_umask() -> Iterator[None]:
    """What a test calls in this process may set one, as a program may at its beginning."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
