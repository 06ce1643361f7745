"""Who is killed when a thaw is held up."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.standin import gtm
from harness.standin.gtm import Engine
from harness.standin.layout import Layout


def test_only_a_process_of_this_instance_that_is_no_tool_of_the_engine_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thaw on a slow disk holds the semaphore itself: killed, it would leave the instance frozen."""
    layout = Layout("DEMO", tmp_path)
    layout.manager.mkdir(parents=True)
    sleep = shutil.which("sleep")
    assert sleep
    running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
    for name in ("mumps", "mupip", "dse"):
        shutil.copy(sleep, tmp_path / name)
        for root in (str(tmp_path), "/another"):
            running[name, root] = subprocess.Popen([tmp_path / name, "60"], env={"iris_root": root})
    monkeypatch.setattr(gtm, "_holders", lambda: [process.pid for process in running.values()])
    engine = Engine.__new__(Engine)
    engine.layout = layout
    try:
        engine._end_who_waits_for_the_thaw()
        assert -9 == running["mumps", str(tmp_path)].wait(10)
        others = [process for whose, process in running.items() if whose != ("mumps", str(tmp_path))]
        assert [None] * 5 == [process.poll() for process in others]
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    assert "waits for the thaw" in layout.messages.read_text()
