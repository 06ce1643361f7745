"""What may be removed and killed: only what is ours, by no link and through no mount; and nobody else may try."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import harness
from harness import destroy
from harness.destroy import Ground
from harness.errors import RemovalError
from tests.unit.foreign import is_whole

PACKAGE = Path(harness.__file__).parent
ALLOWED = {
    "destroy.py": "it is the place",
    "session/watchdog.py": "it stands alone, with the standard library only, and ends its own child",
}
"""Modules that may, and why; the stand-in plays a product, which ends its own processes."""


def ground(folder: Path) -> Ground:
    return Ground(folder=folder, right="a test made it")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    (folder / "inner" / "more").mkdir(parents=True)
    (folder / "inner" / "file").write_text("x")
    return folder


@contextmanager
def mounted(what: Path, at: Path, kind: str = "--bind") -> Iterator[None]:
    if os.geteuid():
        pytest.skip("only root can mount")
    if subprocess.run(["mount", kind, what, at], check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", at], check=False, capture_output=True)


# --- files and folders


def test_the_ground_goes_and_nothing_beside_it(own: Path, foreign: Path) -> None:
    destroy.tree(own, ground(own))
    assert not own.exists() and is_whole(foreign)
    destroy.tree(own, ground(own))  # gone already is fine


@pytest.mark.parametrize("path", ["", "..", "../foreign", "inner/../../foreign", "/"])
def test_nothing_above_or_beside_a_ground_goes(own: Path, foreign: Path, path: str) -> None:
    if path == "":
        with pytest.raises(RemovalError):
            destroy.tree(own.parent, ground(own))
    else:
        with pytest.raises(RemovalError, match="does not lie below"):
            destroy.tree(own / path, ground(own))
    assert own.exists() and is_whole(foreign)


def test_the_root_is_no_ground() -> None:
    with pytest.raises(RemovalError):
        destroy.tree(Path("/tmp/there-is-none"), ground(Path("/")))


def test_a_link_goes_and_not_what_it_leads_to(own: Path, foreign: Path) -> None:
    (own / "link").symlink_to(foreign)
    destroy.tree(own / "link", ground(own))
    assert not (own / "link").is_symlink()
    (own / "inner" / "link").symlink_to(foreign)
    destroy.tree(own, ground(own))
    assert is_whole(foreign)


def test_no_way_leads_through_a_link(own: Path, foreign: Path) -> None:
    (own / "link").symlink_to(foreign)
    with pytest.raises(RemovalError):
        destroy.tree(own / "link" / "precious", ground(own))
    assert is_whole(foreign)


def test_a_ground_that_became_a_link_is_not_gone_through(own: Path, foreign: Path) -> None:
    own.rename(own.with_name("elsewhere"))
    own.symlink_to(foreign)
    with pytest.raises(RemovalError):
        destroy.tree(own / "precious", ground(own))
    assert is_whole(foreign)


def test_a_second_name_of_a_file_goes_alone(own: Path, foreign: Path) -> None:
    (own / "hard").hardlink_to(foreign / "precious")
    destroy.tree(own, ground(own))
    assert is_whole(foreign)


@pytest.mark.parametrize("at", ["inner/more", "inner", ""])
def test_what_is_mounted_is_unmounted_and_not_removed(own: Path, foreign: Path, at: str) -> None:
    with mounted(foreign, own / at):
        destroy.tree(own, ground(own))
    assert is_whole(foreign) and not own.exists()


def test_what_lies_in_a_mount_is_not_removed(own: Path, foreign: Path) -> None:
    with mounted(foreign, own / "inner"), pytest.raises(RemovalError, match="mounted"):
        destroy.tree(own / "inner" / "precious", ground(own))
    assert is_whole(foreign)


def test_a_mount_that_cannot_be_taken_away_keeps_its_content(
    own: Path, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when somebody mounts between the look and the removal: the kernel's number of the mount tells."""
    monkeypatch.setattr(destroy, "mounts_below", lambda path: [])
    with mounted(foreign, own / "inner"):
        with pytest.raises(RemovalError, match="mounted"):
            destroy.tree(own, ground(own))
        assert is_whole(foreign)


def test_a_mounted_file_keeps_its_content(own: Path, foreign: Path) -> None:
    with mounted(foreign / "precious", own / "inner" / "file"):
        destroy.tree(own, ground(own))
    assert is_whole(foreign)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize(
    "name", ["plain", "a blank", "back\\slash", "line\u2028separator", "next\x85line", "new\nline"]
)
def test_what_is_mounted_in_a_tree_is_unmounted_and_never_removed(tmp_path: Path, name: str) -> None:
    """Whatever its path looks like in the kernel's list."""
    share, point = tmp_path / "share", tmp_path / "tree" / name
    share.mkdir()
    (share / "backup").touch()
    point.mkdir(parents=True)
    subprocess.run(["mount", "--bind", share, point], check=True)
    assert [point] == destroy.mounts_below(tmp_path / "tree")
    destroy.tree(tmp_path / "tree", ground(tmp_path))
    assert not (tmp_path / "tree").exists() and ["backup"] == [path.name for path in share.iterdir()]


def test_modes_behind_a_link_stay(tmp_path: Path) -> None:
    """Neither the files nor the modes behind a link are touched."""
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o500)
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "link").symlink_to(kept)
    destroy.tree(tmp_path / "gone", ground(tmp_path))
    destroy.tree(tmp_path / "gone", ground(tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]
    assert kept.stat().st_mode & 0o777 == 0o500


def test_nothing_outside_of_a_ground_is_unmounted(own: Path, foreign: Path) -> None:
    with mounted(own / "inner", foreign):
        assert "does not lie below" in destroy.unmount(foreign, ground(own))
        assert (foreign / "file").exists()


def test_modes_do_not_keep_anything(own: Path) -> None:
    (own / "inner" / "more").chmod(0)
    (own / "inner").chmod(0)
    destroy.tree(own, ground(own))
    assert not own.exists()


def test_one_that_cannot_go_keeps_no_other(own: Path) -> None:
    kept = own / "inner" / "file"
    if os.geteuid() or subprocess.run(["chattr", "+i", kept], check=False, capture_output=True).returncode:
        pytest.skip("no file can be made immutable here")
    try:
        with pytest.raises(RemovalError, match="file"):
            destroy.tree(own, ground(own))
        assert kept.exists() and not (own / "inner" / "more").exists()
    finally:
        subprocess.run(["chattr", "-i", kept], check=True)


def test_depth_is_no_shelter(own: Path) -> None:
    """Deeper than calls and descriptors reach."""
    here = os.open(own, os.O_DIRECTORY)
    for _ in range(2500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    destroy.tree(own, ground(own))
    assert not own.exists()


def test_a_file_is_removed_and_a_folder_is_not(own: Path) -> None:
    destroy.file(own / "inner" / "file", ground(own))
    destroy.file(own / "inner" / "file", ground(own))
    with pytest.raises(RemovalError, match="folder"):
        destroy.file(own / "inner", ground(own))
    assert (own / "inner" / "more").exists()


# --- what only its maker can remove


def rmdir(above: int, name: str) -> None:
    os.rmdir(name, dir_fd=above)


def test_its_maker_is_given_the_folder_and_the_name(own: Path, foreign: Path) -> None:
    destroy.by_its_maker(own / "inner" / "more", ground(own), rmdir)
    assert not (own / "inner" / "more").exists() and (own / "inner" / "file").exists()
    destroy.by_its_maker(own / "inner" / "more", ground(own), rmdir)  # gone already is fine
    destroy.by_its_maker(own / "nowhere" / "more", ground(own), rmdir)


@pytest.mark.parametrize(
    "path", ["..", "../foreign", "inner/../../foreign", "link", "link/more", "inner/file"]
)
def test_its_maker_is_not_asked_for_what_is_not_below_a_ground(own: Path, foreign: Path, path: str) -> None:
    (foreign / "more").mkdir()
    (own / "link").symlink_to(foreign)
    asked: list[str] = []
    with pytest.raises(RemovalError):
        destroy.by_its_maker(own / path, ground(own), lambda _, name: asked.append(name))
    assert [] == asked


def test_its_maker_is_not_asked_for_what_is_mounted(
    own: Path, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destroy, "mounts_below", lambda path: [])
    asked: list[str] = []
    with mounted(foreign, own / "inner"), pytest.raises(RemovalError, match="mounted"):
        destroy.by_its_maker(own / "inner", ground(own), lambda _, name: asked.append(name))
    assert [] == asked and is_whole(foreign)


def test_what_its_maker_cannot_remove_is_named(own: Path) -> None:
    with pytest.raises(RemovalError, match="inner: Directory not empty"):
        destroy.by_its_maker(own / "inner", ground(own), rmdir)


@pytest.mark.parametrize(("mark", "token"), [("1-a", "1-b"), (None, "1-b"), ("", ""), (None, "")])
def test_what_another_run_marked_stays(mark: str | None, token: str, tmp_path: Path) -> None:
    removed: list[str] = []
    with destroy.logged(tmp_path / "log"):
        with pytest.raises(RemovalError, match="was not made by run"):
            destroy.marked("volume x", mark, token, lambda: removed.append("x"))
        destroy.marked("volume y", "1-b", "1-b", lambda: removed.append("y"))
    assert ["y"] == removed
    refused, done = (tmp_path / "log").read_text().splitlines()
    assert "refused volume x" in refused and "removed volume y: run 1-b made it" in done


# --- processes


def test_only_what_is_proved_to_be_ours_is_signalled() -> None:
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        assert not destroy.process(bystander.pid, signal.SIGKILL, lambda: False, "it is not")
        assert bystander.poll() is None
        assert destroy.process(bystander.pid, signal.SIGKILL, lambda: True, "it is")
        assert -signal.SIGKILL == bystander.wait(10)
    finally:
        bystander.kill()
        bystander.wait()


def test_never_the_first_process_nor_this_one() -> None:
    for pid in (1, os.getpid()):
        assert not destroy.process(pid, signal.SIGCONT, lambda: True, "so they say")


def test_an_ended_child_is_not_signalled() -> None:
    process = subprocess.Popen(["true"], start_new_session=True)
    process.wait()
    destroy.group(process, "it has ended")
    destroy.child(process, signal.SIGKILL, "it has ended")


# --- the log


def test_the_log_tells_what_by_which_right_and_what_was_refused(own: Path, tmp_path: Path) -> None:
    log = tmp_path / "removed.log"
    with destroy.logged(log):
        destroy.tree(own / "inner", ground(own))
        with pytest.raises(RemovalError):
            destroy.tree(tmp_path, ground(own))
        process = subprocess.Popen(["sleep", "60"], start_new_session=True)
        destroy.group(process, "the test is over")
        process.wait()
    destroy.tree(own, ground(own))
    removed, refused, killed = log.read_text().splitlines()
    assert f"removed {own / 'inner'} (3 files and folders): a test made it" in removed
    assert f"refused {tmp_path}: it does not lie below {own}" in refused
    assert "(sleep 60): the test is over" in killed


def test_a_log_that_cannot_be_written_keeps_nothing(own: Path) -> None:
    with destroy.logged(Path("/nowhere/removed.log")):
        destroy.tree(own, ground(own))
    assert not own.exists()


# --- nobody else

_METHODS = {"unlink", "rmdir", "rmtree", "removedirs", "kill", "killpg", "terminate", "send_signal"}
_METHODS |= {"pidfd_send_signal", "umount", "umount2"}
_PROGRAMS = {"rm", "rmdir", "umount", "kill", "pkill", "killall", "fuser", "unlink", "shred"}
_OF_MODULES = {("os", "remove"), ("shutil", "move")}


def destroys(tree: ast.AST) -> Iterator[int]:
    """Lines that remove, unmount or kill by themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, of = node.func.attr, node.func.value
            module = of.id if isinstance(of, ast.Name) else ""
            ours = module in ("destroy", "containers")
            forced = name == "remove" and any(word.arg == "force" for word in node.keywords)
            if not ours and (name in _METHODS or (module, name) in _OF_MODULES or forced):
                yield node.lineno
        if isinstance(node, ast.List | ast.Tuple) and node.elts:
            first = node.elts[0]
            if isinstance(first, ast.Constant) and first.value in _PROGRAMS:
                yield node.lineno
            words = [word.value for word in node.elts if isinstance(word, ast.Constant)]
            if words[:3] == ["btrfs", "subvolume", "delete"]:
                yield node.lineno


def modules() -> list[Path]:
    return [file for file in sorted(PACKAGE.rglob("*.py")) if "standin" not in file.parts]


@pytest.mark.parametrize("file", modules(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_nobody_else_destroys(file: Path) -> None:
    if str(file.relative_to(PACKAGE)) not in ALLOWED:
        found = [f"{file}:{line}" for line in destroys(ast.parse(file.read_text()))]
        assert [] == found, "goes through harness.destroy, which knows what is ours"


@pytest.mark.parametrize(
    "line",
    [
        "path.unlink()",
        "os.remove(x)",
        "shutil.rmtree(x)",
        "os.killpg(1, 9)",
        "process.kill()",
        "run(['umount', x])",
        "volume.remove(force=True)",
        "run(['btrfs', 'subvolume', 'delete', x])",
    ],
)
def test_the_rule_sees(line: str) -> None:
    assert [1] == list(destroys(ast.parse(line)))


def test_signals_in_time() -> None:
    """A stopped child is killed, too."""
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    os.kill(process.pid, signal.SIGSTOP)
    began = time.monotonic()
    destroy.group(process, "it is stopped")
    assert -signal.SIGKILL == process.wait(10) and time.monotonic() - began < 5


def test_a_log_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    """What it leads to is somebody else's."""
    foreign, log = tmp_path / "foreign", tmp_path / "removed.log"
    foreign.write_text("mine\n")
    log.symlink_to(foreign)
    with destroy.logged(log):
        destroy._note("removed something")
    assert "mine\n" == foreign.read_text()
    log.unlink()
    with destroy.logged(log):
        destroy._note("removed something")
    assert log.read_text().endswith("removed something\n")
