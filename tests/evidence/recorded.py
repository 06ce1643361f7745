"""The evidence of every fault of the matrix: recorded with a real engine, judged again without one.

    ./dev evidence            records what is missing or stale; with --all everything anew
    ./dev evidence --write docs/detection.md    and writes the matrix of it

A row is `fresh` while nothing that plants the fault or gathers evidence has changed since it was recorded: then
planting it again would show the same but for chance. It is `stale` when its fault is planted by other code than it
was recorded with, or when evidence has another shape: then it says nothing, and a test fails until it is recorded
anew.

What judges (checks, order of causes, the matrix's own arithmetic) is part of neither: that is tried on the rows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import harness
from harness.declared import RUN, Profile
from harness.errors import ThawError
from harness.evidence.case import Evidence
from harness.fault import matrix, report
from harness.fault.base import Fault, Planted, Specimen, recovered
from harness.model import CaseRecord, Check, RecoveryMode, Verdict
from harness.plan.model import InstanceSpec
from harness.session import leftovers
from harness.session.progress import SilentProgress
from harness.stages import recovery
from harness.stages.case_record import lasting
from harness.standin.gtm import installation, version
from harness.verify.judge import judge_all
from tests.evidence.written import Stale, decoded, encoded

FILE = Path(__file__).with_name("matrix.jsonl.xz")
SEED = 20261122
GOOD = "good"
"""Begins the name of a row without a fault; the mode follows."""
_RUN = "/matrix"
"""Stands in the rows for the folder of the run."""
_HARNESS = Path(harness.__file__).parent
_JUDGES = ("declared.py", "verify", "report", "cli", "scripts", "conform", "fault")
"""What takes no part in the making of evidence (but for the faults, whose files are counted one by one)."""
_BY_ROUTINE = ("application", "image")
"""Families that are planted by RVFAULT.m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault, or none.

    Attributes:
        planted_by, gathered_by: What it was recorded with (`planters`, `gatherers`).
        work: The working folder of the run, as it stands in texts of the evidence.
        names, shown: `Planted.names` and `Planted.evidence`.
        evidence: None for a fault after which nothing could be recovered (an instance that stays frozen).
    """

    name: str
    planted_by: str
    gathered_by: str
    work: Path
    names: str
    shown: tuple[str, ...]
    evidence: Evidence | None

    def record(self) -> CaseRecord:
        """What the checks of today say of it."""
        assert self.evidence
        checks = tuple(lasting(judge_all(self.evidence, RUN), self.work))
        return CaseRecord(
            name=self.name,
            verdict=Verdict.worst(check.verdict for check in checks),
            freeze=None,
            snapshot=None,
            restore=None,
            rollforward=None,
            recovery=None,
            checks=checks,
            stages=(),
        )

    def judged(self, fault: Fault) -> matrix.Row:
        """The row of the matrix."""
        planted = Planted(session=None, backup=None, names=self.names, evidence=list(self.shown))  # type: ignore[arg-type]
        return matrix.judged(fault, planted, self.record(), 0.0)


def matrix_of_rows() -> matrix.Matrix:
    """All faults as the checks of today judge them."""
    known = matrix.faults()
    judged = [row.judged(known[name]) for name, row in rows().items() if name in known and row.evidence]
    instance = f"stand-in ({version(installation() or Path())})"
    return matrix.Matrix(instance=instance, seed=SEED, rows=tuple(judged))


def page() -> str:
    """The matrix as docs/detection.md shows it, with the faults after which nothing can be recovered."""
    text = report.markdown(matrix_of_rows(), "./dev evidence --write")
    left = [f"`{name}`" for name in matrix.faults() if name in rows() and not rows()[name].evidence]
    note = f"Not in the table, since a run ends at once and nothing is recovered after it: {', '.join(left)}."
    heading, _, rest = text.partition("\n\ninstance: ")
    return f"{heading}\n\n{note}\n\ninstance: {rest}" if left else text


def fresh(fault: Fault) -> Row | None:
    """The row of a fault if planting it anew would show the same; else None."""
    row = rows().get(fault.name)
    if row is None or row.planted_by != planters(fault.family) or row.gathered_by != gatherers():
        return None
    return row


@cache
def rows() -> dict[str, Row]:
    """Every row by its name. Raises Stale."""
    return {row.name: row for row in map(decoded, _stored())}


def stale() -> list[str]:
    """Names of faults that are not recorded as they are planted today, and of rows whose fault is gone."""
    known = matrix.faults()
    stored = {raw["name"]: raw for raw in _stored()}
    gone = [name for name in stored if name not in known and not name.startswith(GOOD)]
    return [
        *gone,
        *(
            name
            for name, fault in known.items()
            if name not in stored
            or stored[name]["planted_by"] != planters(fault.family)
            or not _readable(stored[name])
        ),
    ]


def _readable(raw: Any) -> bool:
    try:
        decoded(raw)
    except Stale:
        return False
    return True


def _stored() -> Iterator[Any]:
    if FILE.exists():
        with lzma.open(FILE, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


@cache
def planters(family: str) -> str:
    """Digest of what plants the faults of a family."""
    folder = _HARNESS / "fault"
    module = {"log": "freeze_log"}.get(family, family)
    routine = [_HARNESS / "instance" / "agent" / "RVFAULT.m"] if family in _BY_ROUTINE else []
    return _digest([folder / "base.py", folder / f"{module}.py", *routine])


@cache
def gatherers() -> str:
    """Digest of what runs an instance, backs up, restores, rolls forward and looks; and which engine it was."""
    files = [
        file
        for file in sorted(_HARNESS.rglob("*"))
        if (file.suffix in (".py", ".m", ".json") or file.parent.name == "bin")
        and file.relative_to(_HARNESS).parts[0] not in _JUDGES
    ]
    return f"{_digest(files)} {installation()}"


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(_HARNESS)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


# --- recording


def record(wanted: Sequence[Fault], folder: Path) -> Iterator[Row]:
    """Plant each fault for real and keep what came of it; rows without a fault first."""
    with matrix.specimen_of(SEED, folder, SilentProgress(), InstanceSpec()) as specimen:
        for mode in RecoveryMode:
            yield _recorded(specimen, f"{GOOD}.{mode.value}", "", specimen.planted(), mode)
            specimen.clear()
        for fault in wanted:
            try:
                planted = fault.plant(specimen)
                yield _recorded(specimen, fault.name, planters(fault.family), planted, fault.mode)
            except ThawError:
                yield _row(specimen, fault.name, planters(fault.family))
            finally:
                specimen.clear()


def _recorded(specimen: Specimen, name: str, planted_by: str, planted: Planted, mode: RecoveryMode) -> Row:
    seen: list[Evidence] = []

    def judge_and_keep(evidence: Evidence, profile: Profile) -> list[Check]:
        seen.append(evidence)
        return judge_all(evidence, profile)

    recovery.judge_all = judge_and_keep  # type: ignore[attr-defined]
    try:
        recovered(planted, mode)
    finally:
        recovery.judge_all = judge_all  # type: ignore[attr-defined]
    return replace(
        _row(specimen, name, planted_by),
        names=planted.names,
        shown=tuple(planted.evidence),
        evidence=seen[-1],
    )


def _row(specimen: Specimen, name: str, planted_by: str) -> Row:
    return Row(
        name=name,
        planted_by=planted_by,
        gathered_by=gatherers(),
        work=specimen.session.work,
        names="",
        shown=(),
        evidence=None,
    )


def _line(row: Row, folder: Path) -> str:
    text = json.dumps(encoded(row), ensure_ascii=True, separators=(",", ":"))
    return text.replace(str(folder), _RUN).replace(f"{_HARNESS.parent}/", "")


def _write(lines: dict[str, str]) -> None:
    order = [*(f"{GOOD}.{mode.value}" for mode in RecoveryMode), *matrix.faults()]
    aside = FILE.with_suffix(".new")
    with lzma.open(aside, "wt", encoding="utf-8", preset=9) as file:
        file.writelines(f"{lines[name]}\n" for name in order if name in lines)
    aside.replace(FILE)


def main() -> int:
    """Record what is asked for, and write the file anew."""
    parser = argparse.ArgumentParser(prog="./dev evidence", description=__doc__.split("\n")[0])
    parser.add_argument("faults", nargs="*", help="faults or families; none: those that are missing or stale")
    parser.add_argument("--write", type=Path, metavar="FILE", help="then write the matrix there, as Markdown")
    parser.add_argument("--all", action="store_true", help="everything anew")
    chosen = parser.parse_args()
    names = chosen.faults or ([] if chosen.all else stale())
    known = matrix.faults()
    wanted = (
        matrix.chosen([name for name in names if name in known or chosen.faults])
        if names or chosen.all
        else []
    )
    kept = {raw["name"]: json.dumps(raw, separators=(",", ":")) for raw in _stored() if raw["name"] in known}
    began = time.monotonic()
    if wanted:
        with tempfile.TemporaryDirectory(prefix="evidence-") as made:
            folder = Path(made)
            os.environ["XDG_STATE_HOME"] = str(folder / "state")
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))  # instances are ended on the way out
            try:
                for number, row in enumerate(record(wanted, folder)):
                    kept[row.name] = _line(row, folder)
                    print(f"{number:4} {row.name}", flush=True)
            finally:
                _write(kept)
                leftovers.clean()
    if chosen.write:
        rows.cache_clear()
        chosen.write.write_text(page(), encoding="utf-8")
    took, size = time.monotonic() - began, FILE.stat().st_size / 1000
    print(f"{len(wanted)} of {len(known)} faults recorded in {took:.0f} s; {FILE.name}: {size:.0f} kB")
    return 0


if __name__ == "__main__":
    from tests.evidence import recorded  # not __main__: rows name their class

    sys.exit(recorded.main())
