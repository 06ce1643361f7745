"""A recovery whose stages are played: what each of them leaves in the evidence, and that nothing is left behind."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import (
    CommandError,
    ImageError,
    InstanceError,
    RestoreError,
    RollforwardError,
    SnapshotError,
    SnapshotTimeout,
    StartError,
)
from harness.evidence.case import Evidence
from harness.model import Position, RecoveryMode, Verdict
from harness.plan.model import Limits
from harness.session.session import Session
from harness.stages import look as looks
from harness.stages import read_journals, recovery
from harness.stages.restore import Exposed
from tests.unit.settings import backup, case, description, session
from tests.unit.settings import point as promised
from tests.whole import FREEZE, JOURNALS, REACHED, WRITERS, look, whole
from tests.windows import window

AS_OF_FREEZE, ROLLFORWARD = RecoveryMode.AS_OF_FREEZE, RecoveryMode.ROLLFORWARD
POINT_IN_TIME, BOOT = RecoveryMode.POINT_IN_TIME, RecoveryMode.BOOT
ROLLED = (ROLLFORWARD, POINT_IN_TIME)


class Scene:
    """What the played stages answer, and what they were asked. `trouble`: step → what it raises."""

    def __init__(self, tmp_path: Path) -> None:
        self.said: list[str] = []
        self.trouble: dict[str, Exception] = {}
        self.places: list[Any] = []
        self.own = True
        self.files = {Path("db/one/IRIS.DAT"): 1, Path("db/two/IRIS.DAT"): 1}
        self.root = tmp_path
        self.folder = tmp_path / "work"
        self.asked: dict[str, Any] = {}

    def does(self, step: str, *asked: Any) -> None:
        self.said.append(step)
        self.asked[step] = asked
        if step in self.trouble:
            raise self.trouble[step]

    def place(self, name: str) -> Any:
        made = SimpleNamespace(name=name, where=f"at {name}", discard=lambda: self.does(f"discard {name}"))
        self.places.append(made)
        return made


class Target:
    """An instance that holds what `tests.whole` says."""

    scene: Scene

    def __init__(self, place: Any) -> None:
        self.place = place
        self.booted = place.name == "booted"

    def describe(self) -> Any:
        root = self.scene.root / ("source" if self.booted else self.place.name)
        found = description(root, version="booted" if self.booted else "target")
        found.databases["one"].mkdir(parents=True, exist_ok=True)
        return found

    def integrity(self, databases: list[Path]) -> Any:
        self.scene.does("integrity", databases)
        report = look(FREEZE).integrity
        assert report
        own = self.describe().databases
        named = zip(report.databases, own.values(), strict=True)
        return replace(report, databases=tuple(replace(one, database=place) for one, place in named))

    def journals(self, folder: Path) -> Any:
        self.scene.does("journals", folder)
        return whole(ROLLFORWARD).copied

    def read_marker(self, folder: Path, position: Position) -> Any:
        self.scene.does("marker", folder, position)
        return whole(ROLLFORWARD).marker

    def last_committed(self, *words: Any) -> Any:
        self.scene.does("committed", *words)
        return ("read",)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    there = Scene(tmp_path)
    monkeypatch.setattr(Target, "scene", there, raising=False)

    def exposed(image: Any, folder: Path, read: list[Path]) -> Exposed:
        folder.mkdir()
        there.does("expose", read)
        return Exposed(
            folder=folder,
            source=image.source,
            bytes=9,
            files=there.files,
            digests={Path("x"): "d"},
            own=there.own,
        )

    def walked(target: Target, seed: int, writers: int) -> Any:
        there.does("walk", seed, writers)
        recovered = there.said.count("walk") > 1 or target.booted
        return look(REACHED[there.asked["mode"]] if recovered else FREEZE).state

    played = {
        "Instance": Target,
        "expose": exposed,
        "restore": lambda *words, **more: there.does("restore", *words, more),
        "require_isolated": lambda place: there.does(f"isolated {place.name}") or ("lo",),
        "require_nobody_elses": lambda *_: there.does("nobody else's"),
        "image_status": lambda _: whole(ROLLFORWARD).watched_now,
        "unconfirmed": lambda *engines, mode: (
            there.asked.setdefault("engines", {}).update({mode: engines}) or {}
        ),
    }
    for name, value in played.items():
        monkeypatch.setattr(recovery, name, value)
    monkeypatch.setattr(looks, "others_of", lambda target, source: {})
    monkeypatch.setattr(looks, "read_state", walked)
    monkeypatch.setattr(read_journals, "hand_over", lambda *words: there.does("hand over", *words))
    return there


def recovering(scene: Scene, tmp_path: Path, mode: RecoveryMode, **said: Any) -> Any:
    """A recovery that has run and been discarded; its evidence is as the checks would get it."""
    scene.asked["mode"] = mode
    targets = SimpleNamespace(prepare=lambda: scene.does("prepare"))
    host = SimpleNamespace(boot=lambda *words: scene.does("boot", *words) or scene.place("booted"))
    (tmp_path / "source").mkdir(exist_ok=True)
    made = session(tmp_path, targets=targets, target_host=host)
    made = replace(made, description=description(tmp_path / "source", version="source"))
    there = said.pop("there", None) or _backup(tmp_path, **said)
    steps = recovery.Steps(
        take=lambda _: scene.does("take") or scene.place("target"), roll_forward=_rolling(scene)
    )
    run = recovery.Recovery(made, there, there.point(mode), case(mode).name, steps)
    try:
        run.run()
    finally:
        run.discard()
    return run


def _rolling(scene: Scene) -> Any:
    def rolled(*words: Any) -> Any:
        scene.does("roll forward", *words)
        return "summary", whole(ROLLFORWARD).rolled

    return rolled


def _backup(tmp_path: Path, **said: Any) -> Any:
    files = tuple(
        replace(one, path=tmp_path / "source/db" / one.path.parent.name / "IRIS.DAT")
        for one in window().before
    )
    source = SimpleNamespace(root=tmp_path / "source", paths=())
    point = Position(journal_file=JOURNALS[1], offset_bytes=70)
    points = []
    for mode in RecoveryMode:
        reached = dict.fromkeys(range(1, WRITERS + 1), REACHED[mode])
        position = point if mode is POINT_IN_TIME else None
        points.append(promised(mode, floor=reached, ceiling=reached, position=position))
    there = {
        "of": description(tmp_path / "source", version="source"),
        "window": replace(window(), before=files, after=files),
        "source": source,
        "points": tuple(points),
    }
    return backup(**{**there, **said})


def evidence(scene: Scene, tmp_path: Path, mode: RecoveryMode, **said: Any) -> Evidence:
    return of(recovering(scene, tmp_path, mode, **said))


def of(run: Any) -> Evidence:
    found: Evidence = run.recovered().evidence
    return found


def problems(found: Evidence) -> dict[str, str]:
    return dict(found.problems)


# --- what goes well


@pytest.mark.parametrize("mode", RecoveryMode)
def test_both_looks_are_there_with_what_was_promised_of_them(
    scene: Scene, tmp_path: Path, mode: RecoveryMode
) -> None:
    found = evidence(scene, tmp_path, mode)
    assert () == found.problems
    assert found.image and found.image.state and found.image.integrity and found.state and found.integrity
    assert {FREEZE} == {one.recovered for one in found.image.state.writers.values()}
    assert {FREEZE} == set(found.image.floor.values()) == set(found.image.ceiling.values())
    assert {REACHED[mode]} == {one.recovered for one in found.state.writers.values()}
    assert {REACHED[mode]} == set(found.floor.values()) == set(found.ceiling.values())
    assert (None, None, None) == (found.refusal, found.image.refusal, found.rolled_problem)
    assert (mode, 77, WRITERS, 2) == (found.mode, found.seed, found.writers, found.databases)


@pytest.mark.parametrize("mode", RecoveryMode)
def test_everything_that_was_made_is_gone(scene: Scene, tmp_path: Path, mode: RecoveryMode) -> None:
    recovering(scene, tmp_path, mode)
    assert [] == list(scene.folder.iterdir())
    assert {f"discard {place.name}" for place in scene.places} <= set(scene.said)


@pytest.mark.parametrize("mode", RecoveryMode)
def test_the_engines_that_were_seen_are_those_whose_facts_must_be_known(
    scene: Scene, tmp_path: Path, mode: RecoveryMode
) -> None:
    """The source's own, too: its freeze and its journals are judged."""
    evidence(scene, tmp_path, mode)
    engines = {key: {one.version for one in found} for key, found in scene.asked["engines"].items()}
    seen = {"source", "target", *(["booted"] if mode is BOOT else [])}
    assert {mode: seen, AS_OF_FREEZE: seen} == engines


@pytest.mark.parametrize("mode", RecoveryMode)
def test_what_the_backup_knows_is_in_the_evidence(scene: Scene, tmp_path: Path, mode: RecoveryMode) -> None:
    there = _backup(tmp_path, entry_stale=True, entry_problem="odd", journals_gone="gone", stuns=())
    found = evidence(scene, tmp_path, mode, entry_stale=True, entry_problem="odd", journals_gone="gone")
    assert (there.window, there.image.watched, there.logged.entry, True, "odd") == (
        found.window,
        found.watched,
        found.entry,
        found.entry_stale,
        found.entry_problem,
    )
    assert (there.journals, 5, there.point(mode).position) == (
        found.journals,
        found.issued_later,
        found.until,
    )
    assert scene.files == found.files and {Path("x"): "d"} == found.digests
    assert whole(mode).watched_now == found.watched_now
    if mode is not BOOT:
        assert whole(mode).copied == found.copied and whole(mode).marker == found.marker


@pytest.mark.parametrize("mode", ROLLED)
def test_a_rollforward_is_asked_for_up_to_the_recovery_point(
    scene: Scene, tmp_path: Path, mode: RecoveryMode
) -> None:
    run = recovering(scene, tmp_path, mode)
    _, source, journals, until = scene.asked["roll forward"]
    assert run._backup.point(mode).position == until
    assert ("source", run._backup.journals) == (source.version, journals)
    assert whole(ROLLFORWARD).rolled == of(run).rolled and "summary" == run.recovered().rolled
    first, last, stop, writers = scene.asked["committed"][1:]
    expected = (JOURNALS[1], 70) if mode is POINT_IN_TIME else (JOURNALS[2], None)
    assert (JOURNALS[0], *expected, WRITERS) == (first, last, stop, writers)
    assert ("read",) == of(run).committed


@pytest.mark.parametrize("mode", [AS_OF_FREEZE, BOOT])
def test_without_a_rollforward_the_journals_before_the_marker_are_what_counts(
    scene: Scene, tmp_path: Path, mode: RecoveryMode
) -> None:
    run = recovering(scene, tmp_path, mode)
    assert "roll forward" not in scene.said and "committed" not in scene.said
    assert run._backup.committed == of(run).committed
    assert None is of(run).rolled is run.recovered().rolled


def test_as_of_the_freeze_there_is_one_look(scene: Scene, tmp_path: Path) -> None:
    """Nothing was done to it since; so an operator waits for it, and its time counts."""
    run = recovering(scene, tmp_path, AS_OF_FREEZE)
    assert (1, 1) == (scene.said.count("walk"), scene.said.count("integrity"))
    assert {"integrity", "walk"} <= {stage.name for stage in run.stages.done}
    recovering(scene, tmp_path, AS_OF_FREEZE)


def test_an_instance_that_settles_is_looked_at_again(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = recovery.Steps
    monkeypatch.setattr(recovery, "Steps", lambda **more: real(**more, settle=lambda _: scene.does("settle")))
    recovering(scene, tmp_path, AS_OF_FREEZE)
    assert 2 == scene.said.count("walk") and "settle" in scene.said


@pytest.mark.parametrize("mode", [*ROLLED, BOOT])
def test_the_look_at_the_image_is_no_time_that_an_operator_waits(
    scene: Scene, tmp_path: Path, mode: RecoveryMode
) -> None:
    run = recovering(scene, tmp_path, mode)
    names = [stage.name for stage in run.stages.done]
    assert {"image integrity", "image walk", "integrity", "walk"} <= set(names)
    assert names.index("image walk") < names.index("walk")
    assert ("restore image" in names) is (mode is BOOT)


def test_databases_of_a_target_are_named_as_in_the_source(scene: Scene, tmp_path: Path) -> None:
    """Its own folders are gone when somebody reads the report."""
    found = evidence(scene, tmp_path, ROLLFORWARD)
    own = list(description(tmp_path / "source").databases.values())
    assert found.integrity and own == [one.database for one in found.integrity.databases]
    assert list(description(tmp_path / "target").databases.values()) == scene.asked["integrity"][0]


def test_other_databases_of_the_source_are_looked_at_and_named_as_there(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target does not know them: they lie below its root; a booted instance has them in its configuration."""
    other, place = tmp_path / "source/db/extra", tmp_path / "target/restored/1-extra"
    monkeypatch.setattr(looks, "others_of", lambda target, source: {} if target.booted else {other: place})
    real = Target.integrity

    def integrity(target: Target, databases: list[Path]) -> Any:
        report = real(target, databases)
        more = replace(report.databases[0], database=databases[-1])
        return replace(report, databases=(*report.databases, more))

    monkeypatch.setattr(Target, "integrity", integrity)
    found = evidence(scene, tmp_path, ROLLFORWARD)
    own = list(description(tmp_path / "target").databases.values())
    assert ([*own, place],) == scene.asked["integrity"]
    assert found.integrity and other == found.integrity.databases[-1].database
    monkeypatch.setattr(Target, "describe", _with_others(Target.describe, other))
    evidence(scene, tmp_path, BOOT)
    assert other == scene.asked["integrity"][0][-1]


def _with_others(real: Any, other: Path) -> Any:
    return lambda target: replace(real(target), others=(other,) if target.booted else ())


def test_a_restore_takes_the_time_of_both_its_parts(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Giving out the image, and putting it under the instance; for a boot the first alone: the second is for the
    look at the image.
    """
    monkeypatch.setattr(recovery, "restore", lambda *_, **__: time.sleep(0.2))
    for mode, slow in ((ROLLFORWARD, True), (BOOT, False)):
        assert slow is (recovering(scene, tmp_path, mode).recovered().restored.duration_s > 0.2)


def test_what_is_kept_of_a_restore(scene: Scene, tmp_path: Path) -> None:
    found = recovering(scene, tmp_path, ROLLFORWARD).recovered().restored
    assert (9, "at target", ("lo",)) == (found.bytes, found.into, found.interfaces)
    booted = recovering(scene, tmp_path, BOOT).recovered().restored
    assert "at booted" == booted.into


@pytest.mark.parametrize(("mode", "keep"), [(ROLLFORWARD, False), (BOOT, True)])
def test_an_image_that_is_booted_later_is_not_moved(
    scene: Scene, tmp_path: Path, mode: RecoveryMode, keep: bool
) -> None:
    recovering(scene, tmp_path, mode)
    live = description(tmp_path / "source", version="source")
    assert {"keep_image": keep, "live": live} == scene.asked["restore"][-1]


def test_the_content_of_files_with_a_digest_is_asked_for(scene: Scene, tmp_path: Path) -> None:
    there = _backup(tmp_path).window
    recovering(scene, tmp_path, ROLLFORWARD, window=replace(there, files=whole(ROLLFORWARD).window.files))  # type: ignore[union-attr]
    assert ([Path("iris.cpf")],) == scene.asked["expose"]


@pytest.mark.parametrize("own", [True, False])
def test_an_image_that_is_not_all_its_own_is_booted_as_a_copy(
    scene: Scene, tmp_path: Path, own: bool
) -> None:
    """A start writes into it, and must not write into what belongs to others."""
    scene.own = own
    recovering(scene, tmp_path, BOOT)
    name, folder, root = scene.asked["boot"]
    assert ("boot-0" if own else "boot-0-copy") == folder.name
    assert ("boot-0", tmp_path / "source") == (name, root)
    assert scene.said.index("nobody else's") < scene.said.index("boot")


@pytest.mark.parametrize(
    ("open_in_image", "mode"), [(True, AS_OF_FREEZE), (True, ROLLFORWARD), (False, ROLLFORWARD)]
)
def test_what_was_open_is_taken_back_from_the_image_alone(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_in_image: bool, mode: RecoveryMode
) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(looks, "taken_back", lambda state, *words: taken.append(words) or state)
    recovering(scene, tmp_path, mode, open_in_image=open_in_image)
    assert ([(77, WRITERS)] if open_in_image else []) == taken


# --- what goes wrong


def test_without_a_target_nothing_is_known_and_the_reason_is(scene: Scene, tmp_path: Path) -> None:
    scene.trouble["take"] = StartError("no room")
    found = evidence(scene, tmp_path, ROLLFORWARD)
    assert {"start target": "no room"} == problems(found)
    assert (None, None, None) == (found.state, found.files, found.refusal)
    assert found.image and {FREEZE} == set(found.image.floor.values())
    assert "restore" not in scene.said


def test_nothing_is_restored_into_a_target_that_is_not_isolated(scene: Scene, tmp_path: Path) -> None:
    scene.trouble["isolated target"] = InstanceError("it sees eth0")
    found = evidence(scene, tmp_path, ROLLFORWARD)
    assert {"isolation": "it sees eth0"} == problems(found)
    assert "expose" not in scene.said and "restore" not in scene.said


def test_nothing_is_looked_at_in_a_booted_image_that_is_not_isolated(scene: Scene, tmp_path: Path) -> None:
    scene.trouble["isolated booted"] = InstanceError("it sees eth0")
    found = evidence(scene, tmp_path, BOOT)
    assert {"isolation": "it sees eth0"} == problems(found)
    assert found.state is None and "discard booted" in scene.said


@pytest.mark.parametrize(
    ("error", "incomplete", "problem"),
    [
        (ImageError("db/two is not in the image"), "db/two is not in the image", {}),
        (SnapshotTimeout("too late"), None, {}),
        (SnapshotError("busy"), None, {"restore": "busy"}),
    ],
)
def test_an_image_that_is_none_is_told_from_one_that_cannot_be_given_out(
    scene: Scene, tmp_path: Path, error: Exception, incomplete: str | None, problem: dict[str, str]
) -> None:
    scene.trouble["expose"] = error
    found = evidence(scene, tmp_path, ROLLFORWARD)
    assert (incomplete, problem) == (found.incomplete, problems(found))
    assert (None, None, None) == (found.files, found.digests, found.state)


@pytest.mark.parametrize(
    ("error", "incomplete", "late"),
    [
        (ImageError("nothing"), "nothing", None),
        (SnapshotTimeout("too late"), None, "too late"),
        (SnapshotError("odd"), None, None),
        (None, None, None),
    ],
)
def test_what_the_window_says_of_the_snapshot(
    scene: Scene, tmp_path: Path, error: SnapshotError | None, incomplete: str | None, late: str | None
) -> None:
    there = replace(_backup(tmp_path).window, snapshot_problem=error)
    found = evidence(scene, tmp_path, ROLLFORWARD, window=there)
    assert (incomplete, late) == (found.incomplete, found.late)


@pytest.mark.parametrize("mode", RecoveryMode)
def test_a_database_that_the_image_lacks_refuses_both_looks(
    scene: Scene, tmp_path: Path, mode: RecoveryMode
) -> None:
    del scene.files[Path("db/two/IRIS.DAT")]
    found = evidence(scene, tmp_path, mode)
    why = "the image holds no file db/two/IRIS.DAT"
    assert found.image and (why, why) == (found.refusal, found.image.refusal)
    assert "restore" not in scene.said, "nothing is put under an instance"
    assert found.copied is not None and found.marker is not None, "the journals are judged all the same"


@pytest.mark.parametrize("mode", [AS_OF_FREEZE, *ROLLED])
def test_an_engine_that_refuses_the_files_is_an_answer(
    scene: Scene, tmp_path: Path, mode: RecoveryMode
) -> None:
    scene.trouble["restore"] = RestoreError("no database")
    found = evidence(scene, tmp_path, mode)
    assert found.image and ("no database", "no database") == (found.refusal, found.image.refusal)
    assert {REACHED[mode]} == set(found.floor.values()) and {FREEZE} == set(found.image.floor.values())
    assert "walk" not in scene.said and "roll forward" not in scene.said
    assert found.copied is not None and () == found.problems


def test_a_boot_goes_on_though_the_databases_alone_were_refused(scene: Scene, tmp_path: Path) -> None:
    scene.trouble["restore"] = RestoreError("no database")
    found = evidence(scene, tmp_path, BOOT)
    assert found.image and "no database" == found.image.refusal and found.image.state is None
    assert found.state is not None and found.refusal is None


def test_a_restore_that_could_not_be_done_is_no_answer(scene: Scene, tmp_path: Path) -> None:
    scene.trouble["restore"] = InstanceError("gone")
    found = evidence(scene, tmp_path, ROLLFORWARD)
    assert {"restore": "gone"} == problems(found)
    assert found.image and (None, None, None) == (found.refusal, found.image.refusal, found.state)


def test_an_image_that_does_not_start_is_an_answer(scene: Scene, tmp_path: Path) -> None:
    scene.trouble["boot"] = StartError("no journal")
    found = evidence(scene, tmp_path, BOOT)
    assert "the engine does not start from the restored image: no journal" == found.refusal
    assert found.image and found.image.refusal is None and found.state is None
    assert {FREEZE} == set(found.floor.values())


def test_a_rollforward_that_the_engine_breaks_off_is_an_answer(scene: Scene, tmp_path: Path) -> None:
    scene.trouble["roll forward"] = RollforwardError("<DATABASE>")
    found = evidence(scene, tmp_path, ROLLFORWARD)
    assert ("<DATABASE>", None, None) == (found.rolled_problem, found.rolled, found.state)
    assert found.integrity is not None, "its structure can be looked at"
    assert () == found.problems


def test_a_rollforward_that_could_not_be_asked_for_is_none(scene: Scene, tmp_path: Path) -> None:
    scene.trouble["roll forward"] = InstanceError("gone")
    found = evidence(scene, tmp_path, ROLLFORWARD)
    assert (None, None, {"roll forward": "gone"}) == (found.rolled_problem, found.rolled, problems(found))


def test_without_journals_there_is_no_rollforward(scene: Scene, tmp_path: Path) -> None:
    found = evidence(scene, tmp_path, ROLLFORWARD, journals=None)
    assert "roll forward" not in scene.said
    assert (None, None, None, None) == (found.rolled, found.copied, found.marker, found.state)
    booted = evidence(scene, tmp_path, BOOT, journals=None)
    assert (None, None) == (booted.copied, booted.marker)


@pytest.mark.parametrize("mode", RecoveryMode)
@pytest.mark.parametrize("step", ["integrity", "walk"])
def test_a_look_that_broke_off_is_unknown_in_that_part_alone(
    scene: Scene, tmp_path: Path, mode: RecoveryMode, step: str
) -> None:
    scene.trouble[step] = CommandError(("x",), 1, 1.0, "")
    found = evidence(scene, tmp_path, mode)
    assert found.image
    for one in (found.recovered, found.image):
        assert (step == "walk") is (one.state is None) and (step == "integrity") is (one.integrity is None)
    assert {name.rpartition(" ")[2] for name, _ in found.problems} == {step}


@pytest.mark.parametrize(
    ("step", "part", "name"),
    [
        ("journals", "copied", "read journals"),
        ("marker", "marker", "read marker"),
        ("committed", "committed", "read journals"),
    ],
)
def test_journals_that_cannot_be_read_are_unknown_in_that_part_alone(
    scene: Scene, tmp_path: Path, step: str, part: str, name: str
) -> None:
    scene.trouble[step] = InstanceError("unreadable")
    found = evidence(scene, tmp_path, ROLLFORWARD)
    assert {name: "unreadable"} == problems(found)
    parts = {one: getattr(found, one) for one in ("copied", "marker", "committed")}
    assert None is parts.pop(part) and None not in parts.values()


def test_what_cannot_be_removed_is_told_and_keeps_nothing_else(scene: Scene, tmp_path: Path) -> None:
    scene.trouble["discard target"] = InstanceError("it stays")
    found = evidence(scene, tmp_path, ROLLFORWARD)
    assert {"remove the restored instance": "it stays"} == problems(found)
    assert [] == list(scene.folder.iterdir())


def test_a_defect_leaves_nothing_either(scene: Scene, tmp_path: Path) -> None:
    scene.trouble["walk"] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        recovering(scene, tmp_path, ROLLFORWARD)
    assert [] == list(scene.folder.iterdir()) and "discard target" in scene.said


def test_problems_of_the_backup_are_problems_of_each_case(scene: Scene, tmp_path: Path) -> None:
    found = evidence(scene, tmp_path, ROLLFORWARD, problems=(("stuns", "unknown"),))
    assert {"stuns": "unknown"} == problems(found)


# --- the journals that a booted image holds


def with_journals(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, log: bool = True) -> None:
    """The image holds a folder of journals, and the list of them above it."""
    real = recovery.expose

    def exposed(*words: Any) -> Exposed:
        found: Exposed = real(*words)
        (found.folder / "mgr/journal").mkdir(parents=True)
        (found.folder / "mgr/journal/20261122.001").write_text("x")
        if log:
            (found.folder / "mgr/journal.log").write_text("list")
        return found

    monkeypatch.setattr(recovery, "expose", exposed)


@pytest.mark.parametrize("log", [True, False])
def test_they_are_read_where_the_target_can_see_them(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: bool
) -> None:
    with_journals(scene, tmp_path, monkeypatch, log=log)
    seen: list[list[str]] = []
    monkeypatch.setattr(
        read_journals,
        "hand_over",
        lambda path, *_: seen.append(sorted(one.name for one in path.iterdir())) if path.is_dir() else None,
    )
    found = evidence(scene, tmp_path, BOOT)
    assert ["20261122.001", *(["journal.log"] if log else [])] in seen
    (folder,) = scene.asked["journals"]
    assert folder not in (Path("/journals"), tmp_path / "source/mgr/journal")
    assert whole(BOOT).copied == found.copied and whole(BOOT).marker == found.marker
    assert not folder.exists(), "nothing is left of it"


def test_a_folder_of_journals_that_the_image_lacks_holds_none(scene: Scene, tmp_path: Path) -> None:
    """That is not the same as one that nobody could read."""
    found = evidence(scene, tmp_path, BOOT)
    assert ((), None) == (found.copied, found.marker)
    assert whole(BOOT).committed is not None and found.committed is not None


def test_journals_outside_of_what_was_captured_could_not_be_read(scene: Scene, tmp_path: Path) -> None:
    source = SimpleNamespace(root=tmp_path / "source/db", paths=())
    there = _backup(tmp_path)
    files = {Path("one/IRIS.DAT"): 1, Path("two/IRIS.DAT"): 1}
    scene.files = files
    found = evidence(scene, tmp_path, BOOT, source=source, window=there.window)
    assert found.copied is None and "read the image's journals" in problems(found)
    assert found.committed is not None


def test_journals_of_the_image_that_cannot_be_lent_could_not_be_read(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_journals(scene, tmp_path, monkeypatch)
    real = read_journals.copy_paths

    def full(place: Path, paths: Any, folder: Path, method: Any) -> None:
        if place.name == "journal":
            raise SnapshotError("no room")
        real(place, paths, folder, method)

    monkeypatch.setattr(read_journals, "copy_paths", full)
    found = evidence(scene, tmp_path, BOOT)
    assert {"read the image's journals": "no room"} == problems(found)
    assert found.copied is None and found.committed is not None


def test_the_whole_of_it_is_a_record(scene: Scene, tmp_path: Path) -> None:
    """`recover` makes the next target ready, judges, and says what it found."""
    scene.asked["mode"] = ROLLFORWARD
    targets = SimpleNamespace(prepare=lambda: scene.does("prepare"))
    made: Session = replace(
        session(tmp_path, targets=targets), description=description(tmp_path / "source", version="source")
    )
    steps = recovery.Steps(take=lambda _: scene.place("target"), roll_forward=_rolling(scene))
    there = _backup(tmp_path)
    name, point = "cycle 1 · copy · rollforward", there.point(ROLLFORWARD)
    found = recovery.recover(made, there, point, name=name, steps=steps)
    assert name == found.name
    assert "prepare" in scene.said and "judge" in [stage.name for stage in found.stages]
    verdicts = {check.name: check.verdict for check in found.checks}
    assert Verdict.PASS is verdicts["floor"] is verdicts["content"] is verdicts["image.content"]
    assert found.restore and "summary" == found.rollforward  # type: ignore[comparison-overlap]
    none = replace(there, image=None, window=replace(there.window, snapshot=None))
    bare = recovery.recover(made, none, point, name=name, steps=steps)
    assert None is bare.restore and Verdict.PASS is not bare.verdict


# --- a backup that was made elsewhere


def elsewhere(tmp_path: Path) -> Any:
    """Nobody saw its window, and nothing is known of what was written."""
    return replace(_backup(tmp_path), window=None, written=None)


@pytest.mark.parametrize("mode", [AS_OF_FREEZE, ROLLFORWARD])
def test_what_nobody_saw_of_it_is_not_known(scene: Scene, tmp_path: Path, mode: RecoveryMode) -> None:
    found = evidence(scene, tmp_path, mode, there=elsewhere(tmp_path))
    assert (None, None, None, None) == (found.window, found.seed, found.writers, found.issued_later)
    assert (None, None, None) == (found.state, found.late, found.incomplete)
    assert found.integrity is not None and found.copied is not None and () == found.problems
    assert "walk" not in scene.said and "committed" not in scene.said
    assert ("roll forward" in scene.said) is (mode is ROLLFORWARD)


def test_a_database_of_it_has_some_file(scene: Scene, tmp_path: Path) -> None:
    """Which one cannot be known."""
    there = elsewhere(tmp_path)
    found = evidence(scene, tmp_path, ROLLFORWARD, there=there)
    assert found.refusal is None
    del scene.files[Path("db/two/IRIS.DAT")]
    scene.files[Path("db/two.txt")] = 1
    found = evidence(scene, tmp_path, ROLLFORWARD, there=there)
    assert "the image holds no file db/two/*" == found.refusal


def test_a_file_that_the_engine_makes_anew_is_not_missing(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del scene.files[Path("db/two/IRIS.DAT")]
    monkeypatch.setattr(recovery, "left_out", lambda path: path.parent.name == "two")
    assert evidence(scene, tmp_path, ROLLFORWARD).refusal is None


def test_a_booted_instance_says_what_it_sees_of_networks(scene: Scene, tmp_path: Path) -> None:
    """The target that was looked at before says nothing of it."""
    seen = {"target": ("lo",), "booted": ("lo", "of the booted")}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recovery, "require_isolated", lambda place: seen[place.name])
        found = recovering(scene, tmp_path, BOOT).recovered().restored
    assert seen["booted"] == found.interfaces


def test_journals_of_an_image_come_with_what_was_committed_before_the_marker(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_journals(scene, tmp_path, monkeypatch)
    before = _backup(tmp_path).committed
    assert before is not None and before == evidence(scene, tmp_path, BOOT).committed


def test_limits_are_judged_by_what_was_measured(scene: Scene, tmp_path: Path) -> None:
    """A recovery that took too long for the plan is no PASS."""
    scene.asked["mode"] = ROLLFORWARD
    targets = SimpleNamespace(prepare=lambda: None)
    made = replace(
        session(tmp_path, targets=targets),
        description=description(tmp_path / "source", version="source"),
        limits=Limits(rto_s=1e-9),
    )
    steps = recovery.Steps(take=lambda _: scene.place("target"), roll_forward=_rolling(scene))
    there = _backup(tmp_path)
    found = recovery.recover(made, there, there.point(ROLLFORWARD), name="x", steps=steps)
    (limits,) = [check for check in found.checks if check.name == "limits"]
    assert Verdict.FAIL is limits.verdict is found.verdict


def test_journals_that_are_gone_are_in_the_evidence(scene: Scene, tmp_path: Path) -> None:
    assert "gone" == evidence(scene, tmp_path, ROLLFORWARD, journals_gone="gone").journals_gone


def test_whether_the_snapshot_still_changes_is_looked_at_before_anything_is_done_with_it(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And anew: what it was just after the thaw is the other half of the comparison."""
    now = ("as it is now",)
    monkeypatch.setattr(recovery, "image_status", lambda _: scene.does("status") or now)
    found = evidence(scene, tmp_path, ROLLFORWARD)
    assert now == found.watched_now != found.watched
    assert 1 == scene.said.count("status") and scene.said.index("status") < scene.said.index("take")


def test_journals_of_an_image_are_read_in_it_before_a_start_changes_them(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The marker, too: the copied set is another thing."""
    with_journals(scene, tmp_path, monkeypatch)
    evidence(scene, tmp_path, BOOT)
    assert scene.asked["journals"][0] == scene.asked["marker"][0] != whole(BOOT).journals.folder  # type: ignore[union-attr]
    assert max(scene.said.index("journals"), scene.said.index("marker")) < scene.said.index("boot")
