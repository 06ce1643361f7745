"""Who else could put something in the place of what a run finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import PreconditionError
from harness.owners import require_ours

NOBODY, NO_ACCOUNT = 65534, 61234


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "his" / "results"
    inner.mkdir(parents=True)
    return inner


def test_a_folder_of_ours_below_one_of_root(folder: Path) -> None:
    require_ours(folder)
    require_ours(folder / "not" / "there")
    require_ours(Path("/tmp"))


@pytest.mark.parametrize("which", ["", ".."])
def test_open_to_all_without_the_sticky_bit(folder: Path, which: str) -> None:
    (folder / which).chmod(0o777)
    with pytest.raises(PreconditionError, match=r"anybody may write to .* Name a folder of your own"):
        require_ours(folder)
    (folder / which).chmod(0o1777)
    require_ours(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("which", ["", ".."])
def test_of_another_user_of_this_machine(folder: Path, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(folder / which, NOBODY, NOBODY)
    with pytest.raises(PreconditionError, match="user 65534 owns"):
        require_ours(folder / "new")
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    require_ours(folder / "new")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_of_somebody_who_has_no_account_here(folder: Path) -> None:
    """A container whose folder comes from outside."""
    os.chown(folder, NO_ACCOUNT, NO_ACCOUNT)
    require_ours(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_link_is_looked_behind(folder: Path, tmp_path: Path) -> None:
    os.chown(folder, NOBODY, NOBODY)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(PreconditionError):
        require_ours(tmp_path / "link" / "new")
