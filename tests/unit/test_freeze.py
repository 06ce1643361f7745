"""The freeze window with an instance that misbehaves: whatever happens in it, a thaw is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.command import Deadline
from harness.errors import (
    CommandError,
    FreezeError,
    ImageError,
    InstanceError,
    InstanceGone,
    ParseError,
    SnapshotError,
    SnapshotTimeout,
    ThawError,
)
from harness.evidence.answers import FreezeAnswer, ThawAnswer
from harness.evidence.files import ExpectedFile, FileStatus
from harness.evidence.window import Window
from harness.plan.model import FreezeSpec, Limits
from harness.session.watchdog import Orders
from harness.snapshot.base import Snapshot, Source
from harness.stages import freeze
from harness.stages import window as window_module
from harness.stages.window import hold as window_of
from harness.stages.window import snapshot_limit_s


class FakePrepared:
    def close(self) -> None:
        pass


class FakeInstance:
    """Keeps the state of a freeze; `trouble` happens when a method of that name is called."""

    stdin = ""
    place = SimpleNamespace(is_there_argv=lambda: ["true"])

    def __init__(self, **trouble: Exception) -> None:
        self.frozen = False
        self.calls: list[str] = []
        self.trouble = trouble
        self.late: Callable[[], bool] = lambda: False

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.trouble:
            raise self.trouble[name]

    def freeze(self, log: Path, text: str, spec: FreezeSpec) -> FreezeAnswer:
        self._called("freeze")
        self.frozen = True
        now = time.monotonic()
        return FreezeAnswer(called_s=now, returned_s=now, frozen_utc=datetime.now(UTC))

    def prepare_thaw(self, log: Path) -> FakePrepared:
        if "prepare_thaw" in self.trouble:
            self._called("prepare_thaw")
        return FakePrepared()

    def thaw(self, log: Path, prepared: FakePrepared | None = None) -> ThawAnswer:
        self._called("thaw")
        was, self.frozen = self.frozen, False
        now = time.monotonic()
        return ThawAnswer(
            suspended=was, called_s=now, returned_s=now, thawed_utc=datetime.now(UTC), message=""
        )

    def is_frozen(self) -> bool:
        self._called("is_frozen")
        return self.frozen

    def thaw_argv(self, log: Path) -> list[str]:
        return ["thaw"]

    def is_frozen_argv(self) -> list[str]:
        return ["frozen?"]

    def thaw_by_hand(self, log: Path) -> str:
        return "thaw it"


class FakeProvider:
    def __init__(self, trouble: BaseException | None = None) -> None:
        self.trouble = trouble
        self.released: list[Snapshot] = []

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        if self.trouble:
            raise self.trouble
        return Snapshot(provider="fake", location=Path("/nowhere"), paths=())

    def release(self, snapshot: Snapshot) -> None:
        self.released.append(snapshot)


class FakeWatchdog:
    def __init__(self, thawed: bool = False) -> None:
        self.orders: list[str] = []
        self.thawed = thawed

    def arm(self, orders: Orders, limit_s: float) -> None:
        self.orders.append("arm")

    def hold(self, limit_s: float) -> None:
        """The window has begun."""

    def has_thawed(self) -> bool:
        return self.thawed

    def disarm(self) -> None:
        self.orders.append("disarm")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "SETTLED_S", 0.15)


def hold(
    instance: FakeInstance,
    provider: FakeProvider,
    watchdog: FakeWatchdog,
    folder: Path,
    limit_s: float = 60.0,
) -> Window:
    database = folder / "IRIS.DAT"
    database.touch()
    return window_of(
        freezer(instance, watchdog, folder),
        provider,  # type: ignore[arg-type]
        Source(root=folder, paths=()),
        limit_s=limit_s,
        database_files=[database],
    )


def freezer(instance: FakeInstance, watchdog: FakeWatchdog, folder: Path) -> freeze.OwnFreezer:
    return freeze.OwnFreezer(
        instance=instance,  # type: ignore[arg-type]
        log=folder / "log",
        text="text",
        spec=FreezeSpec(),
        watchdog=watchdog,  # type: ignore[arg-type]
    )


def test_window_is_one_freeze_and_one_thaw(tmp_path: Path) -> None:
    """Between freeze and thaw the instance is called once: by the thaw."""
    instance, watchdog = FakeInstance(), FakeWatchdog()
    window = hold(instance, FakeProvider(), watchdog, tmp_path)
    assert ["freeze", "thaw"] == instance.calls
    assert ["arm", "disarm"] == watchdog.orders
    assert window.before == window.after and window.thawed.suspended


@pytest.mark.parametrize("trouble", [SnapshotError("full"), KeyboardInterrupt(), AssertionError("defect")])
def test_thaw_runs_when_capture_fails(tmp_path: Path, trouble: BaseException) -> None:
    """Error, interruption or defect: thawed, and the first error is the one that is seen."""
    instance, watchdog = FakeInstance(), FakeWatchdog()
    if isinstance(trouble, SnapshotError):
        window = hold(instance, FakeProvider(trouble), watchdog, tmp_path)
        assert (None, trouble) == (window.snapshot, window.snapshot_problem)
    else:
        with pytest.raises(type(trouble)):
            hold(instance, FakeProvider(trouble), watchdog, tmp_path)
    assert not instance.frozen
    assert ["arm", "disarm"] == watchdog.orders


def test_unconfirmed_thaw_outranks_a_failed_snapshot(tmp_path: Path) -> None:
    """The watchdog stays armed, and the error says how to thaw by hand."""
    instance, watchdog = FakeInstance(thaw=ThawError("refused", "thaw it")), FakeWatchdog()
    with pytest.raises(ThawError, match="thaw it"):
        hold(instance, FakeProvider(SnapshotError("full")), watchdog, tmp_path)
    assert ["arm"] == watchdog.orders


@pytest.mark.parametrize(
    "trouble", [ParseError("answer", 1, "{", "no JSON"), KeyError("suspended"), OSError(24)]
)
def test_any_failure_to_thaw_is_a_thaw_error(tmp_path: Path, trouble: Exception) -> None:
    """An unforeseen answer to the thaw is no ordinary error: exit status 4, and the watchdog stays armed."""
    instance, watchdog = FakeInstance(thaw=trouble), FakeWatchdog()
    with pytest.raises(ThawError, match="thaw it"):
        hold(instance, FakeProvider(), watchdog, tmp_path)
    assert ["arm"] == watchdog.orders


def test_interrupted_thaw_leaves_the_watchdog_armed(tmp_path: Path) -> None:
    """Ctrl-C while the thaw is under way: whether it took is not known, so the watchdog goes on."""
    instance, watchdog = FakeInstance(thaw=KeyboardInterrupt()), FakeWatchdog()  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        hold(instance, FakeProvider(), watchdog, tmp_path)
    assert ["arm"] == watchdog.orders


def test_refused_freeze_takes_no_snapshot(tmp_path: Path) -> None:
    instance, watchdog = FakeInstance(freeze=FreezeError("refused")), FakeWatchdog()
    with pytest.raises(FreezeError, match="refused"):
        hold(instance, FakeProvider(AssertionError("was called")), watchdog, tmp_path)
    assert ["freeze"] == instance.calls
    assert ["arm", "disarm"] == watchdog.orders


def test_freeze_without_an_answer_is_taken_back(tmp_path: Path) -> None:
    """The call was lost but the freeze took effect, late: it is thawed."""
    instance, watchdog = FakeInstance(freeze=InstanceError("status 1")), FakeWatchdog()
    answers = iter([False, True])

    def is_frozen() -> bool:
        instance.frozen = next(answers, False)
        return instance.frozen

    instance.is_frozen = is_frozen  # type: ignore[method-assign]
    with pytest.raises(FreezeError, match="taken back"):
        hold(instance, FakeProvider(), watchdog, tmp_path)
    assert ["freeze", "thaw"] == instance.calls
    assert not instance.frozen


def test_freeze_without_an_answer_and_nobody_to_ask(tmp_path: Path) -> None:
    """Nothing tells whether it is frozen: that is said, with exit status 4, and the watchdog stays armed."""
    lost = InstanceError("no login")
    instance, watchdog = FakeInstance(freeze=lost, is_frozen=lost), FakeWatchdog()
    with pytest.raises(ThawError, match="it is not known whether"):
        hold(instance, FakeProvider(), watchdog, tmp_path)
    assert ["arm"] == watchdog.orders


@pytest.mark.parametrize("when", ["freeze", "thaw"])
def test_an_instance_that_ended_is_not_frozen(tmp_path: Path, when: str) -> None:
    """Nothing to thaw and nobody to warn: the watchdog is told, and the error is not a ThawError."""
    instance, watchdog = FakeInstance(**{when: InstanceGone("killed")}), FakeWatchdog()
    with pytest.raises(InstanceGone):
        hold(instance, FakeProvider(), watchdog, tmp_path)
    assert ["arm", "disarm"] == watchdog.orders


def test_an_instance_that_ends_while_its_freeze_gave_no_answer(tmp_path: Path) -> None:
    """The freeze broke off, and the question whether it took effect finds nobody: a refused freeze, no ThawError."""
    instance = FakeInstance(freeze=InstanceError("status 137"), is_frozen=InstanceGone("killed"))
    watchdog = FakeWatchdog()
    with pytest.raises(FreezeError):
        hold(instance, FakeProvider(), watchdog, tmp_path)
    assert ["arm", "disarm"] == watchdog.orders


def test_nothing_is_frozen_unless_a_thaw_stands_ready(tmp_path: Path) -> None:
    instance, watchdog = (
        FakeInstance(prepare_thaw=CommandError(["iris"], 1, 0.1, "no way in")),
        FakeWatchdog(),
    )
    with pytest.raises(CommandError):
        hold(instance, FakeProvider(), watchdog, tmp_path)
    assert ["prepare_thaw"] == instance.calls and [] == watchdog.orders


@pytest.mark.parametrize(
    ("spec", "limits", "timeout", "expected"),
    [
        (FreezeSpec(), Limits(), None, 300.0),
        (FreezeSpec(wd_suspend_limit_s=0), Limits(), None, 600.0),
        (FreezeSpec(external_freeze_timeout_s=20), Limits(), None, 20.0),
        (FreezeSpec(), Limits(window_s=0.5), None, 0.5),
        (FreezeSpec(), Limits(window_s=0.0), None, 0.0),
        (FreezeSpec(), Limits(window_s=0.5), 9.0, 9.0),
        (FreezeSpec(wd_suspend_limit_s=3), Limits(window_s=0.5), 9.0, 3.0),
        (FreezeSpec(external_freeze_timeout_s=5), Limits(), 9.0, 5.0),
    ],
)
def test_a_snapshot_may_take_as_long_as_the_freeze_has(
    spec: FreezeSpec, limits: Limits, timeout: float | None, expected: float
) -> None:
    assert expected == snapshot_limit_s(spec, limits, timeout)


class Late(FakeProvider):
    """Breaks off when its time is over."""

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        time.sleep(deadline.left_s)
        raise SnapshotError("killed")


def test_a_snapshot_that_is_late_is_ended_thawed_and_an_answer(tmp_path: Path) -> None:
    instance, watchdog = FakeInstance(), FakeWatchdog()
    window = hold(instance, Late(), watchdog, tmp_path, limit_s=0.1)
    assert not instance.frozen and window.snapshot is None and ["arm", "disarm"] == watchdog.orders
    assert isinstance(window.snapshot_problem, SnapshotTimeout)
    assert "not there 0.1 s after the freeze and was ended: killed" in str(window.snapshot_problem)


def test_a_snapshot_that_fails_in_time_is_no_late_one(tmp_path: Path) -> None:
    window = hold(FakeInstance(), FakeProvider(SnapshotError("disk full")), FakeWatchdog(), tmp_path)
    assert not isinstance(window.snapshot_problem, SnapshotTimeout)


def test_what_was_captured_is_released_if_the_window_breaks_off(tmp_path: Path) -> None:
    """The instance ended; after a thaw that failed, or was interrupted, everything stays as it is."""
    for trouble, released in (
        (InstanceGone("killed"), 1),
        (KeyboardInterrupt(), 0),
        (ThawError("no", "thaw"), 0),
    ):
        provider = FakeProvider()
        with pytest.raises((InstanceGone, KeyboardInterrupt, ThawError)):
            hold(FakeInstance(thaw=trouble), provider, FakeWatchdog(), tmp_path)  # type: ignore[arg-type]
        assert released == len(provider.released)


class Endless(FakeProvider):
    """Heeds no limit."""

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        time.sleep(deadline.left_s + 0.05)
        return super().capture(source, deadline)


def test_a_snapshot_that_comes_too_late_is_no_good_one(tmp_path: Path) -> None:
    """A provider of somebody else's may pass the limit and end well: the image is there, and the limit was passed."""
    window = hold(FakeInstance(), Endless(), FakeWatchdog(), tmp_path, limit_s=0.1)
    assert window.snapshot is not None
    assert isinstance(window.snapshot_problem, SnapshotTimeout)
    assert "was not there 0.1 s after the freeze" in str(window.snapshot_problem)


@pytest.mark.parametrize(("took_s", "in_time"), [(0.05, True), (0.4, False)])
def test_a_snapshot_is_in_time_if_the_watchdog_could_not_have_begun_when_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, took_s: float, in_time: bool
) -> None:
    """The watchdog begins when the limit and a grace are over, and no earlier: no log has to be believed for that."""
    monkeypatch.setattr(freeze, "THAW_GRACE_S", 0.1)

    class Slow(FakeProvider):
        def capture(self, source: Source, deadline: Deadline) -> Snapshot:
            time.sleep(took_s)
            return super().capture(source, deadline)

    window = hold(FakeInstance(), Slow(), FakeWatchdog(thawed=True), tmp_path, limit_s=0.1)
    assert (window.in_time, window.watchdog_thawed) == (in_time, True)


class Noting(FakeWatchdog):
    """Keeps how long it was told to wait, and for what."""

    def arm(self, orders: Orders, limit_s: float) -> None:
        super().arm(orders, limit_s)
        self.armed = (orders, limit_s)

    def hold(self, limit_s: float) -> None:
        self.held_s = limit_s


def test_the_watchdog_waits_for_the_freeze_and_then_for_the_snapshot_and_a_little(tmp_path: Path) -> None:
    """Armed before the freeze is asked for, with all that a thaw needs; after the freeze the window alone counts."""
    watchdog, instance = Noting(), FakeInstance()
    instance.stdin = "name and password"
    hold(instance, FakeProvider(), watchdog, tmp_path, limit_s=50.0)
    orders, limit_s = watchdog.armed
    assert 60.0 + 50.0 + 3.0 == limit_s
    assert 52.0 < watchdog.held_s <= 53.0
    assert (["thaw"], ["frozen?"], ["true"], "name and password") == (
        orders.thaw,
        orders.is_frozen,
        orders.is_there,
        orders.stdin,
    )


def test_the_window_says_when_each_thing_was_and_what_the_image_must_hold(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("earlier\n")
    instance, database = FakeInstance(), tmp_path / "db/IRIS.DAT"
    database.parent.mkdir()
    database.write_text("data")

    class Slow(FakeProvider):
        def capture(self, source: Source, deadline: Deadline) -> Snapshot:
            assert 59.0 < deadline.left_s <= 60.0
            time.sleep(0.05)
            return super().capture(source, deadline)

    window = window_of(
        freezer(instance, FakeWatchdog(), tmp_path),
        Slow(),  # type: ignore[arg-type]
        Source(root=tmp_path, paths=(Path("db"),)),
        limit_s=60.0,
        database_files=[database],
    )
    assert (tmp_path / "log", len("earlier\n"), "text") == (window.log, window.log_from_byte, window.text)
    assert (FileStatus.of(database),) == window.before == window.after
    assert 0.05 <= window.capture_duration_s < 5.0
    assert window.frozen.returned_s + 0.05 <= window.captured_s <= window.thawed.called_s
    assert window.files == (ExpectedFile(path=Path("db/IRIS.DAT"), least=4, most=4, database=True),)
    assert window.in_time and not window.watchdog_thawed and window.held


def test_an_image_that_is_none_is_told_as_such_also_when_it_is_late(tmp_path: Path) -> None:
    """That it lacks something is an answer about the backup, whenever it is given."""

    class LateAndEmpty(FakeProvider):
        def capture(self, source: Source, deadline: Deadline) -> Snapshot:
            time.sleep(deadline.left_s + 0.01)
            raise ImageError("it holds nothing")

    window = hold(FakeInstance(), LateAndEmpty(), FakeWatchdog(), tmp_path, limit_s=0.05)
    assert isinstance(window.snapshot_problem, ImageError) and window.snapshot is None


def test_where_nothing_was_captured_there_is_nothing_to_release(tmp_path: Path) -> None:
    provider = FakeProvider(SnapshotError("full"))
    with pytest.raises(InstanceGone):
        hold(FakeInstance(thaw=InstanceGone("killed")), provider, FakeWatchdog(), tmp_path)
    assert [] == provider.released


def test_a_snapshot_that_cannot_be_released_hides_no_error(tmp_path: Path) -> None:
    class Stuck(FakeProvider):
        def release(self, snapshot: Snapshot) -> None:
            raise SnapshotError("busy")

    with pytest.raises(InstanceGone, match="killed"):
        hold(FakeInstance(thaw=InstanceGone("killed")), Stuck(), FakeWatchdog(), tmp_path)


def test_a_window_without_a_snapshot_says_why(tmp_path: Path) -> None:
    window = hold(FakeInstance(), FakeProvider(SnapshotError("full")), FakeWatchdog(), tmp_path)
    assert (None, "full") == (window.snapshot, str(window.snapshot_problem))
    good = hold(FakeInstance(), FakeProvider(), FakeWatchdog(), tmp_path)
    assert good.snapshot is not None is good.snapshot_problem


def test_an_instance_that_is_frozen_again_and_again_is_no_thawed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else freezes it: whoever waits hears of it, with the command that thaws."""
    monkeypatch.setattr(freeze, "FREEZE_TIMEOUT_S", 0.2)
    instance = FakeInstance()
    instance.is_frozen = lambda: True  # type: ignore[method-assign]
    with pytest.raises(ThawError, match="again and again"):
        freeze.make_sure_thawed(instance, tmp_path / "log", InstanceError("lost"))  # type: ignore[arg-type]
    assert instance.calls.count("thaw") > 1


def test_an_interrupted_freeze_is_taken_back_and_stays_an_interruption(tmp_path: Path) -> None:
    instance = FakeInstance(freeze=KeyboardInterrupt())  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        hold(instance, FakeProvider(), FakeWatchdog(), tmp_path)
    assert "is_frozen" in instance.calls


def test_a_snapshot_of_a_window_that_breaks_off_after_its_thaw_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(FakePrepared, "close", defect)
    provider, watchdog = FakeProvider(), FakeWatchdog()
    with pytest.raises(ZeroDivisionError):
        hold(FakeInstance(), provider, watchdog, tmp_path)
    assert 1 == len(provider.released) and ["arm", "disarm"] == watchdog.orders


def test_a_snapshot_that_was_there_when_somebody_broke_in_is_released_after_the_thaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the capture and the thaw the database files are looked at once more."""
    looks: list[Path] = []

    class Status:
        @staticmethod
        def of(path: Path) -> FileStatus:
            looks.append(path)
            if len(looks) == 2:
                raise KeyboardInterrupt
            return FileStatus.of(path)

    monkeypatch.setattr(window_module, "FileStatus", Status)
    instance, provider = FakeInstance(), FakeProvider()
    with pytest.raises(KeyboardInterrupt):
        hold(instance, provider, FakeWatchdog(), tmp_path)
    assert 1 == len(provider.released) and not instance.frozen


def test_what_the_files_were_after_the_snapshot_is_looked_at_after_it(tmp_path: Path) -> None:
    """A write in the window shows: the freeze did not hold."""

    class Writing(FakeProvider):
        def capture(self, source: Source, deadline: Deadline) -> Snapshot:
            (tmp_path / "IRIS.DAT").write_text("written in the window")
            return super().capture(source, deadline)

    found = hold(FakeInstance(), Writing(), FakeWatchdog(), tmp_path)
    assert found.before[0].size_bytes == 0 and found.after[0].size_bytes > 0 and not found.held


def test_the_limit_of_a_snapshot_counts_from_when_the_freeze_was_asked_for(tmp_path: Path) -> None:
    """A freeze that took long leaves less for the snapshot: the engine's own limits count so, too."""

    class Slow(FakeInstance):
        def freeze(self, *words: object) -> FreezeAnswer:
            answer = super().freeze(*words)  # type: ignore[arg-type]
            return replace(answer, called_s=time.monotonic() - 20.0)

    left: list[float] = []

    class Asking(FakeProvider):
        def capture(self, source: Source, deadline: Deadline) -> Snapshot:
            left.append(deadline.left_s)
            return super().capture(source, deadline)

    hold(Slow(), Asking(), FakeWatchdog(), tmp_path, limit_s=60.0)
    assert 35.0 < left[0] <= 40.0
