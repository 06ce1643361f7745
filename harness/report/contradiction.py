"""Where a record contradicts itself, so that a PASS in it is not believed.

A record is a file that anybody may have written. PASS needs that everything a run writes down is there, once, and
that the numbers agree; what is missing was not looked at, whatever the verdict beside it says. A record of an older
version that knew fewer checks is therefore UNKNOWN.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.model import (
    CaseRecord,
    FreezeSummary,
    Record,
    RecoveryMode,
    RecoverySummary,
    RestoreSummary,
    RollforwardSummary,
    Verdict,
    impossible,
)
from harness.report.guide import Guide

_LIMITS = "limits"
"""Those of a plan are for all of its cases."""
_ROUNDING_S = 1e-6
_CLOCK_S = 1.0
"""How far the two clocks of a run may go apart within a window; one that is set meanwhile is a contradiction, too."""


def of_record(record: Record) -> list[str]:
    """What is wrong above the cases."""
    found = []
    if record.instance is None:
        found.append("no instance answered")
    else:
        one = record.instance
        found += filter(None, [impossible(one.product, one.version, one.stand_in, one.image)])
    names = Counter(case.name for case in record.cases)
    found += [f"there are {n} cases {name}" for name, n in names.items() if n > 1]
    if record.planned is not None and record.planned != len(record.cases):
        found.append(f"the plan has {record.planned} cases, and {len(record.cases)} are there")
    if record.planned is None and record.clock is not None:  # which every record has that has a clock
        found.append("how many cases the plan has is missing")
    limited = [any(check.name == _LIMITS for check in case.checks) for case in record.cases]
    if any(limited) and not all(limited):
        found.append(
            f"{record.cases[limited.index(False)].name}: the check {_LIMITS} is missing, others have it"
        )
    early = [
        case.name for case in record.cases if case.freeze and case.freeze.frozen_utc < record.started_utc
    ]
    found += [f"{name}: its freeze was before the run began" for name in early[:1]]
    return found


def of_case(case: CaseRecord, guide: Guide) -> list[str]:
    """What is missing in a case, or does not agree with the rest of it."""
    return [*_checks(case, guide), *_parts(case), *_key(case), *_times(case)]


def _key(case: CaseRecord) -> Iterator[str]:
    """The name of a case, its key and its parts say the same."""
    if case.key is None or (case.recovery and not case.name.endswith(case.recovery.mode.value)):
        return  # there is no key, or that was told already
    begins = f"cycle {case.key.cycle} · {case.key.provider}"
    if not case.name.startswith(begins) or not case.name.endswith(f" · {case.key.mode.value}"):
        yield f"its key is another case's: {begins}, {case.key.mode.value}"
    elif case.recovery and case.recovery.mode is not case.key.mode:
        yield f"its recovery is of the mode {case.recovery.mode.value}, and its key says {case.key.mode.value}"
    elif case.snapshot and case.snapshot.provider != case.key.provider:
        yield f"its snapshot is one of {case.snapshot.provider}, and its key says {case.key.provider}"


def _times(case: CaseRecord) -> Iterator[str]:
    took = {
        **{f"the check {one.name}": one.duration_s for one in case.checks},
        **{f"the stage {one.name}": one.duration_s for one in case.stages},
        "the snapshot": case.snapshot.duration_s if case.snapshot else 0.0,
        "the restore": case.restore.duration_s if case.restore else 0.0,
        "the roll-forward": case.rollforward.duration_s if case.rollforward else 0.0,
    }
    if odd := [name for name, seconds in took.items() if seconds < 0]:
        yield f"{odd[0]} took less than no time"


def _checks(case: CaseRecord, guide: Guide) -> Iterator[str]:
    names = Counter(check.name for check in case.checks)
    if missing := [name for name in guide.checks if not names[name]]:
        more = f", and {len(missing) - 1} more" if missing[1:] else ""
        yield f"the check {missing[0]} is missing{more}: this harness demands it, and the run was made without"
    yield from (f"the check {name} is there {n} times" for name, n in names.items() if n > 1)
    if odd := [check.name for check in case.checks if check.findings and check.verdict is Verdict.PASS]:
        yield f"the check {odd[0]} passed and has a finding"


def _parts(case: CaseRecord) -> Iterator[str]:
    freeze, restore, recovery = case.freeze, case.restore, case.recovery
    if freeze is None or case.snapshot is None or restore is None or recovery is None:
        parts = {"freeze": freeze, "snapshot": case.snapshot, "restore": restore, "recovery": recovery}
        yield f"there is no {next(name for name, part in parts.items() if part is None)}"
        return
    if not case.name.endswith(recovery.mode.value):
        yield f"its recovery is of the mode {recovery.mode.value}"
    if case.snapshot.bytes <= 0:
        yield "the snapshot is empty"
    elif restore.bytes < case.snapshot.bytes:
        yield "less was restored than the snapshot holds"
    if case.snapshot.duration_s > freeze.window_s + _ROUNDING_S:
        yield "the snapshot took longer than the freeze window"
    if not case.stages:
        yield "it has no stages"
    yield from _freeze(freeze)
    yield from _restore(restore)
    yield from _recovery(recovery, restore)
    if recovery.mode.rolls is (case.rollforward is None):
        odd = "missing" if case.rollforward is None else "there"
        yield f"a roll-forward is {odd} in the mode {recovery.mode.value}"
    elif case.rollforward:
        yield from _rollforward(case.rollforward, freeze)


def _freeze(freeze: FreezeSummary) -> Iterator[str]:
    if not freeze.held:
        yield "the freeze did not hold"
    if freeze.journal_file is None or not freeze.offset_bytes:
        yield "the freeze has no marker"
    if freeze.window_s <= 0:
        yield f"the freeze window took {freeze.window_s} s"
    between_s = (freeze.thawed_utc - freeze.frozen_utc).total_seconds()
    if abs(between_s - freeze.window_s) > _CLOCK_S + freeze.window_s / 10:
        yield f"the freeze window took {freeze.window_s:.3f} s, and {between_s:.3f} s lie between freeze and thaw"


def _restore(restore: RestoreSummary) -> Iterator[str]:
    if restore.bytes <= 0:
        yield "nothing was restored"
    if restore.interfaces != ("lo",):
        seen = ", ".join(restore.interfaces) or "none that was looked at"
        yield f"the restored instance was not isolated: it saw the network interfaces {seen}"


def _recovery(recovery: RecoverySummary, restore: RestoreSummary) -> Iterator[str]:
    if recovery.recovered is None or recovery.lost_acknowledged is None or recovery.rpo_s is None:
        yield "what was recovered is not known"
    elif recovery.lost_acknowledged or recovery.recovered < recovery.acknowledged:
        lost = max(recovery.lost_acknowledged, recovery.acknowledged - recovery.recovered)
        yield f"{lost} acknowledged transactions are lost"
    elif recovery.rpo_s:
        yield f"nothing is lost, and RPO is {recovery.rpo_s:g} s"
    elif not recovery.acknowledged:
        yield "nothing had been acknowledged, so nothing was proved"
    elif recovery.mode is RecoveryMode.ROLLFORWARD and recovery.recovered != recovery.acknowledged:
        yield "more was recovered than the load ever acknowledged"
    if recovery.rto_s is None or recovery.rto_s + _ROUNDING_S < restore.duration_s:
        yield "RTO is shorter than the restore in it"
    elif recovery.rto_s <= 0:
        yield "RTO is 0 s"


def _rollforward(rolled: RollforwardSummary, freeze: FreezeSummary) -> Iterator[str]:
    if (rolled.from_file, rolled.from_offset_bytes) != (freeze.journal_file, freeze.offset_bytes):
        yield f"the roll-forward starts at {rolled.from_file} @ {rolled.from_offset_bytes}, which is not the marker"
    if {rolled.from_file, rolled.to_file} - set(rolled.files):
        yield "the roll-forward did not apply its first or last journal"
    elif list(rolled.files) != sorted(set(rolled.files), key=rolled.files.index):
        yield "the roll-forward applied a journal twice"
