"""Faults of the image's data, planted in the restored image before it is looked at: a roll-forward heals most of
them.

Where the load goes on after the freeze, the journals write every node anew that it wrote before. So after a
roll-forward the state may be right although the image was not, and all that was beside it in the same blocks is
lost unseen. Only the look at the image, as of the freeze, tells.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.fault.base import EVERYTHING, WORDS, Fault, Planted, Specimen, state_of
from harness.instance.iris import Instance
from harness.model import RecoveryMode
from harness.stages.recovery import Steps

_WRITER = 2
_MORE = {"older": ("image.consistent_cut",)}
"""What else must see it, by its label."""


def _plant(label: str) -> Callable[[Specimen], Planted]:
    def plant(specimen: Specimen) -> Planted:
        evidence: list[str] = []

        def change(target: Instance) -> None:
            before = state_of(target, _WRITER)
            target.plant(label, _WRITER, specimen.session.workload.writers, specimen.session.seed)
            if state_of(target, _WRITER) != before:
                evidence.append(f"{label}^RVFAULT changed the restored image")

        return specimen.planted(steps=Steps(settle_image=change), evidence=evidence)

    return plant


def _fault(label: str, statement: str, cause: str, mode: RecoveryMode) -> Fault:
    return Fault(
        name=f"image.{label}_{mode.value.replace('-', '_')}",
        statement=f"the image: {statement}, {mode.value}",
        plant=_plant(label),
        cause=f"image.{cause}",
        sees=frozenset({f"image.{cause.partition('.')[0]}", *_MORE.get(label, ())}),
        echoes=EVERYTHING,
        mode=mode,
        word=WORDS[label],
        physical=False,
    )


_LABELS = (
    ("older", "one writer is what it was long before the others", "floor.lost"),
    ("open", "an uncommitted transaction, by an engine that writes none", "atomicity.half"),
    ("half", "a transaction lost its record in database two", "atomicity.half"),
    ("torn", "database one is a transaction ahead of database two", "atomicity.torn"),
    ("ahead", "sequence numbers are ahead of the record", "atomicity.half"),
    ("hole", "a transaction in the middle is missing", "atomicity.hole"),
    ("twice", "a transaction was applied twice", "content.balance"),
    ("balance", "a balance is altered by one", "content.balance"),
    ("account", "an account is gone", "content.accounts"),
    ("history", "the record of a transaction is altered", "content.history"),
    ("trail", "a node of the trail in database one is gone", "content.trail"),
    ("trailed", "a node of the trail in database one is altered", "content.trail"),
    ("killed", "a node that was killed is back", "content.killed"),
    ("read", "the record of a transaction says that it read another number", "content.history"),
    ("uncount", "the record of a transaction has lost its value of the counter", "content.history"),
    ("recount", "two transactions took the same value of the counter", "content.counter_twice"),
    ("unreadable", "the record of a transaction has another shape", "content.unreadable"),
    ("overcount", "the counter that $INCREMENT keeps is far ahead", "content.counter"),
    ("stranger", "there is a node of a kind that no workload writes", "content.foreign"),
    ("cut", "a large value lost its last character", "content.large"),
    ("coldone", "a cold value of database one is altered", "content.cold"),
    ("coldtwo", "a cold node of database two is gone", "content.cold"),
    ("coldmore", "database one holds one cold node too many", "content.cold"),
    ("coldgone", "all cold data of database two is gone", "content.cold"),
    ("confirm", "an update outside of transactions is missing", "atomicity.confirmation"),
    ("foreign", "there is data of a writer that never was", "ceiling.foreign"),
    ("gone", "all that a writer did is gone", "floor.lost"),
)

FAULTS = (
    *(_fault(*label, RecoveryMode.ROLLFORWARD) for label in _LABELS),
    *(_fault(*label, RecoveryMode.BOOT) for label in _LABELS if label[0] in ("older", "balance", "coldone")),
    *(
        _fault(*label, RecoveryMode.POINT_IN_TIME)
        for label in _LABELS
        if label[0] in ("older", "balance", "coldtwo")
    ),
)
