"""Looks at restored databases: the engine's structure check, and a walk of all that the load wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.evidence.answers import Description, IntegrityReport
from harness.evidence.backup import Written
from harness.evidence.case import Look
from harness.instance.iris import Instance
from harness.session.session import Stages
from harness.stages.open_transactions import taken_back
from harness.stages.restore import others_of
from harness.stages.walk import read_state


def look(
    target: Instance,
    of: Description,
    written: Written | None,
    promised: Look,
    stages: Stages,
    prefix: str = "",
    *,
    walk: bool,
    before_recovery: bool,
) -> Look:
    """What was promised, with what is there. What could not be had is None, and `stages` keeps why.

    Args:
        of: The instance whose databases were restored.
        written: What the load wrote; None if that is not known, and then nothing is walked.
        prefix: Begins the names of its stages.
        walk: Whether the state is walked, too.
        before_recovery: Nothing was applied yet, so there may be transactions that a recovery takes back.
    """
    databases = [*target.describe().databases.values(), *_others(target, of)]
    integrity = stages.attempt(f"{prefix}integrity", lambda: target.integrity(databases))
    state = None
    if walk and written:
        state = stages.attempt(f"{prefix}walk", lambda: read_state(target, written.seed, written.writers))
        if state and before_recovery and written.open_in_image:
            state = taken_back(state, written.seed, written.writers)
    return replace(promised, integrity=_named(target, of, integrity), state=state)


def _named(target: Instance, of: Description, report: IntegrityReport | None) -> IntegrityReport | None:
    """A report that names the databases by their folders in the source: those of a target are gone afterwards."""
    names = {place: of.databases[role] for role, place in target.describe().databases.items()}
    names |= {place: folder for folder, place in others_of(target, of).items()}
    if report is None:
        return None
    found = (replace(one, database=names.get(one.database, one.database)) for one in report.databases)
    return replace(report, databases=tuple(found))


def _others(target: Instance, of: Description) -> Sequence[Path]:
    """The folders of the restored other databases: a booted instance has them in its configuration, a target does not
    know them and may have others of its own.
    """
    if target.describe().root == of.root:
        return target.describe().others
    return list(others_of(target, of).values())
