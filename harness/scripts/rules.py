"""What a right script does, held against what was seen. Every function gives findings, none if all is well.

The rules and where they come from:

* A class call ends a session with 5 (done) or 3 (failed), anything else never got there; callers want 0. Class
  reference 2024.1, Backup.General; VMware and others read the 5 as a failure.
* After a failed ExternalThaw the system may still be suspended. The same.
* A freeze does not end by itself but for WDSuspendLimit; then any backup not finished must be treated as failed. The
  same; to know that it happened, ask IsWDSuspendedExt before the thaw.
* ExternalSetHistory counts as a successful backup for the purge of journals. Data Integrity Guide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.model import Finding, Verdict
from harness.scripts.model import Ran, RecordedCall, Scripts, Seen
from harness.scripts.scene import Scene

HISTORY = "externalsethistory"
_ENDS = ("stop", "force", "restart", "stopstart", "stopnoshut", "delete")


def must_succeed(seen: Seen, scripts: Scripts) -> Iterator[Finding]:
    """A backup that can be made: both scripts say so, and it was one."""
    yield from honest(seen, scripts)
    if unknown := _never_called(seen, scripts):
        if seen.freeze.status not in scripts.success:
            yield unknown
        return
    all_frozen = all(seen.frozen_after.get(name) is True for name in seen.expected)
    if seen.freeze.status not in scripts.success and seen.freeze.status is not None:
        if all_frozen and seen.freeze.status == 5:
            yield Finding(
                code="freeze.unmapped",
                message="everything was frozen, but the freeze script ended with the session's 5: its caller takes "
                "that for a failure and leaves the instances frozen",
                witness=_last_line(seen.freeze),
            )
        else:
            yield Finding(
                code="freeze.refused",
                message=f"the freeze script {seen.freeze}, though nothing stood in its way",
                witness=_last_line(seen.freeze),
            )
    held = seen.taken and set(seen.held) == set(seen.expected)
    lost = [name for name in seen.expected if seen.taken and name not in seen.held]
    if lost and (seen.thaw is None or seen.thaw.status not in scripts.success):
        # a thaw script that says so is honest, and yet there is no backup
        yield Finding(
            code="freeze.not_held",
            message=f"{', '.join(lost)} did not stay frozen until the snapshot was over, though nothing but the "
            "scripts and the limits they gave could end the freeze",
            witness=_last_line(seen.thaw) if seen.thaw else "",
        )
    if held and seen.thaw and seen.thaw.status not in (*scripts.success, None):
        yield Finding(
            code="thaw.refused",
            message=f"the thaw script {seen.thaw}, though the freeze had held",
            witness=_last_line(seen.thaw),
        )


def must_refuse(seen: Seen, scripts: Scripts, why: str) -> Iterator[Finding]:
    """A backup that cannot be good: the freeze script must not end with success, and leaves nothing frozen."""
    if seen.freeze.status in scripts.success:
        yield Finding(
            code="freeze.claimed",
            message=f"the freeze script ended with {seen.freeze.status}, though {why}",
            witness=_last_line(seen.freeze),
        )
    if scripts.program and seen.taken:
        yield Finding(
            code="snapshot.taken",
            message=f"the job took its snapshot, though {why}: an image that looks like a backup is left",
        )
    yield from in_time(seen.freeze, "freeze")
    yield from nothing_left(seen)


def refused(seen: Seen, scripts: Scripts, why: str) -> Iterator[Finding]:
    """A freeze that must not be called a success, whatever else is frozen."""
    yield from claims(seen.freeze, scripts, "freeze", why)
    if scripts.program and seen.taken:
        yield Finding(
            code="snapshot.taken",
            message=f"the job took its snapshot, though {why}: an image that looks like a backup is left",
        )


def nothing_taken(seen: Seen, scripts: Scripts) -> Finding:
    """No snapshot was taken, so what comes after it could not be seen."""
    return _never_called(seen, scripts) or not_told(
        f"the job {seen.freeze}, without a snapshot" if scripts.program else "the freeze script froze nothing"
    )


def _never_called(seen: Seen, scripts: Scripts) -> Finding | None:
    """A job that did not call what `--program` names, and may well have taken its snapshot by something else."""
    if not scripts.program or seen.taken or seen.known:
        return None
    return not_told(
        f"{scripts.program} of --program was never called, so nothing is known of the snapshot; was it called by "
        f"another path or name? The job {seen.freeze}"
    )


def honest(seen: Seen, scripts: Scripts) -> Iterator[Finding]:
    """Whatever could be done, the caller was told the truth and nothing stayed frozen."""
    yield from in_time(seen.freeze, "freeze")
    if seen.freeze.status in scripts.success and scripts.program and not seen.taken:
        yield _never_called(seen, scripts) or Finding(
            code="freeze.claimed",
            message=f"the job ended with {seen.freeze.status} and took no snapshot: {scripts.program} was not called",
            witness=_last_line(seen.freeze),
        )
    elif seen.freeze.status in scripts.success:
        for name in seen.expected:
            if seen.frozen_after.get(name) is not True:
                yield Finding(
                    code="freeze.claimed",
                    message=f"the freeze script ended with {seen.freeze.status}, but {name} was not frozen",
                    witness=_last_line(seen.freeze),
                )
    if seen.thaw:
        yield from thaw_told(seen, seen.thaw, scripts)
    yield from nothing_left(seen)


def thaw_told(seen: Seen, thaw: Ran, scripts: Scripts) -> Iterator[Finding]:
    """The thaw script says success only if the freeze held until it came, and ended."""
    yield from in_time(thaw, "thaw")
    if thaw.status not in scripts.success:
        return
    # a job is looked at when its snapshot begins: by then one that thaws too early may have thawed already
    frozen = [name for name in seen.expected if scripts.program or seen.frozen_after.get(name) is True]
    for name in frozen:
        if seen.taken and name not in seen.held:
            yield Finding(
                code="thaw.claimed",
                message=f"the thaw script ended with {thaw.status}, but {name} had not been frozen until then: the "
                "snapshot is not what it is taken for",
                witness=_last_line(thaw),
            )
    for name in seen.left_frozen:
        yield Finding(
            code="thaw.claimed",
            message=f"the thaw script ended with {thaw.status}, but {name} is still frozen",
            witness=_last_line(thaw),
        )


def nothing_left(seen: Seen) -> Iterator[Finding]:
    """No instance is frozen when it is over."""
    for name in seen.left_frozen:
        yield Finding(
            code="left_frozen",
            message=f"{name} was left frozen: its users are blocked when ExternalFreezeTimeOut is over, until "
            "somebody thaws it",
        )
    for words in seen.left_running:
        yield not_told(
            f"{words[:100]!r} still ran when the scripts had ended; what it does later was not seen"
        )


def in_time(ran: Ran, hook: str) -> Iterator[Finding]:
    """A script ends while its caller waits. Nobody need wait for a job: one with a limit of its own may be right."""
    if ran.status is None and ran.limit:
        yield not_told(
            f"the job had not ended when the check ended it ({ran.killed}), but `{ran.limit[:60]}` would "
            "have; give a longer --timeout"
        )
    elif ran.status is None:
        yield Finding(
            code=f"{hook}.no_end",
            message=f"the {hook} script did not end by itself while its caller waited ({ran.killed})",
            witness=_last_line(ran),
        )


def no_history(calls: Sequence[RecordedCall], when: str) -> Iterator[Finding]:
    """ExternalSetHistory was not called; `when` says why it must not be."""
    for call in calls:
        if call.what == HISTORY:
            yield Finding(
                code="history",
                message=f"ExternalSetHistory was called for {call.instance} {when}: it counts as a successful "
                "backup, and journals that are still needed may be purged",
            )
            return


def claims(ran: Ran, scripts: Scripts, hook: str, why: str) -> Iterator[Finding]:
    """A single run that must not end with success."""
    yield from in_time(ran, hook)
    if ran.status in scripts.success:
        yield Finding(
            code=f"{hook}.claimed",
            message=f"the {hook} script ended with {ran.status}, though {why}",
            witness=_last_line(ran),
        )


def thaws_itself(scene: Scene) -> Iterator[Finding]:
    """WDSuspendLimit ends a freeze in time; the instances' clocks are hurried on for that."""
    limited = scene.recorder.limited()
    scene.administrator.hurry()
    left = scene.observer.wait_thawed(20.0 if limited else 0.0)
    if left:
        why = "its WDSuspendLimit does not end it" if limited else "the freeze has no WDSuspendLimit"
        yield Finding(code="left_frozen", message=f"{', '.join(left)} stays frozen: {why}")


def unanswered(scene: Scene) -> Iterator[Finding]:
    """Instances that did not answer when something rested on it: nobody can say then what the scripts did."""
    for name in scene.observer.silent():
        ended = [call for call in scene.calls() if call.what in _ENDS and call.instance == name]
        if ended:
            yield Finding(
                code="instance.ended",
                message=f"{name} does not answer any more: the scripts called `{ended[-1].program} {ended[-1].what}`",
            )
        elif scene.observer.killed(name):
            yield Finding(
                code="instance.ended",
                message=f"{name} has ended: the scripts, which call `kill`, ended its processes",
            )
        else:
            yield not_told(f"{name} did not answer when it was asked whether it is frozen")


def came_about(scene: Scene) -> Iterator[Finding]:
    """What was planted was met, every freeze was noted, and nothing that answers rest on was changed."""
    for what in scene.recorder.never_called():
        yield not_told(f"the situation did not come about: no call of {what} came")
    for name in scene.unrecorded():
        yield not_told(f"{name} was frozen by a way that is not recorded, so nothing is known of that call")
    for path in scene.seal.broken():
        yield Finding(
            code="tampered", message=f"the scripts changed {path}: nothing that was seen after that counts"
        )


def not_told(what: str) -> Finding:
    """Something could not be measured."""
    return Finding(code="not_measured", message=what, verdict=Verdict.UNKNOWN)


def _last_line(ran: Ran) -> str:
    lines = [line.strip() for line in ran.output.splitlines() if line.strip()]
    shown = "".join(letter if letter.isprintable() else "?" for letter in lines[-1][:200]) if lines else ""
    return shown or "it printed nothing"
