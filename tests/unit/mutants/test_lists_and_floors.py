"""Equivalent mutants by their content, scores against floors, lines changed against a commit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants import changed, equivalent, floors, report
from tests.mutants.imports import reached, that_may_see, untouched_by
from tests.mutants.operators import Mutant, mutants_of
from tests.mutants.report import EQUIVALENT, KILLED, NOT_RUN, SURVIVED, TIMEOUT, Fate
from tests.mutants.spans import Source
from tests.mutants.trees import ROOT

TEXT = "def f(a):\n    return a < 3\n\ndef g(a):\n    return a < 3\n"
ENTRY = """
[[equivalent]]
file = "harness/verify/toy.py"
function = "f"
was = "return a < 3"
becomes = ["return a <= 3", "return a < 4"]
why = "nobody asks for three"
"""


def mutants(text: str = TEXT, file: str = "harness/verify/toy.py") -> list[Mutant]:
    return mutants_of(Source(file, text))


def test_an_entry_matches_by_content_wherever_the_line_is() -> None:
    (entry,) = equivalent.entries(ENTRY)
    for text in (TEXT, "X = [\n]\n\n" + TEXT):
        assert {"return a <= 3", "return a < 4"} == {
            one.becomes for one in mutants(text) if entry.matches(one)
        }
        assert {"f"} == {one.function for one in mutants(text) if entry.matches(one)}
    assert not [one for one in mutants(file="harness/verify/other.py") if entry.matches(one)]


def test_an_entry_that_is_no_mutant_any_more_is_stale() -> None:
    known = equivalent.entries(ENTRY)
    file = "harness/verify/toy.py"
    assert [] == equivalent.stale(known, mutants(), [file])
    (one,) = equivalent.stale(known, mutants(TEXT.replace("3", "4", 1)), [file])[:1]
    assert "return a < 3 → return a <= 3" in one
    assert [] == equivalent.stale(known, [], ["another.py"]), "what was not looked at is not judged"


@pytest.mark.parametrize("odd", [ENTRY.replace("nobody asks for three", " "), ENTRY.replace("why", "note")])
def test_an_entry_needs_a_reason(odd: str) -> None:
    with pytest.raises(ValueError, match="an equivalent mutant needs"):
        equivalent.entries(odd)


def test_the_list_of_this_project_is_whole() -> None:
    """No entry is there for a mutant that is none: somebody would believe it."""
    known = equivalent.entries(equivalent.FILE.read_text())
    files = {entry.file for entry in known}
    found = [one for file in files for one in mutants((ROOT / file).read_text(), file)]
    assert [] == equivalent.stale(known, found, files)


def fates(*statuses: str) -> list[Fate]:
    return [Fate(mutant=mutants()[0], status=status) for status in statuses]


def test_a_score_counts_what_hangs_as_killed_and_what_no_test_runs_as_survived() -> None:
    found = report.score("harness/verify/toy.py", fates(KILLED, TIMEOUT, SURVIVED, NOT_RUN, EQUIVALENT))
    assert (5, 2, 2, 1, 1) == (found.tried, found.killed, found.survived, found.not_run, found.equivalent)
    assert 50.0 == found.percent
    assert not found.is_enough


@pytest.mark.parametrize(("killed", "enough"), [(97, True), (96, False)])
def test_a_floor_is_reached_or_not(killed: int, enough: bool) -> None:
    found = report.score("harness/verify/toy.py", fates(*[KILLED] * killed, *[SURVIVED] * (100 - killed)))
    assert enough is found.is_enough
    assert ("BELOW" in report.table([found])) is not enough


@pytest.mark.parametrize(("survived", "enough"), [(1, True), (2, False)])
def test_of_a_few_changed_lines_one_mutant_may_survive(survived: int, enough: bool) -> None:
    found = report.score("harness/verify/toy.py", fates(KILLED, *[SURVIVED] * survived), is_part=True)
    assert enough is found.is_enough


def test_a_module_of_equivalent_mutants_alone_is_good() -> None:
    assert report.score("harness/verify/toy.py", fates(EQUIVALENT)).is_enough


def test_a_survivor_says_where_it_is_and_what_was_changed() -> None:
    (fate,) = fates(NOT_RUN)
    text = report.survivor(fate)
    assert "harness/verify/toy.py:2: f   (no test runs it)" in text
    assert "- return a < 3\n" in text and "+ return" in text


def test_every_floor_is_of_a_file_that_is_there() -> None:
    there = floors.files(ROOT)
    assert len(there) == len(set(there))
    assert all(any(Path(file).match(pattern) for file in there) for pattern, _ in floors.FLOORS)
    assert 97.0 == floors.floor_of("harness/verify/chain.py")
    assert floors.floor_of("harness/model.py") is None


# --- what was changed


def git(folder: Path, *words: str) -> None:
    own = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *own, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.py").write_text("one\ntwo\nthree\nfour\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_lines_that_are_new_other_or_beside_what_went(repository: Path) -> None:
    (repository / "a.py").write_text("one\n2\nthree\nfive\nsix\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    assert {"a.py": {2, 4, 5}} == changed.changed_lines(repository, "HEAD~1")
    assert "HEAD~1" == changed.likely_base(repository)
    (repository / "a.py").write_text("one\n2\nfive\nsix\n")
    assert {"a.py": {2, 3}} == changed.changed_lines(repository, "HEAD")


def test_without_history_nobody_can_tell(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(changed.NoBase):
        changed.likely_base(repository)
    with pytest.raises(changed.NoBase):
        changed.changed_lines(repository, "nowhere")
    with pytest.raises(changed.NoBase):
        changed.likely_base(tmp_path_factory.mktemp("no repository"))


# --- which tests may see a module


def test_imports_tell_which_test_files_may_see_a_module() -> None:
    seen = that_may_see(ROOT, ["harness/verify/chain.py"])
    assert "tests/unit/verify/test_chain.py" in seen, "it imports it"
    assert "tests/unit/verify/test_witnesses.py" in seen, "it is found by its entry point"
    assert "tests/unit/test_destroy.py" not in seen
    assert "harness/stages/walk.py" in reached(ROOT, "tests/property/test_histories_model.py"), (
        "by a helper beside it"
    )


def test_what_is_imported_beforehand_does_not_import_what_is_changed() -> None:
    """Or children would run the code without the change, and every mutant would survive."""
    files = [
        "harness/verify/judge.py",
        "harness/freeze_log.py",
        "harness/report/cause.py",
        "harness/verify/hold.py",
    ]
    code = (
        "import importlib, sys; [importlib.import_module(name) for name in sys.argv[2:]];"
        "sys.exit(sys.argv[1] in sys.modules)"
    )
    for file in files:
        names = untouched_by(ROOT, file)
        changed = file.removesuffix(".py").replace("/", ".")
        assert 50 < len(names)
        subprocess.run([sys.executable, "-c", code, changed, *names], cwd=ROOT, check=True, timeout=60)


def test_a_module_of_which_nothing_was_tried_has_no_score() -> None:
    """The time was over before: 100 % would be a figure that nobody measured."""
    untried = report.score("harness/verify/toy.py", [])
    assert untried.percent is None
    assert "100" not in report.table([untried]) and "| -" in " ".join(report.table([untried]).split())
