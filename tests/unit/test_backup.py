"""A backup whose window and load are played: what was promised, what is kept, what is removed after a failure."""

from __future__ import annotations

import os
import random
import stat
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import (
    FreezeError,
    HarnessError,
    ImageError,
    InstanceError,
    JournalError,
    JournalsGone,
    PreconditionError,
    SnapshotError,
    SnapshotTimeout,
)
from harness.evidence.backup import Logged
from harness.model import Position, RecoveryMode
from harness.plan.model import FreezeSpec, Limits, SnapshotSpec
from harness.session.session import Session
from harness.snapshot.base import GivesOut, SnapshotProvider, Source
from harness.stages import backup as module
from harness.stages.backup import back_up, discard, freeze_entry, load_provider, snapshot_source
from harness.stages.window import Held
from tests.unit import settings
from tests.unit.settings import description, session
from tests.whole import whole
from tests.windows import window

AS_OF_FREEZE, ROLLFORWARD = RecoveryMode.AS_OF_FREEZE, RecoveryMode.ROLLFORWARD
POINT_IN_TIME, BOOT = RecoveryMode.POINT_IN_TIME, RecoveryMode.BOOT
ALL = tuple(RecoveryMode)
COPY = SnapshotSpec(provider="copy", options={})
POINT = Position(journal_file="20261122.002", offset_bytes=7)
ENTRY = whole(ROLLFORWARD).entry


class Ledger:
    """What was acknowledged or issued by a moment is that moment, for two writers."""

    def floor(self, moment_s: float) -> dict[int, int]:
        return {1: int(moment_s), 2: 0}

    def ceiling(self, moment_s: float) -> dict[int, int]:
        return {1: int(moment_s) + 100, 2: 1}

    def slices(self, began_s: float, slice_s: float, number: int) -> tuple[list[int], list[float]]:
        return [7] * number, [began_s] * number


class Provider:
    def __init__(self) -> None:
        self.released: list[object] = []
        self.probed: list[Source] = []
        self.given: list[object] = []

    def probe(self, source: Source) -> None:
        self.probed.append(source)

    def expose(self, snapshot: object, target: Path) -> int:
        self.given.append(snapshot)
        return 9

    def release(self, snapshot: object) -> None:
        self.released.append(snapshot)


class Live:
    """The running instance."""

    def __init__(self, said: list[str]) -> None:
        self.said = said
        self.required = "20261122.000"
        self.committed: Any = ("committed",)
        self.place: Any = object()

    def required_journal(self) -> str:
        self.said.append("required journal")
        return self.required

    def add_marker(self, text: str) -> Position:
        self.said.append("add marker")
        return POINT


@pytest.fixture
def said() -> list[str]:
    """What was done, in order."""
    return []


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def made(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose load, log and journals are played."""

    class Driver:
        def __init__(self, *_: object) -> None: ...

        def __enter__(self) -> Any:
            said.append("load begins")
            return self

        def __exit__(self, *_: object) -> None:
            said.append("load ends")

        def mark(self) -> None:
            said.append("mark")

        def wait(self, seconds: float) -> None:
            said.append(f"wait {seconds:.2f} s")

        def wait_for(self, transactions: int) -> None:
            said.append(f"wait for {transactions}")

        def finish(self) -> dict[int, int]:
            said.append("finish")
            return {1: 500, 2: 3}

    monkeypatch.setattr(module, "Driver", Driver)
    monkeypatch.setattr(module, "freeze_entry", lambda _: Logged(entry=ENTRY))
    monkeypatch.setattr(module, "collect", lambda *words: said.append(f"collect {words[4]}") or "set")
    monkeypatch.setattr(module, "_committed_before", lambda *_: said.append("committed") or ("committed",))
    monkeypatch.setattr(module, "image_status", lambda snapshot: "status" if snapshot else None)
    monkeypatch.setattr(module.time, "monotonic", lambda: 900.0)
    own: Any = SimpleNamespace(random=lambda: 0.5)
    return session(tmp_path, source=Live(said), ledger=Ledger(), random=own)


def backed_up(made: Session, provider: Provider, said: list[str], modes: Any = ALL, **differs: Any) -> Any:
    stages = made.stages("cycle 1 · copy")

    def held(*_: object, **__: object) -> Any:
        said.append("freeze")
        if "error" in differs:
            raise differs["error"]
        return replace(window(), **differs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "hold", held)
        patched.setattr(module, "database_files", list)
        return back_up(made, COPY, modes, stages, provider)  # type: ignore[arg-type]


def without_waits(said: list[str]) -> list[str]:
    return [one for one in said if not one.startswith("wait")]


# --- the order of it


def test_the_load_goes_on_around_the_window(made: Session, provider: Provider, said: list[str]) -> None:
    """What is open at the freeze is asked for before it: it began no earlier than what is open then."""
    backed_up(made, provider, said)
    expected = [
        "load begins",
        "wait for 1799",
        "required journal",
        "mark",
        "freeze",
        "wait for 800",
        "mark",
        "add marker",
        "wait for 800",
        "finish",
        "load ends",
        "collect 20261122.000",
        "committed",
    ]
    assert expected == said


def test_a_load_by_time_goes_on_for_its_share_of_it(
    made: Session, provider: Provider, said: list[str]
) -> None:
    load = replace(made.workload, transactions=None, duration_s=10.0)
    backed_up(replace(made, workload=load), provider, said)
    assert ["wait 4.50 s", "wait 2.00 s", "wait 2.00 s"] == [one for one in said if one.startswith("wait")]


def test_no_point_is_set_that_nobody_asks_for(made: Session, provider: Provider, said: list[str]) -> None:
    found = backed_up(made, provider, said, (ROLLFORWARD,))
    assert "add marker" not in said and "committed" not in said
    assert found.committed is None
    assert found.point(POINT_IN_TIME) == replace(found.point(ROLLFORWARD), mode=POINT_IN_TIME)


@pytest.mark.parametrize("mode", [AS_OF_FREEZE, BOOT])
def test_what_was_committed_before_the_marker_is_read_where_a_mode_needs_it(
    made: Session, provider: Provider, said: list[str], mode: RecoveryMode
) -> None:
    assert ("committed",) == backed_up(made, provider, said, (ROLLFORWARD, mode)).committed


def test_without_a_snapshot_the_load_ends_at_once(made: Session, provider: Provider, said: list[str]) -> None:
    found = backed_up(made, provider, said, snapshot=None)
    assert ["wait for 1799"] == [one for one in said if one.startswith("wait")]
    assert "add marker" not in said and "finish" in said
    assert (None, None) == (found.window.snapshot, found.image)


# --- what was promised


def test_what_each_mode_has_to_bring_back(made: Session, provider: Provider, said: list[str]) -> None:
    """The freeze was called at 1, in force at 2, the snapshot complete at 3, the point set and the load ended at 900.
    What was acknowledged when a call began must be there; what was issued when it returned can be.
    """
    found = backed_up(made, provider, said).points
    got = {one.mode: (one.floor[1], one.ceiling[1], one.at_s, one.position) for one in found}
    assert len(found) == len(got)
    assert {
        AS_OF_FREEZE: (1, 102, 1.0, None),
        BOOT: (1, 103, 1.0, None),
        POINT_IN_TIME: (900, 1000, 900.0, POINT),
        ROLLFORWARD: (500, 500, 900.0, None),
    } == got


def test_how_many_were_issued_after_the_freeze(made: Session, provider: Provider, said: list[str]) -> None:
    """By these an image that is late is told: 503 were issued in all, at most 103 of them by the freeze."""
    assert 503 - 103 == backed_up(made, provider, said).written.issued_later


# --- what is kept of it


def test_what_is_known_of_it(made: Session, provider: Provider, said: list[str]) -> None:
    found = backed_up(made, provider, said)
    assert (provider, "status", None, Logged(entry=ENTRY), "set", None) == (
        found.image.provider,
        found.image.watched,
        found.stuns,
        found.logged,
        found.journals,
        found.journals_gone,
    )
    assert () == found.problems
    assert ["load", "freeze window", "load", "stuns", "collect journals", "read journals"] == [
        stage.name for stage in found.stages
    ]


@pytest.mark.parametrize(("required", "expected"), [("20261122.000", True), ("", False)])
def test_an_engine_that_names_no_open_transaction_keeps_none_in_its_files(
    made: Session, provider: Provider, said: list[str], required: str, expected: bool
) -> None:
    live = made.source
    assert isinstance(live, Live)
    live.required = required
    assert expected is backed_up(made, provider, said).written.open_in_image


def test_a_place_that_can_tell_of_stuns_is_asked(made: Session, provider: Provider, said: list[str]) -> None:
    live = made.source
    assert isinstance(live, Live)
    live.place = SimpleNamespace(stuns=lambda since_utc: ("stun",))
    assert ("stun",) == backed_up(made, provider, said).stuns


@pytest.mark.parametrize(
    ("error", "problems"),
    [
        (SnapshotError("busy"), {"snapshot": "busy"}),
        (ImageError("nothing"), {}),
        (SnapshotTimeout("too late"), {}),
        (None, {}),
    ],
)
def test_a_snapshot_that_could_not_be_made_is_a_problem_where_nobody_else_says_so(
    made: Session, provider: Provider, said: list[str], error: Any, problems: dict[str, str]
) -> None:
    found = backed_up(made, provider, said, snapshot=None, snapshot_problem=error)
    assert problems == dict(found.problems)


@pytest.mark.parametrize("entry", [None, replace(ENTRY, marker=None)])  # type: ignore[type-var]
def test_without_a_marker_no_journal_is_collected(
    made: Session, provider: Provider, said: list[str], monkeypatch: pytest.MonkeyPatch, entry: Any
) -> None:
    monkeypatch.setattr(module, "freeze_entry", lambda _: Logged(entry=entry, problem="odd", stale=True))
    found = backed_up(made, provider, said)
    assert (None, None, None) == (found.journals, found.journals_gone, found.committed)
    assert Logged(entry=entry, problem="odd", stale=True) == found.logged


def raising(error: Exception) -> Any:
    def played(*_: object, **__: object) -> Any:
        raise error

    return played


def test_journals_that_are_gone_are_told_from_those_that_could_not_be_copied(
    made: Session, provider: Provider, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is an answer about the backup, the second is none."""
    monkeypatch.setattr(module, "collect", raising(JournalsGone("no .001")))
    gone = backed_up(made, provider, said)
    assert (None, "no .001", ()) == (gone.journals, gone.journals_gone, gone.problems)
    monkeypatch.setattr(module, "collect", raising(JournalError("no room")))
    failed = backed_up(made, provider, said)
    assert (None, None) == (failed.journals, failed.journals_gone)
    assert {"collect journals": "no room"} == dict(failed.problems)


# --- what is left after a failure


def test_a_refused_freeze_is_no_backup_and_leaves_nothing(
    made: Session, provider: Provider, said: list[str]
) -> None:
    with pytest.raises(FreezeError):
        backed_up(made, provider, said, error=FreezeError("no"))
    assert "load ends" in said and [] == provider.released


def test_a_snapshot_of_a_backup_that_failed_later_is_released(
    made: Session, provider: Provider, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "image_status", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        backed_up(made, provider, said)
    assert [window().snapshot] == provider.released


def test_without_a_snapshot_there_is_none_to_release(
    made: Session, provider: Provider, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_points", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        backed_up(made, provider, said, snapshot=None)
    assert [] == provider.released


@pytest.mark.parametrize("snapshot", [True, False])
@pytest.mark.parametrize("journals", [True, False])
def test_a_backup_is_discarded_with_all_that_it_has(
    tmp_path: Path, provider: Provider, snapshot: bool, journals: bool
) -> None:
    made = session(tmp_path)
    folder = made.work / "set"
    folder.mkdir()
    taken = window().snapshot if snapshot else None
    there = settings.backup(
        provider=provider,
        window=replace(window(), snapshot=taken),
        journals=replace(whole(ROLLFORWARD).journals, folder=folder) if journals else None,  # type: ignore[type-var]
    )
    discard(made, there)
    assert ([taken] if snapshot else []) == provider.released
    assert journals is not folder.exists()


@pytest.mark.parametrize("problem", [None, SnapshotTimeout("too late")])
def test_an_image_that_must_not_be_used_is_not_given_out(
    tmp_path: Path, provider: Provider, problem: SnapshotTimeout | None
) -> None:
    """It is there, and is released like any other."""
    there = settings.backup(provider=provider, window=replace(window(), snapshot_problem=problem)).image
    assert there
    if problem is None:
        assert 9 == there.give_out(tmp_path)
    else:
        with pytest.raises(SnapshotTimeout, match="too late"):
            there.give_out(tmp_path)
    assert (problem is None) is bool(provider.given)
    there.release()
    assert [there.snapshot] == provider.released


def test_a_point_that_nobody_set_is_not_there() -> None:
    there = settings.backup(points=(settings.point(BOOT), settings.point(ROLLFORWARD)))
    assert BOOT is there.point(BOOT).mode
    with pytest.raises(LookupError, match="point-in-time"):
        there.point(POINT_IN_TIME)


# --- what is captured, and by whom


def test_a_boot_needs_the_whole_root(tmp_path: Path) -> None:
    found = description(tmp_path)
    assert Source(root=tmp_path, paths=(Path(),)) == snapshot_source(found, whole=True)
    folders = snapshot_source(found, whole=False)
    assert {tmp_path / "db/one", tmp_path / "db/two"} == {folders.root / path for path in folders.paths}


@pytest.mark.parametrize(("modes", "whole_root"), [((BOOT,), True), ((ROLLFORWARD,), False)])
def test_only_a_boot_has_it_captured(
    made: Session, provider: Provider, said: list[str], modes: Any, whole_root: bool
) -> None:
    found = backed_up(made, provider, said, modes)
    assert whole_root is ((Path(),) == found.image.source.paths)
    assert [found.image.source] == provider.probed


def test_a_provider_has_a_folder_of_its_own(tmp_path: Path) -> None:
    made = session(tmp_path)
    first, second = (load_provider(made, COPY) for _ in range(2))
    assert first is not second
    assert 2 == len(list(made.work.iterdir()))


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ValueError("odd"), PreconditionError), (PreconditionError("a", "b"), PreconditionError)],
)
def test_a_provider_that_cannot_be_made_is_a_missing_precondition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[HarnessError]
) -> None:
    monkeypatch.setattr(module.plugins, "load", lambda *_: raising(error))
    with pytest.raises(expected) as raised:
        load_provider(session(tmp_path), COPY)
    assert ("could not be made" in str(raised.value)) is isinstance(error, ValueError)


def test_a_provider_must_have_all_that_the_port_asks_for() -> None:
    """One without `release` would be noticed when its snapshots fill the disk."""
    port = {name for part in (SnapshotProvider, GivesOut) for name in vars(part) if not name.startswith("_")}
    assert {*port, "options_schema"} == set(module._PROVIDER)


# --- what the log says of the window


def log(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "freeze.log"
    path.write_text(f"before\n{text}")
    return replace(window(), log=path, log_from_byte=len("before\n"))


STAMP = "11/25/2026 12:00:00: Backup.General.ExternalFreeze: "
GOOD = f"{STAMP}Suspending system\n{STAMP}System suspended\n"


def test_the_freeze_of_this_window_is_found(tmp_path: Path) -> None:
    found = freeze_entry(log(tmp_path, GOOD))
    assert found.entry and found.entry.suspended and ("", False) == (found.problem, found.stale)


def test_a_log_in_which_nothing_was_written_is_stale(tmp_path: Path) -> None:
    found = freeze_entry(log(tmp_path, ""))
    assert (None, True) == (found.entry, found.stale) and "stale" in found.problem


@pytest.mark.parametrize("text", ["garbage\n", GOOD * 2])
def test_a_log_that_cannot_be_read_or_tells_of_two_freezes_is_not_stale(tmp_path: Path, text: str) -> None:
    found = freeze_entry(log(tmp_path, text))
    assert (None, False) == (found.entry, found.stale) and found.problem


# --- the window itself


@pytest.fixture
def held(made: Session, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `hold` and the harness's own freezer were given."""
    given: dict[str, Any] = {}

    class Freezer:
        def __init__(self, **more: Any) -> None:
            given.update(more)

        def held(self, take: Any, limit_s: float) -> Any:
            if "error" in given:
                raise given["error"]
            there = window()
            return Held(log=there.log, log_from_byte=0, text="", frozen=there.frozen, thawed=there.thawed)

    def played(freezer: Any, *words: Any, **more: Any) -> Any:
        given.update(more, words=words)
        return replace(window(), log=freezer.held(None, 1.0).log)

    monkeypatch.setattr(module, "OwnFreezer", Freezer)
    monkeypatch.setattr(module, "hold", played)
    monkeypatch.setattr(module, "database_files", lambda folders: list(folders))
    made.freeze_log.parent.mkdir()
    made.freeze_log.write_text("log")
    return given


def test_the_window_has_the_limits_of_the_plan_and_a_text_of_its_own(
    made: Session, provider: Provider, held: dict[str, Any]
) -> None:
    spec = FreezeSpec(wd_suspend_limit_s=50)
    own = replace(made, freeze=spec, limits=Limits(window_s=7.0), watchdog="the watchdog")  # type: ignore[arg-type]
    found = back_up(own, COPY, (ROLLFORWARD,), own.stages("x"), provider)  # type: ignore[arg-type]
    assert found.image
    assert (provider, found.image.source) == held["words"]
    assert (made.source, spec, 7.0) == (held["instance"], held["spec"], held["limit_s"])
    assert made.freeze_log == held["log"]
    assert list(made.description.folders) == held["database_files"]
    assert "the watchdog" == held["watchdog"]
    first = held["text"]
    back_up(own, COPY, (ROLLFORWARD,), own.stages("x"), provider)  # type: ignore[arg-type]
    assert first != held["text"], "or the marker of another freeze could be taken for this one's"


def test_the_log_is_kept_with_the_record(made: Session, provider: Provider, held: dict[str, Any]) -> None:
    found = back_up(made, COPY, (ROLLFORWARD,), made.stages("x"), provider)  # type: ignore[arg-type]
    assert made.folder == found.window.log.parent and "log" == found.window.log.read_text()


def test_the_log_is_kept_of_a_window_that_failed_too(
    made: Session, provider: Provider, held: dict[str, Any]
) -> None:
    held["error"] = InstanceError("gone")
    with pytest.raises(InstanceError, match="gone"):
        back_up(made, COPY, (ROLLFORWARD,), made.stages("x"), provider)  # type: ignore[arg-type]
    assert [made.freeze_log.name] == [file.name for file in made.folder.iterdir() if file.is_file()]


def test_a_log_that_cannot_be_kept_hides_no_error(
    made: Session, provider: Provider, held: dict[str, Any]
) -> None:
    held["error"] = InstanceError("gone")
    made.freeze_log.unlink()
    with pytest.raises(InstanceError, match="gone"):
        back_up(made, COPY, (ROLLFORWARD,), made.stages("x"), provider)  # type: ignore[arg-type]


@pytest.mark.parametrize(("own", "first"), [(None, "20261122.001"), ("20261122.002", "20261122.002")])
def test_the_last_before_the_marker_are_read_where_the_instance_keeps_its_journals(
    tmp_path: Path, own: str | None, first: str
) -> None:
    """From the first that is this run's: an earlier run in the same instance had other transactions."""
    live: Any = SimpleNamespace(
        journals=lambda folder: [SimpleNamespace(name=name) for name in ("20261122.001", "20261122.002")],
        last_committed=lambda *words: words,
    )
    made = session(tmp_path, source=live, first_journal=own)
    expected = (
        made.description.journal_folder,
        first,
        POINT.journal_file,
        POINT.offset_bytes,
        settings.WRITERS,
    )
    assert expected == module._committed_before(made, POINT)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_folder_that_instances_read_is_open_to_them_and_new_each_time(tmp_path: Path, umask: int) -> None:
    made = session(tmp_path)
    before = os.umask(umask)
    try:
        found = [made.new_folder_to_read(name) for name in ("set", "image", "set")]
    finally:
        os.umask(before)
    assert ["set-1", "image-1", "set-2"] == [one.name for one in found]
    assert {0o755} == {stat.S_IMODE(path.stat().st_mode) for one in found for path in (one, one.parent)}
    assert not any(list(one.iterdir()) for one in found)


def test_chance_decides_when_the_freeze_comes(made: Session, provider: Provider, said: list[str]) -> None:
    """Between three tenths of the load and six."""
    waits = set()
    for seed in range(20):
        said.clear()
        backed_up(replace(made, random=random.Random(seed)), provider, said)
        waits.add(int(said[1].removeprefix("wait for ")))
    assert 1200 <= min(waits) < 1500 < 2100 < max(waits) <= 2400


def test_the_load_is_told_in_slices_that_are_neither_short_nor_many(made: Session) -> None:
    """From the beginning of the load to its end; times count from the start of the run."""
    asked: list[Any] = []

    class Slices(Ledger):
        def slices(self, began_s: float, slice_s: float, number: int) -> tuple[list[int], list[float]]:
            asked.append((began_s, slice_s, number))
            return [1] * number, [0.123456] * number

    own = replace(made, ledger=Slices(), clock=replace(made.clock, monotonic_s=100.0))  # type: ignore[arg-type]
    found = module._series(own, 110.0, 130.0)
    assert (10.0, 0.2, (1,) * 100) == (found.started_s, found.slice_s, found.acknowledged)
    assert (0.1235,) * 100 == found.longest_wait_s
    assert 3 == len(module._series(own, 110.0, 110.14).acknowledged)
    assert [(110.0, 0.2, 100), (110.0, 0.05, 3)] == [(a, round(b, 9), n) for a, b, n in asked]
    assert 1 == len(module._series(own, 110.0, 110.0).acknowledged)


def test_a_provider_that_makes_more_than_files_is_told_where_to_register_it(
    made: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Making(Provider):
        def __init__(self, folder: Path, options: object) -> None:
            super().__init__()
            self.options_schema: dict[str, object] = {}
            self.register: Any = None

        def register_with(self, register: Any) -> None:
            self.register = register

        @staticmethod
        def undo(made: object, ground: object, token: str) -> None: ...

    kept: list[Making] = []
    monkeypatch.setattr(
        module.plugins, "load", lambda *_: lambda *given: kept.append(Making(*given)) or kept[-1]
    )
    monkeypatch.setattr(module, "registrar", lambda work, group, name: (work, group, name))
    load_provider(made, COPY)
    assert (made.work, "harness.snapshots", "copy") == kept[0].register


@pytest.mark.parametrize("problem", [None, SnapshotTimeout("too late")])
def test_a_snapshot_that_came_too_late_is_an_image_that_must_not_be_used(
    made: Session, provider: Provider, said: list[str], problem: SnapshotTimeout | None
) -> None:
    found = backed_up(made, provider, said, snapshot_problem=problem)
    assert found.image and problem is found.image.problem
