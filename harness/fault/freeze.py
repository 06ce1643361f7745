"""Faults of the freeze window: no freeze, a freeze that did not hold, a thaw that came too early or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from harness import destroy
from harness.command import Completed, Prepared
from harness.errors import FreezeError, InstanceError, ThawError
from harness.evidence.answers import FreezeAnswer
from harness.evidence.backup import OwnBackup
from harness.fault.base import EVERYTHING, Planted, Specimen, fault
from harness.instance.iris import Instance
from harness.model import RecoveryMode, Verdict
from harness.plan.model import FreezeSpec, Limits, SnapshotSpec, WorkloadSpec
from harness.stages.window import image_status

_TORN = EVERYTHING - {"marker"}


class _Claims(Instance):
    """An instance whose freeze is only claimed, as by a script that exits 0 whatever happened."""

    def freeze(self, log: Path, text: str, spec: FreezeSpec) -> FreezeAnswer:
        self.asked(log, text, spec)
        now = time.monotonic()
        return FreezeAnswer(called_s=now, returned_s=now, frozen_utc=datetime.now(UTC))

    def asked(self, log: Path, text: str, spec: FreezeSpec) -> None:
        """Never asked."""


class _Ignores(_Claims):
    """The freeze is asked for and refused, and nobody looks."""

    refusal = ""

    def asked(self, log: Path, text: str, spec: FreezeSpec) -> None:
        Instance(self.place).freeze(log.with_name("somebody.log"), "somebody else", FreezeSpec())
        try:
            Instance(self.place).freeze(log, text, spec)
        except FreezeError as error:
            self.refusal = str(error)
            return
        raise InstanceError("a freeze was not refused while another was in force")


class _Seen:
    """What the instance answers in the window, just before the copy."""

    def __init__(self, specimen: Specimen) -> None:
        self._source = specimen.session.source
        self.evidence: list[str] = []

    def not_frozen(self) -> None:
        if not self._source.is_frozen():
            self.evidence.append("the instance was not frozen when the copy was made")


def _never(specimen: Specimen) -> Planted:
    seen = _Seen(specimen)
    planted = specimen.back_up(source=_Claims(specimen.session.source.place), halfway=seen.not_frozen)
    planted.evidence.extend(seen.evidence)
    return planted


def _ignored(specimen: Specimen) -> Planted:
    source = _Ignores(specimen.session.source.place)
    planted = specimen.back_up(source=source)
    planted.evidence.extend([source.refusal] if source.refusal else [])
    return planted


def _self_thaw(specimen: Specimen) -> Planted:
    limited = FreezeSpec(wd_suspend_limit_s=1)
    seen = _Seen(specimen)

    def wait() -> None:
        time.sleep(1.3)
        seen.not_frozen()

    planted = specimen.back_up(halfway=wait, freeze=limited, endless=True)
    planted.names = "WDSuspendLimit"
    planted.evidence.extend(seen.evidence)
    return planted


def _thawed_by(when: str) -> Callable[[Specimen], Planted]:
    """Somebody else thaws, before the copy or after it."""

    def plant(specimen: Specimen) -> Planted:
        source = specimen.session.source

        def thaw() -> None:
            source.thaw(specimen.folder / "somebody.log")
            evidence.append(f"somebody thawed {when} the copy")
            time.sleep(0.3 if when == "before" else 0.0)

        evidence: list[str] = []
        if when == "before":
            planted = specimen.back_up(halfway=thaw)
        else:
            script = 'cp -a "$0"/. "$1" && touch "$2" && while [ -e "$2" ]; do sleep 0.01; done'
            planted = _after(specimen, thaw, script)
        planted.evidence.extend(evidence)
        return planted

    return plant


def _after(specimen: Specimen, thaw: Callable[[], None], script: str) -> Planted:
    """The snapshot command has copied, and does not end before somebody has thawed."""
    import threading

    flag = specimen.folder / "copied"

    def watch() -> None:
        while not flag.exists():
            time.sleep(0.005)
        thaw()
        destroy.file(flag, specimen.session.ground)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    command = ["sh", "-c", script, "{source}", "{target}", str(flag)]
    planted = specimen.back_up(provider=SnapshotSpec(provider="command", options={"run": command}))
    watcher.join(timeout=10)
    return planted


def _background(specimen: Specimen) -> Planted:
    """The snapshot command ends well, but part of its work goes on after the thaw."""
    script = 'cp -a "$0"/. "$1" && { (sleep 0.4; cp -a "$0"/db/. "$1"/db) >/dev/null 2>&1 & }'
    command = ["sh", "-c", script, "{source}", "{target}"]
    planted = specimen.back_up(provider=SnapshotSpec(provider="command", options={"run": command}))
    planted.evidence.extend(_changes_after(planted.backup))
    return planted


def _changes_after(backup: OwnBackup) -> list[str]:
    """Waits until a file of the image is seen to change after the thaw; none if that does not happen."""
    assert backup.image
    for _ in range(500):
        now = image_status(backup.image.snapshot)
        if now != backup.image.watched:
            changed = set(now or ()) - set(backup.image.watched or ())
            return [f"{status.path.name} of the image was written after the thaw" for status in changed]
        time.sleep(0.01)
    return []


def _touched(specimen: Specimen) -> Planted:
    """The copy puts the access times of the source back, which moves its change times."""
    script = 'cp -a "$0"/. "$1" && touch -a -r "$1"/db/one/IRIS.DAT "$0"/db/one/IRIS.DAT'
    command = ["sh", "-c", script, "{source}", "{target}"]
    planted = specimen.back_up(provider=SnapshotSpec(provider="command", options={"run": command}))
    window = planted.backup.window
    moved = [
        a.path.name for a, b in zip(window.before, window.after, strict=True) if a.changed_ns != b.changed_ns
    ]
    planted.evidence.extend(f"the change time of {name} moved" for name in moved)
    return planted


def _written_to(specimen: Specimen) -> Planted:
    """Somebody else writes to a database file of the source under a freeze that holds, and puts the byte back."""
    file = specimen.session.description.databases["two"] / "IRIS.DAT"

    def write() -> None:
        with file.open("r+b") as opened:
            first = opened.read(1)
            opened.seek(0)
            opened.write(first)

    planted = specimen.back_up(halfway=write)
    window = planted.backup.window
    moved = [
        a.path.name
        for a, b in zip(window.before, window.after, strict=True)
        if a.modified_ns != b.modified_ns
    ]
    planted.evidence.extend(f"the time of writing of {name} moved" for name in moved)
    return planted


def _too_long(specimen: Specimen) -> Planted:
    """Frozen for longer than the plan allows."""
    planted = specimen.back_up(halfway=lambda: time.sleep(0.4))
    limit_s = 0.3
    limits = Limits(window_s=limit_s)
    planted.session = replace(specimen.session, limits=limits)
    took_s = planted.backup.window.duration_s
    planted.evidence.extend([f"the window took {took_s:.3f} s"] if took_s > limit_s else [])
    return planted


def _without_switch(specimen: Specimen) -> Planted:
    """SwitchJournalFile=0: no marker is logged."""
    planted = specimen.back_up(freeze=FreezeSpec(switch_journal=False))
    window = planted.backup.window
    logged = window.log.read_bytes()[window.log_from_byte :].decode()
    if "System suspended" in logged and "Journal marker" not in logged:
        planted.evidence.append("the log tells of a freeze and of no marker")
    return planted


def _over_at_once(specimen: Specimen) -> WorkloadSpec:
    """A transaction of each writer, and the end."""
    load = specimen.session.workload
    return replace(load, transactions=load.writers, rate=None)


def _idle(specimen: Specimen) -> Planted:
    """The load was over before the freeze: nothing can be lost, and nothing shows that journals were applied."""
    planted = specimen.back_up(workload=_over_at_once(specimen))
    point = planted.backup.point
    if point(RecoveryMode.AS_OF_FREEZE).floor == point(RecoveryMode.ROLLFORWARD).floor:
        planted.evidence.append("every transaction was acknowledged before the freeze")
    return planted


class _Unheard(Instance):
    """A thaw never arrives, and a question finds nobody."""

    def __init__(self, real: Instance) -> None:
        super().__init__(_Deaf(real.place))  # type: ignore[arg-type]


class _Deaf:
    """A place in which a thaw ends with a status that is no answer."""

    def __init__(self, real: object) -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def run(self, argv: list[str], **options: object) -> Completed:
        if "Thaw" in argv[-1] or "IsWDSuspended" in argv[-1]:
            return Completed(argv=tuple(argv), status=1, stdout="", stderr="", duration_s=0.0)
        return self._real.run(argv, **options)  # type: ignore[attr-defined, no-any-return]

    def prepare(self, argv: list[str]) -> Prepared:
        return self._real.prepare(["false"])  # type: ignore[attr-defined, no-any-return]


def _left(specimen: Specimen) -> Planted:
    """The thaw is lost: the run must end with the command to type, and say nothing else. Nobody writes then: a writer
    that is killed in a frozen instance is not heard to the end.
    """
    try:
        specimen.back_up(source=_Unheard(specimen.session.source), workload=_over_at_once(specimen))
    except ThawError:
        if specimen.session.source.is_frozen():
            specimen.session.source.thaw(specimen.folder / "freeze.log")
            raise
    raise InstanceError("a thaw that never arrived was not noticed")


_fault = partial(fault, "freeze", echoes=_TORN)


FAULTS = (
    _fault("never_asked", "nothing was ever frozen", "marker.stale", _never, "hold", "marker"),
    _fault(
        "refused",
        "the refusal of the freeze was ignored",
        "image.floor.lost",
        _ignored,
        "image.floor",
        echoes=_TORN | {"hold"},
    ),
    _fault(
        "self_thaw",
        "WDSuspendLimit ended the freeze while the copy went on",
        "hold.self_thaw",
        _self_thaw,
        "hold",
    ),
    _fault(
        "thawed_before",
        "somebody thawed while the copy went on",
        "hold.released",
        _thawed_by("before"),
        "hold",
    ),
    _fault(
        "thawed_after",
        "somebody thawed before we did, after the copy",
        "hold.released",
        _thawed_by("after"),
        "hold",
    ),
    _fault(
        "touched",
        "change times of the source moved in the window",
        "hold.touched",
        _touched,
        "hold",
        verdict=Verdict.UNKNOWN,
        echoes=frozenset(),
    ),
    _fault(
        "written_to",
        "a database file of the source was written in the window",
        "hold.changed",
        _written_to,
        "hold",
        echoes=frozenset(),
    ),
    _fault("background", "the copy went on after the thaw", "hold.incomplete", _background, "hold"),
    _fault(
        "too_long",
        "the freeze took longer than the plan allows",
        "limits.window",
        _too_long,
        "limits",
        echoes=frozenset(),
    ),
    _fault(
        "no_switch",
        "no marker was asked for",
        "marker.none",
        _without_switch,
        "marker",
        verdict=Verdict.UNKNOWN,
    ),
    _fault(
        "idle",
        "the load was over before the freeze",
        "recovery_point.nothing_between",
        _idle,
        "recovery_point",
        verdict=Verdict.UNKNOWN,
        echoes=frozenset(),
    ),
    _fault("left", "the thaw never arrived", "thaw", _left),
)
