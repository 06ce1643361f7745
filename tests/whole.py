"""A case in which nothing is wrong: evidence of every kind, so that one thing at a time can be made wrong."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path

from harness.evidence.answers import (
    Committed,
    DatabaseIntegrity,
    IntegrityReport,
    JournalFile,
    MarkerReading,
    RollforwardAnswer,
)
from harness.evidence.case import Evidence, Look
from harness.evidence.files import ExpectedFile
from harness.evidence.journals import JournalSet
from harness.evidence.state import RestoredState
from harness.freeze_log import FreezeEntry
from harness.model import Position, RecoveryMode
from tests.simulated import (
    SEED,
    Done,
    nodes_after,
    played,
    walked,
)
from tests.windows import window

WRITERS = 3
FREEZE, POINT, END = 121, 161, 201
"""Transactions of each writer at the freeze, at the recovery point and at the end."""
ONE, TWO = Path("/db/one"), Path("/db/two")
JOURNALS = ("20261122.001", "20261122.002", "20261122.003", "20261122.004")
"""Those of the set, and the one that was begun when it was closed."""
FILES = (
    ExpectedFile(path=Path("db/one/IRIS.DAT"), least=100, most=100, database=True),
    ExpectedFile(path=Path("db/two/IRIS.DAT"), least=100, most=100, database=True),
    ExpectedFile(path=Path("mgr/journal/20261122.001"), least=10, most=20),
    ExpectedFile(path=Path("iris.cpf"), least=7, most=7, digest="d1"),
)
_AT = datetime(2026, 11, 22, 12, 0)


@cache
def _played() -> tuple[Done, ...]:
    """Writers take turns, so that after every third transaction all have made the same number."""
    return tuple(played(WRITERS, list(range(1, WRITERS + 1)) * END))


def state_after(transactions: int) -> RestoredState:
    """What restored databases hold after so many transactions of each writer; a new one at each call."""
    return deepcopy(_state(transactions))


@cache
def _state(transactions: int) -> RestoredState:
    return walked(nodes_after(WRITERS, list(_played()[: transactions * WRITERS])), WRITERS)


def look(transactions: int) -> Look:
    numbers = dict.fromkeys(range(1, WRITERS + 1), transactions)
    found = [DatabaseIntegrity(database=folder, clean=True, errors=()) for folder in (ONE, TWO)]
    return Look(
        floor=numbers,
        ceiling=dict(numbers),
        integrity=IntegrityReport(databases=tuple(found), complete=True, duration_s=0.1),
        state=state_after(transactions),
        unconfirmed={},
    )


def journal(number: int) -> JournalFile:
    return JournalFile(
        name=JOURNALS[number],
        files=(JOURNALS[number],),
        guid=f"guid {number}",
        identity=f"identity {number}",
        previous=f"identity {number - 1}",
        end_bytes=100,
        closed=True,
        problem="",
    )


REACHED = {
    RecoveryMode.AS_OF_FREEZE: FREEZE,
    RecoveryMode.ROLLFORWARD: END,
    RecoveryMode.POINT_IN_TIME: POINT,
    RecoveryMode.BOOT: FREEZE,
}


def whole(mode: RecoveryMode) -> Evidence:
    """Every check passes."""
    exact = mode in (RecoveryMode.ROLLFORWARD, RecoveryMode.POINT_IN_TIME)
    reached = REACHED[mode]
    journals = tuple(map(journal, range(3)))
    start = Position(journal_file=JOURNALS[0], offset_bytes=50)
    watched = window().before
    return Evidence(
        mode=mode,
        seed=SEED,
        writers=WRITERS,
        databases=2,
        recovered=look(reached),
        image=look(FREEZE),
        window=replace(window(), files=FILES),
        files={file.path: file.least for file in FILES},
        digests={Path("iris.cpf"): "d1"},
        watched=watched,
        watched_now=watched,
        issued_later=(END - FREEZE) * WRITERS,
        entry=FreezeEntry(
            started=_AT,
            warnings=(),
            switched_to=JOURNALS[0],
            start_file=JOURNALS[0],
            marker=start,
            marker_path=f"/mgr/journal/{JOURNALS[0]}",
            suspended=_AT,
            resuming=_AT,
            resumed=_AT,
            failures=(),
            notes=(),
            thaws=1,
            line_numbers=(1, 9),
        ),
        marker=MarkerReading(kind="marker", text=window().text, detail=""),
        journals=JournalSet(
            folder=Path("/journals"),
            start=start,
            end=Position(journal_file="20261122.004", offset_bytes=10),
            expected=journals,
            following=journal(3),
        ),
        copied=journals,
        until=Position(journal_file=JOURNALS[2], offset_bytes=70)
        if mode is RecoveryMode.POINT_IN_TIME
        else None,
        rolled=RollforwardAnswer(records=9, updated=(ONE, TWO), skipped=(), duration_s=0.1)
        if exact
        else None,
        committed=tuple(
            Committed(writer=number, one=reached, two=reached) for number in range(1, WRITERS + 1)
        ),
    )


Change = Callable[[Evidence], Evidence]


def recovered(**said: object) -> Change:
    """Another look at what was recovered."""
    return lambda evidence: replace(evidence, recovered=replace(evidence.recovered, **said))  # type: ignore[arg-type]
