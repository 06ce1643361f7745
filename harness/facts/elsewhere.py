"""What no instance of this harness has, so that no probe tries it."""

from __future__ import annotations

from harness.facts.fact import OPEN, Fact

NATIVE_DEVICE_OUTPUT = Fact(
    id="native.device_output",
    statement="What a call over the Native API does with output, and whether it can thaw past the time-out.",
    source=OPEN,
    expected="discarded; yes",
    open_item=18,
    untried="the harness does not use the Native API",
)
MIRROR_FREEZE_LOG = Fact(
    id="mirror.freeze_log",
    statement="The layout of the freeze log on a mirror member, and which journal its marker is in.",
    source=OPEN,
    expected="the local journal",
    open_item=19,
    untried="needs a mirror",
)
STUN_LOG_LAYOUT = Fact(
    id="stun.log_layout",
    statement="The stun line of ESXi 9, and the time-out of the VSS writer.",
    source=OPEN,
    expected="as of ESXi 8",
    open_item=20,
    untried="needs ESXi and Windows",
)
FREEZE_ARGUMENTS_BEFORE_2018 = Fact(
    id="freeze.arguments_before_2018",
    statement="The arguments of ExternalFreeze on Caché before 2018.1.",
    source=OPEN,
    expected="the first seven",
    open_item=21,
    untried="needs Caché before 2018.1",
)
ONLINE_RESTORE_SUCCESS_VALUE = Fact(
    id="online.restore_success_value",
    statement="What the unattended restore of an online backup (^DBREST) returns when it succeeds.",
    source=OPEN,
    expected="1",
    open_item=22,
    untried="the harness restores no online backup",
)
