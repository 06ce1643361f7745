"""A check of another distribution: a module and an entry point, and nothing of the harness names it.

It is judged at its place, its code ranks where it says, its remedy is told, and without what it needs it is UNKNOWN.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness import plugins
from harness.declared import RUN, Profile, guide, judgements
from harness.evidence.case import Evidence
from harness.facts import known
from harness.model import Check, Code, RecoveryMode, Verdict
from harness.report.base import case_verdict
from harness.report.cause import cause, cause_line, next_step
from harness.report.table import TableReporter
from harness.verify.judge import judge_all
from tests.checks import CHECKS
from tests.unit.facts.test_unconfirmed_table import NOBODYS
from tests.unit.report.cases import case
from tests.unit.report.test_reporters import PASSED
from tests.whole import whole

ARCHIVED = '''
from harness.declared import Declaration
from harness.model import Code, Finding, Upstream

class Archived:
    """The journals are in the archive, too."""

    declared = Declaration(
        name="archived",
        order=95,
        codes=(Code(name="archived.gone", rank=Upstream.JOURNALS + 25, remedy="fetch them from the tape"),),
        remedy="look into the archive",
        needs=("committed",),
        facts=("journals.linked", "tape.is_there"),
    )

    def check(self, evidence):
        gone = Finding(code="archived.gone", message="a journal is not in the archive", witness="tape 7")
        odd = Finding(code="archived.odd", message="the archive is odd")
        return {13: [gone], 14: [odd]}.get(evidence.issued_later, [])
'''
FAIL, UNKNOWN, PASS = Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS
ROLLFORWARD = RecoveryMode.ROLLFORWARD
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one check, for this test."""

    def installed(code: str, name: str = "archived", adapter: str = "Archived") -> None:
        info = tmp_path / "archive_checks-1.0.dist-info"
        info.mkdir()
        (tmp_path / "archive_checks.py").write_text(code)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: archive-checks\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[harness.checkers]\n{name} = archive_checks:{adapter}\n")
        monkeypatch.syspath_prepend(tmp_path)
        plugins._group.cache_clear()

    yield installed
    sys.modules.pop("archive_checks", None)
    monkeypatch.undo()
    plugins._group.cache_clear()


def judged(evidence: Evidence, name: str = "archived", profile: Profile = RUN) -> Check:
    (found,) = [check for check in judge_all(evidence, profile) if check.name == name]
    return found


def test_it_is_judged_at_its_place_and_every_record_must_have_it(install: Install) -> None:
    install(ARCHIVED)
    at = CHECKS.index("hold")
    assert [*CHECKS[:at], "archived", *CHECKS[at:]] == [c.name for c in judge_all(whole(ROLLFORWARD), RUN)]
    assert PASS is judged(whole(ROLLFORWARD)).verdict
    assert (*CHECKS[:at], "archived", *CHECKS[at:]) == guide().checks
    assert UNKNOWN is case_verdict(PASSED.cases[0], guide())
    more = replace(PASSED.cases[0].checks[0], name="archived")
    with_it = replace(PASSED.cases[0], checks=(*PASSED.cases[0].checks, more))
    assert PASS is case_verdict(with_it, guide())


def test_its_code_ranks_where_it_says_and_its_remedy_is_told(install: Install) -> None:
    install(ARCHIVED)
    for first, then in (
        ("archived.gone", "chain.purged"),
        ("marker.other_freeze", "archived.gone"),
        ("archived.gone", "image.content.large"),
    ):
        for order in ((first, then), (then, first)):
            found = cause(case(*((code, FAIL) for code in order)), guide())
            assert found and first == found.code
    bad = replace(case(), verdict=FAIL, checks=(judged(replace(whole(ROLLFORWARD), issued_later=13)),))
    assert "archived.gone: a journal is not in the archive (tape 7)" == cause_line([bad], guide())
    assert "fetch them from the tape" == next_step([bad], guide())
    text = TableReporter().render(replace(PASSED, verdict=FAIL, cases=(bad,)), guide())
    assert "what to do: fetch them from the tape" in text


def test_a_code_that_it_does_not_declare_is_shown_and_ranked_last(install: Install) -> None:
    install(ARCHIVED)
    odd = judged(replace(whole(ROLLFORWARD), issued_later=14))
    assert (FAIL, "archived.odd") == (odd.verdict, odd.findings[0].code)
    bad = replace(case(("content.trail", FAIL)), verdict=FAIL)
    both = replace(bad, checks=(odd, *bad.checks))
    assert "content.trail" == getattr(cause(both, guide()), "code", None)
    alone = replace(bad, checks=(odd,))
    assert "look into the archive" == next_step([alone], guide())
    assert "archived.odd: the archive is odd" in TableReporter().render(
        replace(PASSED, verdict=FAIL, cases=(both,)), guide()
    )


@pytest.mark.parametrize("mode", RecoveryMode)
def test_without_what_it_needs_it_is_unknown_though_it_did_not_look(
    install: Install, mode: RecoveryMode
) -> None:
    install(ARCHIVED)
    check = judged(replace(whole(mode), committed=None))
    assert (UNKNOWN, "archived.not_checked") == (check.verdict, check.findings[0].code)
    assert "there is no committed" in check.findings[0].message


def test_its_facts_must_be_confirmed(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that nobody tries is confirmed for no engine."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    install(ARCHIVED)
    assert ("journals.linked", "tape.is_there") == known.unconfirmed(NOBODYS)["archived"]
    tried = replace(NOBODYS, product="GT.M", version="V7.0-005", stand_in=True)
    lacking = known.unconfirmed(tried)
    assert {"archived": ("tape.is_there",)} == lacking
    evidence = whole(ROLLFORWARD)
    evidence = replace(evidence, recovered=replace(evidence.recovered, unconfirmed=lacking))
    assert ["archived.unconfirmed"] == [finding.code for finding in judged(evidence).findings]


def test_it_may_judge_the_image_too(install: Install) -> None:
    install(ARCHIVED.replace("order=95", "order=45, of_image=True"))
    names = [check.name for check in judge_all(whole(ROLLFORWARD), RUN)]
    assert names.index("image.content") + 1 == names.index("image.archived")
    assert names.index("content") + 1 == names.index("archived")
    found = judged(replace(whole(ROLLFORWARD), issued_later=13), "image.archived")
    assert "image.archived.gone" == found.findings[0].code


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (ARCHIVED.replace('name="archived",', 'name="hold",'), "does not declare itself"),
        (ARCHIVED.replace('Code(name="archived.gone"', 'Code(name="hold.changed"'), "no code of its own"),
        (ARCHIVED.replace("declared = Declaration", "declares = dict"), "lacks declared"),
        (ARCHIVED.replace("declared = Declaration(", "declared = dict("), "does not declare itself"),
        (ARCHIVED.replace("def check", "def look"), "lacks check"),
        (ARCHIVED.replace("order=95", "order='95'"), "'95', which is of another kind"),
        (
            ARCHIVED.replace("rank=Upstream.JOURNALS + 25", "rank='first'"),
            "'first', which is of another kind",
        ),
        (ARCHIVED.replace('"journals.linked",', "7,"), "7, which is of another kind"),
        (ARCHIVED.replace('facts=("journals.linked", "tape.is_there")', "facts=None"), "None"),
        (ARCHIVED.replace('remedy="look into the archive"', "remedy=None"), "None, which is of another kind"),
        (ARCHIVED.replace("codes=(Code", "codes=(7, Code"), "int"),
        (ARCHIVED.replace('("committed",)', '("commited",)'), "commited"),
        (ARCHIVED.replace("    def check", "    def __init__(self, more): ...\n\n    def check"), "more"),
        ("raise OSError('no tape')", "no tape"),
    ],
)
def test_one_that_is_not_sound_is_unknown_and_the_others_go_on(
    install: Install, code: str, word: str
) -> None:
    install(code)
    found = judge_all(whole(ROLLFORWARD), RUN)
    (bad,) = [check for check in found if check.verdict is not PASS]
    assert ("archived", UNKNOWN, "archived.broken") == (bad.name, bad.verdict, bad.findings[0].code)
    assert word in bad.findings[0].witness
    assert "archive-checks" in bad.findings[0].message
    assert {*CHECKS, "archived"} == {check.name for check in found}
    assert {*CHECKS, "archived"} == set(guide().checks)


@pytest.mark.parametrize("name", ["image.floor", "no-name"])
def test_none_takes_the_name_of_a_look_at_the_image(install: Install, name: str) -> None:
    install(ARCHIVED.replace('name="archived",', f'name="{name}",'), name)
    found = [check for check in judge_all(whole(ROLLFORWARD), RUN) if check.verdict is not PASS]
    assert [UNKNOWN] == [check.verdict for check in found]
    assert [*CHECKS] == [check.name for check in judge_all(whole(ROLLFORWARD), RUN) if check not in found][
        :17
    ]


SPARED = ARCHIVED.replace(
    "from harness.model", "from harness.verify.base import DOES_NOT_APPLY\nfrom harness.model"
)
SPARED = SPARED.replace("evidence.issued_later, [])", "evidence.issued_later, DOES_NOT_APPLY)")


def test_one_that_does_not_apply_is_not_there_and_nobody_misses_it(install: Install) -> None:
    install(SPARED.replace("order=95", "order=95, always=False"))
    assert [*CHECKS] == [check.name for check in judge_all(whole(ROLLFORWARD), RUN)]
    assert CHECKS == guide().checks
    assert FAIL is judged(replace(whole(ROLLFORWARD), issued_later=13)).verdict


def test_one_that_must_always_look_may_not_say_that_it_does_not_apply(install: Install) -> None:
    install(SPARED)
    found = judged(whole(ROLLFORWARD))
    assert (UNKNOWN, "archived.broken") == (found.verdict, found.findings[0].code)


# --- profiles, and checks that are missing


def test_what_a_profile_does_not_ask_for_is_not_in_the_result(install: Install) -> None:
    install(ARCHIVED)
    some = Profile(name="some", checks=frozenset({"integrity", "chain", "archived"}))
    names = ["image.integrity", "integrity", "chain", "archived"]
    assert names == [check.name for check in judge_all(whole(ROLLFORWARD), some)]
    assert tuple(names) == guide(some).checks
    assert [] == judge_all(whole(ROLLFORWARD), Profile(name="none", checks=frozenset()))


def test_a_check_that_a_profile_asks_for_and_nobody_has_is_unknown() -> None:
    wanted = Profile(name="wanted", checks=frozenset({"chain", "archived"}))
    found = judged(whole(ROLLFORWARD), "archived", wanted)
    assert (UNKNOWN, "archived.broken") == (found.verdict, found.findings[0].code)
    assert "archived" in guide(wanted).checks


@pytest.mark.parametrize("name", [*guide().remedies])
def test_a_check_of_the_harness_that_is_not_registered_is_missed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an update of the code alone: entry points are read from what is installed."""
    there = {one: entry for one, entry in plugins._group("harness.checkers").items() if one != name}
    monkeypatch.setattr(plugins, "_group", lambda group: there)
    found = judged(whole(ROLLFORWARD), name)
    assert (UNKNOWN, f"{name}.broken") == (found.verdict, found.findings[0].code)
    assert name in [one.name for one in judgements()]


def test_a_rank_and_a_remedy_may_be_absent() -> None:
    assert (None, "") == (Code(name="a.b").rank, Code(name="a.b").remedy)
    assert (None, "") == (guide().rank("a.b"), guide().remedy("a.b"))
