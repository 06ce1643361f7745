"""What is known of an engine: records that ship with the harness, and those that `harness conform` made here.

A check that rests on a fact which nobody confirmed for the engine at hand cannot say PASS: `unconfirmed` tells which.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.declared import registered
from harness.evidence.answers import Description
from harness.facts.catalogue import FACTS, fact_of, resting
from harness.facts.conformance import CONFORMANCES, Conformance, FactResult, loads
from harness.model import RecoveryMode, Verdict, impossible
from harness.session.entry import state_folder

SHIPPED = Path(__file__).parent / "known"


def unconfirmed(*engines: Description, mode: RecoveryMode | None = None) -> dict[str, tuple[str, ...]]:
    """Check → ids of the facts that it rests on and that were not seen to hold for every one of these engines.

    Args:
        engines: The instance whose backup is judged, and the one it was restored into.
        mode: Recovery mode of the case; None: whatever any mode rests on.
    Returns:
        Only checks with such facts. An engine that nobody tried has every fact against it, and so has one whose
        record cannot be read.
    """
    confirmed = {fact.id for fact in FACTS}
    for product, version, stand_in in {(one.product, one.version, one.stand_in) for one in engines}:
        known = known_for(product, version, stand_in)
        confirmed &= {one.id for one in known.facts if _confirms(one)} if known else set()
    declared = [one.declaration for one in registered()]
    lacking = {one.name: tuple(f for f in resting(one.facts, mode) if f not in confirmed) for one in declared}
    return {check: facts for check, facts in lacking.items() if facts}


def known_for(product: str, version: str, stand_in: bool) -> Conformance | None:
    """The newest record of an engine: the one made on this machine, else the one that ships with the harness."""
    name = file_name(product, version, stand_in)
    for folder in (state_records(), SHIPPED):
        if (file := folder / name).exists():
            found = _read(file)
            return found if found and _speaks_of(found, product, version, stand_in, folder) else None
    return None


def _speaks_of(found: Conformance, product: str, version: str, stand_in: bool, folder: Path) -> bool:
    """Whether a record is of this very engine, and says how it was made: one that was relabelled speaks of none."""
    same = (found.product, found.version, found.stand_in) == (product, version, stand_in)
    made = found.made_utc is None if folder == SHIPPED else found.made_utc is not None and found.host != ""
    return same and made and not impossible(product, version, stand_in, found.image)


def keep(conformance: Conformance) -> Path:
    """Store a record where `known_for` finds it; returns the file. Raises OSError."""
    folder = state_records()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / file_name(conformance.product, conformance.version, conformance.stand_in)
    new = file.with_suffix(".new")
    new.write_text(CONFORMANCES.dumps(conformance), encoding="utf-8")
    new.replace(file)
    return file


def state_records() -> Path:
    """Folder of the records that were made on this machine."""
    return state_folder() / "conformance"


def file_name(product: str, version: str, stand_in: bool) -> str:
    """Name of an engine's record: letters, digits, dots, dashes and underscores."""
    key = "-".join([*(["stand-in"] if stand_in else []), product, version])
    return re.sub(r"[^A-Za-z0-9._-]+", "_", key) + ".json"


def _confirms(result: FactResult) -> bool:
    """Seen to hold, and what was tried then is what is taken for granted now."""
    now = fact_of(result.id)
    same = now is not None and (now.statement, now.expected) == (result.statement, result.expected)
    return same and result.verdict is Verdict.PASS


def _read(file: Path) -> Conformance | None:
    """None if it cannot be read: what an unreadable record once confirmed is not known."""
    try:
        return loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
