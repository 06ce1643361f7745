"""The detection matrix: every planted fault against every check.

One loaded instance serves all faults of a process, with two good backups to damage. The good one is recovered first
without a fault: whatever fails there is a false alarm, and then no row means anything.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import plugins
from harness.codec import Stored
from harness.declared import guide
from harness.errors import HarnessError, ThawError, UsageError
from harness.evidence.backup import OwnBackup
from harness.fault.base import MODES, SNAPSHOT, Fault, Planted, Specimen, recovered
from harness.model import IMAGE, CaseRecord, Finding, RecoveryMode, Verdict
from harness.plan.model import InstanceSpec, WorkloadSpec
from harness.report.cause import cause
from harness.session.opening import opened
from harness.session.progress import CaseDone, Progress, RunBegan
from harness.session.session import Session
from harness.stages.backup import back_up

GROUP = "harness.faults"
SCHEMA = "harness.matrix/1"
WORKLOAD = WorkloadSpec(writers=3, duration_s=1.2, rate=4000)
"""Small, and under load until it is stopped."""
_RECOVERIES = 4
DETECTS, ECHO, SILENT, BLIND, ALARM, MISSED = "detects", "echo", "-", "blind", "ALARM", "MISSED"
"""A cell: saw it; failed as a consequence, which is allowed; must not see it and does not; could not look; failed
and must not; should have seen it and did not.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one fault."""

    name: str
    """Name of the fault."""
    statement: str
    """What was done to the backup."""
    physical: bool
    """False if it was planted in the restored state."""
    verdict: Verdict
    """Of the recovery."""
    cells: dict[str, str]
    """Check → one of the words of a cell; a blind one goes on with the reason."""
    caught: bool
    """The verdict is the right one, every check that must see it does, none that must not fails."""
    codes: tuple[str, ...]
    """What the first finding must be: one of these."""
    words: tuple[str, ...]
    """What it must say."""
    first_line: str
    """That finding."""
    evidence: str
    """What shows that something was planted; empty if nothing does."""
    duration_s: float
    """Seconds it took."""

    @property
    def named(self) -> bool:
        """Whether the first finding is right, and says what it must."""
        return self.accepts(self.first_line)

    def accepts(self, line: str) -> bool:
        """Whether a line would do as the first one of this fault."""
        return any(line.startswith(code) for code in self.codes) and all(word in line for word in self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All rows, and who answered."""

    instance: str
    """Which product answered."""
    seed: int
    """Of the load."""
    rows: tuple[Row, ...]
    """One for each fault."""
    schema: str = SCHEMA
    """Name and version of this form."""


MATRICES = Stored(Matrix, SCHEMA)
_OF_A_MODE = re.compile("_(as_of_freeze|rollforward|rolled|point_in_time|boot)$")


def told_apart(matrix: Matrix) -> list[Row]:
    """The rows whose first line would do for no other fault; the same fault in another recovery mode is no other."""
    return [
        row
        for row in matrix.rows
        if not any(
            other.accepts(row.first_line) and _OF_A_MODE.sub("", other.name) != _OF_A_MODE.sub("", row.name)
            for other in matrix.rows
        )
    ]


def alone(matrix: Matrix) -> dict[str, list[str]]:
    """Check → the faults that it alone keeps from a PASS, be it FAIL or UNKNOWN; both looks count as one. A check
    without one could be taken away, and no fault would pass.
    """
    found: dict[str, list[str]] = {}
    for row in matrix.rows:
        speaking = {name.removeprefix(IMAGE) for name, cell in row.cells.items() if cell != SILENT}
        if len(speaking) == 1:
            found.setdefault(speaking.pop(), []).append(row.name)
    return found


def faults() -> dict[str, Fault]:
    """Every registered fault by its name, family after family. Raises PreconditionError."""
    found: dict[str, Fault] = {}
    for family in plugins.names(GROUP):
        for fault in plugins.load(GROUP, family, ("__iter__",)):
            found[fault.name] = fault
    return found


def chosen(names: Sequence[str]) -> list[Fault]:
    """The faults of these names or families, all for none. Raises UsageError for a name there is not."""
    known = faults()
    for name in names:
        if not any(name in (fault.name, fault.family) for fault in known.values()):
            raise UsageError(f"no fault and no family is called {name!r}; `harness list` shows them")
    return [f for f in known.values() if not names or {f.name, f.family} & set(names)]


def run(
    wanted: Sequence[Fault],
    *,
    seed: int,
    folder: Path,
    progress: Progress,
    instance: InstanceSpec | None = None,
) -> Matrix:
    """Plant each fault, recover, and judge the judges.

    Args:
        folder: Exists; takes logs and work, and is not removed.
    Raises:
        HarnessError: the specimen could not be set, or a good backup does not pass.
    """
    rows = []
    progress.tell(RunBegan(cases=len(wanted)))
    with specimen_of(seed, folder, progress, instance or InstanceSpec()) as specimen:
        for fault in wanted:
            row = row_of(specimen, fault)
            rows.append(row)
            said = "ok" if row.caught and row.named else "BAD"
            progress.tell(CaseDone(case=row.name, said=said, duration_s=row.duration_s))
        found = specimen.session.description
        name = (
            f"stand-in ({found.product} {found.version})"
            if found.stand_in
            else f"{found.product} {found.version}"
        )
    return Matrix(instance=name, seed=seed, rows=tuple(rows))


@contextmanager
def specimen_of(seed: int, folder: Path, progress: Progress, instance: InstanceSpec) -> Iterator[Specimen]:
    """A loaded instance and two good backups, which are seen to pass. Raises HarnessError if they do not."""
    with opened(
        instance,
        folder,
        seed=seed,
        progress=progress,
        workload=WORKLOAD,
        recoveries=_RECOVERIES,
        name="matrix",
    ) as session:
        earlier = _backed_up(session)
        log = earlier.window.log.read_text()
        good = _backed_up(session)
        specimen = Specimen(session, earlier, good, log)
        specimen.folder.mkdir()
        for mode in (RecoveryMode.AS_OF_FREEZE, RecoveryMode.ROLLFORWARD):
            record = recovered(specimen.planted(), mode)
            if record.verdict is not Verdict.PASS:
                first = cause(record, guide())
                raise HarnessError(f"without a fault {mode.value} is {record.verdict.value}: {first}")
        yield specimen


def _backed_up(session: Session) -> OwnBackup:
    return back_up(session, SNAPSHOT, MODES, session.stages("matrix"))


def row_of(specimen: Specimen, fault: Fault) -> Row:
    """Plant a fault, recover, and hold the checks against it; the specimen is as before afterwards."""
    began = time.monotonic()
    try:
        planted = fault.plant(specimen)
        record = recovered(planted, fault.mode)
    except ThawError as error:
        return _unthawed(fault, error, time.monotonic() - began)
    finally:
        specimen.clear()
    return judged(fault, planted, record, time.monotonic() - began)


def judged(fault: Fault, planted: Planted, record: CaseRecord, duration_s: float) -> Row:
    """The row of a fault that was recovered from."""
    cells = {check.name: _cell(fault, check.name, check.verdict, check.findings) for check in record.checks}
    cells |= {name: MISSED for name in fault.sees - cells.keys()}
    first = cause(record, guide())
    right = record.verdict is fault.verdict and not {MISSED, ALARM} & set(cells.values())
    return Row(
        name=fault.name,
        statement=fault.statement,
        physical=fault.physical,
        verdict=record.verdict,
        cells=cells,
        caught=right and bool(planted.evidence),
        codes=tuple(f"{code}: " for code in fault.cause.split("|")),
        words=tuple(filter(None, (fault.word, planted.names))),
        first_line=_text(first) if first else "",
        evidence="; ".join(planted.evidence),
        duration_s=duration_s,
    )


def _cell(fault: Fault, check: str, verdict: Verdict, findings: Sequence[Finding]) -> str:
    if check in fault.sees:
        return DETECTS if verdict is fault.verdict or verdict is Verdict.FAIL else MISSED
    if verdict is Verdict.FAIL:
        return ECHO if check in fault.echoes else ALARM
    if verdict is Verdict.UNKNOWN:
        return f"{BLIND}: {findings[0].message}" if findings else BLIND
    return SILENT


def _unthawed(fault: Fault, error: ThawError, duration_s: float) -> Row:
    right = fault.cause == "thaw"
    return Row(
        name=fault.name,
        statement=fault.statement,
        physical=fault.physical,
        verdict=Verdict.FAIL,
        cells={},
        caught=right,
        codes=("",),
        words=("Thaw it by hand:", "may still be FROZEN") if right else ("a thaw that was not confirmed",),
        first_line=str(error),
        evidence="the instance was found frozen",
        duration_s=duration_s,
    )


def _text(finding: Finding) -> str:
    witness = f" ({finding.witness})" if finding.witness else ""
    return f"{finding.code}: {finding.message}{witness}"
