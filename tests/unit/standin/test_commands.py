"""A command of the stand-in that cannot write says so in a line, as any program of an engine does."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.standin import commands


def test_a_disk_that_cannot_be_written_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once the harness showed its user a traceback of the stand-in, when the disk was full at the start."""
    monkeypatch.setenv("IRISSYS", str(tmp_path / "registry"))
    (tmp_path / "file").touch()
    assert 1 == commands.main(["create", "DEMO", f"directory={tmp_path / 'file' / 'demo'}"])
    assert "iris create: " in capsys.readouterr().err
