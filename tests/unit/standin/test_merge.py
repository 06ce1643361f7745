"""Which configuration merge files the stand-in takes, and how it refuses the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.standin.layout import Layout
from harness.standin.merge import MergeRefused, merge

ROOT = Path("/durable")
INSTANCE = Layout("IRIS", ROOT)
OURS = Path(__file__).parents[3] / "containers" / "iris" / "merge.cpf"


def write(folder: Path, text: str) -> Path:
    file = folder / "merge.cpf"
    file.write_text(text)
    return file


def refusal(folder: Path, text: str) -> str:
    """What is said of a file, without its path."""
    file = write(folder, text)
    with pytest.raises(MergeRefused) as refused:
        merge(INSTANCE, file)
    return str(refused.value).replace(str(file), "FILE")


def test_a_folder_with_a_zero_byte_is_refused(tmp_path: Path) -> None:
    """No file has such a name, and none can be asked for."""
    said = refusal(tmp_path, "[Journal]\nCurrentDirectory=/durable/\0\n")
    assert "FILE:2: this instance keeps its journals in /durable/mgr/journal/" in said


def test_what_is_true_already_is_accepted(tmp_path: Path) -> None:
    """Every action that the stand-in fulfils, in any case, quoted or not, with and without a closing slash."""
    text = """
        ; a comment
        [Actions]
        CreateDatabase:Name=ONE,Directory=/durable/db/one
        createdatabase:directory="/durable/db/two/",name=two
        CreateNamespace:Name=HARNESS,Globals=ONE,Routines=ONE
        CreateMapGlobal:Name="RVB*",Namespace=HARNESS,Database=TWO

        [JOURNAL]
        CurrentDirectory=/durable/mgr/journal/
        alternatedirectory = /durable/mgr/journal
    """
    file = write(tmp_path, text)
    assert [] == merge(INSTANCE, file)
    assert [] == merge(INSTANCE, file), "a second time, as at the next start"


def test_the_file_of_the_iris_image_is_accepted() -> None:
    """One file configures IRIS and is true of the stand-in, where both have their installation folder."""
    assert [] == merge(Layout("IRIS", Path("/usr/irissys")), OURS)


def test_global_buffers_are_noted_as_without_effect(tmp_path: Path) -> None:
    file = write(tmp_path, "[config]\nglobals=0,0,200,0,0,0\n")
    (remark,) = merge(INSTANCE, file)
    assert remark.startswith(f"{file}:2: globals= has no effect")


@pytest.mark.parametrize(
    ("section", "line", "reason"),
    [
        ("Actions", "CreateDatabase:Name=THREE,Directory=/durable/db/three", "ONE and TWO only, not THREE"),
        ("Actions", "CreateDatabase:Directory=/durable/db/one", "not one without name"),
        ("Actions", "CreateDatabase:Name=ONE,Directory=/elsewhere", "in /durable/db/one/, not in /elsewhere"),
        ("Actions", "CreateDatabase:Name=ONE", "not in a folder without name"),
        ("Actions", "CreateDatabase:Name=ONE,Directory=/durable/db/one,Size=10", "no property size"),
        ("Actions", "CreateNamespace:Name=OTHER,Globals=ONE", "name can only be HARNESS"),
        ("Actions", "CreateNamespace:Name=HARNESS,Globals=TWO", "globals can only be ONE"),
        ("Actions", "CreateNamespace:Name=HARNESS", "globals is missing"),
        ("Actions", "CreateMapGlobal:Name=X,Namespace=HARNESS,Database=TWO", "name can only be RVB*"),
        ("Actions", "CreateMapGlobal:Name=RVB*,Database=TWO", "namespace is missing"),
        ("Actions", "CreateMapGlobal:Name=RVB*,nonsense", "not a list of name=value: nonsense"),
        ("Actions", "Execute:Namespace=USER,ClassName=A,MethodName=B", "Execute is not an action"),
        ("Actions", "nonsense", "nonsense is not an action"),
        ("Journal", "CurrentDirectory=/elsewhere", "in /durable/mgr/journal/, not in /elsewhere"),
        ("Journal", "FreezeOnError=1", "no parameter FreezeOnError in section [journal]"),
        ("config", "globals=many", "globals takes up to six numbers"),
        ("config", "wijdir=/wij", "no parameter wijdir in section [config]"),
        ("Startup", "PasswordHash=0,0", "no parameter PasswordHash in section [startup]"),
        ("config", "nonsense", "neither a section nor parameter=value: nonsense"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    tmp_path: Path, section: str, line: str, reason: str
) -> None:
    """The third line of the file is named, and why."""
    said = refusal(tmp_path, f"; a comment\n[{section}]\n{line}\n")
    assert said.startswith("FILE:3: ") and reason in said


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, "[config]\nroutines=1\nglobals=0,0,64,0,0,0\n[Actions]\nDeleteUser:Name=Admin\n")
    assert ["FILE:2:", "FILE:5:"] == [line.split(" ")[0] for line in said.splitlines()]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MergeRefused, match=r"absent\.cpf: cannot be read"):
        merge(INSTANCE, tmp_path / "absent.cpf")
