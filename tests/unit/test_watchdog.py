"""The watchdog's end, with commands that are small scripts: it thaws, and believes only "running"."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness import watchdog


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "SETTLED_S", 0.3)
    monkeypatch.setattr(watchdog, "UNANSWERED_S", 0.8)
    monkeypatch.setattr(watchdog, "RETRY_S", 0.01)


def _instance(tmp_path: Path, before: int) -> tuple[list[str], list[str]]:
    """A thaw that leaves a file, and an answer that is 3 once the file is there and `before` until then."""
    done = tmp_path / "thawed"
    thaw = [sys.executable, "-c", f"open({str(done)!r}, 'a').write('x')"]
    code = f"import os, sys; sys.exit(3 if os.path.exists({str(done)!r}) else {before})"
    return thaw, [sys.executable, "-c", code]


@pytest.mark.parametrize("before", [5, 1])
def test_thaws_what_is_frozen_or_does_not_answer(
    tmp_path: Path, before: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """5 is frozen; any other answer but 3 may be an instance that lets nobody log in any more."""
    watchdog._thaw(*_instance(tmp_path, before))
    assert (tmp_path / "thawed").exists()
    assert capsys.readouterr().out.rstrip().endswith("not frozen")


def test_leaves_a_running_instance_alone(tmp_path: Path) -> None:
    watchdog._thaw(*_instance(tmp_path, 3))
    assert not (tmp_path / "thawed").exists()


def test_gives_up_on_an_instance_that_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody answers at all: it says how to thaw by hand and ends."""
    watchdog._thaw(["false"], ["false"])
    assert "gave up; thaw by hand" in capsys.readouterr().out


def test_a_login_reaches_both_commands_and_no_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What they read is not logged, though they repeat it."""
    done = tmp_path / "thawed"
    code = "import os, sys; said = sys.stdin.read(); print(said); said == 'ann\\nsecret\\n' or sys.exit(1);"
    thaw = [sys.executable, "-c", f"{code} open({str(done)!r}, 'a').write('x')"]
    is_frozen = [sys.executable, "-c", f"{code} sys.exit(3 if os.path.exists({str(done)!r}) else 5)"]
    watchdog._thaw(thaw, is_frozen, "ann\nsecret\n")
    said = capfd.readouterr().out
    assert "frozen? ended with 5; thaw ended with 0" in said and said.rstrip().endswith("not frozen")
    assert "secret" not in said
