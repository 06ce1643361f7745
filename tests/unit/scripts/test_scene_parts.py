"""Parts of a scene that need no machine: what was called and planted, what was changed, and what /proc says."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from harness.instance.within import Within
from harness.scripts import processes
from harness.scripts.scene.recorder import Recorder
from harness.scripts.scene.seal import Seal

FREEZE = '##class(Backup.General).ExternalFreeze("/log",,,,,,600,,,300)'


class Folders:
    """As much of a machine as these parts look at: two folders, and a tree of files."""

    def __init__(self, folder: Path) -> None:
        self.inside, self.told = folder / "inside", folder / "told"
        for made in (self.inside, self.told):
            made.mkdir()
        self.tree = Within(Path("/"))


@pytest.fixture
def machine(tmp_path: Path) -> Any:
    return Folders(tmp_path)


@pytest.fixture
def recorder(machine: Any, tmp_path: Path) -> Recorder:
    made = Recorder(machine, tmp_path)
    made.prepare()
    return made


def called(machine: Folders, what: str, instance: str = "A", words: str = FREEZE) -> None:
    """A script asks the engine for something, as machine/iris.pl notes it."""
    with (machine.inside / "calls").open("a") as file:
        file.write(f"1.5\t0\tiris\t{what}\t{instance}\t0\t{words}\n")


def test_calls_are_read_in_order_and_by_name(machine: Any, recorder: Recorder) -> None:
    """Lines that the recorder did not write are left out."""
    called(machine, "externalfreeze")
    with (machine.inside / "calls").open("a") as file:
        file.write("not a call\n")
    called(machine, "qlist", words="qlist")
    assert ["externalfreeze", "qlist"] == [call.what for call in recorder.calls()]
    assert ["qlist"] == [call.what for call in recorder.calls("qlist")]
    assert ["/log"] == recorder.logs() and recorder.limited()


def test_calls_can_be_read_when_the_machine_is_gone(machine: Any, recorder: Recorder) -> None:
    """The copy in the scenario's folder is read then."""
    called(machine, "externalfreeze")
    recorder.keep()
    (machine.inside / "calls").unlink()
    assert ["externalfreeze"] == [call.what for call in recorder.calls()]


def test_a_planted_answer_must_be_asked_for(machine: Any, recorder: Recorder) -> None:
    """Only calls after it count, of its instance, and one more than it leaves out."""
    called(machine, "externalfreeze")
    recorder.plant("externalfreeze|freeze", "end", 3, "refused", of="A")
    recorder.plant("stat", "end", 1, may=True)
    recorder.plant_after("externalfreeze", 1, "hang")
    assert ["externalfreeze, freeze", "externalfreeze"] == recorder.never_called()
    called(machine, "externalfreeze", instance="B")
    assert ["externalfreeze, freeze", "externalfreeze"] == recorder.never_called()
    called(machine, "externalfreeze")
    assert [] == recorder.never_called()
    expected = [
        "externalfreeze|freeze\tA\t\tend\t3\trefused",
        "stat\t*\t\tend\t1\t",
        "externalfreeze\t*\t-1\thang\t\t",
    ]
    assert expected == (machine.told / "plants").read_text().splitlines()
    recorder.unplant()
    assert "" == (machine.told / "plants").read_text()


def test_a_changed_file_breaks_the_seal(machine: Any, tmp_path: Path) -> None:
    """Its content, its identity or its absence; the log of calls may grow, but must not be replaced."""
    files = {name: tmp_path / name for name in ("kept", "written", "replaced", "removed")}
    for file in files.values():
        file.write_text("before")
    calls = machine.inside / "calls"
    calls.touch()
    seal = Seal(machine)
    seal.watch(map(str, files.values()))
    assert [] == seal.broken()
    seal.set()
    files["written"].write_text("changed")
    (tmp_path / "new").write_text("before")
    (tmp_path / "new").replace(files["replaced"])
    files["removed"].unlink()
    calls.write_text("one more call\n")
    seal.set()
    assert [str(files[name]) for name in ("written", "replaced", "removed")] == seal.broken()
    (tmp_path / "forged").write_text("")
    (tmp_path / "forged").replace(calls)
    assert str(calls) in seal.broken()


def test_what_proc_says_of_a_process() -> None:
    """Its words, its children and its memory; nothing once it has ended."""
    script = "sleep 60; exit 0"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.DEVNULL) as shell:
        deadline = time.monotonic() + 10
        while not processes.children(shell.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        (child,) = processes.children(shell.pid)  # now it is certain that the shell itself was started
        assert ("sh", "-c", script) == processes.words(shell.pid)
        assert f"sh -c {script}" == processes.command(shell.pid)
        assert processes.resident_bytes([shell.pid]) > 0
        os.kill(child, signal.SIGKILL)
    assert () == processes.words(shell.pid) and "" == processes.command(shell.pid)
    assert 0 == processes.resident_bytes([shell.pid])
    with pytest.raises(OSError):
        processes.children(shell.pid)


def test_this_computer_says_how_much_memory_is_left() -> None:
    """Or nothing, where its kernel does not say."""
    left = processes.available_bytes()
    assert left is None or left > 0
