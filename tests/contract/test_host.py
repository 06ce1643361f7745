"""The host port: places that run commands, are alone, end when told, and say when they are gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness import containers
from harness.command import run
from harness.errors import CommandError, CommandTimeout, InstanceError, InstanceGone
from harness.instance.base import TO_READ, CanPause, CanRestart, CanTellStuns, Host, Place
from harness.instance.iris import Instance
from harness.plan.model import Commit, FreezeSpec
from harness.session.session import log_folder
from harness.stages.restore import require_isolated
from tests.runs import wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place(host: Host) -> Place:
    return host.source()


@pytest.fixture(scope="module")
def target(host: Host, place: Place) -> Place:
    return host.target("target", host.root())


def test_a_command_ends_with_its_status_and_both_outputs(place: Place) -> None:
    done = place.run(["sh", "-c", "echo out; echo err >&2; exit 5"], accept=(5,))
    assert (5, "out\n", "err\n") == (done.status, done.stdout, done.stderr)
    with pytest.raises(CommandError):
        place.run(["sh", "-c", "exit 7"])


def test_a_command_has_a_limit(place: Place) -> None:
    with pytest.raises(CommandTimeout):
        place.run(["sleep", "60"], timeout_s=0.5)


def test_an_argument_list_works_from_outside(host: Host, place: Place) -> None:
    """As the watchdog runs it: any process of this machine, with the host's environment."""
    argv = place.argv(["iris", "session", place.name, "-U%SYS", "##class(Backup.General).IsWDSuspendedExt()"])
    assert 3 == run(argv, accept=None, env=host.environment()).status


def test_a_prepared_command_waits_for_the_word(place: Place, shared: Path) -> None:
    prepared = place.prepare(["touch", str(shared / "done")])
    assert not wait_for(lambda: list(shared.iterdir()), 0.3)
    assert 0 == prepared.run(30.0).status
    prepared.close()
    assert ["done"] == [file.name for file in shared.iterdir()]


def test_paths_are_the_same_inside_and_outside(place: Place, shared: Path) -> None:
    """What an instance writes is found under the same name, and what it holds too."""
    place.run(["sh", "-c", f"echo hello >{shared}/file"])
    assert "hello\n" == (shared / "file").read_text()
    there = Instance(place).describe()
    assert all((folder / "IRIS.DAT").is_file() for folder in there.databases.values())


def test_a_target_sees_no_network_and_nothing_of_the_source(host: Host, place: Place, target: Place) -> None:
    assert place.isolated is False and target.isolated
    assert ("lo",) == require_isolated(target)
    assert "" == target.run(["ls", "-A", str(host.root())], accept=None).stdout
    # System V memory is its own: the header of a restored database names the live one's
    place.run(["ipcmk", "-M", "4096"])
    assert _memory(place) and not _memory(place) & _memory(target)


def test_a_target_sees_of_the_run_what_is_its_own(host: Host, place: Place, target: Place) -> None:
    """No live database, no snapshot, no freeze log, no pipe of another one; what it is lent it can only read."""
    work = host.root().parent
    for name in ("snapshots-1", log_folder(work).name, TO_READ):
        (work / name).mkdir(exist_ok=True)
    listed = set(target.run(["ls", str(work)]).stdout.split())
    own = {Path(Instance(target).describe().root).name, TO_READ}
    assert own <= listed <= own | {"registry", "target.cpf", "pipes"}
    if "pipes" in listed:
        assert "target\n" == target.run(["ls", str(work / "pipes")]).stdout
    refused = target.run(["touch", str(work / TO_READ / "new")], accept=None)
    assert refused.status and "Read-only file system" in refused.stderr


def test_what_has_ended_leaves_no_zombie(place: Place, target: Place) -> None:
    """Whoever is first in a place buries what is left to him."""
    for one in (place, target):
        one.run(["sh", "-c", "(sleep 0.1 &) ; (true &)"])
        assert wait_for(lambda one=one: "Z" not in _states(one), 5)  # type: ignore[misc]


def test_a_restored_instance_inherits_no_secret(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the caller's environment only what the host names; the same holds for the source."""
    monkeypatch.setenv("CALLER_SECRET", "hunter2")
    fresh = host.target("fresh", host.root())
    seen = fresh.run(["sh", "-c", "cat /proc/[0-9]*/environ"], accept=None).stdout
    assert "iris_root" in seen or "ISC_DATA_DIRECTORY" in seen or "IRISSYS" in seen
    assert "hunter2" not in seen
    fresh.discard()


def test_a_container_gains_nothing(host: Host, place: Place, target: Place) -> None:
    """No new rights in any, no capability but those that its image is said to need; a restored one has limits."""
    if not host.in_containers:
        pytest.skip("this host has no containers")
    for one in (place, target):
        status = dict(
            line.split(":\t", 1) for line in one.run(["cat", "/proc/self/status"]).stdout.splitlines()
        )
        assert "1" == status["NoNewPrivs"]
        if Instance(one).describe().stand_in:
            assert 0 == int(status["CapBnd"], 16)
    made = containers.engine().containers.get(target.where.split()[1]).attrs
    assert 0 < made["HostConfig"]["PidsLimit"] and 0 < made["HostConfig"]["Memory"]
    assert {"rw": [str(Instance(target).describe().root)]} == {
        "rw": [mount["Destination"] for mount in made["Mounts"] if mount["RW"]]
    }


def test_a_source_with_a_network_is_not_taken_for_isolated(place: Place) -> None:
    with pytest.raises(InstanceError, match="not isolated"):
        require_isolated(place)


def test_killing_what_was_opened_ends_it_inside(place: Place) -> None:
    """A writer that went on unseen would write what the ledger does not know."""
    process = Instance(place).start_writer(
        writer=1, writers=1, seed=1, first=1, count=0, seconds=60, commit=Commit.BUFFERED, pace=1
    )
    assert process.stdout and b"ready\n" == process.stdout.readline()
    assert _writers(place)
    process.kill()
    process.wait()
    process.stdout.close()
    assert wait_for(lambda: [] == _writers(place), 30)


def test_output_of_what_ends_by_itself_is_whole(place: Place) -> None:
    process = place.open(["sh", "-c", "seq 300000; exit 5"])
    assert process.stdout
    lines = process.stdout.read().split()
    process.stdout.close()
    assert (5, 300000, b"300000") == (process.wait(), len(lines), lines[-1])


def test_an_image_boots_where_the_source_had_it(host: Host, place: Place, shared: Path) -> None:
    """A copy of the whole root, taken in a freeze window, starts by itself and is thawed."""
    live = Instance(place)
    live.freeze(shared / "freeze.log", "boot", FreezeSpec())
    shutil.copytree(live.describe().root, shared / "image", ignore=shutil.ignore_patterns("*.sock"))
    run(["chown", "-R", f"--reference={live.describe().root}", str(shared / "image")])
    live.thaw(shared / "freeze.log")
    booted = host.boot("booted", shared / "image", live.describe().root)
    try:
        assert booted.isolated and ("lo",) == require_isolated(booted)
        assert live.describe().databases == Instance(booted).describe().databases
        assert not Instance(booted).is_frozen()
    finally:
        booted.discard()
    assert not (shared / "image").exists()


def test_a_name_may_be_given_again(host: Host, place: Place) -> None:
    """To one place after another; what the first one left does not stand in the way."""
    for _ in range(2):
        fresh = host.target("once-more", host.root())
        assert not Instance(fresh).is_frozen()
        fresh.discard()


def test_an_instance_restarts_after_stop_and_crash(host: Host, place: Place) -> None:
    again = host.target("again", host.root())
    assert isinstance(again, CanRestart)
    for end in (again.stop, again.crash):
        end()
        again.restart()
        assert not Instance(again).is_frozen()
    again.discard()


def test_what_has_ended_is_gone_and_not_frozen(host: Host, place: Place) -> None:
    """No false `may still be frozen`, and no wait for an answer that cannot come."""
    ended = host.target("ended", host.root())
    instance = Instance(ended)
    log = instance.describe().root / "freeze.log"
    instance.freeze(log, "gone", FreezeSpec())
    prepared = instance.prepare_thaw(log)
    ended.close()
    ended.close()
    for ask in (instance.is_frozen, lambda: instance.thaw(log, prepared)):
        with pytest.raises(InstanceGone):
            ask()
    prepared.close()


def test_commands_wait_for_a_paused_place_and_the_stun_is_told(place: Place) -> None:
    """As for a machine that its hypervisor stops: late, and otherwise as ever."""
    if not (isinstance(place, CanPause) and isinstance(place, CanTellStuns)):
        pytest.skip("this host does not stop its places")
    since = datetime.now(UTC)
    place.pause()
    threading.Timer(1.0, place.resume).start()
    began = time.monotonic()
    assert not Instance(place).is_frozen()
    assert time.monotonic() - began >= 0.9
    (stun,) = place.stuns(since)
    assert 0.9 <= stun.duration_s < 3.0 and stun.started_utc >= since


def test_closing_a_host_leaves_nothing(host: Host, place: Place) -> None:
    """The last test of this module."""
    root, named = str(host.root()), place.name
    running = [line for line in _commands() if root in line]
    host.close()
    host.close()
    with pytest.raises(InstanceGone):
        place.run(["true"])
    left = [line for line in _commands() if root in line]
    assert not left, f"of {len(running)} processes of {named}"
    assert not [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {root}" in line]
    if host.in_containers:
        wanted = {"label": f"{containers.RUN_LABEL}={containers.token()}"}
        assert [] == containers.engine().containers.list(all=True, filters=wanted)


def _commands() -> list[str]:
    """Command line and environment of every process of this machine."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            found.append(f"{(process / 'cmdline').read_bytes()!r} {(process / 'environ').read_bytes()!r}")
    return found


def _writers(place: Place) -> list[str]:
    each = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f; echo; done 2>/dev/null"
    lines = place.run(["sh", "-c", each], accept=None).stdout.splitlines()
    return [line for line in lines if "write^RVWORK" in line and "mumps" in line.split()[0]]


def _states(place: Place) -> list[str]:
    """Of every process in a place."""
    done = place.run(["sh", "-c", "sed 's/.*) //' /proc/[0-9]*/stat"], accept=None)
    return [line.split()[0] for line in done.stdout.splitlines()]


def _memory(place: Place) -> set[str]:
    """Keys of the System V segments that are seen here."""
    return {row.split()[0] for row in place.run(["cat", "/proc/sysvipc/shm"]).stdout.splitlines()[1:]}
