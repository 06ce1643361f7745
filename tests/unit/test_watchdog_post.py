"""The watchdog's end without a process: orders that come in parts, what is thawed, when, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.session import watchdog
from harness.session.watchdog import _Post, _Thaw

ORDER: dict[str, Any] = {"thaw": ["thaw"], "is_frozen": ["frozen?"], "is_there": ["there?"], "stdin": ""}


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def line(order: object) -> bytes:
    return json.dumps(order).encode() + b"\n"


# --- the pipe


def test_an_order_that_comes_in_parts_counts_when_it_is_whole(pipe: tuple[int, int]) -> None:
    post, whole = _Post(pipe[0]), line(ORDER)
    os.write(pipe[1], whole[:9])
    assert post.wait(1.0) and {} == post.order and not post.closed
    os.write(pipe[1], whole[9:])
    assert post.wait(1.0) and ORDER == post.order


def test_of_several_orders_the_last_counts(pipe: tuple[int, int]) -> None:
    post = _Post(pipe[0])
    os.write(pipe[1], line(ORDER) + line({"due_s": 1}) + b'{"be')
    assert post.wait(1.0) and {"due_s": 1} == post.order
    os.write(pipe[1], b'gun": 2}\n')
    assert post.wait(1.0) and {"begun": 2} == post.order


def test_nothing_within_the_time_is_told(pipe: tuple[int, int]) -> None:
    post, began = _Post(pipe[0]), time.monotonic()
    assert post.wait(0.1) is False
    assert 0.1 <= time.monotonic() - began < 5.0 and not post.closed


def test_a_pipe_that_closes_is_told_once_and_keeps_the_order(pipe: tuple[int, int]) -> None:
    post = _Post(pipe[0])
    os.write(pipe[1], line(ORDER))
    os.close(pipe[1])
    assert post.wait(None) and ORDER == post.order
    assert post.wait(None) and post.closed and ORDER == post.order
    assert post.wait(None) is False, "there is nothing to wait for any more"


@pytest.mark.parametrize("closed", [False, True])
def test_a_rest_ends_with_an_order_or_a_signal(pipe: tuple[int, int], closed: bool) -> None:
    awake, wakes = os.pipe()
    post = _Post(pipe[0], awake)
    post.closed = closed
    began = time.monotonic()
    assert not post.rest(0.1)
    assert 0.1 <= time.monotonic() - began < 5.0
    os.write(wakes, b"\x12")
    assert post.rest(60.0)
    assert not post.rest(0.1)
    assert time.monotonic() - began < 30.0, "one signal ends one rest"
    os.write(pipe[1], line(ORDER))
    assert not post.rest(0.1 if closed else 60.0)
    assert ({} if closed else ORDER) == post.order and time.monotonic() - began < 30.0
    for descriptor in (awake, wakes):
        os.close(descriptor)


# --- the loop


class Played:
    """An instance whose answers are a list; time passes only where somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: list[int | None], there: int = 0) -> None:
        self.said: list[str] = []
        self.answers = answers
        self.there = there
        self.now = 0.0
        self.waits: list[float] = []
        self.woken_at = 0
        self.freezing: list[bool] = []
        monkeypatch.setattr(watchdog, "_run", self._run)
        monkeypatch.setattr(
            watchdog, "_asked", lambda argv: (self.there, "paused" if self.there == 0 else "")
        )
        monkeypatch.setattr(watchdog, "_log", self.said.append)
        monkeypatch.setattr(
            watchdog, "_freeze_is_under_way", lambda: bool(self.freezing and self.freezing.pop(0))
        )
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def _run(self, argv: list[str], stdin: str) -> int | None:
        if argv == ["thaw"]:
            self.said.append("THAW")
            return 5
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def until_settled(self, order_after: dict[str, Any] | None = None, at: int = 10**9) -> list[str]:
        played = self

        class Post:
            order: Any = ORDER
            closed = False

            def rest(self, seconds: float) -> bool:
                played.waits.append(seconds)
                played.now += max(seconds, 0.5)
                if len(played.waits) == at:
                    self.order = order_after
                return len(played.waits) == played.woken_at

        _Thaw(Post()).until_settled()  # type: ignore[arg-type]
        return self.said


def test_what_is_frozen_is_thawed_until_it_says_no_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, [5, 3, 3, 5, 3])
    said = played.until_settled()
    assert ["THAW", "frozen? ended with 5; thaw ended with 5", "THAW", "not frozen"] == said
    assert 2 * 0.5 + watchdog.SETTLED_S <= played.now
    assert {watchdog.RETRY_S} == set(played.waits)


def test_no_for_less_than_three_seconds_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, [3])
    assert ["not frozen"] == played.until_settled()
    assert watchdog.SETTLED_S == 3.0 <= played.now < 4.0


def test_a_freeze_under_way_is_waited_for_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, [3])
    played.freezing = [True] * 4
    assert ["a freeze that was asked for is still under way", "not frozen"] == played.until_settled()
    assert 4 * 0.5 + 3.0 <= played.now + 0.5


def test_a_freeze_under_way_of_one_that_is_frozen_is_thawed(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, [5, 3])
    played.freezing = [True] * 2
    assert "THAW" in played.until_settled()


def test_one_that_answers_nothing_is_thawed_and_asked_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After half a minute a person is told how to thaw by hand, once; between tries there are at most 15 seconds."""
    played = Played(monkeypatch, [None] * 200 + [3])
    said = played.until_settled()
    assert 200 == said.count("THAW")
    by_hand = [text for text in said if text.startswith("no answer; still trying. Thaw by hand: thaw")]
    assert 1 == len(by_hand) and 1 == said.count("its surroundings are paused")
    assert watchdog.RETRY_MAX_S == 15.0 == max(played.waits)
    slow = [wait for wait in played.waits if wait > watchdog.RETRY_S]
    assert slow[0] == pytest.approx(watchdog.RETRY_S * 1.5)
    first = played.waits.index(slow[0])
    assert 30.0 <= first * 0.5 < 31.0, "half a minute at full speed"
    assert {watchdog.RETRY_S} == set(played.waits[-6:]), "at full speed again once it answers"


def test_one_that_is_woken_tries_as_fast_as_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """`clean` has ended the instance, and it may take a moment to be seen."""
    played = Played(monkeypatch, [None] * 100 + [3])
    played.woken_at = 80
    played.until_settled()
    assert 5.0 < played.waits[79] and pytest.approx(watchdog.RETRY_S * 1.5) == played.waits[80]


def test_an_answer_in_between_begins_the_half_minute_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in (3, 5):
        played = Played(monkeypatch, [None] * 50 + [answer] + [None] * 50 + [3])
        assert not [text for text in played.until_settled() if text.startswith("no answer")]


def test_a_freeze_that_has_gone_with_its_instance_needs_no_thaw(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, [None], there=1)
    said = played.until_settled()
    assert ["THAW", "frozen? ended with None; thaw ended with 5"] == said[:2]
    assert "the instance has ended, and its freeze with it" == said[-1] and [] == played.waits


@pytest.mark.parametrize("answer", [3, 5])
def test_one_that_answers_is_not_gone(monkeypatch: pytest.MonkeyPatch, answer: int) -> None:
    said = Played(monkeypatch, [answer, 3], there=1).until_settled()
    assert "not frozen" == said[-1]


@pytest.mark.parametrize("order", [{}, {**ORDER, "due_s": 9.0}])
def test_a_harness_that_went_on_calls_it_off(monkeypatch: pytest.MonkeyPatch, order: dict[str, Any]) -> None:
    """It has thawed: any other order is of a later window, even one that says the same."""
    played = Played(monkeypatch, [5])
    assert "called off: the harness has thawed" == played.until_settled(order, at=2)[-1]
    assert 2 == len(played.waits)


def test_a_change_is_told_once_until_it_changes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Played(monkeypatch, [1, 1, 5, 5, 1, 3]).until_settled()
    told = [text for text in said if text.startswith("frozen?")]
    assert ["frozen? ended with 1", "frozen? ended with 5", "frozen? ended with 1"] == [
        text.partition(";")[0] for text in told
    ]


# --- the commands


def test_a_command_gives_its_status_and_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = tmp_path / "commands.log"
    monkeypatch.setattr(watchdog, "_notes_to", [notes])
    argv = ["sh", "-c", "echo one; echo two >&2; exit 4"]
    assert (4, "one") == watchdog._asked(argv)
    assert 4 == watchdog._run(argv, "")
    first, status, *said = notes.read_text().splitlines()[:4]
    assert first.endswith("Z watchdog: sh -c 'echo one; echo two >&2; exit 4'")
    assert status.startswith("    status 4 after 0.") and ["    | one", "    | two"] == said


def test_what_a_command_reads_is_never_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = tmp_path / "commands.log"
    monkeypatch.setattr(watchdog, "_notes_to", [notes])
    status, said = watchdog._answer(["cat"], "secret\n")
    assert (0, "") == (status, said)
    assert "secret" not in notes.read_text() and "status 0" in notes.read_text()


def test_a_command_that_does_not_end_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, pid = tmp_path / "commands.log", tmp_path / "pid"
    monkeypatch.setattr(watchdog, "_notes_to", [notes])
    monkeypatch.setattr(watchdog, "COMMAND_TIMEOUT_S", 0.5)
    began = time.monotonic()
    assert (None, "") == watchdog._asked(["sh", "-c", f"sleep 60 & echo $! > {pid}; wait"])
    assert time.monotonic() - began < 10.0
    assert "no answer" in notes.read_text()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid.read_text().strip()}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    state = Path(f"/proc/{pid.read_text().strip()}/stat")
    assert not state.exists() or " Z " in state.read_text()


def test_a_command_that_is_not_there_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        watchdog, "_notes_to", [tmp_path]
    )  # a folder: nothing can be written, and that is no error
    assert (None, "") == watchdog._asked([str(tmp_path / "absent")])


# --- a freeze that is under way


@pytest.mark.parametrize(
    ("token", "words", "expected"),
    [
        ("1-abc", "sleep 30 # .ExternalFreeze(", True),
        ("1-other", "sleep 30 # .ExternalFreeze(", False),
        ("1-abc", "sleep 30 # .ExternalThaw(", False),
    ],
)
def test_a_session_of_this_run_that_freezes_is_seen(
    monkeypatch: pytest.MonkeyPatch, token: str, words: str, expected: bool
) -> None:
    monkeypatch.setenv(watchdog.WATCHDOG_VARIABLE, "1-abc")
    process = subprocess.Popen(
        ["sh", "-c", f"{words}\n:"],
        env={**os.environ, watchdog.TOKEN_VARIABLE: token},
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 5
        while not expected and time.monotonic() < deadline and process.poll() is None:
            assert not watchdog._freeze_is_under_way()
            deadline = min(deadline, time.monotonic() + 0.2)
        while expected and not watchdog._freeze_is_under_way():
            assert time.monotonic() < deadline
    finally:
        os.killpg(process.pid, 9)
        process.wait()


# --- the process itself


def test_a_watchdog_carries_the_token_under_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """`clean` waits for it, and does not kill it."""
    monkeypatch.setenv(watchdog.TOKEN_VARIABLE, "1-abc")
    found = watchdog._watchdog_environment({"gtm_dist": "/gtm"})
    assert watchdog.TOKEN_VARIABLE not in found
    assert ("1-abc", "/gtm") == (found[watchdog.WATCHDOG_VARIABLE], found["gtm_dist"])
    assert os.environ["PATH"] == found["PATH"]
    monkeypatch.delenv(watchdog.TOKEN_VARIABLE)
    assert "" == watchdog._watchdog_environment({})[watchdog.WATCHDOG_VARIABLE]


def main(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *orders: bytes) -> list[dict[str, Any]]:
    """Orders that `main` thawed for, each as it was then; the pipe closes after the last."""
    thawed: list[dict[str, Any]] = []
    reader, writer = os.pipe()

    class Thaw:
        def __init__(self, post: _Post) -> None:
            self.post = post

        def until_settled(self) -> None:
            thawed.append(dict(self.post.order))

    monkeypatch.setattr(watchdog, "_Thaw", Thaw)
    monkeypatch.setattr(watchdog, "_log", lambda text: None)
    monkeypatch.setattr(watchdog, "_notes_to", [])
    monkeypatch.setattr(sys, "argv", ["watchdog", str(tmp_path / "commands.log")])
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        for order in orders:
            os.write(writer, order)
        os.close(writer)
        watchdog.main()
    assert [tmp_path / "commands.log"] == watchdog._notes_to
    return thawed


def test_a_pipe_that_closes_leads_to_a_thaw_if_it_is_armed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert [ORDER] == main(monkeypatch, tmp_path, line(ORDER))
    assert [] == main(monkeypatch, tmp_path, line(ORDER), line({}))
    assert [] == main(monkeypatch, tmp_path)


def test_a_time_that_is_over_leads_to_one_thaw_and_a_harness_that_dies_then_to_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    thawed: list[float] = []
    reader, writer = os.pipe()

    class Thaw:
        def __init__(self, post: _Post) -> None:
            self.post = post

        def until_settled(self) -> None:
            thawed.append(self.post.order.get("due_s", -1.0))
            if len(thawed) == 1:
                os.close(writer)

    monkeypatch.setattr(watchdog, "_Thaw", Thaw)
    monkeypatch.setattr(watchdog, "_log", lambda text: None)
    monkeypatch.setattr(watchdog, "_notes_to", [])
    monkeypatch.setattr(sys, "argv", ["watchdog"])
    due_s = time.monotonic() + 0.3
    os.write(writer, line({**ORDER, "due_s": due_s}))
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        watchdog.main()
    assert time.monotonic() >= due_s
    assert [due_s, -1.0] == thawed


def test_a_watchdog_outlives_the_session_of_the_harness_and_is_not_missed_once_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends the terminal's session must not end it; and one that ends because it was told to is no news."""
    told: list[str] = []
    dog = watchdog.Watchdog(tmp_path, {}, told.append)
    assert dog.pid == os.getsid(dog.pid) == os.getpgid(dog.pid)
    dog.close()
    pid, deadline = dog.pid, time.monotonic() + 0.5
    while time.monotonic() < deadline:
        assert pid == dog.pid and [] == told
        time.sleep(0.05)
