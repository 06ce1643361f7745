"""Restore, structure check, roll-forward and boot."""

from __future__ import annotations

from harness.facts.fact import INTEGRITY_GUIDE, OPEN, PROTOCOL, RESTORE, RESTORED, ROLLED, Fact
from harness.model import RecoveryMode

STATE_TELLS_WHAT_WORK_DID = Fact(
    id="state.tells_what_work_did",
    statement="The walk of an instance shows exactly the transactions that its writers acknowledged.",
    source="RVWORK.m and RVCHECK.m",
    expected="exactly what was acknowledged",
)
STATE_OTHER_DATA_IS_SEEN = Fact(
    id="state.other_data_is_seen",
    statement="Data that another workload wrote is told apart from what belongs there.",
    source="RVWORK.m and RVCHECK.m",
    expected="altered",
)
RESTORE_PLACE_AND_MOUNT = Fact(
    id="restore.place_and_mount",
    statement="Files put in place of a dismounted database are the database once it is mounted.",
    source="class reference 2024.1, SYS.Database; owner and lock file in containers are not documented",
    expected="exactly what the snapshot holds",
    modes=RESTORED,
    open_item=15,
)
INTEGRITY_CLEAN_VERDICT = Fact(
    id="integrity.clean_verdict",
    statement="The structure check of sound restored databases says that they are.",
    source=f"{INTEGRITY_GUIDE} 2; the layout on IRIS is not documented",
    expected="clean",
    open_item=13,
)
INTEGRITY_CLOSING_VERDICT = Fact(
    id="integrity.closing_verdict",
    statement="The structure check closes with a word that it looked at every database asked for.",
    source=PROTOCOL,
    expected="one verdict for each database, then the closing one",
    open_item=13,
)
INTEGRITY_DAMAGE_IS_SEEN = Fact(
    id="integrity.damage_is_seen",
    statement="The structure check of a database with overwritten blocks names errors.",
    source=f"{INTEGRITY_GUIDE} 2; the value that tells of errors is not documented",
    expected="errors, in the damaged database only",
    open_item=13,
)
ROLLFORWARD_START_POSITION = Fact(
    id="rollforward.start_position",
    statement="A roll-forward that starts at the marker's offset brings back everything up to the journals' end.",
    source=f"{RESTORE}, StartPosition; its format is not documented",
    expected="exactly what was acknowledged",
    modes=ROLLED,
    open_item=8,
)
ROLLFORWARD_START_BETWEEN_RECORDS_REFUSED = Fact(
    id="rollforward.start_between_records_refused",
    statement="A roll-forward that starts where no record begins is refused.",
    source=OPEN,
    expected="refused",
    modes=ROLLED,
    open_item=8,
)
ROLLFORWARD_STOP_AT_MARKER = Fact(
    id="rollforward.stop_at_marker",
    statement="A roll-forward to a recovery point brings back everything before it and nothing after.",
    source=f"{RESTORE} has no stop position; how a marker ends it is not documented",
    expected="exactly what was acknowledged by then",
    modes=(RecoveryMode.POINT_IN_TIME,),
    open_item=9,
)
ROLLFORWARD_SKIPPED_IS_REPORTED = Fact(
    id="rollforward.skipped_is_reported",
    statement="A roll-forward that cannot update a database is refused, or names it as skipped.",
    source=f"{RESTORE}, AbortOnDatabaseError; the answer of Run is not documented",
    expected="refused, or named as skipped",
    modes=ROLLED,
    open_item=10,
)
RESTORE_OPEN_TRANSACTIONS = Fact(
    id="restore.open_transactions",
    statement="A transaction that was open at the freeze is rolled back at the end of a roll-forward.",
    source=f"{RESTORE}, RollBack",
    expected="no trace of it",
    untried="the workload leaves no transaction open; the atomicity check would show its traces",
)
BOOT_RECOVERS = Fact(
    id="boot.recovers",
    statement="An instance started from a whole image comes up with what the image holds, and nothing newer.",
    source=f"{INTEGRITY_GUIDE} 1, startup recovery",
    expected="exactly what the snapshot holds",
    modes=(RecoveryMode.BOOT,),
)
BOOT_FROZEN_IMAGE_STARTS_THAWED = Fact(
    id="boot.frozen_image_starts_thawed",
    statement="An instance started from an image that was taken while frozen is not frozen.",
    source=OPEN,
    expected="running",
)
BOOT_WIJ_MISMATCH = Fact(
    id="boot.wij_mismatch",
    statement="What a start makes of a write image journal that belongs to other database files.",
    source=OPEN,
    expected="a refusal, or a note in messages.log",
    open_item=17,
    untried="the harness boots whole images only, whose write image journal is their own",
)
