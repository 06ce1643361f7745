"""Canaries see what a removal that goes astray does, and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import wait_for
from tests.soak.canaries import Canaries
from tests.soak.victims import Sandboxes, carrying

TOKEN = "7-0123456789ab"


@pytest.fixture
def canaries(tmp_path: Path) -> Iterator[Canaries]:
    made = Canaries.around(tmp_path / "results", tmp_path / "state", "plan")
    made.look_alikes(TOKEN)
    yield made
    made.close()


def test_nothing_changed(canaries: Canaries, tmp_path: Path) -> None:
    (tmp_path / "results" / "plan" / "of the run").mkdir()
    os.link(canaries.lent / "file", tmp_path / "partner")
    (tmp_path / "partner").unlink()
    assert [] == canaries.changed()


def test_what_was_removed_written_or_made(canaries: Canaries, tmp_path: Path) -> None:
    kept = tmp_path / "results" / "kept"
    shutil.rmtree(kept / "work")
    (canaries.lent / "twin").write_text("other")
    (tmp_path / "state" / "another-tool" / "more").touch()
    found = " ".join(canaries.changed())
    assert f"gone: {kept / 'work'}" in found
    assert f"changed: {canaries.lent / 'file'}" in found, "its twin is the same file"
    assert f"new: {tmp_path / 'state' / 'another-tool' / 'more'}" in found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_look_alike_that_was_ended_or_stopped(canaries: Canaries, number: signal.Signals) -> None:
    os.kill(canaries._processes[-1].pid, number)
    assert wait_for(lambda: any("look-alike" in one for one in canaries.changed()), 10)


class _Run:
    """Of a run only its folder is asked for here."""

    out = Path("/nonexistent")


def test_a_process_without_environment_in_a_namespace_of_the_run_is_seen() -> None:
    """Told by its namespace, which was seen while somebody in it carried the token."""
    if os.geteuid():
        pytest.skip("needs root")
    first = "env -i sleep 300 & exec env -i sh -c 'wait; read -r x' "
    held = f"env HARNESS_RUN={TOKEN} sleep 300 & {first}"
    holder = subprocess.Popen(
        ["unshare", "--pid", "--ipc", "--fork", "--kill-child", "sh", "-c", held], stdin=subprocess.PIPE
    )
    place = Sandboxes(_Run(), TOKEN)  # type: ignore[arg-type]
    try:
        assert wait_for(lambda: len(place.pids("source")) >= 3, 10)
        for pid in carrying(f"HARNESS_RUN={TOKEN}"):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        assert any("in a namespace (pid)" in one for one in place.left())
    finally:
        holder.kill()
        holder.communicate()
        place.close()
