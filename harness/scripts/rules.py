"""What a correct script does, compared with what was seen. Every function yields findings, none if all is well.

The rules and where they come from:

* A class call ends a session with 5 (done) or 3 (failed). With any other status the call was never made. Callers want
  0; VMware and others read the 5 as a failure. Class reference 2024.1, Backup.General.
* After a failed ExternalThaw the system may still be suspended. Same source.
* Only WDSuspendLimit ends a freeze by itself. A backup that is not finished by then must be treated as failed. Same
  source. IsWDSuspendedExt, called before the thaw, says whether that has happened.
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
    """For a backup that can be made: both scripts say success, and the backup is good."""
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
                message="the freeze script froze everything and ended with the session's 5: its caller takes "
                "that for a failure and leaves the instances frozen",
                witness=_last_line(seen.freeze),
            )
        else:
            yield Finding(
                code="freeze.refused",
                message=f"the freeze script {seen.freeze}, although nothing prevented the freeze",
                witness=_last_line(seen.freeze),
            )
    held = seen.taken and set(seen.held) == set(seen.expected)
    lost = [name for name in seen.expected if seen.taken and name not in seen.held]
    if lost and (seen.thaw is None or seen.thaw.status not in scripts.success):
        # a thaw script that reports this is honest, but there is still no backup
        yield Finding(
            code="freeze.not_held",
            message=f"{', '.join(lost)} did not stay frozen until the snapshot was over, although only the scripts "
            "and the limits they set could end the freeze",
            witness=_last_line(seen.thaw) if seen.thaw else "",
        )
    if held and seen.thaw and seen.thaw.status not in (*scripts.success, None):
        yield Finding(
            code="thaw.refused",
            message=f"the thaw script {seen.thaw}, although the freeze had held",
            witness=_last_line(seen.thaw),
        )


def must_refuse(seen: Seen, scripts: Scripts, why: str) -> Iterator[Finding]:
    """For a backup that cannot be good: the freeze script reports failure and leaves nothing frozen."""
    if seen.freeze.status in scripts.success:
        yield Finding(
            code="freeze.claimed",
            message=f"the freeze script ended with {seen.freeze.status}, although {why}",
            witness=_last_line(seen.freeze),
        )
    if scripts.program and seen.taken:
        yield Finding(
            code="snapshot.taken",
            message=f"the job took its snapshot, although {why}: it leaves an image that looks like a backup",
        )
    yield from in_time(seen.freeze, "freeze")
    yield from nothing_left(seen)


def refused(seen: Seen, scripts: Scripts, why: str) -> Iterator[Finding]:
    """For a freeze that must not be reported as success, whatever else is frozen."""
    yield from claims(seen.freeze, scripts, "freeze", why)
    if scripts.program and seen.taken:
        yield Finding(
            code="snapshot.taken",
            message=f"the job took its snapshot, although {why}: it leaves an image that looks like a backup",
        )


def nothing_taken(seen: Seen, scripts: Scripts) -> Finding:
    """No snapshot was taken, so nothing after it could be observed."""
    return _never_called(seen, scripts) or inconclusive(
        f"the job {seen.freeze}, without a snapshot" if scripts.program else "the freeze script froze nothing"
    )


def _never_called(seen: Seen, scripts: Scripts) -> Finding | None:
    """A job that did not call what `--program` names, and may have taken its snapshot by other means."""
    if not scripts.program or seen.taken or seen.known:
        return None
    return inconclusive(
        f"{scripts.program} of --program was never called, so nothing is known of the snapshot; check whether the "
        f"job calls it by another path or name. The job {seen.freeze}"
    )


def honest(seen: Seen, scripts: Scripts) -> Iterator[Finding]:
    """The scripts report the truth to their caller, whatever it is, and nothing stays frozen."""
    yield from in_time(seen.freeze, "freeze")
    if seen.freeze.status in scripts.success and scripts.program and not seen.taken:
        yield _never_called(seen, scripts) or Finding(
            code="freeze.claimed",
            message=f"the job ended with {seen.freeze.status} without a snapshot: it never called {scripts.program}",
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
        yield from honest_thaw(seen, seen.thaw, scripts)
    yield from nothing_left(seen)


def honest_thaw(seen: Seen, thaw: Ran, scripts: Scripts) -> Iterator[Finding]:
    """The thaw script reports success only if the freeze held until the thaw, and ended then."""
    yield from in_time(thaw, "thaw")
    if thaw.status not in scripts.success:
        return
    # a job is observed from the beginning of its snapshot: one that thaws too early may have thawed by then
    frozen = [name for name in seen.expected if scripts.program or seen.frozen_after.get(name) is True]
    for name in frozen:
        if seen.taken and name not in seen.held:
            yield Finding(
                code="thaw.claimed",
                message=f"the thaw script ended with {thaw.status}, but {name} did not stay frozen until then: the "
                "snapshot is torn",
                witness=_last_line(thaw),
            )
    for name in seen.left_frozen:
        yield Finding(
            code="thaw.claimed",
            message=f"the thaw script ended with {thaw.status}, but {name} is still frozen",
            witness=_last_line(thaw),
        )


def nothing_left(seen: Seen) -> Iterator[Finding]:
    """No instance stays frozen when the scripts have ended."""
    for name in seen.left_frozen:
        yield Finding(
            code="left_frozen",
            message=f"{name} was left frozen: its users are blocked once ExternalFreezeTimeOut is over, until "
            "an administrator thaws it",
        )
    for words in seen.left_running:
        yield inconclusive(
            f"{words[:100]!r} was still running after the scripts had ended; what it did later was not observed"
        )


def in_time(ran: Ran, hook: str) -> Iterator[Finding]:
    """A script ends while its caller waits. No caller waits for a job, so one with its own limit may be correct."""
    if ran.status is None and ran.limit:
        yield inconclusive(
            f"the check ended the job ({ran.killed}) before its own `{ran.limit[:60]}` could; "
            "give a longer --timeout"
        )
    elif ran.status is None:
        yield Finding(
            code=f"{hook}.no_end",
            message=f"the {hook} script did not end while its caller waited ({ran.killed})",
            witness=_last_line(ran),
        )


def no_history(calls: Sequence[RecordedCall], when: str) -> Iterator[Finding]:
    """ExternalSetHistory was not called; `when` says why it must not be called."""
    for call in calls:
        if call.what == HISTORY:
            yield Finding(
                code="history",
                message=f"ExternalSetHistory was called for {call.instance} {when}: it counts as a successful "
                "backup, and journals that are still needed may be purged",
            )
            return


def claims(ran: Ran, scripts: Scripts, hook: str, why: str) -> Iterator[Finding]:
    """For a single run that must not end with success."""
    yield from in_time(ran, hook)
    if ran.status in scripts.success:
        yield Finding(
            code=f"{hook}.claimed",
            message=f"the {hook} script ended with {ran.status}, although {why}",
            witness=_last_line(ran),
        )


def thaws_itself(scene: Scene) -> Iterator[Finding]:
    """WDSuspendLimit ends a freeze in time. The clocks of the instances run faster meanwhile."""
    limited = scene.recorder.limited()
    scene.administrator.hurry()
    left = scene.observer.wait_thawed(20.0 if limited else 0.0)
    if left:
        why = "its WDSuspendLimit does not end it" if limited else "the freeze has no WDSuspendLimit"
        yield Finding(code="left_frozen", message=f"{', '.join(left)} stays frozen: {why}")


def unanswered(scene: Scene) -> Iterator[Finding]:
    """Instances that did not answer when a verdict depended on it."""
    for name in scene.observer.silent():
        ended = [call for call in scene.calls() if call.what in _ENDS and call.instance == name]
        if ended:
            yield Finding(
                code="instance.ended",
                message=f"{name} no longer answers: the scripts called `{ended[-1].program} {ended[-1].what}`",
            )
        elif scene.observer.killed(name):
            yield Finding(
                code="instance.ended",
                message=f"{name} has ended: the scripts call `kill`, and its processes are gone",
            )
        else:
            yield inconclusive(f"{name} did not answer when asked whether it is frozen")


def situation_arose(scene: Scene) -> Iterator[Finding]:
    """The planted answers were given, every freeze was recorded, and no file that answers rest on was changed."""
    for what in scene.recorder.never_called():
        yield inconclusive(f"the situation did not arise: the scripts never called {what}")
    for name in scene.unrecorded():
        yield inconclusive(f"{name} was frozen by a call that was not recorded, so its arguments are unknown")
    for path in scene.seal.broken():
        yield Finding(
            code="tampered", message=f"the scripts changed {path}: nothing observed after that counts"
        )


def inconclusive(what: str) -> Finding:
    """Something could not be measured, for the reason given."""
    return Finding(code="not_measured", message=what, verdict=Verdict.UNKNOWN)


def _last_line(ran: Ran) -> str:
    lines = [line.strip() for line in ran.output.splitlines() if line.strip()]
    shown = "".join(letter if letter.isprintable() else "?" for letter in lines[-1][:200]) if lines else ""
    return shown or "it printed nothing"
