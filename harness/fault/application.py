"""Faults of the data itself: transactions that are lost, doubled, half or foreign in what came back.

Planted in the restored state by RVFAULT.m, since no engine at hand can be made to do them; each is what a defect of
an engine, of a restore or of a roll-forward would leave.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.fault.base import WORDS, Fault, Planted, Specimen, state_of
from harness.instance.iris import Instance
from harness.plan.model import Commit

_WRITER = 2


def _plant(label: str) -> Callable[[Specimen], Planted]:
    def plant(specimen: Specimen) -> Planted:
        evidence: list[str] = []

        def change(target: Instance) -> None:
            before = state_of(target, _WRITER)
            target.plant(label, _WRITER, specimen.session.workload.writers, specimen.session.seed)
            if state_of(target, _WRITER) != before:
                evidence.append(f"{label}^RVFAULT changed the state of writer {_WRITER}")

        return specimen.settled(change, evidence=evidence)

    return plant


def _work_after(specimen: Specimen) -> Planted:
    """Somebody works in the restored instance before it is looked at."""
    evidence: list[str] = []

    def work(target: Instance) -> None:
        reached = specimen.session.ledger.acknowledged()[_WRITER]
        before = state_of(target, _WRITER)
        writer = target.start_writer(
            writer=_WRITER,
            writers=specimen.session.workload.writers,
            seed=specimen.session.seed,
            first=reached + 1,
            count=5,
            seconds=30,
            commit=Commit.DURABLE,
        )
        writer.communicate(timeout=30)
        if state_of(target, _WRITER) != before:
            evidence.append(f"five transactions of writer {_WRITER} were made after the restore")

    return specimen.settled(work, evidence=evidence)


def _fault(label: str, statement: str, cause: str, *sees: str, echoes: frozenset[str] = frozenset()) -> Fault:
    return Fault(
        name=f"application.{label}",
        statement=statement,
        plant=_plant(label),
        cause=cause,
        sees=frozenset(sees),
        echoes=echoes,
        word=WORDS[label],
        physical=False,
    )


_MORE = frozenset({"floor", "recovery_point", "content", "atomicity", "consistent_cut"})

FAULTS = (
    _fault(
        "undo",
        "the last transaction of a writer is lost",
        "floor.lost",
        "floor",
        "recovery_point",
        echoes=frozenset({"consistent_cut", "content"}),
    ),
    _fault(
        "older",
        "one writer is what it was long before the others",
        "floor.lost",
        "consistent_cut",
        "floor",
        "recovery_point",
        echoes=frozenset({"content"}),
    ),
    _fault(
        "open",
        "an uncommitted transaction was not rolled back",
        "atomicity.half",
        "atomicity",
        echoes=frozenset({"ceiling", "content"}),
    ),
    _fault(
        "half", "a transaction lost its record in database two", "atomicity.half", "atomicity", echoes=_MORE
    ),
    _fault(
        "torn",
        "database one is a transaction ahead of database two",
        "atomicity.torn",
        "atomicity",
        echoes=_MORE | {"ceiling"},
    ),
    _fault(
        "ahead",
        "sequence numbers are ahead of the record",
        "atomicity.half",
        "atomicity",
        echoes=_MORE | {"ceiling"},
    ),
    _fault("hole", "a transaction in the middle is missing", "atomicity.hole", "atomicity", echoes=_MORE),
    _fault("twice", "a transaction was applied twice", "content.balance", "content"),
    _fault("balance", "a balance is altered by one", "content.balance", "content"),
    _fault("account", "an account is gone", "content.accounts", "content"),
    _fault("history", "the record of a transaction is altered", "content.history", "content"),
    _fault("trail", "a node of the trail in database one is gone", "content.trail", "content"),
    _fault("trailed", "a node of the trail in database one is altered", "content.trail", "content"),
    _fault("coldone", "a cold value of database one is altered", "content.cold", "content"),
    _fault("coldtwo", "a cold node of database two is gone", "content.cold", "content"),
    _fault("coldmore", "database one holds one cold node too many", "content.cold", "content"),
    _fault("coldgone", "all cold data of database two is gone", "content.cold", "content"),
    _fault("killed", "a node that was killed is back", "content.killed", "content"),
    _fault("cut", "a large value lost its last character", "content.large", "content"),
    _fault(
        "read", "the record of a transaction says that it read another number", "content.history", "content"
    ),
    _fault(
        "uncount",
        "the record of a transaction has lost its value of the counter",
        "content.history",
        "content",
    ),
    _fault(
        "recount",
        "two transactions took the same value of the counter",
        "content.counter_twice",
        "content",
    ),
    _fault(
        "unreadable",
        "the record of a transaction has another shape",
        "content.unreadable",
        "content",
        echoes=_MORE,
    ),
    _fault("overcount", "the counter that $INCREMENT keeps is far ahead", "content.counter", "content"),
    _fault("stranger", "there is a node of a kind that no workload writes", "content.foreign", "content"),
    _fault("counter", "the counter that $INCREMENT keeps is behind", "content.counter", "content"),
    _fault(
        "confirm", "an update outside of transactions was not replayed", "atomicity.confirmation", "atomicity"
    ),
    _fault("foreign", "there is data of a writer that never was", "ceiling.foreign", "ceiling", echoes=_MORE),
    _fault("gone", "all that a writer did is gone", "floor.lost", "floor", "recovery_point", echoes=_MORE),
    Fault(
        name="application.worked_in",
        statement="the restored copy was worked in before it was checked",
        plant=_work_after,
        cause="ceiling.newer",
        sees=frozenset({"ceiling", "recovery_point"}),
        echoes=frozenset({"consistent_cut"}),
        word="writer 2",
    ),
)
