"""What the fuzzer draws from a seed, how it is said, and how it is made smaller."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from harness.model import RecoveryMode
from tests.soak.cases import Outcome, shrunk
from tests.soak.fuzz import Tally, works
from tests.soak.hands.image import IMAGE_HANDS
from tests.soak.hands.journals import JOURNAL_HANDS
from tests.soak.hands.log import LOG_HANDS
from tests.soak.hands.steps import STEP_HANDS
from tests.soak.judged import Look, Word
from tests.soak.mutations import (
    INDEX,
    KINDS,
    PER_BATCH,
    PROMISES,
    Case,
    Mutation,
    command,
    draw,
    read_mutation,
    simpler,
)

SEEDS = range(77 * PER_BATCH, 77 * PER_BATCH + 600)
ROOT = Path(__file__).parents[3]


def mutation(kind: str = "image.bytes", count: int = 1, on: str = "") -> Mutation:
    return Mutation(kind=kind, on=on or KINDS[kind].on[0], at=0.25, to=0.5, count=count, salt=0)


def case(*mutations: Mutation) -> Case:
    return Case(seed=5, mode=RecoveryMode.ROLLFORWARD, mutations=mutations)


def test_a_case_follows_from_its_seed_alone() -> None:
    """Also in another process, whose hashes are salted otherwise."""
    code = (
        f"from tests.soak.mutations import draw; print(*map(draw, range({SEEDS[0]}, {SEEDS[40]})), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [str(draw(seed)) for seed in SEEDS[:40]] == done.stdout.splitlines()
    assert [draw(seed) for seed in SEEDS] == [draw(seed) for seed in SEEDS]


def test_every_mode_and_every_kind_is_drawn() -> None:
    """A few hundred cases are enough, and each mutation is one that its mode has."""
    cases = [draw(seed) for seed in SEEDS]
    assert set(RecoveryMode) == {one.mode for one in cases}
    assert set(KINDS) == {one.kind for found in cases for one in found.mutations}
    for found in cases:
        assert found.batch == 77
        for one in found.mutations:
            kind = KINDS[one.kind]
            assert found.mode in kind.modes and one.on in kind.on and 1 <= one.count <= kind.most


def test_a_mutation_is_read_as_it_is_said() -> None:
    for seed in SEEDS:
        assert all(one == read_mutation(str(one)) for one in draw(seed).mutations)


@pytest.mark.parametrize(
    "text", ["image.bytes", "no.kind on=one at=0 to=0 count=1 salt=1", "", "image.bytes on=one"]
)
def test_what_is_no_mutation_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_mutation(text)


def test_every_kind_has_one_hand() -> None:
    hands = [*IMAGE_HANDS, *JOURNAL_HANDS, *LOG_HANDS, *STEP_HANDS]
    assert sorted(KINDS) == sorted(hands)


def test_a_promise_is_narrow() -> None:
    """None excuses what a walk of the data says, nor a floor, a ceiling or a cut; each is of some use."""
    said = ("content.cold", "atomicity.torn", "floor.lost", "ceiling.newer", "consistent_cut.future")
    codes = [f"{look}{code}" for code in said for look in ("", "image.")]
    assert not [p.name for p in PROMISES if any(fnmatch(code, one) for code in codes for one in p.codes)]
    broken = {promise for seed in SEEDS for promise in draw(seed).breaks}
    assert set(PROMISES) == broken
    assert (
        INDEX in mutation("image.zero", on="one.index").breaks and INDEX not in mutation("image.zero").breaks
    )


def test_the_command_says_what_is_not_drawn() -> None:
    drawn = draw(SEEDS[3])
    assert f"./dev fuzz --only {drawn.seed}" == command(drawn)
    other = replace(drawn, mode=next(m for m in RecoveryMode if m is not drawn.mode), mutations=(mutation(),))
    assert f"--only {drawn.seed} --kept /k --mode {other.mode.value} --mutation '{mutation()}'" in command(
        other, "/k"
    )


# --- making smaller


def outcome(of: Case, word: Word = Word.WRONG_PASS) -> Outcome:
    return Outcome(case=of, word=word, look=Look.DIFFERS)


def weight(of: Case) -> tuple[int, int]:
    return len(of.mutations), sum(one.count for one in of.mutations)


def test_everything_simpler_is_less() -> None:
    for seed in SEEDS:
        for less in simpler(draw(seed)):
            assert weight(less) < weight(draw(seed)) and less.mutations


def test_a_finding_is_made_as_small_as_it_shows() -> None:
    """One mutation of the three is to blame, and shows from seven bytes on."""
    blame = mutation("image.zero", count=900)

    def again(of: Case) -> Outcome:
        shows = any(one.kind == "image.zero" and one.count >= 7 for one in of.mutations)
        return outcome(of, Word.WRONG_PASS if shows else Word.CAUGHT)

    whole = case(mutation(count=40), blame, mutation("steps.twice"))
    smallest, tried = shrunk(outcome(whole), again)
    assert (replace(blame, count=7),) == smallest.case.mutations
    assert tried < 40


def test_another_word_is_another_finding() -> None:
    whole = case(mutation(count=9), mutation("steps.twice"))
    smallest, _ = shrunk(outcome(whole), lambda of: outcome(of, Word.FALSE_ALARM))
    assert whole == smallest.case


def test_making_smaller_ends() -> None:
    whole = case(mutation(count=1 << 16))
    smallest, tried = shrunk(outcome(whole), lambda of: outcome(of, Word.CAUGHT), tries=2)
    assert (whole, 2) == (smallest.case, tried)


# --- the tally


def test_all_cases_must_have_run(tmp_path: Path) -> None:
    """And be no finding: else the status is 1."""
    waiting = list(works(1, 450, tmp_path, keep=False, jobs=2))
    cases = [one for work in waiting for one in work.cases]
    assert 450 == len({one.seed for one in cases}) and [200, 200, 50] == [len(work.cases) for work in waiting]
    right = [Outcome(case=one, word=Word.RIGHT_PASS) for one in cases]
    assert 0 == Tally(wanted=450, outcomes=right).status
    assert 1 == Tally(wanted=450, outcomes=right[1:]).status
    assert 1 == Tally(wanted=450, outcomes=[*right[1:], outcome(cases[0])]).status
    assert 1 == Tally(wanted=450, outcomes=right, problems=["left behind"]).status
    assert waiting == list(works(1, 450, tmp_path, keep=False, jobs=2))


def test_the_tally_names_what_excused() -> None:
    excused = [replace(outcome(case(mutation())), word=Word.EXCUSED, excused_by=(PROMISES[0].name,))] * 3
    table = Tally(wanted=3, outcomes=excused).table()
    (line,) = (line for line in table.splitlines() if PROMISES[0].statement in line)
    assert ["3"] == line.removeprefix(PROMISES[0].name).removesuffix(PROMISES[0].statement).split()
