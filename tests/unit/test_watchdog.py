"""The watchdog's end, with commands that are small scripts: when it thaws, what it believes, and what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.session import watchdog
from harness.session.watchdog import Orders, Watchdog
from tests.runs import wait_for


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "SETTLED_S", 0.3)
    monkeypatch.setattr(watchdog, "UNANSWERED_S", 0.5)
    monkeypatch.setattr(watchdog, "RETRY_S", 0.01)
    monkeypatch.setattr(watchdog, "RETRY_MAX_S", 0.05)


def instance(tmp_path: Path, before: int, there: str = "exit 0") -> Orders:
    """A thaw that leaves a file, and an answer that is 3 once the file is there and `before` until then."""
    done = tmp_path / "thawed"
    return Orders(
        thaw=["sh", "-c", f"echo x >> {done}"],
        is_frozen=["sh", "-c", f"test -e {done} && exit 3; exit {before}"],
        is_there=["sh", "-c", there],
    )


def thaw(orders: Orders) -> None:
    """As when the pipe has closed."""
    reader, writer = os.pipe()
    os.close(writer)
    post = watchdog._Post(reader)
    post.closed, post.order = True, json.loads(json.dumps(vars(orders)))
    watchdog._Thaw(post).until_settled()
    os.close(reader)


@pytest.mark.parametrize("before", [5, 1])
def test_thaws_what_is_frozen_or_does_not_answer(
    tmp_path: Path, before: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """5 is frozen; any other answer but 3 may be an instance that lets nobody log in any more."""
    thaw(instance(tmp_path, before))
    assert (tmp_path / "thawed").exists()
    assert capsys.readouterr().out.rstrip().endswith("not frozen")


def test_leaves_a_running_instance_alone(tmp_path: Path) -> None:
    thaw(instance(tmp_path, 3))
    assert not (tmp_path / "thawed").exists()


def test_ends_with_the_surroundings_of_the_instance(capsys: pytest.CaptureFixture[str]) -> None:
    thaw(Orders(thaw=["false"], is_frozen=["false"], is_there=["false"]))
    assert "the instance has ended, and its freeze with it" in capsys.readouterr().out


def test_goes_on_as_long_as_they_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A paused container answers nothing, for any time; whoever lets it go on must not find it frozen."""
    woken = tmp_path / "woken"
    began = time.monotonic()
    orders = Orders(
        thaw=["sh", "-c", f"test -e {woken} && touch {tmp_path}/thawed"],
        is_frozen=["sh", "-c", f"test -e {woken} || exit 1; test -e {tmp_path}/thawed && exit 3; exit 5"],
        is_there=["sh", "-c", "echo paused: docker unpause it, then thaw"],
    )
    with subprocess.Popen(["sh", "-c", f"sleep 2; touch {woken}"]):
        thaw(orders)
    assert 2.0 < time.monotonic() - began and (tmp_path / "thawed").exists()
    said = capsys.readouterr().out.splitlines()
    assert any("surroundings are paused: docker unpause it, then thaw" in line for line in said)
    assert any("no answer; still trying. Thaw by hand:" in line for line in said)
    assert len(said) < 20, "one line for each change, not for each try"


def test_a_login_reaches_both_commands_and_no_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What they read is not logged, though they repeat it."""
    done = tmp_path / "thawed"
    code = "import os, sys; said = sys.stdin.read(); print(said); said == 'ann\\nsecret\\n' or sys.exit(1);"
    thaw(
        Orders(
            thaw=[sys.executable, "-c", f"{code} open({str(done)!r}, 'a').write('x')"],
            is_frozen=[sys.executable, "-c", f"{code} sys.exit(3 if os.path.exists({str(done)!r}) else 5)"],
            is_there=["true"],
            stdin="ann\nsecret\n",
        )
    )
    said = capfd.readouterr().out
    assert "frozen? ended with 5; thaw ended with 0" in said and said.rstrip().endswith("not frozen")
    assert "secret" not in said


def test_a_child_that_keeps_the_output_holds_nobody_up(tmp_path: Path) -> None:
    orders = instance(tmp_path, 5)
    slow = Orders(
        thaw=["sh", "-c", f"{orders.thaw[2]}; sleep 20 &"], is_frozen=orders.is_frozen, is_there=["true"]
    )
    began = time.monotonic()
    thaw(slow)
    assert time.monotonic() - began < 10


# --- as a process


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def dog(tmp_path: Path, told: list[str]) -> Iterator[Watchdog]:
    made = Watchdog(tmp_path, {}, told.append)
    yield made
    made.disarm()
    made.close()


def thawed(tmp_path: Path) -> bool:
    return (tmp_path / "thawed").exists()


def test_thaws_when_the_time_is_over_though_the_harness_lives(tmp_path: Path, dog: Watchdog) -> None:
    dog.arm(instance(tmp_path, 5), 60.0)
    dog.hold(0.2)
    assert wait_for(lambda: thawed(tmp_path), 10)
    assert wait_for(dog.has_thawed, 10)
    dog.disarm()
    dog.arm(instance(tmp_path, 5), 60.0)
    assert not dog.has_thawed(), "of this window, not of an earlier one"


def test_does_nothing_before_the_time_is_over_and_nothing_once_it_is_disarmed(
    tmp_path: Path, dog: Watchdog
) -> None:
    dog.arm(instance(tmp_path, 5), 0.5)
    dog.disarm()
    dog.arm(instance(tmp_path, 5), None)
    time.sleep(1.0)
    dog.disarm()
    dog.close()
    assert not thawed(tmp_path)


def test_thaws_when_the_harness_is_gone(tmp_path: Path, dog: Watchdog) -> None:
    dog.arm(instance(tmp_path, 5), 60.0)
    dog.close()
    assert thawed(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_dies_is_told_at_once_and_another_takes_its_orders(
    tmp_path: Path, dog: Watchdog, told: list[str], number: signal.Signals
) -> None:
    dog.arm(instance(tmp_path, 5), 60.0)
    first = dog.pid
    os.kill(first, number)
    assert wait_for(lambda: told and dog.pid != first, 10)
    assert f"the watchdog (process {first}) ended with {-number}" in told[0] and "another one" in told[0]
    dog.close()
    assert thawed(tmp_path), "the second knows what the first was told"


def test_one_that_always_dies_is_not_started_for_ever(tmp_path: Path, dog: Watchdog, told: list[str]) -> None:
    def given_up() -> bool:
        return bool(told) and "not started again" in told[-1]

    while not given_up():
        struck = dog.pid
        os.kill(struck, signal.SIGKILL)
        assert wait_for(lambda struck=struck: dog.pid != struck or given_up(), 10)
    dog.arm(instance(tmp_path, 5), 60.0)  # nobody listens, and that is no error
    dog.disarm()


def test_one_that_was_stopped_goes_on_with_the_next_order(tmp_path: Path, dog: Watchdog) -> None:
    os.kill(dog.pid, signal.SIGSTOP)
    dog.arm(instance(tmp_path, 5), 0.2)
    assert wait_for(lambda: thawed(tmp_path), 10)


def test_one_that_stands_still_with_nothing_to_thaw_is_ended(
    tmp_path: Path, dog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "ENDS_S", 0.3)
    send = dog._process.send_signal
    # as one that a debugger holds
    monkeypatch.setattr(
        dog._process, "send_signal", lambda number: None if number == signal.SIGCONT else send(number)
    )
    os.kill(dog.pid, signal.SIGSTOP)
    began = time.monotonic()
    dog.close()
    assert time.monotonic() - began < 10 and not Path(f"/proc/{dog.pid}").exists()


def test_a_freeze_that_stands_still_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may take effect when nobody looks any more: its process carries the token of the run."""
    monkeypatch.setenv(watchdog.WATCHDOG_VARIABLE, "1-abc")
    began = time.monotonic()
    freezing = subprocess.Popen(
        ["sh", "-c", "sleep 2; exit # ##class(Backup.General).ExternalFreeze("],
        env={**os.environ, watchdog.TOKEN_VARIABLE: "1-abc"},
    )
    thaw(instance(tmp_path, 3))
    assert freezing.poll() is not None and time.monotonic() - began > 1.9
    assert "a freeze that was asked for is still under way" in capsys.readouterr().out


def test_a_later_window_is_not_thawed_for_an_earlier_one(tmp_path: Path) -> None:
    """The harness went on, thawed and froze again while the watchdog was at work: both orders come at once, and the
    time of the new window counts.
    """
    reader, writer = os.pipe()
    post = watchdog._Post(reader)
    old, new = instance(tmp_path, 1), instance(tmp_path / "later", 5)
    post.order = {**vars(old), "due_s": 0.0}
    thaw = watchdog._Thaw(post)
    due_s = time.monotonic() + 60
    os.write(writer, b"{}\n" + json.dumps({**vars(new), "due_s": due_s}).encode() + b"\n")
    thaw.until_settled()
    assert due_s == post.order["due_s"] and not (tmp_path / "later" / "thawed").exists()
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_the_time_of_a_window_begins_when_it_is_said_to(
    tmp_path: Path, dog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And lies ahead, by the clock that both ends share."""
    given: list[dict[str, object]] = []
    monkeypatch.setattr(dog, "_send", lambda: given.append(dog._order))
    now = time.monotonic()
    dog.arm(instance(tmp_path, 5), 60.0)
    dog.hold(7.0)
    dog.arm(instance(tmp_path, 5), None)
    due = [order["due_s"] for order in given]
    assert isinstance(due[0], float) and now + 60.0 <= due[0] < now + 62.0
    assert isinstance(due[1], float) and now + 7.0 <= due[1] < now + 9.0
    assert due[2] is None
    assert given[0]["thaw"] == given[1]["thaw"], "what is to be done is the same"


def test_a_log_that_is_not_there_is_empty(tmp_path: Path, dog: Watchdog) -> None:
    (tmp_path / "watchdog.log").unlink()
    assert 0 == dog._log_bytes() and not dog.has_thawed()
    (tmp_path / "watchdog.log").write_text("12345")
    assert 5 == dog._log_bytes()


def test_who_closes_it_hears_that_it_still_tries(
    tmp_path: Path, dog: Watchdog, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The instance does not answer; the run ends, and its watchdog does not."""
    monkeypatch.setattr(watchdog, "UNANSWERED_S", 0.3)
    dog.arm(instance(tmp_path, 5), 60.0)
    sent: list[int] = []
    monkeypatch.setattr(dog, "_send", lambda: sent.append(1))

    def never(timeout: float) -> int:
        assert 0.3 == timeout
        raise subprocess.TimeoutExpired("watchdog", timeout)

    with monkeypatch.context() as patched:
        patched.setattr(dog._process, "wait", never)
        dog.close()
        dog.close()
    assert [1] == sent, "the order once more, and only once"
    assert [f"the watchdog still tries to thaw, see {tmp_path / 'watchdog.log'}"] * 2 == told
    os.kill(dog.pid, signal.SIGKILL)


def test_what_its_program_says_is_in_its_log(tmp_path: Path, dog: Watchdog) -> None:
    """Also what it says by an error of its own."""
    dog.arm(instance(tmp_path, 5), 60.0)
    assert dog._process.stdin
    dog._process.stdin.write(b"no order\n")
    assert wait_for(lambda: "Traceback" in (tmp_path / "watchdog.log").read_text(), 10)


def test_one_that_was_started_anew_thaws_when_the_harness_dies(
    tmp_path: Path, dog: Watchdog, told: list[str]
) -> None:
    """It has the orders of the first from the beginning, and not only when the harness ends in order."""
    dog.arm(instance(tmp_path, 5), 60.0)
    first = dog.pid
    os.kill(first, signal.SIGKILL)
    assert wait_for(lambda: told and dog.pid != first, 10)
    assert dog._process.stdin
    with dog._lock:
        dog._process.stdin.close()  # as the kernel does when the harness is killed
        dog._process.stdin = os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb", 0)
    assert wait_for(lambda: thawed(tmp_path), 10)
