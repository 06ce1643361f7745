"""Entries of runs: whole or not there, and none stays for ever because its run was killed while it registered."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness import registered
from harness.watchdog import TOKEN_VARIABLE


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv(TOKEN_VARIABLE, "")
    registered.state_folder().mkdir(parents=True)
    return registered.state_folder()


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_an_entry_is_never_seen_half_written(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it writes, a run has no entry that cannot be read."""

    def killed(file: Path, target: Path) -> None:
        assert [] == list(state.glob("*.json"))
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        registered.register(tmp_path / "work")
    assert [] == list(state.glob("*.json"))


@pytest.mark.parametrize("suffix", [".json", ".new"])
@pytest.mark.parametrize("text", ["", '{"token": "1'])
def test_what_a_run_left_that_was_killed_while_it_registered_is_removed(
    state: Path, gone: int, suffix: str, text: str
) -> None:
    """It named nothing, and had made nothing."""
    file = state / f"{gone}-0123456789ab{suffix}"
    file.write_text(text)
    assert [f"entry {file}"] == registered.clean()
    assert not file.exists() and [] == registered.clean()


def test_what_is_being_registered_stays(state: Path) -> None:
    """Its process is there."""
    file = state / f"{os.getpid()}-0123456789ab.new"
    file.write_text("")
    assert [] == registered.clean() and file.exists()


def test_a_run_that_is_there_is_left_alone(state: Path, tmp_path: Path) -> None:
    entry = registered.register(tmp_path / "work")
    assert [] == registered.clean() and entry.file.exists()
    registered.finish(entry)
    assert [] == list(state.iterdir())
