"""Whole cycles on filesystems that can share blocks: XFS with `reflink`, btrfs with `btrfs` and `reflink`.

Loop devices stand for disks. LVM and ZFS do not exist on a machine without their kernel modules.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import Run, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.root, pytest.mark.usefixtures("needs_stand_in")]

PLAN = """\
plan: volumes
workload: {{writers: 3, transactions: 6000, rate: 3000}}
snapshot: [{providers}]
recovery: [as-of-freeze, rollforward, point-in-time, boot]
"""


@pytest.fixture
def volume(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A filesystem of the kind asked for, on a loop device."""
    kind = request.param
    if os.geteuid() != 0 or shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"needs root and mkfs.{kind} (apt-get install xfsprogs btrfs-progs)")
    image, folder = tmp_path / "disk", tmp_path / "volume"
    with image.open("wb") as file:
        file.truncate(2 << 30)
    subprocess.run([f"mkfs.{kind}", "-q", image], check=True, stdout=subprocess.DEVNULL)
    folder.mkdir()
    if subprocess.run(["mount", "-o", "loop", image, folder], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("loop devices cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    ("volume", "providers"), [("xfs", ["reflink"]), ("btrfs", ["btrfs", "reflink"])], indirect=["volume"]
)
def test_cycle_on_a_volume(tmp_path: Path, volume: Path, providers: list[str]) -> None:
    """Every recovery mode passes, and nothing but results is left on the volume."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.format(providers=", ".join(providers)))
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(plan), "--out", str(volume / "out"), "--format", "json"],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    cases = json.loads(done.stdout)["cases"]
    assert ["PASS"] * 4 * len(providers) == [case["verdict"] for case in cases]
    assert set(providers) == {case["snapshot"]["provider"] for case in cases}
    assert [] == list(volume.glob("out/volumes/*/work"))


KILLED = """\
plan: killed
workload: {writers: 2, transactions: 6000, rate: 3000}
snapshot: btrfs
recovery: [as-of-freeze]
"""


@pytest.mark.parametrize("volume", ["btrfs"], indirect=True)
def test_clean_deletes_the_subvolumes_of_a_killed_run(tmp_path: Path, volume: Path) -> None:
    """No removal of files takes a snapshot away that may only be read. A foreign one beside it stays."""
    foreign = volume / "foreign"
    subprocess.run(["btrfs", "subvolume", "create", volume / "live"], check=True, stdout=subprocess.DEVNULL)
    (volume / "live" / "precious").write_text("x")
    snapshot = ["btrfs", "subvolume", "snapshot", "-r", volume / "live", foreign]
    subprocess.run(snapshot, check=True, stdout=subprocess.DEVNULL)
    run = Run(tmp_path, KILLED, place=volume)
    assert wait_for(lambda: any(run.out.glob("killed/*/work/snapshots*/snapshot-*")), 60)
    run.kill()
    removed = run.clean()
    assert "removed subvolume" in removed and "removed folder" in removed
    assert [] == run.left() and "nothing to remove\n" == run.clean()
    assert "x" == (foreign / "precious").read_text() == (volume / "live" / "precious").read_text()
