"""Entries of runs: held by a lock as long as the run lives, whole or not there, and believed only if ours."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness import destroy
from harness.errors import PreconditionError, RemovalError
from harness.session import entry as entries
from harness.session import leftovers
from harness.session.entry import MARK_FILE, HostId
from harness.session.watchdog import TOKEN_VARIABLE
from tests.runs import wait_for
from tests.unit.foreign import is_whole

TOKEN = "999999999-0123456789ab"
"""Of a process that cannot be: numbers end at 2^22."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv(TOKEN_VARIABLE, "")
    entries.state_folder().mkdir(parents=True, mode=0o700)
    return entries.state_folder()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    return folder


def left(state: Path, run: Path, **changes: Any) -> Path:
    """An entry of a run that is gone, with its folder; `changes` to what it says, None leaves a field out."""
    (run / "work" / "target").mkdir(parents=True)
    (run / MARK_FILE).write_text(TOKEN)
    (run / MARK_FILE).chmod(0o600)
    said: dict[str, Any] = {
        "token": TOKEN,
        "folder": str(run / "work"),
        "host": vars_of(HostId.here()),
        "made": [],
        **changes,
    }
    file = state / f"{TOKEN}.json"
    file.write_text(json.dumps({name: value for name, value in said.items() if value is not None}))
    file.chmod(0o600)
    return file


def vars_of(host: HostId) -> dict[str, str]:
    return {"boot": host.boot, "machine": host.machine, "name": host.name, "pids": host.pids}


def nothing() -> leftovers.Cleaned:
    return leftovers.Cleaned(removed=(), skipped=(), problems=())


# --- a run registers and finishes


def test_a_run_that_goes_on_is_left_alone(state: Path, run: Path) -> None:
    entry = leftovers.register(run / "work")
    assert nothing() == leftovers.clean()
    assert entry.file.exists() and (run / "work").is_dir()
    leftovers.finish(entry)
    leftovers.finish(entry)
    assert [] == list(state.iterdir()) and [] == list(run.iterdir())


def test_what_a_run_registers_is_for_its_user_alone(run: Path) -> None:
    before = os.umask(0)
    try:
        entry = leftovers.register(run / "work")
    finally:
        os.umask(before)
    try:
        assert 0o600 == stat.S_IMODE(entry.file.stat().st_mode) == stat.S_IMODE(entry.mark.stat().st_mode)
        assert 0o700 == stat.S_IMODE((run / "work").stat().st_mode)
    finally:
        leftovers.finish(entry)


def test_a_folder_that_is_there_is_not_removed(state: Path, run: Path) -> None:
    (run / "work").mkdir()
    with pytest.raises(PreconditionError, match="exists"):
        leftovers.register(run / "work")
    assert (run / "work").exists() and [] == list(state.iterdir())


def test_the_mark_of_another_run_stays(state: Path, run: Path) -> None:
    """Two runs in one folder: the second is refused, and the first keeps all that is its own."""
    first = leftovers.register(run / "work")
    with pytest.raises(PreconditionError, match="cannot be registered"):
        leftovers.register(run / "work")
    assert first.token == first.mark.read_text() and [first.file] == list(state.iterdir())
    assert [first.token] == list(leftovers._held), "no lock of the one that was refused is held"
    leftovers.finish(first)


def test_others_may_not_write_where_entries_are_kept(state: Path, run: Path) -> None:
    state.chmod(0o777)
    with pytest.raises(PreconditionError, match="others may write there"):
        leftovers.register(run / "work")
    assert not (run / "work").exists()


def test_a_state_folder_that_cannot_be_made_is_a_precondition(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(PreconditionError, match="cannot be registered"):
        leftovers.register(run / "work")
    assert [] == list(run.iterdir())


def test_a_run_folder_of_any_umask_is_closed_to_others(run: Path) -> None:
    run.chmod(0o777)
    entry = leftovers.register(run / "work")
    assert 0o755 == stat.S_IMODE(run.stat().st_mode)
    leftovers.finish(entry)


def test_an_entry_is_never_seen_half_written(state: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it writes, a run has no entry that cannot be read."""

    def killed(file: Path, target: Path) -> None:
        assert [] == list(state.glob("*.json"))
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        leftovers.register(run / "work")
    assert [] == list(state.glob("*.json"))


@pytest.mark.parametrize("suffix", [".json", ".new"])
@pytest.mark.parametrize("text", ["", '{"token": "1'])
def test_what_a_run_left_that_was_killed_while_it_registered_is_removed(
    state: Path, suffix: str, text: str
) -> None:
    """It named nothing, and had made nothing."""
    file = state / f"{TOKEN}{suffix}"
    file.write_text(text)
    assert (f"removed entry {file}",) == leftovers.clean().removed
    assert not file.exists() and nothing() == leftovers.clean()


def test_what_is_being_registered_stays(state: Path) -> None:
    """Its process is there."""
    file = state / f"{os.getpid()}-0123456789ab.new"
    file.write_text("")
    assert nothing() == leftovers.clean() and file.exists()


# --- the lock


@contextmanager
def elsewhere(run: Path, *way: str) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own, which has registered."""
    code = (
        "import sys; from pathlib import Path; from harness.session import leftovers;"
        "leftovers.register(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [*way, sys.executable, "-c", code, str(run / "work")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout and "ready\n" == process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream
            stream.close()


def cleaned(*way: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*way, sys.executable, "-m", "harness", "clean"], capture_output=True, text=True, timeout=60
    )


def test_a_run_is_cleaned_once_it_was_killed(run: Path) -> None:
    with elsewhere(run) as process:
        assert "nothing to remove\n" == cleaned().stdout
        process.kill()
        process.wait()
        assert f"removed folder {run / 'work'}" in cleaned().stdout
    assert ["removed.log"] == [path.name for path in run.iterdir()]
    assert f"removed {run / 'work'} " in (run / "removed.log").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make namespaces at will")
@pytest.mark.parametrize("inside", ["run", "clean"])
def test_a_run_in_another_pid_namespace_is_left_alone(run: Path, inside: str) -> None:
    """As in containers that share the folder: the numbers of processes say nothing, the lock does."""
    way = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    with elsewhere(run, *(way if inside == "run" else ())):
        done = cleaned(*(way if inside == "clean" else ()))
        assert (0, "nothing to remove\n") == (done.returncode, done.stdout)
        assert (run / "work").is_dir()


def test_a_stopped_run_is_left_alone(run: Path) -> None:
    with elsewhere(run) as process:
        process.send_signal(signal.SIGSTOP)
        assert "nothing to remove\n" == cleaned().stdout and (run / "work").is_dir()


def test_two_that_clean_at_once_do_not_meet(state: Path, run: Path) -> None:
    file = left(state, run)
    descriptor = os.open(file, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert nothing() == leftovers.clean() and (run / "work").exists()
    os.close(descriptor)
    assert (f"removed folder {run / 'work'}",) == leftovers.clean().removed


# --- hosts


def test_after_a_new_start_of_this_host_its_runs_are_gone(state: Path, run: Path) -> None:
    left(state, run, host={**vars_of(HostId.here()), "boot": "another"})
    assert (f"removed folder {run / 'work'}",) == leftovers.clean().removed


@pytest.mark.parametrize("what", [{"name": "other"}, {"machine": "other"}, {"name": "o", "machine": "o"}])
def test_runs_of_another_host_are_left_to_it(state: Path, run: Path, what: dict[str, str]) -> None:
    left(state, run, host={**vars_of(HostId.here()), "boot": "another", **what})
    done = leftovers.clean()
    assert () == done.removed and "another host" in done.skipped[0] and (run / "work").exists()


def test_runs_of_another_pid_namespace_are_left_to_it_where_they_cannot_be_seen(
    state: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their processes may be there still; the machine's own namespace sees them all."""
    left(state, run, host={**vars_of(HostId.here()), "pids": "pid:[7]"})
    monkeypatch.setattr(entries, "_MACHINES_PIDS", "pid:[1]")
    done = leftovers.clean()
    assert () == done.removed and "another PID namespace" in done.skipped[0] and (run / "work").exists()
    monkeypatch.setattr(entries, "_MACHINES_PIDS", HostId.here().pids)
    assert (f"removed folder {run / 'work'}",) == leftovers.clean().removed


def test_a_run_that_was_killed_before_it_made_anything_leaves_an_entry_alone(state: Path, run: Path) -> None:
    file = left(state, run)
    destroy.tree(run / "work", destroy.Ground(folder=run, right="a test"))
    (run / MARK_FILE).unlink()
    assert (f"removed entry {file}",) == leftovers.clean().removed and [] == list(state.iterdir())


def test_an_entry_that_goes_while_it_is_looked_at_is_none(
    state: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another `clean`, or the end of a run."""
    file = left(state, run)
    lockable = entries.lockable

    def removed_meanwhile(descriptor: int) -> bool:
        file.unlink()
        return lockable(descriptor)

    monkeypatch.setattr(entries, "lockable", removed_meanwhile)
    assert nothing() == leftovers.clean() and (run / "work").exists()
    listed = [state / f"{TOKEN}.json"]
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(listed if pattern == "*.json" else []))
    assert nothing() == leftovers.clean()


# --- what is not believed


def as_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def as_link(file: Path) -> None:
    kept = file.with_name("kept")
    file.rename(kept)
    file.symlink_to(kept)


def as_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def of_another(file: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(file, 65534, 65534)


SHAPES: dict[str, Callable[[Path], object]] = {
    "group may write": lambda file: file.chmod(0o620),
    "all may write": lambda file: file.chmod(0o602),
    "second name": lambda file: file.with_name("second").hardlink_to(file),
    "pipe": as_pipe,
    "link": as_link,
    "folder": as_folder,
    "another's": of_another,
    "another name": lambda file: file.rename(file.with_name("999999999-ba9876543210.json")),
    "not text": lambda file: file.write_bytes(b"\xff\xfe" + file.read_bytes()),
    "deep": lambda file: file.write_text("[" * 60000),
    "a list": lambda file: file.write_text("[]"),
    "null": lambda file: file.write_text("null"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_entry_of_another_shape_is_skipped_and_named(
    state: Path, run: Path, foreign: Path, shape: str
) -> None:
    file = left(state, run)
    SHAPES[shape](file)
    done = leftovers.clean()
    assert () == done.removed == done.problems
    assert 1 == len(done.skipped) and str(state) in done.skipped[0]
    assert (run / "work" / "target").exists() and is_whole(foreign)


FIELDS = {
    "no token": {"token": None},
    "empty token": {"token": ""},
    "another token": {"token": "999999999-ba9876543210"},
    "token a number": {"token": 7},
    "no folder": {"folder": None},
    "empty folder": {"folder": ""},
    "a dot": {"folder": "."},
    "relative": {"folder": "work"},
    "folder a list": {"folder": ["/"]},
    "root": {"folder": "/"},
    "above": {"folder": "/tmp/.."},
    "a zero byte": {"folder": "/tmp/\0/work"},
    "half a character": {"folder": "/tmp/\ud800/work"},
    "half a character in the host": {"host": {"boot": "b", "machine": "m", "name": "\udcff"}},
    "a name too long": {"folder": f"/{'n' * 300}/work"},
    "a path too long": {"folder": "/n" * 3000 + "/work"},
    "not work": {"folder": "/tmp"},
    "not there": {"folder": "/nowhere/at/all/work"},
    "a device": {"folder": "/dev/null/work"},
    "no host": {"host": None},
    "host a text": {"host": "here"},
    "host without boot": {"host": {"machine": "", "name": ""}},
    "host of nothing": {"host": {"boot": "", "machine": "", "name": "", "pids": ""}},
    "host without namespace": {"host": {"boot": "b", "machine": "m", "name": "n"}},
    "made a text": {"made": "yes"},
    "no made": {"made": None},
    "made of texts": {"made": ["btrfs"]},
    "made by nobody": {"made": [{"group": "harness.snapshots", "what": {}}]},
    "made by no adapter": {"made": [{"group": "harness.checkers", "name": "chain", "what": {}}]},
    "made of a command": {"made": [{"group": "harness.snapshots", "name": "btrfs", "what": "rm -rf /"}]},
    "made of numbers": {"made": [{"group": "harness.snapshots", "name": "btrfs", "what": {"folder": 7}}]},
}


@pytest.mark.parametrize("field", FIELDS)
def test_an_entry_with_a_wrong_field_is_skipped_and_named(
    state: Path, run: Path, foreign: Path, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = left(state, run, **FIELDS[field])
    monkeypatch.chdir(foreign)
    done = leftovers.clean()
    assert () == done.removed == done.problems and done.skipped[0].startswith(f"{file}: ")
    assert (run / "work" / "target").exists() and is_whole(foreign)


def linked_folder(run: Path, foreign: Path) -> None:
    destroy.tree(run / "work", destroy.Ground(folder=run, right="a test"))
    (run / "work").symlink_to(foreign)


def linked_run(run: Path, foreign: Path) -> None:
    run.rename(run.with_name("elsewhere"))
    run.symlink_to(run.with_name("elsewhere"))


def foreign_work(run: Path, foreign: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(run / "work", 65534, 65534)


def foreign_run(run: Path, foreign: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(run, 65534, 65534)


PLACES: dict[str, Callable[[Path, Path], object]] = {
    "work is a link": linked_folder,
    "the run is a link": linked_run,
    "no mark": lambda run, foreign: (run / MARK_FILE).unlink(),
    "another mark": lambda run, foreign: (run / MARK_FILE).write_text("999999999-ba9876543210"),
    "empty mark": lambda run, foreign: (run / MARK_FILE).write_text(""),
    "mark for all": lambda run, foreign: (run / MARK_FILE).chmod(0o666),
    "mark is a link": lambda run, foreign: as_link(run / MARK_FILE),
    "mark is a pipe": lambda run, foreign: as_pipe(run / MARK_FILE),
    "work is another's": foreign_work,
    "the run is another's": foreign_run,
    "all may write to the run": lambda run, foreign: run.chmod(0o777),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_folder_that_is_not_proved_to_be_the_runs_stays(
    state: Path, run: Path, foreign: Path, place: str
) -> None:
    left(state, run)
    PLACES[place](run, foreign)
    done = leftovers.clean()
    assert () == done.removed == done.problems and 1 == len(done.skipped) and is_whole(foreign)
    assert os.path.lexists(run / "work")


def test_200_damaged_entries_and_the_good_ones_are_cleaned_all_the_same(
    state: Path, tmp_path: Path, foreign: Path
) -> None:
    """Drawn from a seed: bytes changed, fields lost, of the wrong type, hostile paths."""
    chosen = random.Random(20261126)
    hostile = [
        "",
        "/",
        ".",
        "..",
        str(foreign),
        f"{foreign}/../foreign",
        "/proc/self/cwd",
        7,
        None,
        [],
        {},
        True,
    ]
    hostile += [str(foreign / "work"), f"{foreign}/work/", f"//{foreign}/work"]
    whole = {"host": vars_of(HostId.here()), "made": [], "folder": str(foreign / "work")}
    (foreign / "work").mkdir()
    (foreign / "work" / "precious").write_text("x")
    for number in range(200):
        token = f"{900000000 + number}-{number:012x}"
        said: dict[str, Any] = {"token": token, **whole}
        for name in chosen.sample(sorted(said), chosen.randint(1, 3)):
            said[name] = chosen.choice(hostile)
        if chosen.random() < 0.3:
            said.pop(chosen.choice(sorted(said)))
        text = bytearray(json.dumps(said).encode())
        for _ in range(chosen.randint(0, 3)):
            text[chosen.randrange(len(text))] = chosen.randrange(256)
        (state / f"{token}.json").write_bytes(text)
    good = []
    for number in range(3):
        run = tmp_path / f"good-{number}"
        run.mkdir()
        token = f"{999999990 + number}-0123456789ab"
        (run / "work").mkdir()
        (run / MARK_FILE).write_text(token)
        (run / MARK_FILE).chmod(0o600)
        (state / f"{token}.json").write_text(
            json.dumps({**whole, "token": token, "folder": str(run / "work")})
        )
        good.append(f"removed folder {run / 'work'}")
    done = leftovers.clean()
    named = [line for line in done.skipped if line.startswith(str(state))]
    unreadable = [line for line in done.removed if line.startswith("removed entry ")]
    assert set(good) == set(done.removed) - set(unreadable) and () == done.problems
    assert 200 == len(named) + len(unreadable)
    assert is_whole(foreign) and (foreign / "work" / "precious").exists()


def test_clean_says_what_it_skipped_and_ends_with_3(state: Path, run: Path, foreign: Path) -> None:
    file = left(state, run, folder="")
    other = foreign.with_name("run-2")
    other.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "harness", "clean"], cwd=foreign, capture_output=True, text=True, timeout=60
    )
    assert 3 == done.returncode and f"skipped {file}" in done.stderr and "nothing to remove" in done.stdout
    assert is_whole(foreign)


# --- what adapters made beside plain files

MADE = {"group": "harness.snapshots", "name": "toy", "what": {"at": "here"}}


class Toy:
    """An adapter that notes what it is asked to undo."""

    asked: ClassVar[list[tuple[dict[str, str], str]]] = []

    @staticmethod
    def undo(made: dict[str, str], ground: destroy.Ground, token: str) -> list[str]:
        Toy.asked.append((dict(made), token))
        assert ground.folder.name == "work"
        if "error" in made:
            raise {"ours": RemovalError, "foreign": KeyError}[made["error"]](made["error"])
        return [f"removed toy {made['at']}"]


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> type[Toy]:
    monkeypatch.setattr(Toy, "asked", [])
    monkeypatch.setattr(leftovers.plugins, "load", lambda *_: Toy)
    monkeypatch.setattr(leftovers.plugins, "origin", lambda *_: "toys")
    return Toy


def test_what_an_adapter_registers_is_in_the_entry_and_held(state: Path, run: Path, toys: type[Toy]) -> None:
    """The entry is another file then, and at no moment free for a `clean`."""
    entry = leftovers.register(run / "work")
    register = leftovers.registrar(run / "work" / "snapshots", "harness.snapshots", "toy")
    for at in ("here", "there", "here"):
        register({"at": at})
        assert nothing() == leftovers.clean()
    said = json.loads(entry.file.read_text())
    assert [MADE, {**MADE, "what": {"at": "there"}}] == said["made"] and [entry.file] == list(state.iterdir())
    assert 0o600 == stat.S_IMODE(entry.file.stat().st_mode)
    leftovers.finish(entry)
    assert [("here", entry.token), ("there", entry.token)] == [(made["at"], of) for made, of in toys.asked]
    assert [] == list(state.iterdir()) and [] == list(run.iterdir())


def test_what_cannot_be_registered_may_not_be_made(
    state: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry stays as it was, and held."""
    entry = leftovers.register(run / "work")
    register = leftovers.registrar(run / "work", "harness.snapshots", "toy")
    before = entry.file.read_text()

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PreconditionError, match=r"toy will make.*No space"):
        register({"at": "here"})
    assert before == entry.file.read_text() and [entry.file] == list(state.iterdir())
    assert nothing() == leftovers.clean()
    with pytest.raises(PreconditionError, match="full"):
        register({"at": "x" * entries.BYTES_MAX})
    leftovers.finish(entry)


def test_nothing_is_registered_without_a_run(run: Path) -> None:
    entry = leftovers.register(run / "work")
    with pytest.raises(PreconditionError, match="no run"):
        leftovers.registrar(run, "harness.snapshots", "toy")
    leftovers.finish(entry)
    with pytest.raises(PreconditionError, match="no run"):
        leftovers.registrar(run / "work", "harness.snapshots", "toy")


def test_killed_while_it_registered_something_more(state: Path, run: Path, toys: type[Toy]) -> None:
    """The entry is the one before; what was written aside is removed."""
    left(state, run, made=[MADE])
    (state / f"{TOKEN}.new").write_text('{"tok')
    done = leftovers.clean()
    assert "removed toy here" in done.removed and f"removed folder {run / 'work'}" in done.removed
    assert [] == list(state.iterdir()) and () == done.problems == done.skipped


def test_an_adapter_undoes_what_it_made_before_the_folder_goes(
    state: Path, run: Path, toys: type[Toy]
) -> None:
    left(state, run, made=[MADE])
    assert ("removed toy here", f"removed folder {run / 'work'}") == leftovers.clean().removed
    assert [({"at": "here"}, TOKEN)] == toys.asked


@pytest.mark.parametrize("error", ["ours", "foreign"])
def test_what_cannot_be_undone_keeps_the_folder_and_no_other_thing(
    state: Path, run: Path, toys: type[Toy], error: str
) -> None:
    file = left(state, run, made=[{**MADE, "what": {"error": error}}, MADE])
    done = leftovers.clean()
    assert () == done.removed and 1 == len(done.problems) and error in done.problems[0]
    assert file.exists() and (run / "work").exists() and 2 == len(toys.asked)


def test_what_an_adapter_made_that_is_not_installed_stays_and_is_named(state: Path, run: Path) -> None:
    file = left(state, run, made=[{**MADE, "name": "lvm", "what": {"volume": "data/snap"}}])
    done = leftovers.clean()
    assert () == done.removed == done.skipped
    (problem,) = done.problems
    for said in (str(file), "lvm of harness.snapshots", "data/snap", "no 'lvm'", "Install it again", "clean"):
        assert said in problem
    assert file.exists() and (run / "work").exists()


def test_nothing_is_undone_in_another_folder(state: Path, run: Path, toys: type[Toy]) -> None:
    """One that lies where the run's was made is somebody else's."""
    entry = leftovers.register(run / "work")
    leftovers.registrar(run / "work", "harness.snapshots", "toy")({"at": "here"})
    (run / "work").rename(run / "elsewhere")
    (run / "work").mkdir()
    with pytest.raises(RemovalError, match="is not where it was made"):
        leftovers.finish(entry)
    assert [] == toys.asked
    (run / "work").rmdir()
    (run / "elsewhere").rename(run / "work")
    assert "removed toy here" in leftovers.clean().removed


# --- processes of a run


def test_no_process_is_ended_because_of_an_entry_that_is_not_believed(state: Path, run: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"], env={**os.environ, TOKEN_VARIABLE: TOKEN})
    try:
        left(state, run)
        (run / MARK_FILE).unlink()
        leftovers.clean()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_stopped_process_of_a_run_is_ended_too(state: Path, run: Path) -> None:
    own = subprocess.Popen(["sleep", "60"], env={**os.environ, TOKEN_VARIABLE: TOKEN})
    try:
        own.send_signal(signal.SIGSTOP)
        left(state, run)
        began = time.monotonic()
        assert any(line.startswith(f"ended process {own.pid} ") for line in leftovers.clean().removed)
        assert wait_for(lambda: own.poll() is not None, 10) and time.monotonic() - began < 10
    finally:
        own.kill()
        own.wait()


def test_a_folder_that_went_away_is_not_forgotten(state: Path, run: Path) -> None:
    """Once its entry was removed all the same: what came back with a disk was nobody's, and stayed."""
    entry = leftovers.register(run / "work")
    (run / "work").rename(run / "elsewhere")
    with pytest.raises(RemovalError, match="is not where it was made"):
        leftovers.finish(entry)
    assert [entry.file] == list(state.glob("*.json"))
    (run / "elsewhere").rename(run / "work")
    assert (f"removed folder {run / 'work'}",) == leftovers.clean().removed
    assert ["removed.log"] == [path.name for path in run.iterdir()] and [] == list(state.iterdir())


def test_a_folder_that_is_gone_for_good_is_forgotten_by_clean(state: Path, run: Path) -> None:
    entry = leftovers.register(run / "work")
    (run / "work").rmdir()
    with pytest.raises(RemovalError):
        leftovers.finish(entry)
    leftovers.clean()
    assert ["removed.log"] == [path.name for path in run.iterdir()] and [] == list(state.iterdir())


def test_finishing_twice_is_fine(run: Path) -> None:
    entry = leftovers.register(run / "work")
    leftovers.finish(entry)
    leftovers.finish(entry)


def test_another_folder_in_its_place_is_not_removed(state: Path, run: Path) -> None:
    """Once it was, and what had been moved away was forgotten."""
    entry = leftovers.register(run / "work")
    (run / "work").rename(run / "elsewhere")
    (run / "work").mkdir()
    (run / "work" / "precious").touch()
    with pytest.raises(RemovalError, match="is not where it was made"):
        leftovers.finish(entry)
    assert (run / "work" / "precious").exists()
    assert [entry.file] == list(state.glob("*.json"))
