"""The order of a run with stages that are played: what a failed backup leaves, what ends a run, what is closed."""

from __future__ import annotations

import os
import random
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import cycle, store
from harness.errors import (
    HarnessError,
    InstanceError,
    MachineError,
    PreconditionError,
    SnapshotError,
    ThawError,
)
from harness.instance.base import Host as Host_
from harness.model import CaseRecord, RecoveryMode, Verdict
from harness.plan.model import InstanceSpec, Limits
from harness.session import opening
from harness.session.progress import CaseDone, Event
from harness.session.session import Session
from tests.conftest import small_plan
from tests.noting import Noting
from tests.unit.settings import backup, case, description, session
from tests.windows import window

ROLLFORWARD, BOOT = RecoveryMode.ROLLFORWARD, RecoveryMode.BOOT
CASES = [case(ROLLFORWARD), case(BOOT)]


class Provider:
    def __init__(self, trouble: Exception | None = None) -> None:
        self.released: list[object] = []
        self.recovered: list[RecoveryMode] = []
        self.trouble = trouble

    def release(self, snapshot: object) -> None:
        self.released.append(snapshot)
        if self.trouble:
            raise self.trouble


def passed(name: str, verdict: Verdict = Verdict.PASS) -> CaseRecord:
    return CaseRecord(
        name=name,
        verdict=verdict,
        freeze=None,
        snapshot=None,
        restore=None,
        rollforward=None,
        recovery=None,
        checks=(),
        stages=(),
    )


def raising(error: BaseException) -> Any:
    def played(*_: object, **__: object) -> None:
        raise error

    return played


@pytest.fixture
def made(tmp_path: Path) -> Session:
    return session(tmp_path)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The backup succeeds, and so does each recovery."""
    there = Provider()
    monkeypatch.setattr(cycle, "back_up", lambda *_: backup(provider=there, journals=None))

    def recover(_: object, __: object, point: Any, *, name: str) -> CaseRecord:
        there.recovered.append(point.mode)
        return passed(name)

    monkeypatch.setattr(cycle, "recover", recover)
    return there


# --- one backup and its cases


def test_each_case_is_recovered_from_one_backup_which_is_removed_then(
    made: Session, provider: Provider
) -> None:
    found = cycle.back_up_and_recover(made, CASES)
    names = []
    for one in found:
        assert [] == provider.released, "the next case needs it"
        names.append(one.name)
    assert [one.name for one in CASES] == names
    assert [ROLLFORWARD, BOOT] == provider.recovered
    assert [window().snapshot] == provider.released


def test_what_is_backed_up_is_asked_of_all_modes(made: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(cycle, "back_up", lambda *words: asked.extend(words) or raising(InstanceError("x"))())
    list(cycle.back_up_and_recover(made, CASES))
    assert (CASES[0].snapshot, [ROLLFORWARD, BOOT]) == (asked[1], asked[2])


@pytest.mark.parametrize("error", [InstanceError("it is gone"), OSError(28, "No space left on device")])
def test_a_backup_that_failed_leaves_every_case_unknown_with_the_reason(
    made: Session, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A case that vanished would let the others pass for the whole."""
    monkeypatch.setattr(cycle, "back_up", raising(error))
    monkeypatch.setattr(cycle, "recover", raising(AssertionError("there is nothing to recover from")))
    found = list(cycle.back_up_and_recover(made, CASES))
    assert [one.name for one in CASES] == [one.name for one in found]
    assert {Verdict.UNKNOWN} == {one.verdict for one in found}
    for one in found:
        said = {finding.witness for check in one.checks for finding in check.findings}
        word = "it is gone" if isinstance(error, InstanceError) else "No space left"
        assert any(text.startswith("backup: ") and word in text for text in said)


def test_one_mode_alone_is_a_backup_too(made: Session, provider: Provider) -> None:
    assert [CASES[1].name] == [one.name for one in cycle.back_up_and_recover(made, CASES[1:])]


def test_a_thaw_that_is_not_confirmed_ends_everything(made: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycle, "back_up", raising(ThawError("still frozen?", "iris session")))
    with pytest.raises(ThawError):
        list(cycle.back_up_and_recover(made, CASES))


def test_a_defect_in_a_recovery_releases_the_snapshot(
    made: Session, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cycle, "recover", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        list(cycle.back_up_and_recover(made, CASES))
    assert [window().snapshot] == provider.released


def test_without_a_snapshot_there_is_none_to_release(
    made: Session, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = backup(provider=provider, journals=None, window=replace(window(), snapshot=None))
    monkeypatch.setattr(cycle, "back_up", lambda *_: bare)
    monkeypatch.setattr(cycle, "recover", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        list(cycle.back_up_and_recover(made, CASES))
    assert [] == provider.released


def test_a_snapshot_that_cannot_be_removed_changes_no_verdict(made: Session, provider: Provider) -> None:
    provider.trouble = SnapshotError("busy")
    found = list(cycle.back_up_and_recover(made, CASES))
    assert {Verdict.PASS} == {one.verdict for one in found}
    progress = made.progress
    assert isinstance(progress, Noting)
    assert ["cycle 1 · copy: the snapshot could not be removed: busy"] == progress.notes


# --- a whole run


@pytest.fixture
def played(made: Session, monkeypatch: pytest.MonkeyPatch) -> list[CaseRecord]:
    """A run whose instance is there at once, and whose cases come from this list."""
    found: list[CaseRecord] = []

    @contextmanager
    def opened(*_: object) -> Iterator[Session]:
        yield made

    monkeypatch.setattr(cycle, "opened_for", opened)
    monkeypatch.setattr(cycle, "back_up_and_recover", lambda _, __: iter(found))
    return found


def run(tmp_path: Path, made: Session, **said: Any) -> tuple[Any, Path]:
    plan = small_plan(**{"recovery": (ROLLFORWARD, BOOT), **said})
    return cycle.run(plan, seed=7, out=tmp_path / "out", argv=("harness", "run"), progress=made.progress)


def stored(tmp_path: Path) -> Any:
    (folder,) = (tmp_path / "out" / "small").iterdir()
    return store.load(folder)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((Verdict.PASS, Verdict.PASS), Verdict.PASS),
        ((Verdict.PASS, Verdict.FAIL), Verdict.FAIL),
        ((Verdict.UNKNOWN, Verdict.PASS), Verdict.UNKNOWN),
    ],
)
def test_the_worst_case_is_the_verdict_of_the_run(
    tmp_path: Path,
    made: Session,
    played: list[CaseRecord],
    verdicts: tuple[Verdict, ...],
    expected: Verdict,
) -> None:
    played += [passed(f"case {n}", verdict) for n, verdict in enumerate(verdicts)]
    record, folder = run(tmp_path, made)
    assert (expected, True, 2, 7) == (record.verdict, record.finished, record.planned, record.seed)
    assert tuple(played) == record.cases
    assert record == store.load(folder)
    progress = made.progress
    assert isinstance(progress, Noting) and ["case 0", "case 1"] == progress.done and 2 == progress.cases


def test_the_record_holds_each_case_as_soon_as_it_has_its_verdict(
    tmp_path: Path, made: Session, played: list[CaseRecord]
) -> None:
    """A run that is killed leaves what it found, and does not call it finished."""
    seen: list[Any] = []

    class Looking(Noting):
        def tell(self, event: Event) -> None:
            if isinstance(event, CaseDone):
                seen.append(stored(tmp_path))

    played += [passed("case 0"), passed("case 1")]
    run(tmp_path, replace(made, progress=Looking()))
    assert [1, 2] == [len(one.cases) for one in seen]
    assert [(False, Verdict.UNKNOWN)] * 2 == [(one.finished, one.verdict) for one in seen]


def test_a_record_is_there_before_anything_is_done(tmp_path: Path, made: Session) -> None:
    """A run that is killed in its first second leaves one."""
    cycle.RunRecord.begin(small_plan(), 7, tmp_path / "out", ("harness",))
    record = stored(tmp_path)
    assert (False, Verdict.UNKNOWN, (), "small") == (
        record.finished,
        record.verdict,
        record.cases,
        record.plan,
    )


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ThawError("still frozen?", "by hand"), "still frozen?"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (PreconditionError("no tool", "get it"), "no tool"),
    ],
)
def test_what_ends_a_run_is_in_its_record_and_is_raised(
    tmp_path: Path,
    made: Session,
    played: list[CaseRecord],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    word: str,
) -> None:
    monkeypatch.setattr(cycle, "back_up_and_recover", raising(error))
    with pytest.raises(type(error)):
        run(tmp_path, made)
    record = stored(tmp_path)
    assert (False, Verdict.UNKNOWN) == (record.finished, record.verdict)
    assert word in record.error


def test_a_full_disk_in_a_run_is_told_as_one(
    tmp_path: Path, made: Session, played: list[CaseRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cycle, "back_up_and_recover", raising(OSError(28, "No space left on device")))
    with pytest.raises(MachineError):
        run(tmp_path, made)


def test_a_record_that_cannot_be_written_hides_no_error(
    tmp_path: Path, made: Session, played: list[CaseRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thaw that is not confirmed is what a person must hear of."""

    def trouble(*_: object) -> None:
        monkeypatch.setattr(store, "save", raising(PreconditionError("full", "make room")))
        raise ThawError("still frozen?", "by hand")

    monkeypatch.setattr(cycle, "back_up_and_recover", trouble)
    with pytest.raises(ThawError):
        run(tmp_path, made)


def test_a_record_that_cannot_be_written_ends_a_run(
    tmp_path: Path, made: Session, played: list[CaseRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a verdict would be told that nothing holds."""
    played.append(passed("case 0"))
    monkeypatch.setattr(store, "_replace", _after(2, store._replace))
    with pytest.raises(PreconditionError):
        run(tmp_path, made)


def _after(times: int, works: Any) -> Any:
    left = [times]

    def played(*words: object, **more: object) -> None:
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        works(*words, **more)

    return played


def test_the_cases_of_one_backup_go_together(
    tmp_path: Path, made: Session, played: list[CaseRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, list[str]]] = []

    def noted(_: object, cases: list[Any]) -> Iterator[CaseRecord]:
        asked.append((cases[0].backup, [one.recovery.value for one in cases]))
        return iter(passed(one.name) for one in cases)

    monkeypatch.setattr(cycle, "back_up_and_recover", noted)
    record, _ = run(tmp_path, made, cycles=2)
    modes = [ROLLFORWARD.value, BOOT.value]
    assert [("cycle 1 · copy", modes), ("cycle 2 · copy", modes)] == asked
    assert 4 == len(record.cases) == record.planned


@pytest.mark.parametrize(("name", "image"), [(None, "stand-in"), ("DEMO", "")])
def test_the_record_names_the_product_and_an_image_only_where_one_was_run(
    tmp_path: Path, made: Session, played: list[CaseRecord], name: str | None, image: str
) -> None:
    own = replace(made, notes=("odd",))

    @contextmanager
    def opened(*_: object) -> Iterator[Session]:
        yield own

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cycle, "opened_for", opened)
        record, _ = run(tmp_path, own, instance=InstanceSpec(name=name))
    found = record.instance
    assert found
    assert ("toy", "1", True, "local", image, ("odd",)) == (
        found.product,
        found.version,
        found.stand_in,
        found.host,
        found.image,
        found.notes,
    )
    assert {"harness", "python", "kernel"} == set(record.versions)
    assert ("harness", "run") == record.argv


# --- what surrounds a run


class Host:
    """Notes what it is asked in a list that all share."""

    image_digest = ""

    def __init__(self, spec: Any, folder: Path, transcript: object, said: list[str], trouble: Any) -> None:
        self.in_containers = False
        self._spec, self._folder, self._said, self._trouble = spec, folder, said, trouble

    def _told(self, word: str) -> None:
        self._said.append(word)
        if word in self._trouble:
            raise self._trouble[word]

    def probe(self) -> None:
        self._told("probe")

    def root(self) -> Path:
        return self._folder

    def source(self) -> str:
        self._told("source")
        return "place"

    def environment(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        self._told("close host")


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """`opened` with everything played; `said` is what was done, `trouble` what a step raises."""
    there = SimpleNamespace(said=[], trouble={}, entry=SimpleNamespace())

    def closing(name: str) -> Any:
        def made(*_: object) -> Any:
            there.said.append(name)
            if name in there.trouble:
                raise there.trouble[name]
            return SimpleNamespace(
                close=lambda: there.said.append(f"close {name}"),
                prepare=lambda: there.said.append("prepare"),
            )

        return made

    class Source:
        def __init__(self, place: object) -> None: ...

        def describe(self) -> Any:
            return description(tmp_path / "source")

        def clear(self) -> None:
            there.said.append("clear")

        def switch_journal(self) -> Any:
            return SimpleNamespace(journal_file="20261122.009")

    (tmp_path / "source/db/one").mkdir(parents=True)
    monkeypatch.setattr(opening, "_host", lambda *words: Host(*words, there.said, there.trouble))
    for name, value in {
        "Targets": closing("targets"),
        "Watchdog": closing("watchdog"),
        "Ledger": closing("ledger"),
        "Instance": Source,
    }.items():
        monkeypatch.setattr(opening, name, value)
    monkeypatch.setattr(opening.leftovers, "register", _registered(there))
    monkeypatch.setattr(opening.leftovers, "finish", lambda _: there.said.append("finish"))
    return there


def _registered(there: SimpleNamespace) -> Any:
    def register(work: Path) -> Any:
        work.mkdir()
        there.said.append("register")
        return there.entry

    return register


def open_it(tmp_path: Path, **said: Any) -> Any:
    folder = tmp_path / "run"
    folder.mkdir()
    return cycle.opened_for(small_plan(**said), 7, folder, Noting())


def test_everything_is_closed_in_order_and_the_log_is_kept(
    tmp_path: Path, surroundings: SimpleNamespace
) -> None:
    with open_it(tmp_path) as opened:
        opened.freeze_log.write_text("log")
        assert opened.first_journal is None and opened.seed == 7 and () == opened.notes
        surroundings.said.clear()
    assert ["close watchdog", "close targets", "close host", "close ledger", "finish"] == surroundings.said
    assert "log" == (tmp_path / "run" / store.FREEZE_LOG).read_text()


def test_the_first_target_is_made_ready_while_the_load_goes_on(
    tmp_path: Path, surroundings: SimpleNamespace
) -> None:
    with open_it(tmp_path):
        assert "prepare" in surroundings.said


def test_a_plan_that_the_licence_does_not_allow_is_run_with_fewer_writers_and_that_is_said(
    tmp_path: Path, surroundings: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(description(tmp_path / "source"), sessions_max=5)
    monkeypatch.setattr(opening.Instance, "describe", lambda _: few)
    with open_it(tmp_path, writers=12) as opened:
        assert 2 == opened.workload.writers
        assert any("2 writers instead of 12" in note for note in opened.notes)
        assert list(opened.notes) == opened.progress.notes


def test_a_host_must_have_all_that_the_port_asks_for() -> None:
    """One without `close` would be noticed when its instances are left running."""
    asked = {name for name in vars(Host_) if not name.startswith("_")}
    assert asked <= set(opening._HOST)


def test_an_instance_that_lives_longer_begins_anew(tmp_path: Path, surroundings: SimpleNamespace) -> None:
    """What an earlier run left in it must not be taken for this one's."""
    with open_it(tmp_path, instance=InstanceSpec(name="DEMO")) as opened:
        assert "20261122.009" == opened.first_journal
    assert "clear" in surroundings.said


def test_one_of_our_own_needs_no_clearing(tmp_path: Path, surroundings: SimpleNamespace) -> None:
    with open_it(tmp_path):
        pass
    assert "clear" not in surroundings.said


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InstanceError("gone"), ValueError("a defect")])
def test_everything_is_closed_whatever_ended_the_run(
    tmp_path: Path, surroundings: SimpleNamespace, error: BaseException
) -> None:
    with pytest.raises(type(error)), open_it(tmp_path) as opened:
        opened.freeze_log.write_text("log")
        raise error
    closed = {"close watchdog", "close targets", "close host", "close ledger", "finish"}
    assert closed <= set(surroundings.said)
    assert "log" == (tmp_path / "run" / store.FREEZE_LOG).read_text()


def test_after_a_thaw_that_is_not_confirmed_everything_stays_but_the_log_is_kept(
    tmp_path: Path, surroundings: SimpleNamespace
) -> None:
    with pytest.raises(ThawError), open_it(tmp_path) as opened:
        opened.freeze_log.write_text("log")
        surroundings.said.clear()
        raise ThawError("still frozen?", "by hand")
    assert [] == surroundings.said
    assert "log" == (tmp_path / "run" / store.FREEZE_LOG).read_text()


@pytest.mark.parametrize("error", [ThawError("still frozen?", "by hand"), InstanceError("gone")])
def test_a_log_that_cannot_be_kept_hides_no_error(
    tmp_path: Path, surroundings: SimpleNamespace, error: HarnessError
) -> None:
    with pytest.raises(type(error)), open_it(tmp_path) as opened:
        opened.freeze_log.unlink()
        raise error


@pytest.mark.parametrize("step", ["probe", "source", "watchdog", "ledger"])
def test_what_cannot_be_started_leaves_nothing(
    tmp_path: Path, surroundings: SimpleNamespace, step: str
) -> None:
    surroundings.trouble[step] = PreconditionError("missing", "get it")
    with pytest.raises(PreconditionError), open_it(tmp_path):
        raise AssertionError("nothing was opened")
    assert {"close host", "finish"} <= set(surroundings.said)
    assert ("close watchdog" in surroundings.said) is (step in ("source", "ledger"))


def test_one_that_cannot_be_closed_keeps_no_other_open(tmp_path: Path, surroundings: SimpleNamespace) -> None:
    surroundings.trouble["close host"] = InstanceError("it does not end")
    with pytest.raises(InstanceError), open_it(tmp_path):
        pass
    assert ["close host", "close ledger", "finish"] == surroundings.said[-3:]


def test_a_target_of_its_own_has_a_host_of_its_own(tmp_path: Path, surroundings: SimpleNamespace) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    plan = replace(small_plan(), target=InstanceSpec(image="other"))
    with cycle.opened_for(plan, 7, folder, Noting()) as opened:
        assert opened.host is not opened.target_host
    assert 2 == surroundings.said.count("probe") == surroundings.said.count("close host")


def test_other_databases_are_said_to_be_looked_at_in_part(
    tmp_path: Path, surroundings: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = replace(description(tmp_path / "source"), others=(tmp_path / "source/db/extra",))
    monkeypatch.setattr(opening.Instance, "describe", lambda _: more)
    with open_it(tmp_path) as opened:
        assert ["of other databases only the structure is checked, not what they hold: extra"] == list(
            opened.notes
        )
        assert list(opened.notes) == opened.progress.notes


# --- the freeze log, which the user of the instance writes


def bits(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def log_of(tmp_path: Path) -> Path:
    (tmp_path / "run/work").mkdir(parents=True)
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "run/work").chmod(0o755)
    log = tmp_path / "run/work/log/freeze.log"
    umask = os.umask(0)
    try:
        opening._make_log(log)
    finally:
        os.umask(umask)
    return log


def test_nobody_else_may_come_to_the_log_before_it_is_given_to_its_user(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    assert (0o700, 0o600, "") == (bits(log.parent), bits(log), log.read_text())


def test_a_log_of_our_own_user_is_for_him_and_his_group(tmp_path: Path) -> None:
    log, found = log_of(tmp_path), description(tmp_path / "source")
    found.databases["one"].mkdir(parents=True)
    assert () == opening._open_log(log, found, way=True)
    assert (0o660, 0o750, 0o755) == (bits(log), bits(log.parent), bits(log.parent.parent))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("way", [True, False])
def test_a_log_of_another_user_is_given_to_him_and_the_way_to_it(tmp_path: Path, way: bool) -> None:
    log, found = log_of(tmp_path), description(tmp_path / "source")
    found.databases["one"].mkdir(parents=True)
    os.chown(found.databases["one"], 4711, 4712)
    assert () == opening._open_log(log, found, way=way)
    owners = [(one.stat().st_uid, one.stat().st_gid) for one in (log, log.parent, log.parent.parent)]
    own = (os.geteuid(), os.getegid())
    assert [(4711, 4712), (own[0], 4712), (own[0], 4712) if way else own] == owners
    assert (0o660, 0o750, 0o710 if way else 0o755) == (bits(log), bits(log.parent), bits(log.parent.parent))


def test_where_it_cannot_be_given_away_all_may_write_it_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, found = log_of(tmp_path), description(tmp_path / "source")
    found.databases["one"].mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: 99)
    monkeypatch.setattr(os, "chown", raising(PermissionError(1, "Operation not permitted")))
    (note,) = opening._open_log(log, found, way=True)
    assert f"the freeze log {log} may be written by every user" in note
    assert (0o666, 0o711, 0o711) == (bits(log), bits(log.parent), bits(log.parent.parent))


def test_a_host_is_found_by_its_name(tmp_path: Path) -> None:
    made = opening._host(InstanceSpec(host="local"), tmp_path, object())  # type: ignore[arg-type]
    assert "LocalHost" == type(made).__name__
    with pytest.raises(HarnessError):
        opening._host(InstanceSpec(host="nowhere"), tmp_path, object())  # type: ignore[arg-type]


# --- what is in the record beside the verdicts


def test_a_case_has_a_key_whether_its_backup_was_made_or_not(
    made: Session, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [(1, "copy", {}, ROLLFORWARD), (1, "copy", {}, BOOT)]

    def found() -> list[Any]:
        records = cycle.back_up_and_recover(made, CASES)
        return [(k.cycle, k.provider, k.options, k.mode) for one in records if (k := one.key)]

    assert keys == found()
    monkeypatch.setattr(cycle, "back_up", raising(InstanceError("gone")))
    assert keys == found()


def test_the_record_tells_the_time_by_two_clocks(
    tmp_path: Path, made: Session, played: list[CaseRecord]
) -> None:
    played.append(passed("case 0"))
    record, _ = run(tmp_path, made)
    assert made.clock == record.clock is not None


def test_an_instance_is_summed_up_with_its_image_and_notes(tmp_path: Path, made: Session) -> None:
    host = SimpleNamespace(image_digest="sha256:7")
    found = cycle._instance(replace(made, host=host, notes=("fewer writers",)), InstanceSpec())  # type: ignore[arg-type]
    assert ("sha256:7", ("fewer writers",)) == (found.image_digest, found.notes)


def test_a_session_for_a_plan_is_opened_with_all_that_the_plan_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(cycle, "opened", lambda *_, **more: asked.update(more))
    plan = replace(
        small_plan(recovery=(ROLLFORWARD, BOOT)), limits=Limits(rpo_s=3.0), target=InstanceSpec(image="x")
    )
    cycle.opened_for(plan, 7, tmp_path, Noting())
    assert (plan.limits, plan.target, plan.freeze, plan.workload) == (
        asked["limits"],
        asked["target"],
        asked["freeze"],
        asked["workload"],
    )
    assert (2, plan.name, 7) == (asked["recoveries"], asked["name"], asked["seed"])


# --- a session over an instance of somebody else's


def over_it(tmp_path: Path, notes: list[str]) -> Any:
    there = SimpleNamespace(
        probe=lambda: notes.append("probe"),
        environment=lambda: {"A": "b"},
        close=lambda: notes.append("close host"),
    )
    (tmp_path / "work").mkdir()
    return opening.over(
        opening.Instance(None),  # type: ignore[arg-type]
        there,  # type: ignore[arg-type]
        tmp_path / "root",
        tmp_path,
        tmp_path / "work",
        seed=11,
        workload=small_plan().workload,
        recoveries=2,
        note=notes.append,
    )


def test_what_surrounds_it_is_made_and_closed_and_it_is_left_alone(
    tmp_path: Path, surroundings: SimpleNamespace
) -> None:
    """Nothing is registered: whoever started the instance did that."""
    notes: list[str] = []
    with over_it(tmp_path, notes) as session:
        assert "prepare" in surroundings.said and ["probe"] == notes
        assert (11, tmp_path, tmp_path / "work") == (session.seed, session.folder, session.work)
        assert small_plan().workload == session.workload and session.host is session.target_host
        assert random.Random(11).random() == session.random.random()
        assert 0 <= time.monotonic() - session.clock.monotonic_s < 60
        assert abs((datetime.now(UTC) - session.clock.utc).total_seconds()) < 60
    closed = {"close ledger", "close watchdog", "close targets"}
    assert closed <= set(surroundings.said) and not {"register", "finish"} & set(surroundings.said)
    assert ["probe", "close host"] == notes


def test_it_is_closed_after_an_error_too(tmp_path: Path, surroundings: SimpleNamespace) -> None:
    notes: list[str] = []
    with pytest.raises(ZeroDivisionError), over_it(tmp_path, notes):
        raise ZeroDivisionError
    assert "close ledger" in surroundings.said and "close host" in notes


def test_a_host_that_makes_more_than_files_is_told_where_to_register_it_before_it_makes_any(
    tmp_path: Path, surroundings: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Making(Host):
        def register_with(self, register: Any) -> None:
            surroundings.said.append(f"told {register}")

        @staticmethod
        def undo(made: object, ground: object, token: str) -> None: ...

    monkeypatch.setattr(
        opening, "_host", lambda *words: Making(*words, surroundings.said, surroundings.trouble)
    )
    monkeypatch.setattr(
        opening.leftovers, "registrar", lambda work, group, name: f"{work.name} {group} {name}"
    )
    with open_it(tmp_path):
        pass
    said = surroundings.said
    assert said.index("told work harness.hosts local") < said.index("probe")


def test_what_the_watchdog_says_is_a_note(
    tmp_path: Path, surroundings: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell: list[Any] = []
    monkeypatch.setattr(
        opening, "Watchdog", lambda _, __, told: tell.append(told) or SimpleNamespace(close=lambda: None)
    )
    with open_it(tmp_path) as opened:
        tell[0]("it was replaced")
        assert "it was replaced" in opened.progress.notes
