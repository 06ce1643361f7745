"""The port for planted faults, and the specimen they are planted in.

A fault takes a good backup and gives one that is bad in one known way: the damage is done to copies, so that the
next fault finds the good one again. It says which checks must see it, which may fail as a consequence, and which
finding names the cause. Every other check must not fail: a verifier that blames everything names nothing.

What an engine cannot be made to do is planted in the restored state by a routine of the agent (`physical` is
False). A fault without evidence that something really changed has shown nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import destroy
from harness.command import Deadline
from harness.evidence.backup import Image, OwnBackup
from harness.instance.base import TO_READ
from harness.instance.iris import Instance
from harness.model import IMAGE, LOOKS, CaseRecord, RecoveryMode, Verdict
from harness.plan.model import FreezeSpec, SnapshotSpec, WorkloadSpec
from harness.session.session import Session
from harness.snapshot.base import GivesOut, Snapshot, SnapshotProvider, Source
from harness.stages.backup import back_up, freeze_entry, load_provider
from harness.stages.recovery import Steps, recover

STATE = frozenset({"atomicity", "content", "consistent_cut", "floor", "ceiling", "recovery_point"})
"""The checks that judge what came back; damage upstream may show in any of them."""
OF_IMAGE = frozenset(f"{IMAGE}{name}" for name in LOOKS)
EVERYTHING = STATE | OF_IMAGE | {"integrity", "snapshot", "chain", "marker"}
"""What a bad image may show in, beside the check that must see it."""
WORDS = {
    "undo": "1 transactions",
    "older": "",
    "open": "recorded but not committed",
    "half": "committed without its record",
    "torn": "database one is ahead",
    "ahead": "committed without its record",
    "hole": "later ones are there",
    "twice": '^RVA("b",2',
    "balance": '^RVA("b",2,7)',
    "account": '^RVA("b",2,7)',
    "history": "amount",
    "trail": "is absent",
    "trailed": "expected transaction",
    "coldone": "^RVAK",
    "coldtwo": "^RVBK(d",
    "coldmore": "expected absent",
    "coldgone": "^RVBK(f,1)",
    "killed": "'8'",
    "cut": '^RVB("l",2',
    "read": "expected check",
    "uncount": "counter 0",
    "recount": "same value of the counter",
    "unreadable": "garbage",
    "overcount": "is ahead",
    "stranger": "^RVA(x)",
    "counter": "is behind",
    "confirm": "confirmed",
    "foreign": "writer 4",
    "gone": "transaction 1 is missing",
}
"""Label of RVFAULT.m → what the first line must say, so that a person sees what it is."""
SNAPSHOT = SnapshotSpec(provider="copy", options={})
MODES = tuple(RecoveryMode)
"""How the specimen's backups are made, and what they promise."""
PATH_OF = {"one": Path("db/one/IRIS.DAT"), "two": Path("db/two/IRIS.DAT")}


@dataclass(kw_only=True)
class Planted:
    """A backup with a fault in it, ready to be recovered.

    Attributes:
        names: What the first line of the verdict has to name, beside the cause's code; empty if the code is enough.
        evidence: What shows that something changed; may be filled during the recovery.
    """

    session: Session
    backup: OwnBackup
    names: str = ""
    evidence: list[str] = field(default_factory=list)
    steps: Steps = field(default_factory=Steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way in which a backup can be bad.

    Attributes:
        sees: Checks that must fail (with `verdict` UNKNOWN: must be UNKNOWN).
        echoes: Checks that may fail too, as a consequence.
        cause: Code of the finding that names what a person must look at; several with bars between them where chance
            decides which of them comes first.
        word: What that finding must say beside, by which a person tells this fault from its neighbours.
        physical: False if it is planted in the restored state.
    """

    name: str
    statement: str
    plant: Callable[[Specimen], Planted]
    cause: str
    sees: frozenset[str]
    echoes: frozenset[str] = frozenset()
    mode: RecoveryMode = RecoveryMode.ROLLFORWARD
    verdict: Verdict = Verdict.FAIL
    word: str = ""
    physical: bool = True

    @property
    def family(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]


def fault(
    family: str,
    name: str,
    statement: str,
    cause: str,
    plant: Callable[[Specimen], Planted],
    *sees: str,
    echoes: frozenset[str],
    mode: RecoveryMode = RecoveryMode.ROLLFORWARD,
    verdict: Verdict = Verdict.FAIL,
    word: str = "",
) -> Fault:
    """A fault in one line; `sees` are names of checks."""
    return Fault(
        name=f"{family}.{name}",
        statement=statement,
        plant=plant,
        cause=cause,
        sees=frozenset(sees),
        echoes=echoes,
        mode=mode,
        verdict=verdict,
        word=word,
    )


def planted_in(folder: Path) -> destroy.Ground:
    """A copy that a fault may take things from."""
    return destroy.Ground(folder=folder, right="a fault is planted in this copy")


class Specimen:
    """A loaded instance with two good backups to damage, and a folder for one fault at a time."""

    def __init__(self, session: Session, earlier: OwnBackup, good: OwnBackup, earlier_log: str) -> None:
        self.session = session
        self.earlier = earlier
        self.good = good
        self.earlier_log = earlier_log
        self.folder = session.work / "specimen"
        self._journals = session.work / TO_READ / "specimen"
        self._states: dict[RecoveryMode, bytes] = {}
        with good.window.log.open() as log:
            log.seek(good.window.log_from_byte)
            self._own_log = log.read()  # now: faults of the freeze add windows of their own

    def clear(self) -> None:
        """Take back what a fault did: its folder is removed, and the instance is thawed."""
        for folder in (self.folder, self._journals):
            destroy.tree(folder, self.session.ground)
        self.folder.mkdir()
        if self.session.source.is_frozen():
            self.session.source.thaw(self.folder / "freeze.log")

    def planted(self, backup: OwnBackup | None = None, **fields: Any) -> Planted:
        """A backup as it is, to be changed."""
        return Planted(session=self.session, backup=backup or self.good, **fields)

    def with_journals(self, damage: Callable[[Path, list[str]], str], names: str = "") -> Planted:
        """Journals of its own to damage.

        Args:
            damage: Given the folder and the journals' names in order; returns what it changed.
        """
        assert self.good.journals
        folder = self._journals  # where restored instances read
        shutil.copytree(self.good.journals.folder, folder)
        before = contents(folder)
        changed = damage(folder, [journal.name for journal in self.good.journals.expected])
        evidence = [changed] if contents(folder) != before else []
        backup = replace(self.good, journals=replace(self.good.journals, folder=folder))
        return self.planted(backup, names=names or changed.split(" ")[0], evidence=evidence)

    def with_image(self, damage: Callable[[Path], str], names: str = "") -> Planted:
        """An image that is damaged whenever it is given out; `damage` returns what it changed."""
        planted = self.planted(names=names)
        assert self.good.image
        provider = Damaging(self.good.image.provider, damage, planted.evidence)
        planted.backup = replace(self.good, image=replace(self.good.image, provider=provider))
        return planted

    def with_log(self, text: str, names: str = "") -> Planted:
        """Another freeze log in the place of ours."""
        log = self.folder / "freeze.log"
        log.write_text(text, newline="")
        planted = self.with_log_of(log, names=names)
        if text != self.own_log():
            planted.evidence.append(f"the log has {len(text)} characters")
        return planted

    def with_log_of(self, log: Path, from_byte: int = 0, names: str = "") -> Planted:
        """A file in the place of our freeze log, of which our freeze wrote what follows a byte."""
        window = replace(self.good.window, log=log, log_from_byte=from_byte)
        logged = freeze_entry(window)
        start = logged.entry.marker if logged.entry else None
        journals = replace(self.good.journals, start=start) if start and self.good.journals else None
        backup = replace(self.good, window=window, logged=logged, journals=journals)
        return self.planted(backup, names=names)

    def own_log(self) -> str:
        """What this backup's freeze and thaw logged."""
        return self._own_log

    def back_up(
        self,
        *,
        source: Instance | None = None,
        halfway: Callable[[], object] = lambda: None,
        provider: SnapshotSpec | None = None,
        freeze: FreezeSpec | None = None,
        workload: WorkloadSpec | None = None,
        endless: bool = False,
    ) -> Planted:
        """A new backup in which something is otherwise.

        Args:
            halfway: Called in the window, before the copy.
            endless: The provider heeds no limit.
        """
        session = replace(
            self.session,
            source=source or self.session.source,
            freeze=freeze or self.session.freeze,
            workload=workload or self.session.workload,
        )
        spec = provider or SNAPSHOT
        real: SnapshotProvider = Interrupted(load_provider(session, spec), halfway, endless)
        made = back_up(session, spec, MODES, session.stages("fault"), provider=real)
        return Planted(session=self.session, backup=made)

    def settled(self, change: Callable[[Instance], object], **fields: Any) -> Planted:
        """A recovery whose result is changed before anything looks at it."""
        return self.planted(steps=Steps(settle=change), **fields)

    def rolled_forward(self, otherwise: Callable[..., Any], mode: RecoveryMode) -> Planted:
        """A recovery by another roll-forward; the evidence is a state that is not that of the right one."""
        right = self._right(mode)
        evidence: list[str] = []

        def compare(target: Instance) -> None:
            if state_of(target, 1) != right:
                evidence.append("the state is not that of the right roll-forward")

        return self.planted(steps=Steps(roll_forward=otherwise, settle=compare), evidence=evidence)

    def _right(self, mode: RecoveryMode) -> bytes:
        """What the walkers print of the good backup, recovered in a mode."""
        if mode not in self._states:
            states: list[bytes] = []
            recovered(
                self.planted(steps=Steps(settle=lambda target: states.append(state_of(target, 1)))), mode
            )
            (self._states[mode],) = states
        return self._states[mode]


class Damaging:
    """Gives out what another provider gives out, damaged."""

    def __init__(self, real: GivesOut, damage: Callable[[Path], str], evidence: list[str]) -> None:
        self._real = real
        self._damage = damage
        self._evidence = evidence

    def release(self, snapshot: Snapshot) -> None:
        self._real.release(snapshot)

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        copied = self._real.expose(snapshot, target)
        before = contents(target)
        changed = self._damage(target)
        if contents(target) != before:
            self._evidence.append(changed)
        return copied


class Interrupted:
    """Captures as another provider does, but something happens first; `endless`: it heeds no limit."""

    def __init__(self, real: SnapshotProvider, halfway: Callable[[], object], endless: bool) -> None:
        self._real = real
        self._halfway = halfway
        self._endless = endless
        self.options_schema = real.options_schema

    def probe(self, source: Source) -> None:
        self._real.probe(source)

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        self._halfway()
        return self._real.capture(source, Deadline.after(60.0) if self._endless else deadline)

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        return self._real.expose(snapshot, target)

    def release(self, snapshot: Snapshot) -> None:
        self._real.release(snapshot)


def recovered(planted: Planted, mode: RecoveryMode) -> CaseRecord:
    """What a recovery from a planted fault leaves in the record."""
    backup = planted.backup
    name = f"cycle 1 · copy · {mode.value}"
    return recover(planted.session, backup, backup.point(mode), name=name, steps=planted.steps)


def given(backup: OwnBackup, folder: Path) -> Image:
    """The image of a backup, put into a folder."""
    assert backup.image
    backup.image.give_out(folder)
    return backup.image


def state_of(target: Instance, writer: int) -> bytes:
    """All that the walkers print of the state, with the history of one writer, by which a change is seen."""
    printed = [target.start_state("summary", 0), target.start_state("history", writer)]
    return b"".join(process.communicate(timeout=60)[0] for process in printed)


def contents(folder: Path) -> dict[str, int]:
    """Name → hash of the content, of everything below a folder that is a file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hash(path.read_bytes()) for path in files}


def overwrite(file: Path, at: int, data: bytes) -> str:
    """Write bytes into the middle of a file; returns what to say of it."""
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)
    return f"{file.name}: {len(data)} bytes at {at}"
