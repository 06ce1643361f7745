"""`harness conform` on the stand-in: what it observes is what ships, and every probe tried here can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.command import Completed
from harness.conform import probes_recovery, run
from harness.conform.bench import Bench
from harness.errors import CommandTimeout, InstanceError, ThawError
from harness.evidence.answers import JournalFile
from harness.facts import known
from harness.facts.catalogue import FACTS, Fact
from harness.facts.conformance import FactResult, loads
from harness.instance.iris import Instance
from harness.model import Verdict
from harness.plan.model import InstanceSpec
from harness.session.entry import state_folder
from harness.session.progress import SilentProgress
from harness.session.session import Session
from tests.conftest import Opener

pytestmark = pytest.mark.e2e

LIMIT_S = 60.0


def test_the_stand_in_is_as_its_shipped_record_says(needs_stand_in: None, tmp_path: Path) -> None:
    """The whole command, as a user calls it; nothing of it is left but the record."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(temporary)}
    done = subprocess.run(
        [sys.executable, "-m", "harness", "conform", "--image", "stand-in", "--format", "json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    found = loads(done.stdout)
    shipped = known.known_for(found.product, found.version, found.stand_in)
    assert shipped, "no record of this engine ships: see docs/conformance.md"
    assert _essence(shipped.facts) == _essence(found.facts)
    assert [] == list(temporary.iterdir())
    kept = [p for p in (tmp_path / "state").rglob("*") if p.is_file()]
    assert [known.file_name(found.product, found.version, True)] == [file.name for file in kept]
    assert [] == _processes_below(temporary)


def _essence(facts: Sequence[FactResult]) -> list[tuple[str, str, str, Verdict]]:
    """Where two answers are right, either may come."""
    either = ", or "
    return [(f.id, f.expected, "" if either in f.expected else f.observed, f.verdict) for f in facts]


def _processes_below(folder: Path) -> list[str]:
    """Processes that were told of a folder, in their arguments or their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in said:
            found.append(process.name)
    return found


@pytest.fixture(scope="module")
def session(open_session: Opener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with run.opened_to_try(
        InstanceSpec(), None, tmp_path_factory.mktemp("conform"), SilentProgress()
    ) as made:
        yield made


@dataclass
class Lying:
    """A place whose answers to some calls are altered on their way."""

    place: Any
    altered: dict[str, Callable[[Completed], Completed]]

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        done: Completed = self.place.run(argv, **options)
        for part, alter in self.altered.items():
            if part in " ".join(argv):
                return alter(done)
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self.place, name)


def tried(identifier: str, bench: Bench, limit_s: float = LIMIT_S) -> FactResult:
    return run.try_fact(_fact(identifier), bench, limit_s)


def _fact(identifier: str) -> Fact:
    return next(fact for fact in FACTS if fact.id == identifier)


def lying(session: Session, **altered: Callable[[Completed], Completed]) -> Bench:
    return Bench(session, Instance(Lying(session.source.place, altered)))


def ends_with(status: int) -> Callable[[Completed], Completed]:
    return lambda done: replace(done, status=status)


def says(old: str, new: str) -> Callable[[Completed], Completed]:
    return lambda done: replace(done, stdout=done.stdout.replace(old, new))


@pytest.mark.parametrize(
    ("identifier", "altered"),
    [
        ("session.freeze_exit_status", {"ExternalFreeze": ends_with(0)}),
        ("session.thaw_exit_status", {"ExternalThaw": ends_with(3)}),
        ("session.is_suspended_exit_status", {"IsWDSuspendedExt": ends_with(3)}),
        ("session.error_is_no_answer", {"NoSuchMethod": ends_with(5)}),
        ("thaw.when_running", {"ExternalThaw": ends_with(5)}),
        ("thaw.asks_first", {"Agent).Thaw": says('"suspended": false', '"suspended": true')}),
        ("freeze.second_is_refused", {"ExternalFreeze": ends_with(5)}),
        ("freeze.log_unwritable", {"ExternalFreeze": ends_with(5)}),
        ("freeze.log_zero_is_stdout", {"ExternalFreeze": says("System suspended", "System at rest")}),
        ("freeze.text_in_marker", {"ReadMarker": says("5f0b6c1e", "5F0B6C1E")}),
        ("marker.offset_begins_record", {"ReadMarker": says('"none"', '"marker"')}),
        ("login.blocked_status", {"Describe": ends_with(3)}),
        ("agent.refuses_with_3", {"Journals": ends_with(5)}),
        ("journals.linked", {"Journals": says('"previous": "', '"previous": "another ')}),
        ("journals.last_committed", {"LastCommitted": says('"one": ', '"one": 1')}),
        ("list.qlist_fields", {"qlist": says("running", "sign-on inhibited")}),
        ("list.qall_header", {"qall": says("    Instance", "\n    Instance")}),
    ],
)
def test_an_engine_that_answers_otherwise_fails(
    session: Session, identifier: str, altered: dict[str, Callable[[Completed], Completed]]
) -> None:
    result = tried(identifier, lying(session, **altered))
    assert Verdict.FAIL is result.verdict, result
    assert result.observed != result.expected
    assert not session.source.is_frozen()


def test_an_engine_that_prints_something_else_is_unknown(session: Session) -> None:
    bench = lying(session, **{"Agent).Thaw": lambda done: replace(done, stdout="<UNDEFINED>\n")})
    assert Verdict.UNKNOWN is tried("thaw.asks_first", bench).verdict
    bench = lying(session, **{"Agent).Thaw": lambda done: replace(done, stdout="{}\n")})
    assert Verdict.UNKNOWN is tried("thaw.asks_first", bench).verdict
    assert not session.source.is_frozen()


def test_files_that_change_while_frozen_fail(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(session)
    digests = iter([["a"], ["b"]])
    monkeypatch.setattr(bench, "digests", lambda: next(digests))
    assert "files changed, updates went on" == tried("freeze.files_stand_still", bench).observed


def test_writes_that_do_not_show_fail(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(session)
    monkeypatch.setattr(bench, "statuses", lambda: [])
    assert Verdict.FAIL is tried("files.time_shows_writes", bench).verdict


@pytest.fixture(scope="module")
def honest(session: Session) -> Bench:
    """One bench whose backup the tests below share."""
    bench = Bench(session)
    assert Verdict.PASS is tried("restore.place_and_mount", bench).verdict
    return bench


@contextmanager
def with_backup(bench: Bench, **changes: Any) -> Iterator[None]:
    """The bench with something else in its backup."""
    right = bench.taken
    bench.__dict__["taken"] = replace(right, **changes)
    try:
        yield
    finally:
        bench.__dict__["taken"] = right


def test_a_restore_that_brings_back_too_little_fails(honest: Bench) -> None:
    more = {writer: number + 1 for writer, number in honest.taken.at_freeze.items()}
    with with_backup(honest, at_freeze=more):
        for identifier in ("restore.place_and_mount", "boot.recovers", "freeze.files_are_current"):
            assert Verdict.FAIL is tried(identifier, honest).verdict


def test_a_stop_at_another_place_fails(honest: Bench) -> None:
    with with_backup(honest, at_point=honest.taken.at_freeze):
        assert Verdict.FAIL is tried("rollforward.stop_at_marker", honest).verdict
    with with_backup(honest, at_end=honest.taken.at_point):
        assert Verdict.FAIL is tried("rollforward.start_position", honest).verdict


def test_damage_that_the_engine_does_not_see_fails(honest: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is damaged, so the engine is right to find nothing, and the probe must not be content with it."""
    monkeypatch.setattr(probes_recovery, "damage", lambda file: None)
    result = tried("integrity.damage_is_seen", honest)
    assert (Verdict.FAIL, "no errors") == (result.verdict, result.observed)


def test_spoiled_journals_that_nobody_notices_fail(honest: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Instance.journals

    def hopeful(instance: Instance, folder: Path) -> tuple[JournalFile, ...]:
        spoiled = folder.name.startswith("spoiled")
        return honest.taken.journals.expected if spoiled else read(instance, folder)

    monkeypatch.setattr(Instance, "journals", hopeful)
    for identifier in (
        "journals.truncated_is_seen",
        "journals.foreign_refused",
        "rollforward.missing_middle_is_seen",
    ):
        assert Verdict.FAIL is tried(identifier, honest).verdict, identifier


def test_a_roll_forward_from_anywhere_fails(honest: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes_recovery, "roll_forward", lambda *_: None)
    assert "accepted" == tried("rollforward.start_between_records_refused", honest).observed


def test_a_probe_that_breaks_off_is_unknown_and_the_instance_runs(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks_off(bench: Bench) -> Any:
        bench.freeze(bench.log())
        assert session.source.is_frozen()
        raise InstanceError("something else")

    monkeypatch.setitem(run.PROBES, "agent.answers", breaks_off)
    result = tried("agent.answers", Bench(session))
    assert (Verdict.UNKNOWN, "inconclusive: something else") == (result.verdict, result.observed)
    assert not session.source.is_frozen()


def test_a_probe_that_does_not_end_is_unknown(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def never_ends(bench: Bench) -> Any:
        bench.place.run(["sleep", "60"])

    monkeypatch.setitem(run.PROBES, "agent.answers", never_ends)
    result = tried("agent.answers", Bench(session), limit_s=0.3)
    assert Verdict.UNKNOWN is result.verdict and "did not end within" in result.observed
    assert not session.source.is_frozen()


def test_an_instance_that_stays_frozen_ends_the_run(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is recorded of an instance that may still be frozen: the error goes up, with the way out."""

    def no_thaw(*_: object) -> Any:
        raise ThawError("refused", "iris session SOURCE")

    with monkeypatch.context() as broken:
        broken.setattr(Instance, "thaw", no_thaw)
        with pytest.raises(ThawError, match="iris session SOURCE"):
            tried("session.freeze_exit_status", Bench(session))
    assert session.source.is_frozen()
    session.source.thaw(session.folder / "by-hand.log")
    session.watchdog.disarm()


def test_a_login_that_hangs_is_an_answer_too(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(done: Completed) -> Completed:
        raise CommandTimeout(done.argv, -9, 5.0, "")

    result = tried("login.blocked_status", lying(session, Describe=hangs))
    assert (Verdict.PASS, "no answer") == (result.verdict, result.observed)


def test_nothing_is_registered_but_this_run(session: Session) -> None:
    assert 1 == len(list(state_folder().glob("*.json")))
