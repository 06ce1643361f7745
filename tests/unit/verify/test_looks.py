"""The image is judged before anything is applied to it, and what nobody looked at is UNKNOWN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import pytest

from harness import declared, model, plugins
from harness.declared import Declaration
from harness.evidence.answers import DatabaseIntegrity, IntegrityReport
from harness.evidence.case import Evidence, Look
from harness.evidence.files import ExpectedFile
from harness.model import IMAGE, Finding, Verdict
from tests.checks import CHECKS, DECLARED, LOOKS, case_verdict, judge_all
from tests.seen import seen
from tests.windows import window

ONE, TWO = Path("/db/one"), Path("/db/two")


def report(*, clean: bool) -> IntegrityReport:
    found = [
        DatabaseIntegrity(database=folder, clean=clean, errors=() if clean else ("bad",))
        for folder in (ONE, TWO)
    ]
    return IntegrityReport(databases=tuple(found), complete=True, duration_s=0.1)


def look(*, clean: bool) -> Look:
    return Look(floor={}, ceiling={}, integrity=report(clean=clean), unconfirmed={})


def verdicts(evidence: Evidence) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in judge_all(evidence)}


def test_each_look_fails_by_itself() -> None:
    """An image that is damaged fails although what was recovered from it is sound, and the other way round."""
    healed = verdicts(seen(image=look(clean=False), recovered=look(clean=True)))
    assert (Verdict.FAIL, Verdict.PASS) == (healed["image.integrity"], healed["integrity"])
    broken = verdicts(seen(image=look(clean=True), recovered=look(clean=False)))
    assert (Verdict.PASS, Verdict.FAIL) == (broken["image.integrity"], broken["integrity"])


def test_findings_of_the_image_say_that_they_are() -> None:
    found = judge_all(seen(image=look(clean=False), recovered=look(clean=True)))
    finding, _ = next(check for check in found if check.name == "image.integrity").findings
    assert "image.integrity.damaged" == finding.code
    assert finding.message.startswith("the image, before any journal was applied: ")


def test_without_a_look_at_the_image_its_checks_are_unknown() -> None:
    found = verdicts(seen(image=None, recovered=look(clean=True)))
    assert {Verdict.UNKNOWN} == {found[f"{IMAGE}{name}"] for name in LOOKS}
    assert Verdict.PASS is found["integrity"]


ORDER = (
    "snapshot",
    "image.integrity",
    "image.atomicity",
    "image.content",
    "image.consistent_cut",
    "image.floor",
    "image.ceiling",
    "integrity",
    "atomicity",
    "content",
    "consistent_cut",
    "floor",
    "ceiling",
    "marker",
    "chain",
    "hold",
    "recovery_point",
)
"""Checks of every case as a report has always shown them; others may stand between."""


def test_a_case_has_every_check_once_in_their_order() -> None:
    assert list(CHECKS) == [check.name for check in judge_all(seen())]
    assert ORDER == tuple(name for name in CHECKS if name in ORDER)


def test_their_places_are_numbers_between_which_others_find_theirs() -> None:
    plain = [name for name in ORDER if not name.startswith(IMAGE)]
    places = {**dict(zip(plain, range(10, 120, 10), strict=True)), "limits": 1000}
    assert places == {name: one.order for name, one in DECLARED.items() if name in places}


def test_planted_faults_may_show_in_every_look_at_the_image() -> None:
    assert LOOKS == model.LOOKS


def test_facts_that_nobody_looked_up_are_not_confirmed() -> None:
    """No answer of the catalogue is not the answer that all is confirmed."""
    for part in (None, {"integrity": ("agent.answers",)}):
        told = replace(look(clean=True), unconfirmed=part)
        found = verdicts(seen(image=told, recovered=told))
        assert (Verdict.UNKNOWN, Verdict.UNKNOWN) == (found["image.integrity"], found["integrity"])


OPTIONAL = [field.name for field in fields(Evidence) if field.default is None]


@pytest.mark.parametrize("part", OPTIONAL)
def test_each_optional_part_can_be_absent(part: str) -> None:
    """None is a value of its own in every part: no check takes it for an answer, none breaks."""
    found = judge_all(replace(seen(), **{part: None}))
    assert all(not check.findings or check.verdict is not Verdict.PASS for check in found)
    assert [] == [f.code for check in found for f in check.findings if f.code.endswith(".broken")]


# --- a check that breaks


class Boom:
    declared = Declaration(name="boom")

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        raise KeyError("a defect of a plug-in")


class Junk:
    declared = Declaration(name="boom")

    def check(self, evidence: Evidence) -> Sequence[Finding]:
        return ["fine"]  # type: ignore[list-item]


@pytest.mark.parametrize("checker", [Boom, Junk])
def test_a_check_that_breaks_is_unknown_and_the_others_go_on(
    checker: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the distribution that it came from."""
    load, names = plugins.load, plugins.names
    monkeypatch.setattr(
        declared.plugins,
        "load",
        lambda group, name, required: checker if name == "boom" else load(group, name, required),
    )
    monkeypatch.setattr(declared.plugins, "names", lambda group: [*names(group), "boom"])
    monkeypatch.setattr(plugins, "origin", lambda group, name: "boom-checks")
    found = judge_all(seen(recovered=look(clean=True)))
    (broken,) = [check for check in found if check.name == "boom"]
    assert (Verdict.UNKNOWN, "boom.broken") == (broken.verdict, broken.findings[0].code)
    assert "boom-checks" in broken.findings[0].message
    assert [*CHECKS, "boom"] == [check.name for check in found]
    assert Verdict.PASS is verdicts(seen(recovered=look(clean=True)))["integrity"]


def test_a_check_that_cannot_be_loaded_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(group: str, name: str, required: Sequence[str]) -> object:
        raise ImportError(name)

    monkeypatch.setattr(declared.plugins, "load", refuse)
    assert {(Verdict.UNKNOWN, 0.0)} == {(check.verdict, check.duration_s) for check in judge_all(seen())}


# --- files of the image


def files(**given: int) -> dict[Path, int]:
    return {Path(name.replace("_", "/")): size for name, size in given.items()}


EXPECTED = (
    ExpectedFile(path=Path("db/one"), least=100, most=100, database=True),
    ExpectedFile(path=Path("journal"), least=10, most=20),
    ExpectedFile(path=Path("stream"), least=0, most=None),
)


@pytest.mark.parametrize(
    ("there", "code"),
    [
        (files(db_one=100, journal=15, stream=7), None),
        (files(db_one=100, journal=10, stream=0, extra=3), None),
        (files(journal=15, stream=7), "snapshot.incomplete"),
        (files(), "snapshot.incomplete"),
        (files(db_one=100, journal=15), "snapshot.incomplete"),
        (files(db_one=99, journal=15, stream=7), "snapshot.size"),
        (files(db_one=101, journal=15, stream=7), "snapshot.size"),
        (files(db_one=100, journal=21, stream=7), "snapshot.other_size"),
        (files(db_one=100, journal=9, stream=7), "snapshot.other_size"),
        (None, "snapshot.not_checked"),
    ],
)
def test_the_image_holds_every_file_of_the_source(there: dict[Path, int] | None, code: str | None) -> None:
    evidence = seen(window=replace(window(), files=EXPECTED), files=there)
    (check,) = [check for check in judge_all(evidence) if check.name == "snapshot"]
    assert [code] * bool(code) == [finding.code for finding in check.findings]


def test_a_source_that_could_not_be_listed_proves_nothing() -> None:
    evidence = seen(window=replace(window(), files=None), files=files(db_one=100))
    assert Verdict.UNKNOWN is verdicts(evidence)["snapshot"]


# --- the hold


def hold(evidence: Evidence) -> list[str]:
    (check,) = [check for check in judge_all(evidence) if check.name == "hold"]
    return [finding.code for finding in check.findings]


WATCHED = window().before


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, []),
        ({"before": (), "after": ()}, ["hold.not_checked"]),
        ({"before": WATCHED[:1], "after": WATCHED[:1]}, ["hold.not_checked"]),
        ({"after": (replace(WATCHED[0], size_bytes=9), WATCHED[1])}, ["hold.changed"]),
        ({"after": (replace(WATCHED[0], modified_ns=9), WATCHED[1])}, ["hold.changed"]),
        ({"after": (replace(WATCHED[0], inode=9), WATCHED[1])}, ["hold.changed"]),
        ({"after": (replace(WATCHED[0], changed_ns=9), WATCHED[1])}, ["hold.touched"]),
    ],
)
def test_what_moved_in_the_window(change: dict[str, object], codes: list[str]) -> None:
    """A change time alone is no write; files that were not watched did not stand still."""
    seen_window = replace(window(), **change)  # type: ignore[arg-type]
    assert codes == hold(seen(window=seen_window, watched=WATCHED, watched_now=WATCHED))


@pytest.mark.parametrize(("watched", "now"), [(None, None), (WATCHED, None), (None, WATCHED)])
def test_an_image_that_nobody_watched_needs_a_look_at_it(watched: object, now: object) -> None:
    """Not watched and not looked at: UNKNOWN. A look at the image is a proof of its own."""
    assert ["hold.not_checked"] == hold(seen(window=window(), watched=watched, watched_now=now))


def test_an_image_that_went_on_changing_was_not_complete() -> None:
    later = (replace(WATCHED[0], changed_ns=9), WATCHED[1])
    assert ["hold.incomplete"] == hold(seen(window=window(), watched=WATCHED, watched_now=later))
    assert ["hold.incomplete"] == hold(seen(window=window(), watched=WATCHED, watched_now=WATCHED[:1]))


def test_nothing_checked_is_no_case() -> None:
    """A judgement without one look at anything is UNKNOWN in the report, too."""
    from tests.unit.report.test_reporters import SAMPLE

    case = replace(SAMPLE.cases[0], checks=tuple(judge_all(seen(image=None))))
    assert Verdict.UNKNOWN is case_verdict(case)
