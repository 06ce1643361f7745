"""Whether the surroundings of an instance are there, as the watchdog asks."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

from harness.instance.namespaces import NamespacePlace
from tests.runs import wait_for


def _asked(pid: int, began: str) -> int:
    place = SimpleNamespace(_pid=pid, _held=SimpleNamespace(began=began))
    return subprocess.run(NamespacePlace.is_there_argv(place), check=False).returncode  # type: ignore[arg-type]


def test_one_that_has_ended_is_gone_before_its_parent_asks_for_it() -> None:
    """A killed process stays in the list until then; for a busy init that may be a while."""
    process = subprocess.Popen(["sleep", "60"])
    state = Path(f"/proc/{process.pid}/stat")
    began = state.read_text().split()[21]
    assert 0 == _asked(process.pid, began) and 1 == _asked(process.pid, f"{began}0")
    process.kill()
    assert wait_for(lambda: " Z " in state.read_text(), 20)
    assert 1 == _asked(process.pid, began)
    process.wait()
    assert 1 == _asked(process.pid, began)
