"""The first process of a place: an end is seen at once, also one that is only bound to come."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from harness.instance.first import FirstProcess, kill_is_pending


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    made = subprocess.Popen(["sleep", "60"])
    yield made
    made.kill()
    made.wait()


def test_a_process_that_runs_has_not_ended(process: subprocess.Popen[bytes]) -> None:
    first = FirstProcess(process.pid)
    assert not first.has_ended and not first.ends_soon()


def test_a_killed_one_has_ended_though_nobody_waited_for_it(process: subprocess.Popen[bytes]) -> None:
    """At once: pending, ending or a zombie."""
    first = FirstProcess(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    assert first.has_ended


def test_one_that_is_killed_a_moment_later_ends_soon(process: subprocess.Popen[bytes]) -> None:
    first = FirstProcess(process.pid)
    threading.Timer(0.1, process.kill).start()
    assert first.ends_soon()


def test_another_process_of_the_same_number_is_not_taken_for_it(process: subprocess.Popen[bytes]) -> None:
    first = FirstProcess(process.pid)
    first.began += 1
    assert first.has_ended


@pytest.mark.parametrize(
    ("own", "shared", "pending"),
    [("0", "0000000000000100", True), ("0000000000000100", "0", True), ("0000000000004000", "0", False)],
)
def test_a_kill_that_waits_for_the_processor_is_one(own: str, shared: str, pending: bool) -> None:
    """SIGKILL is signal 9, so bit 8; SIGTERM alone kills nobody yet."""
    assert pending is kill_is_pending(f"State:\tR (running)\nSigPnd:\t{own}\nShdPnd:\t{shared}\nSigBlk:\t0\n")


def test_a_process_that_is_of_no_such_container_is_not_watched() -> None:
    """The number of a process on the machine of the engine, which is another one."""
    assert FirstProcess.of_container(os.getpid(), "0123456789abcdef" * 4) is None
    assert FirstProcess.of_container(0, "") is None
