"""`./dev run` on a machine that has nothing but Debian: twice, as root and as a user with sudo.

The machine is a debootstrap tree with a root of its own (pivot_root, since in a mere chroot nobody may make a user
namespace) and its own mounts, processes and System V memory. All of those are gone when its first process ends,
however it ends; what is left to remove is a folder without mounts. It takes packages from wherever this machine does.
"""

from __future__ import annotations

import ast
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.model import Verdict
from harness.record_json import RECORDS

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.root]

ROOT = Path(__file__).parent.parent.parent
RELEASE = "bookworm"
CACHE = Path("/var/cache/iris-restore-harness") / f"{RELEASE}-minbase.tar"
CASES = 8  # of testplans/quick.yaml
TOOL_S = 600
RUN_S = 900

ENTER = """
set -eu
root=$1 script=$2
shift 2
mount --bind "$root" "$root"
cd "$root"
for folder; do
    mkdir -p ".$folder"
    mount --bind -o ro "$folder" ".$folder"
done
mount -t proc proc proc
mount --rbind /sys sys && mount --rbind /dev dev
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mkdir -p .outside && pivot_root . .outside && cd /
umount -l /.outside && rmdir /.outside
exec /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh -eu -c "$script"
"""
"""First process of the machine: its root becomes the root, and nothing of this machine's stays in sight."""

NOTHING_LEFT = """
set -- /proc/[0-9]* # before this shell makes more of them
processes=$(for p; do [ "$p" = /proc/1 ] || tr '\\0' ' ' <"$p/cmdline"; done)
memory=$(tail -qn +2 /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg)
files=$(ls -A /dev/shm)
mounts=$(grep -E 'harness|results' /proc/mounts || true)
if [ -n "$processes$memory$files$mounts" ]; then
    printf 'left behind: %s\\n' "processes $processes" "System V $memory" "/dev/shm $files" "mounts $mounts" >&2
    exit 99
fi
"""


class Machine:
    """A bare Debian in a folder, with folders of this machine to read from. Every `run` is one boot of it."""

    def __init__(self, folder: Path, shared: list[Path]) -> None:
        self.folder = folder
        self.shared = shared

    def run(self, script: str, *, timeout_s: float) -> subprocess.CompletedProcess[str]:
        own = ["--mount", "--propagation=private", "--pid", "--ipc", "--fork", "--kill-child"]
        return subprocess.run(
            ["unshare", *own, "sh", "-c", ENTER, "sh", str(self.folder), script, *map(str, self.shared)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def add_checkout(self, place: str) -> Path:
        """What a clone of the last commit holds, nothing that is only in this folder."""
        target = self.folder / place.removeprefix("/")
        target.mkdir(parents=True)
        archive = target / "checkout.tar"
        succeed(["git", "-c", "safe.directory=*", "-C", str(ROOT), "archive", "-o", str(archive), "HEAD"])
        succeed(["tar", "-x", "-C", str(target), "-f", str(archive)])
        archive.unlink()
        return target


@pytest.fixture
def machine() -> Iterator[Machine]:
    if os.geteuid() != 0:
        pytest.skip("a machine is made by root")
    # not below pytest's folder, which is kept after a failure
    folder = Path(tempfile.mkdtemp(prefix="harness-bare-debian-", dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        succeed(["tar", "-x", "-C", str(folder), "-f", str(bare_tree())])
        yield Machine(folder, configure(folder))
    finally:
        assert str(folder) not in Path("/proc/mounts").read_text(), "a mount that should have gone"
        shutil.rmtree(folder)


def bare_tree() -> Path:
    """A minimal Debian as a tar file, made once."""
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with CACHE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not CACHE.exists():
            if shutil.which("debootstrap") is None:
                succeed(["apt-get", "-qq", "install", "-y", "--no-install-recommends", "debootstrap"])
            with tempfile.TemporaryDirectory(dir=CACHE.parent) as scratch:
                tree, packed = Path(scratch, "tree"), Path(scratch, "tree.tar")
                # what it mounts goes with its mount namespace
                succeed(
                    ["unshare", "--mount", "debootstrap", "--variant=minbase", RELEASE, str(tree), mirror()]
                )
                succeed(["tar", "-c", "-C", str(tree), "-f", str(packed), "."])
                packed.replace(CACHE)
    return CACHE


def mirror() -> str:
    """Where this machine's apt gets the release from."""
    wanted = ["Created-By: Packages", f"Release: {RELEASE}", "Component: main"]
    found = succeed(["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted]).split()
    if not found:
        pytest.skip(f"apt of this machine knows no {RELEASE}")
    return found[0]


def configure(folder: Path) -> list[Path]:
    """Let the machine reach what this one reaches: names, apt's sources, pip's index, certificates.

    Returns the folders of this machine that pip reads from.
    """
    for name in ("etc/resolv.conf", "etc/hosts", "etc/hostname"):
        if Path("/", name).exists():
            shutil.copyfile(Path("/", name), folder / name)
    for name in ("sources.list.d", "apt.conf.d", "auth.conf.d", "trusted.gpg.d", "keyrings"):
        if Path("/etc/apt", name).is_dir():
            shutil.copytree(Path("/etc/apt", name), folder / "etc/apt" / name, dirs_exist_ok=True)
    sources = Path("/etc/apt/sources.list")
    (folder / "etc/apt/sources.list").write_text(sources.read_text() if sources.exists() else "")

    settings = pip_settings()
    settings.pop("constraint", None)  # names a file of this machine; ./dev pins what it installs itself
    shared = local_indexes(settings)
    certificates = Path(settings.get("cert", "/etc/ssl/certs/ca-certificates.crt"))
    if certificates.is_file():
        # under another name: the machine makes its own bundle when it installs ca-certificates
        settings["cert"] = "/usr/local/share/outer-certificates.pem"
        shutil.copyfile(certificates, folder / settings["cert"].removeprefix("/"))
    lines = [f"{key} = {value}" for key, value in settings.items()]
    (folder / "etc/pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    return shared


def pip_settings() -> dict[str, str]:
    """This machine's configuration of pip; what the environment says goes before what files say."""
    rows = [line.partition("=") for line in succeed(["python3", "-m", "pip", "config", "list"]).splitlines()]
    return {
        key.removeprefix(scope): " ".join(str(ast.literal_eval(value)).split())
        for scope in ("global.", "install.", ":env:.")
        for key, _, value in rows
        if key.startswith(scope)
    }


def local_indexes(settings: dict[str, str]) -> list[Path]:
    """Folders that pip is told to look into; an index may link to files beside it."""
    words = [Path(word.removeprefix("file://")) for value in settings.values() for word in value.split()]
    return sorted({word.parent if word.name == "simple" else word for word in words if word.is_dir()})


def succeed(argv: list[str]) -> str:
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TOOL_S,
        cwd="/",
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}\n{done.stderr}"
    return done.stdout


def assert_passed(done: subprocess.CompletedProcess[str], checkout: Path) -> None:
    said = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said
    assert f"PASS: {CASES} of {CASES} cases passed." in done.stdout, said
    files = list(checkout.glob("results/**/record.json"))
    assert len(files) == 1
    record = RECORDS.loads(files[0].read_text())  # also checks it against its schema
    assert [case.verdict for case in record.cases] == [Verdict.PASS] * CASES


def test_root_on_a_bare_debian(machine: Machine) -> None:
    """Root needs nothing but the checkout, and the run leaves nothing behind."""
    checkout = machine.add_checkout("/root/checkout")
    done = machine.run(f"/root/checkout/dev run\n{NOTHING_LEFT}", timeout_s=RUN_S)
    assert_passed(done, checkout)


def test_user_with_sudo_on_a_bare_debian(machine: Machine) -> None:
    """A user who may become root by sudo needs no more; sudo serves the setup, the run has the user's rights."""
    checkout = machine.add_checkout("/home/tester/checkout")
    provision = machine.run(
        "apt-get -q update; apt-get -qy install --no-install-recommends sudo; useradd -s /bin/bash tester;"
        "chown -R tester: /home/tester; echo 'tester ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/tester",
        timeout_s=RUN_S,
    )
    assert provision.returncode == 0, provision.stderr
    done = machine.run(f"su - tester -c 'umask 077; checkout/dev run'\n{NOTHING_LEFT}", timeout_s=RUN_S)
    assert_passed(done, checkout)
