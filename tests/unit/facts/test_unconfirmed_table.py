"""Which facts each check rests on, in each recovery mode: written down, so that none is lost or gained unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.evidence.answers import Description
from harness.facts import known
from harness.model import RecoveryMode

NOBODYS = Description(
    product="IRIS",
    version="2024.1.0.263.0",
    stand_in=False,
    root=Path("/iris"),
    journal_folder=Path("/iris/journal"),
    databases={},
    notes=(),
)
"""An engine that nobody tried: every fact is against it."""

STATE = ("state.tells_what_work_did",)
OTHER_DATA = (*STATE, "state.other_data_is_seen")
PLACED, BOOTED = ("restore.place_and_mount",), ("boot.recovers",)
AGENT = ("agent.answers", "agent.refuses_with_3")
STRUCTURE = ("integrity.clean_verdict", "integrity.closing_verdict", "integrity.damage_is_seen")
ENDS = ("agent.refuses_with_3", "journals.last_committed", *STATE)
ROLLED = ("rollforward.start_position", "rollforward.start_between_records_refused")
STOPPED, SKIPPED = ("rollforward.stop_at_marker",), ("rollforward.skipped_is_reported",)

IN_EVERY_MODE = {
    "snapshot": ("agent.answers",),
    "marker": (
        "agent.refuses_with_3",
        "session.error_is_no_answer",
        "session.freeze_exit_status",
        "freeze.log_layout",
        "freeze.text_in_marker",
        "marker.offset_begins_record",
    ),
    "chain": (
        "agent.refuses_with_3",
        "journals.switch_closes",
        "journals.linked",
        "journals.copy_reads_alike",
        "rollforward.missing_middle_is_seen",
        "journals.truncated_is_seen",
        "journals.foreign_refused",
    ),
    "hold": (
        "agent.answers",
        "session.error_is_no_answer",
        "session.freeze_exit_status",
        "session.is_suspended_exit_status",
        "session.thaw_exit_status",
        "thaw.asks_first",
        "thaw.when_running",
        "freeze.files_stand_still",
        "files.time_shows_writes",
        "freeze.self_thaw",
        "login.blocked_status",
        "login.instance_down_status",
    ),
}


def data(*restored: str) -> dict[str, tuple[str, ...]]:
    """The checks of restored data, by how the data came back."""
    return {
        "integrity": (
            *AGENT,
            *(r for r in restored if r in PLACED),
            *STRUCTURE,
            *(BOOTED if BOOTED[0] in restored else ()),
        ),
        "atomicity": (*STATE, *restored),
        "content": (*OTHER_DATA, *restored),
        "consistent_cut": (*STATE, *restored),
        "floor": (*STATE, *restored),
        "ceiling": (*OTHER_DATA, *restored),
    }


TABLE: dict[RecoveryMode | None, dict[str, tuple[str, ...]]] = {
    RecoveryMode.AS_OF_FREEZE: {**IN_EVERY_MODE, **data(*PLACED), "recovery_point": ENDS},
    RecoveryMode.ROLLFORWARD: {
        **IN_EVERY_MODE,
        **data(*PLACED),
        "recovery_point": (*ENDS, *ROLLED, *SKIPPED),
    },
    RecoveryMode.POINT_IN_TIME: {
        **IN_EVERY_MODE,
        **data(*PLACED),
        "ceiling": (*OTHER_DATA, *PLACED, *STOPPED),
        "recovery_point": (*ENDS, *ROLLED, *STOPPED, *SKIPPED),
    },
    RecoveryMode.BOOT: {**IN_EVERY_MODE, **data(*BOOTED), "recovery_point": ENDS},
    None: {
        **IN_EVERY_MODE,
        **data(*PLACED, *BOOTED),
        "ceiling": (*OTHER_DATA, *PLACED, *STOPPED, *BOOTED),
        "recovery_point": (*ENDS, *ROLLED, *STOPPED, *SKIPPED),
    },
}


@pytest.mark.parametrize("mode", [None, *RecoveryMode])
def test_of_an_engine_that_nobody_tried_every_check_lacks_these(
    mode: RecoveryMode | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert TABLE[mode] == known.unconfirmed(NOBODYS, mode=mode)
