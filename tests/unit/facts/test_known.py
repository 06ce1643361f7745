"""Which facts are confirmed for an engine, and which checks therefore cannot pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.evidence.answers import Description
from harness.facts import known
from harness.facts.conformance import loads
from harness.model import IMAGE, RecoveryMode, Verdict
from tests.checks import CHECKS, DECLARED
from tests.unit.facts.made import MADE_UTC, conformance

OF_PRODUCT = {check for check in CHECKS if not check.startswith(IMAGE)}
"""Those of the image rest on the facts of the same check of a state as of the freeze."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return known.state_records()


def description(
    product: str = "IRIS", version: str = "2024.1.0.263.0", *, stand_in: bool = False
) -> Description:
    return Description(
        product=product,
        version=version,
        stand_in=stand_in,
        root=Path("/iris"),
        journal_folder=Path("/iris/journal"),
        databases={},
        notes=(),
    )


def test_of_an_engine_that_nobody_tried_nothing_is_confirmed() -> None:
    found = known.unconfirmed(description())
    assert OF_PRODUCT == set(found)
    assert set(DECLARED["hold"].facts) == set(found["hold"])


@pytest.mark.parametrize("mode", [None, *RecoveryMode])
def test_the_shipped_record_confirms_all_that_rests_on_the_stand_in(mode: RecoveryMode | None) -> None:
    assert {} == known.unconfirmed(description("GT.M", "V7.0-005", stand_in=True), mode=mode)


def test_the_record_of_the_stand_in_says_nothing_of_iris() -> None:
    assert OF_PRODUCT == set(known.unconfirmed(description("GT.M", "V7.0-005")))
    assert OF_PRODUCT == set(known.unconfirmed(description("GT.M", "V7.1-002", stand_in=True)))


def test_a_kept_record_confirms() -> None:
    known.keep(conformance())
    assert {} == known.unconfirmed(description())
    assert OF_PRODUCT == set(known.unconfirmed(description(version="2025.1.0.223.0")))


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIPPED])
def test_only_pass_confirms(verdict: Verdict) -> None:
    known.keep(conformance({"thaw.asks_first": verdict}))
    assert {"hold": ("thaw.asks_first",)} == known.unconfirmed(description())


def test_a_mode_is_burdened_with_its_own_facts_only() -> None:
    known.keep(conformance({"rollforward.start_position": Verdict.FAIL}))
    lacking = {"recovery_point": ("rollforward.start_position",)}
    assert lacking == known.unconfirmed(description(), mode=RecoveryMode.ROLLFORWARD)
    assert lacking == known.unconfirmed(description())
    assert {} == known.unconfirmed(description(), mode=RecoveryMode.BOOT)


def test_a_fact_that_was_tried_otherwise_is_not_confirmed() -> None:
    made = conformance()
    old = tuple(
        replace(fact, expected="status 0") if fact.id == "thaw.when_running" else fact for fact in made.facts
    )
    known.keep(replace(made, facts=old))
    assert {"hold": ("thaw.when_running",)} == known.unconfirmed(description())


def test_a_fact_that_the_record_lacks_is_not_confirmed() -> None:
    made = conformance()
    known.keep(replace(made, facts=tuple(f for f in made.facts if f.id != "files.time_shows_writes")))
    assert {"hold": ("files.time_shows_writes",)} == known.unconfirmed(description())


def test_the_record_made_here_outranks_the_shipped_one() -> None:
    (shipped,) = (loads(file.read_text()) for file in known.SHIPPED.glob("stand-in-*.json"))
    failed = tuple(
        replace(f, verdict=Verdict.FAIL) if f.id == "thaw.asks_first" else f for f in shipped.facts
    )
    known.keep(replace(shipped, facts=failed, made_utc=MADE_UTC))
    found = known.unconfirmed(description(shipped.product, shipped.version, stand_in=True))
    assert {"hold": ("thaw.asks_first",)} == found


@pytest.mark.parametrize("text", ["", "{}", "not JSON", '{"schema": "harness.conformance/9"}'])
def test_an_unreadable_record_confirms_nothing(text: str) -> None:
    known.keep(conformance()).write_text(text)
    assert OF_PRODUCT == set(known.unconfirmed(description()))


def test_a_record_of_another_engine_under_this_ones_name_confirms_nothing() -> None:
    file = known.keep(conformance(version="2024.1/0"))
    assert "IRIS-2024.1_0.json" == file.name
    assert known.known_for("IRIS", "2024.1/0", False)
    assert known.known_for("IRIS", "2024.1_0", False) is None
