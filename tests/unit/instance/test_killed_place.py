"""What a place says that is being killed is no answer: never an answer about the backup, whatever it looks like."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.command import Completed, Transcript
from harness.destroy import Ground
from harness.errors import (
    HarnessError,
    InstanceError,
    InstanceGone,
    InstanceRefused,
    RestoreError,
    RollforwardError,
    ThawError,
)
from harness.instance import docker
from harness.instance.docker import DockerPlace
from harness.instance.first import FirstProcess
from harness.instance.iris import Instance
from harness.model import Position
from harness.stages.restore import _replace

SAID = [
    (1, "", "Error response from daemon: Container 0123 is not running\n"),
    (1, "unable to upgrade to tcp, received 500\n", ""),
    (126, "cannot exec in a stopped state: unknown\n", ""),
    (126, "OCI runtime exec failed: exec failed: unable to start container process: read init-p\n", ""),
    (126, "task ID not found: not found\n", ""),
    (126, "container is not running\n", ""),
    (137, "", ""),
    (3, '{"error": "mupip journal ended with -9: "}\n', ""),
    (5, '{"error": "mupip journal ended with -9: "}\n', ""),
]
"""Seen of Docker 20.10 when a container was killed beside busy loops; the last two of a program of the engine."""
REFUSAL = (3, '{"error": "the files are damaged"}\n', "")
FOLDER = Path("/db/one")

Said = tuple[int, str, str]
Asked = Callable[[Instance], object]

VERBS: dict[str, Asked] = {
    "mount": lambda i: i.mount(FOLDER),
    "roll_forward": lambda i: i.roll_forward(
        FOLDER, Position(journal_file="20261125.001", offset_bytes=1), "20261125.001", None, {FOLDER: FOLDER}
    ),
    "integrity": lambda i: i.integrity([FOLDER]),
    "journals": lambda i: i.journals(FOLDER),
}


class Container:
    """One that the engine still calls running, as it learns of an end late."""

    name, short_id, id, status = "harness-1-target-1", "0123", "0123", "running"

    def __init__(self) -> None:
        self.attrs = {"State": {"Pid": 0, "StartedAt": "2026-11-25T10:00:00.1Z"}}

    def reload(self) -> None: ...


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DockerPlace:
    monkeypatch.setattr(docker.containers, "address", lambda: "unix:///nowhere")
    return DockerPlace(Container(), tmp_path, Transcript(None), isolated=True)  # type: ignore[arg-type]


def saying(place: DockerPlace, said: Said, monkeypatch: pytest.MonkeyPatch) -> Instance:
    status, out, err = said
    done = Completed(argv=(), status=status, stdout=out, stderr=err, duration_s=0.0)
    monkeypatch.setattr(place, "_exec", lambda argv, deadline: done)
    return Instance(place)


@pytest.mark.parametrize("said", SAID, ids=lambda said: f"{said[0]} {(said[1] + said[2])[:24].strip()}")
@pytest.mark.parametrize("verb", VERBS)
def test_whatever_is_said_by_a_place_that_was_killed_it_is_gone(
    place: DockerPlace, said: Said, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the engine still says that it runs, and with a status that would be an answer."""
    killed = subprocess.Popen(["sleep", "60"])
    place._first = FirstProcess(killed.pid)
    killed.kill()
    try:
        with pytest.raises(InstanceGone, match="container harness-1-target-1"):
            VERBS[verb](saying(place, said, monkeypatch))
    finally:
        killed.wait()


@pytest.mark.parametrize("said", SAID[:7], ids=lambda said: f"{said[0]} {(said[1] + said[2])[:24].strip()}")
@pytest.mark.parametrize("verb", VERBS)
def test_a_session_that_never_began_is_no_answer_about_the_backup(
    place: DockerPlace, said: Said, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing tells that it was killed, either."""
    place._first = FirstProcess(os.getpid())
    monkeypatch.setattr("harness.instance.first.ENDS_TOGETHER_S", 0.0)
    with pytest.raises(HarnessError) as raised:
        VERBS[verb](saying(place, said, monkeypatch))
    assert not isinstance(raised.value, InstanceRefused | RollforwardError)


def test_a_living_engine_that_refuses_gives_an_answer(
    place: DockerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place._first = FirstProcess(os.getpid())
    monkeypatch.setattr("harness.instance.first.ENDS_TOGETHER_S", 0.0)
    instance = saying(place, REFUSAL, monkeypatch)
    with pytest.raises(RollforwardError, match="the files are damaged"):
        VERBS["roll_forward"](instance)
    with pytest.raises(InstanceRefused, match="the files are damaged"):
        VERBS["mount"](instance)


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (InstanceRefused("damaged"), RestoreError),
        (InstanceError("status 126"), InstanceError),
        (InstanceGone("gone"), InstanceGone),
    ],
)
def test_only_a_refusal_to_mount_speaks_of_the_files(
    error: InstanceError, seen: type[InstanceError], tmp_path: Path
) -> None:
    """Of a session that broke off nothing is known, so it must not become a FAIL."""

    def mount(place: Path) -> None:
        raise error

    source, ground = SimpleNamespace(folders=()), Ground(folder=tmp_path, right="a test")
    target = SimpleNamespace(
        dismount=lambda place: None, mount=mount, describe=lambda: SimpleNamespace(folders=())
    )
    for name in ("place", "image"):
        (tmp_path / name).mkdir()
    with pytest.raises(InstanceError) as raised:
        _replace(target, (source,), tmp_path / "place", tmp_path / "image", ground, copy=False)  # type: ignore[arg-type]
    assert seen is type(raised.value)


def test_an_engine_that_learns_of_the_end_late_is_waited_for(
    place: DockerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the container's processes are on another machine: the engine is asked, and asked again."""
    states = iter(["running", "running", *["exited"] * 9])
    monkeypatch.setattr(place, "_status", lambda: next(states))
    with pytest.raises(InstanceGone):
        VERBS["mount"](saying(place, SAID[2], monkeypatch))


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        ({"Status": "exited", "ExitCode": 137}, True),
        ({"Status": "exited", "ExitCode": 143}, True),
        ({"Status": "exited", "ExitCode": 1}, False),
        ({"Status": "exited", "ExitCode": 137, "OOMKilled": True}, False),
        ({"Status": "running", "ExitCode": 0}, False),
    ],
)
def test_a_container_that_was_ended_while_it_started_says_nothing_about_the_image(
    state: dict[str, Any], ended: bool
) -> None:
    container = SimpleNamespace(reload=lambda: None, attrs={"State": state})
    assert ended is docker._was_ended(container)  # type: ignore[arg-type]


def test_an_end_while_it_started_is_no_failure_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a StartError, and so FAIL where an image was booted: the engine did not know yet."""
    container = SimpleNamespace(
        reload=lambda: None, id="1", attrs={"State": {"Status": "running", "ExitCode": 0}}
    )
    made = SimpleNamespace(_container=container, get_logs=lambda: (b"", b""))
    monkeypatch.setattr(docker.containers, "remove_container", lambda name: None)
    for error, kind in ((InstanceGone("gone"), InstanceGone), (TimeoutError("300 s"), InstanceError)):
        with pytest.raises(InstanceError) as raised, docker._removed_on_failure(made, "boot-0"):
            raise error
        assert kind is type(raised.value)


@pytest.mark.parametrize("verb", VERBS)
def test_a_container_that_somebody_restarted_is_gone(
    place: DockerPlace, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its first process cannot be seen the engine tells: it runs again, and what was frozen is not."""
    place.container.attrs["State"]["StartedAt"] = "2026-11-25T10:00:09.1Z"
    with pytest.raises(InstanceGone, match="has been ended"):
        VERBS[verb](saying(place, REFUSAL, monkeypatch))
    with pytest.raises(InstanceGone, match="is restarted"):
        place.prepare(["true"])


def test_a_thaw_of_an_instance_that_is_being_restarted_is_waited_for(
    place: DockerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First it is not up, then its container is another one: gone, and no word of `may still be frozen`."""
    looks = iter(range(8))

    def not_up(argv: object, deadline: object) -> Completed:
        if next(looks) == 6:
            place.container.attrs["State"]["StartedAt"] = "2026-11-25T10:00:09.1Z"
        return Completed(
            argv=("iris",), status=1, stdout="", stderr="Sign-on inhibited: IRIS is not up\n", duration_s=0.0
        )

    monkeypatch.setattr(place, "_exec", not_up)
    with pytest.raises(InstanceGone):
        Instance(place).thaw(Path("/w/freeze.log"))


def test_a_thaw_without_an_answer_says_so_in_the_end(
    place: DockerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its limit; of a paused container the command by hand begins with the one that lets it go on."""
    monkeypatch.setattr("harness.instance.iris.ANSWER_TIMEOUT_S", 0.3)
    instance = saying(place, (1, "Sign-on inhibited: IRIS is not up\n", ""), monkeypatch)
    with pytest.raises(ThawError) as raised:
        instance.thaw(Path("/w/freeze.log"))
    monkeypatch.setattr(Container, "status", "paused")
    by_hand = instance.thaw_by_hand(Path("/w/freeze.log"))
    program = docker.containers.program()
    assert f"{program} unpause harness-1-target-1 && {raised.value.by_hand}" == by_hand
    assert raised.value.by_hand.startswith(f"{program} exec harness-1-target-1 iris session IRIS")
