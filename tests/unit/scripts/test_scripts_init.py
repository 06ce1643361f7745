"""`harness scripts init`: what it writes, where, and what it leaves alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from harness.cli import cli
from harness.scripts import init

SCRIPTS = {
    "generic": ["iris-freeze", "iris-thaw", "iris-backup-done"],
    "vmware": ["pre-freeze-script", "post-thaw-script", "iris-backup-done"],
    "azure": ["preScript.sh", "postScript.sh", "iris-backup-done"],
    "lvm": ["iris-lvm-backup"],
    "veeam": ["iris-pre-freeze.sh", "iris-post-thaw.sh", "iris-backup-done"],
    "aws": ["iris-backup-done"],
}


def invoke(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["scripts", "init", *words])
    return done.exit_code, done.output


def scripts_of(name: str) -> dict[str, str]:
    """Every script of a variant, that of the SSM document as well."""
    files = {file.name: file.text for file in init.variant(name).files}
    found = {script: files[script] for script in SCRIPTS[name]}
    if name == "aws":
        document = yaml.safe_load(files["iris-dlm.yaml"])
        (found["the document's script"],) = document["mainSteps"][0]["inputs"]["runCommand"]
    return found


EVERY_SCRIPT = [
    pytest.param(text, id=f"{name}-{script}")
    for name in init.VARIANTS
    for script, text in scripts_of(name).items()
]


@pytest.mark.parametrize("name", init.VARIANTS)
def test_every_variant_is_written_with_its_modes(name: str, tmp_path: Path) -> None:
    """Scripts for root alone; the plugin configuration of Azure must be 0600."""
    status, said = invoke(f"--{name}", "--out", str(tmp_path / "new"))
    assert 0 == status, said
    written = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()}
    assert {file.name: file.mode for file in init.variant(name).files} == written
    assert {0o700} == {written[script] for script in SCRIPTS[name]}
    assert all(file in said for file in written)


def test_without_a_word_it_is_the_generic_pair(tmp_path: Path) -> None:
    assert 0 == invoke("--out", str(tmp_path))[0]
    assert (tmp_path / "iris-freeze").exists()


def test_a_file_that_is_there_stays_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "iris-thaw").write_text("mine")
    status, _ = invoke("--out", str(tmp_path))
    assert 2 == status
    assert {"iris-thaw": "mine"} == {path.name: path.read_text() for path in tmp_path.iterdir()}


def test_force_overwrites(tmp_path: Path) -> None:
    (tmp_path / "iris-thaw").write_text("mine")
    assert 0 == invoke("--out", str(tmp_path), "--force")[0]
    assert (tmp_path / "iris-thaw").read_text().startswith("#!/bin/sh\n")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, said = invoke("--out", str(tmp_path / "file" / "folder"))
    assert (3, True) == (status, "cannot write" in said), said


@pytest.mark.parametrize("text", EVERY_SCRIPT)
def test_no_freeze_or_thaw_writes_the_history(text: str) -> None:
    """ExternalSetHistory lets journals be purged: one place calls it, and that one is for a verified copy."""
    calls = [line for line in text.splitlines() if ".ExternalSetHistory(" in line and "#" != line.strip()[0]]
    assert ("done_hook()" in text) == bool(calls)


def test_azure_is_told_to_give_up_a_backup_without_a_freeze() -> None:
    """And waits longer than the scripts take."""
    files = {file.name: file.text for file in init.variant("azure").files}
    plugin = json.loads(files["VMSnapshotScriptPluginConfig.json"])
    assert plugin["continueBackupOnFailure"] is False
    assert plugin["timeoutInSeconds"] > 28
    assert "HOOK_LIMIT=28 " in files["preScript.sh"]


def test_the_document_for_aws_has_one_place_that_systems_manager_fills() -> None:
    """And it fits into the 64 KB that a document may have."""
    text = init.variant("aws").files[0].text
    assert 1 == text.count("{{")
    assert len(text.encode()) < 64 * 1024
    assert {"executionId", "command"} == set(yaml.safe_load(text)["parameters"])


def test_every_setting_is_in_the_configuration_file() -> None:
    """Commented out, with the value that holds without it; those that nobody needs to change are left out."""
    files = {file.name: file.text for file in init.variant("lvm").files}
    named = set(re.findall(r"^#([A-Z_]+)=", files["iris-backup.conf"], re.M))
    taken = set(re.findall(r"^ +([A-Z_]+)\) .*\b[A-Z_]+=\$.*;;$", files["iris-lvm-backup"], re.M))
    assert {"CALL_LIMIT", "KILL_AFTER", "ROLLBACK_TIME"} == taken - named
    assert named < taken
