"""The verb Install of the agent's protocol (harness/instance/agent/protocol.md)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.instance.base import Host, Place
from harness.instance.iris import Instance
from harness.plan.model import Commit

pytestmark = pytest.mark.e2e

AGENT = Path(__file__).parents[2] / "harness" / "instance" / "agent"


@pytest.fixture(scope="module")
def place(host: Host) -> Place:
    return host.target("install", host.root())


def verb(place: Place, call: str) -> tuple[int, dict[str, object]]:
    command = f"##class(Harness.Agent).{call}"
    done = place.run(["iris", "session", place.name, "-U%SYS", command], accept=None)
    (answer,) = (json.loads(line) for line in done.stdout.splitlines())
    return done.status, answer


def test_routines_of_a_folder_are_installed(place: Place) -> None:
    """The answer names where and what; a second time it is the same."""
    wanted = (5, {"namespace": "HARNESS", "routines": ["RVWORK", "RVCHECK", "RVFAULT"]})
    assert [wanted, wanted] == [verb(place, f'Install("{AGENT}/")') for _ in range(2)]


def test_a_folder_without_them_is_refused(place: Place, lent: Path) -> None:
    shutil.copy(AGENT / "RVWORK.m", lent)
    for folder in (lent, lent / "absent"):
        status, answer = verb(place, f'Install("{folder}/")')
        assert 3 == status and {"error"} == set(answer)


def test_other_routines_are_not_taken_for_those_that_run(place: Place, lent: Path) -> None:
    """The stand-in runs the routines it came with, so it accepts no others."""
    if not verb(place, "Describe()")[1]["stand_in"]:
        pytest.skip("this instance runs what is installed")
    for name in ("RVWORK.m", "RVCHECK.m", "RVFAULT.m"):
        shutil.copy(AGENT / name, lent)
    with (lent / "RVCHECK.m").open("a") as routine:
        routine.write(" ;\n")
    status, answer = verb(place, f'Install("{lent}/")')
    assert 3 == status and "is not the RVCHECK that the stand-in runs" in str(answer["error"])


def test_clear_removes_what_workloads_left(place: Place) -> None:
    """An instance that outlives a run must not mix it with the next one."""
    instance = Instance(place)
    process = instance.start_writer(
        writer=2, writers=2, seed=1, first=1, count=100, seconds=60, commit=Commit.BUFFERED
    )
    assert process.stdout and process.stdout.read().endswith(b"\n100\nend\n")
    process.stdout.close()
    process.wait()
    assert b"s|2|100|100|100\n" in printed(instance)
    instance.clear()
    assert b"r|1%44;17919\nn|\nend\n" == printed(instance)


def printed(instance: Instance) -> bytes:
    process = instance.start_state("summary", 0)
    assert process.stdout
    said = process.stdout.read()
    process.stdout.close()
    assert 5 == process.wait()
    return said
