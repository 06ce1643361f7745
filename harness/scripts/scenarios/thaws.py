"""The thaw fails, or nothing is frozen."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model import Finding
from harness.scripts import rules
from harness.scripts.scenarios.base import CLASS_REFERENCE, Family, Need
from harness.scripts.scene import Scene

family = Family("thaws")
FREEZE, THAW = "externalfreeze|freeze", "externalthaw|thaw"


@family.scenario(
    "thaw-fails",
    situation="every thaw ends with 3, the instance stays frozen",
    right="the thaw script says failure",
    source=CLASS_REFERENCE + ": after a failed thaw the system may still be suspended",
)
def thaw_fails(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.recorder.plant(THAW, "end", 3, "ERROR #7200: System failed to resume")
    scene.recorder.plant("stat", "end", 1, may=True)
    seen = scene.backup()
    if not seen.taken:
        yield rules.nothing_taken(seen, scene.scripts)
        return
    if seen.thaw:
        yield from rules.claims(seen.thaw, scene.scripts, "thaw", f"{scene.first} is still frozen")
    yield from rules.no_history(scene.calls(), "although the thaw had failed")


@family.scenario(
    "thaw-fails-once",
    situation="the first thaw ends with 1, a second one would work",
    right="the thaw script tries again, or says failure",
    source=CLASS_REFERENCE + ": after a failed thaw the system may still be suspended",
)
def thaw_fails_once(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.recorder.plant(THAW, "end", 1, "<DISCONNECT>", times=1)
    seen = scene.backup()
    if not seen.taken:
        yield rules.nothing_taken(seen, scene.scripts)
    elif seen.thaw:
        yield from rules.honest_thaw(seen, seen.thaw, scene.scripts)


@family.scenario(
    "one-thaw-of-two-fails",
    situation="two instances are frozen, the thaw of one ends with 3",
    right="the other one is thawed, and the thaw script says failure",
    source="every instance is tried: a frozen one blocks its users",
    needs=(Need.TWO_INSTANCES,),
)
def one_thaw_of_two_fails(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.instance(scene.second)
    scene.recorder.plant(THAW, "end", 3, "ERROR #7200: System failed to resume", of=scene.first)
    scene.recorder.plant("stat", "end", 1, of=scene.first, may=True)
    seen = scene.backup()
    if not seen.taken:
        yield rules.nothing_taken(seen, scene.scripts)
        return
    if seen.thaw:
        yield from rules.claims(seen.thaw, scene.scripts, "thaw", f"{scene.first} is still frozen")
    if scene.second in seen.left_frozen:
        yield Finding(
            code="left_frozen",
            message=f"{scene.second} was left frozen because {scene.first} could not be thawed",
        )


@family.scenario(
    "thaw-without-freeze",
    situation="the thaw script is called, and nothing is frozen",
    right="it says failure: whatever was backed up was not frozen",
    source="AWS's published document ends with 205 then; IsWDSuspendedExt says so",
)
def thaw_without_freeze(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    # what ExternalThaw answers if nothing is frozen is not documented, so no script may rely on a refusal
    scene.recorder.plant("externalthaw", "end", 5, may=True)
    yield from rules.claims(scene.call("thaw"), scene.scripts, "thaw", "nothing had been frozen")
    yield from rules.no_history(scene.calls(), "although nothing had been frozen")


@family.scenario(
    "thaw-after-failed-freeze",
    situation="the freeze was refused, and the caller calls the thaw script anyway",
    right="it does no harm",
    source="some callers call both scripts whatever happens",
)
def thaw_after_failed_freeze(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.recorder.plant(FREEZE, "end", 3, "ERROR #7200: System failed to quiesce")
    scene.call("freeze")
    ran = scene.call("thaw")
    yield from rules.in_time(ran, "thaw")
    yield from rules.no_history(scene.calls(), "although the freeze had failed")
    for name in scene.observer.which_frozen():
        yield Finding(code="left_frozen", message=f"{name} was left frozen")


@family.scenario(
    "wrong-argument",
    situation="the script is called with an argument that it does not know, and with none",
    right="it says failure, and freezes and thaws nothing",
    source="NHS's published batch file falls through to success",
    needs=(Need.ONE_SCRIPT,),
)
def wrong_argument(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    for words in (["freez"], []):
        ran = scene.caller.call_with(scene.scripts.freeze[0], *words)
        said = " ".join(words) or "nothing"
        yield from rules.claims(ran, scene.scripts, "freeze", f"its argument was {said}")
        if scene.frozen(scene.first) is not False:
            yield Finding(code="left_frozen", message=f"called with {said} it froze the instance")
            scene.administrator.thaw(scene.first)


SCENARIOS = family.scenarios
