"""The scripts, their caller or the freeze end too early."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from harness.model import Finding
from harness.scripts import rules
from harness.scripts.model import Seen
from harness.scripts.scenarios.base import CLASS_REFERENCE, INTEGRITY_GUIDE, Family, Need
from harness.scripts.scene import Kill, Scene

family = Family("interruptions")
FREEZE = "externalfreeze|freeze"
_THAW_OF_A_RUNNING_ONE = ("externalthaw", "end", 5)
"""What ExternalThaw answers if nothing is frozen is not documented, so no script may rely on a refusal."""
_SWITCH = CLASS_REFERENCE + ": WDSuspendLimit; ExternalFreezeTimeOut thaws nothing"


@family.scenario(
    "caller-dies",
    situation="the freeze script has ended well, the thaw script is never called; a job is killed in its snapshot",
    right="WDSuspendLimit ends the freeze",
    source=_SWITCH,
    waits_s=5,
)
def caller_dies(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    job = bool(scene.scripts.program)
    seen = scene.attempt(kill=Kill(when=scene.job.asked_for(1), signal=signal.SIGKILL) if job else None)
    if job and not seen.taken:
        yield rules.nothing_taken(seen, scene.scripts)
        return
    if not job and (seen.freeze.status not in scene.scripts.success or not scene.frozen(scene.first)):
        yield rules.inconclusive(f"nothing was frozen: the freeze script {seen.freeze}")
        return
    if job and not scene.observer.events(scene.first):
        yield rules.inconclusive(f"nothing was frozen: the job {seen.freeze}")
        return
    yield from rules.thaws_itself(scene)


@family.scenario(
    "killed-after-first",
    situation="the freeze script is killed (KILL) when the first of two instances is frozen and the second does not "
    "answer",
    right="WDSuspendLimit ends the freeze of the first",
    source=_SWITCH,
    needs=(Need.TWO_INSTANCES,),
    waits_s=8,
)
def killed_after_first(scene: Scene) -> Iterator[Finding]:
    yield from _interrupted(scene, signal.SIGKILL)


@family.scenario(
    "terminated-after-first",
    situation="the freeze script gets TERM when the first of two instances is frozen and the second does not answer",
    right="it thaws the first, or WDSuspendLimit does; it does not say success",
    source=_SWITCH,
    needs=(Need.TWO_INSTANCES,),
    waits_s=8,
)
def terminated_after_first(scene: Scene) -> Iterator[Finding]:
    yield from _interrupted(scene, signal.SIGTERM)


def _interrupted(scene: Scene, number: signal.Signals) -> Iterator[Finding]:
    scene.install()
    for name in (scene.first, scene.second):
        scene.instance(name)
    # whichever comes second hangs: the first freeze succeeds, every later one hangs
    scene.recorder.plant_after(FREEZE, 1, "hang")

    def second_asked() -> bool:
        return not scene.recorder.never_called() and any(
            scene.observer.events(name) for name in scene.setup.names
        )

    seen = scene.attempt(kill=Kill(when=second_asked, signal=number))
    ran = seen.freeze
    if not ran.killed.startswith(number.name):
        yield rules.inconclusive(f"the freeze script {ran}, before it asked for a second freeze")
    yield from rules.refused(seen, scene.scripts, "it was interrupted before both were frozen")
    yield from rules.thaws_itself(scene)


@family.scenario(
    "second-hangs",
    situation="the first of two instances is frozen, the second does not answer",
    right="the freeze script gives up in time, thaws the first and says failure",
    source="callers wait 30 seconds (Azure's default hook), 60 (VSS); then they kill",
    needs=(Need.TWO_INSTANCES,),
    waits_s=35,
)
def second_hangs(scene: Scene) -> Iterator[Finding]:
    scene.install()
    for name in (scene.first, scene.second):
        scene.instance(name)
    scene.recorder.plant_after(FREEZE, 1, "hang")
    yield from rules.must_refuse(scene.backup(), scene.scripts, "the second instance did not answer")


@family.scenario(
    "self-thaw",
    situation="the snapshot takes so long that the instance thaws itself by WDSuspendLimit",
    right="the thaw script says failure: the snapshot is torn",
    source=CLASS_REFERENCE + ": any backup not finished by then must be treated as failed",
    waits_s=8,
)
def self_thaw(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)

    def wait() -> None:
        if scene.recorder.limited():
            scene.administrator.hurry()
            scene.observer.wait_thawed(20.0)
        scene.recorder.plant(*_THAW_OF_A_RUNNING_ONE, may=True)

    yield from _torn(scene, scene.backup(during=wait), "thawed itself during the snapshot")


@family.scenario(
    "thawed-by-another",
    situation="an administrator thaws the instance during the snapshot (`iris stat -W`)",
    right="the thaw script says failure: the snapshot is torn",
    source="Monitoring Guide, irisstat -W: the same effect as ExternalThaw",
)
def thawed_by_another(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)

    def thaw() -> None:
        scene.administrator.thaw(scene.first)
        scene.recorder.plant(*_THAW_OF_A_RUNNING_ONE, may=True)

    seen = scene.backup(during=thaw)
    yield from _torn(scene, seen, "was thawed by an administrator during the snapshot")


def _torn(scene: Scene, seen: Seen, why: str) -> Iterator[Finding]:
    if not seen.taken or not scene.observer.events(scene.first):
        yield rules.nothing_taken(seen, scene.scripts)
        return
    if len(scene.observer.events(scene.first)) < 2:
        yield rules.inconclusive("nothing ended the freeze: it has no WDSuspendLimit")
        return
    yield from rules.honest(seen, scene.scripts)
    yield from rules.no_history(scene.calls(), f"although {scene.first} {why}")


@family.scenario(
    "past-the-timeout",
    situation="the snapshot takes longer than ExternalFreezeTimeOut: updates are blocked and no login is possible, "
    "unless WDSuspendLimit has come first",
    right="the thaw script thaws: ExternalThaw needs no login",
    source=INTEGRITY_GUIDE + "; class reference: ExternalThaw on the command line bypasses authentication",
    waits_s=8,
)
def past_the_timeout(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)

    def over() -> bool:
        return scene.observer.blocked(scene.first) or len(scene.observer.events(scene.first)) > 1

    def wait() -> None:
        scene.administrator.hurry()
        scene.observer.wait_for(over, within_s=20)
        if scene.observer.blocked(scene.first):
            scene.recorder.plant("iswdsuspendedext|iswdsuspended", "end", 1, "Sign-on inhibited", may=True)

    seen = scene.backup(during=wait)
    if not seen.taken or not scene.observer.events(scene.first):
        yield rules.nothing_taken(seen, scene.scripts)
    elif not over():
        yield rules.inconclusive("neither limit of the freeze was reached")
    elif scene.observer.blocked(scene.first):
        yield from rules.nothing_left(seen)
        if seen.thaw:
            yield from rules.in_time(seen.thaw, "thaw")
    else:
        yield from rules.honest(seen, scene.scripts)


@family.scenario(
    "instance-ends",
    situation="the instance is forced down during the snapshot",
    right="the thaw script says failure",
    source="a crash while frozen: class reference",
)
def instance_ends(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.instance(scene.second)
    seen = scene.backup(during=lambda: scene.administrator.force(scene.first))
    if not seen.taken:
        yield rules.nothing_taken(seen, scene.scripts)
        return
    if seen.thaw:
        yield from rules.claims(seen.thaw, scene.scripts, "thaw", f"{scene.first} ended during the snapshot")
    left = [name for name in seen.left_frozen if name != scene.first]
    if left:
        yield Finding(
            code="left_frozen", message=f"{', '.join(left)} was left frozen because {scene.first} had ended"
        )


@family.scenario(
    "two-at-once",
    situation="two backups start at the same moment",
    right="at most one says success, and what it froze stays frozen",
    source="schedules overlap",
)
def two_at_once(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    if scene.scripts.program:
        yield from _two_jobs(scene)
        return
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(scene.call, "freeze") for _ in range(2)]
        rans = [one.result() for one in both]
    won = [ran for ran in rans if ran.status in scene.scripts.success]
    if len(won) > 1:
        yield Finding(
            code="freeze.claimed",
            message="both freeze scripts said success: the thaw of one tears the snapshot of the other",
        )
    if not scene.calls():
        yield rules.inconclusive("neither freeze script called an instance")
    if won and scene.frozen(scene.first) is not True:
        yield Finding(
            code="freeze.claimed",
            message="one freeze script said success, and the other thawed what it had frozen",
        )
    if not won and scene.observer.wait_thawed(1.0):
        yield Finding(
            code="left_frozen", message="both freeze scripts said failure and left the instance frozen"
        )


def _two_jobs(scene: Scene) -> Iterator[Finding]:
    """The second may wait until the first is done: then each has a freeze of its own."""
    both = scene.job.two_at_once()
    won = [ran for ran in both.rans if ran.status in scene.scripts.success]
    freezes = scene.observer.freezes(scene.first)
    if not both.snapshots:
        yield rules.inconclusive(f"neither job called {scene.scripts.program}")
        return
    if len(won) > freezes:
        yield Finding(
            code="freeze.claimed",
            message=f"both jobs said success, and {scene.first} was frozen once: the thaw of one tears the "
            "snapshot of the other",
        )
    if won and not both.held:
        yield Finding(
            code="freeze.claimed",
            message="one job said success, and the other thawed what it had frozen",
        )
    for ran in both.rans:
        yield from rules.in_time(ran, "freeze")
    for name in scene.observer.wait_thawed(1.0):
        yield Finding(code="left_frozen", message=f"both jobs ended and left {name} frozen")


@family.scenario(
    "snapshot-fails",
    situation="the snapshot fails: its program ends with 1, is not there (127), or is killed; of a pair, the caller "
    "calls the thaw script anyway",
    right="everything is thawed, and a job says failure",
    source=INTEGRITY_GUIDE + ": freeze, snapshot, thaw; no thaw comes from elsewhere",
)
def snapshot_fails(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    for ends in ("1", "127", "killed") if scene.scripts.program else ("1",):
        seen = scene.caller.fail_snapshot(ends)
        if not seen.taken:
            yield rules.nothing_taken(seen, scene.scripts)
            return
        yield from rules.in_time(seen.freeze, "freeze")
        if scene.scripts.program and seen.freeze.status in scene.scripts.success:
            yield Finding(
                code="snapshot.claimed",
                message=f"the job ended with {seen.freeze.status}, although its snapshot had failed ({ends})",
            )
        yield from rules.nothing_left(seen)
        for name in seen.left_frozen:
            scene.administrator.thaw(name)


SCENARIOS = family.scenarios
