"""The freeze is refused, is late, or its result is unknown."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from harness import destroy
from harness.instance.base import PlacedFile
from harness.model import Finding
from harness.scripts import rules
from harness.scripts.scenarios.base import CLASS_REFERENCE, Family, Need
from harness.scripts.scene import DoesNotApply, Scene

family = Family("refusals")
FREEZE = "externalfreeze|freeze"
_SECRET = "Zwiebel-7-Kranz"
_UNDOCUMENTED = (1, 2, 4, 6, 127, 255)
_LISTINGS = ("qlist", "list", "all", "qall")
_SESSIONS = "session|terminal|externalfreeze|externalthaw|iswdsuspendedext|iswdsuspended|freeze"


def _refused(scene: Scene, why: str) -> Iterator[Finding]:
    yield from rules.must_refuse(scene.backup(), scene.scripts, why)


@family.scenario(
    "freeze-ends-3",
    situation="ExternalFreeze fails: 3",
    right="the freeze script says failure",
    source=CLASS_REFERENCE,
)
def freeze_ends_3(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.recorder.plant(FREEZE, "end", 3, "ERROR #7200: System failed to quiesce")
    yield from _refused(scene, "ExternalFreeze ended with 3")


@family.scenario(
    "freeze-ends-1",
    situation="the session ends with an undocumented status: 1, 2, 4, 6, 127, 255",
    right="the freeze script says failure: only 5 is success",
    source=CLASS_REFERENCE,
    waits_s=5,
)
def freeze_ends_1(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    for status in _UNDOCUMENTED:
        scene.recorder.unplant()
        scene.recorder.plant(FREEZE, "end", status, "<DIRECTORY>")
        yield from _refused(scene, f"the session ended with {status}")


@family.scenario(
    "freeze-ends-0",
    situation="the session ends with 0, and the instance is not frozen",
    right="the freeze script says failure: 0 is not 5",
    source=CLASS_REFERENCE,
)
def freeze_ends_0(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.recorder.plant("externalfreeze", "end", 0)
    seen = scene.backup()
    if scene.calls("freeze"):
        raise DoesNotApply("the scripts use `iris freeze`, which ends with 0 if all is well")
    yield from rules.must_refuse(seen, scene.scripts, "the session ended with 0 and nothing was frozen")


@family.scenario(
    "frozen-but-1",
    situation="the instance is frozen, but the session breaks off with 1",
    right="the freeze script says failure and thaws what was frozen nevertheless",
    source=CLASS_REFERENCE + ": IsWDSuspendedExt says so",
)
def frozen_but_1(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.recorder.plant(FREEZE, "then", 1, "<DISCONNECT>")
    yield from _refused(scene, "the session broke off with 1")


@family.scenario(
    "login-refused",
    situation="sessions need a name and a password, and the script has none",
    right="the freeze script says failure, in time: a login prompt reads standard input",
    source="Data Integrity Guide: credentials on standard input, or operating-system authentication",
    needs=(Need.SEVERAL_USERS,),
)
def login_refused(scene: Scene) -> Iterator[Finding]:
    scene.install()
    _with_accounts(scene, owner=False)
    seen = scene.backup()
    yield from rules.must_refuse(seen, scene.scripts, "no session was let in")


@family.scenario(
    "owner-only",
    situation="the instance trusts only the operating-system user that owns it",
    right="the scripts become the owner, or the freeze script says failure",
    source="seed article, comments: csession has to run as the manager user",
    needs=(Need.SEVERAL_USERS,),
)
def owner_only(scene: Scene) -> Iterator[Finding]:
    scene.install()
    _with_accounts(scene, owner=True)
    yield from rules.honest(scene.backup(), scene.scripts)


@family.scenario(
    "credentials",
    situation="sessions need a name and a password, which lie where the scripts expect them",
    right="they come to the session on standard input, and are never seen in arguments, environment, output or log",
    source="Data Integrity Guide: redirect a file with user and password to standard input",
    needs=(Need.CREDENTIALS, Need.SEVERAL_USERS),
)
def credentials(scene: Scene) -> Iterator[Finding]:
    scene.install()
    _with_accounts(scene, owner=False)
    (scene.machine.told / "secret").write_text(_SECRET + "\n")
    given = PlacedFile(path=scene.scripts.credentials, content=f"backup\n{_SECRET}\n".encode(), mode=0o600)
    scene.machine.put([given])
    scene.notes.append("credentials given")
    seen = scene.backup()
    yield from rules.must_succeed(seen, scene.scripts)
    shown = [call for call in scene.calls() if call.secret_shown]
    if shown:
        yield Finding(
            code="secret.shown",
            message=f"the password stood in the arguments or the environment of {shown[0].program} ({shown[0].what})",
        )
    outputs = [ran.output for ran in (seen.freeze, seen.thaw) if ran]
    kept = [
        path
        for path, text in scene.recorder.written()
        if _SECRET in text and path != scene.scripts.credentials
    ]
    if any(_SECRET in text for text in outputs) or kept:
        yield Finding(
            code="secret.shown",
            message=f"the password was written to {', '.join(kept) or 'the output'}",
        )


@family.scenario(
    "licence-exhausted",
    situation="no more sessions are allowed: <LICENSE LIMIT EXCEEDED>",
    right="the freeze script says failure",
    source="public article on connections of the community edition",
)
def licence_exhausted(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first, load=False)
    scene.recorder.plant(_SESSIONS, "end", 1, "<LICENSE LIMIT EXCEEDED>")
    yield from _refused(scene, "no session was let in")


@family.scenario(
    "session-hangs",
    situation="a session gets no answer: the instance's process is stopped",
    right="the freeze script gives up in time and says failure",
    source="callers wait 30 seconds (Azure's default hook), 60 (VSS); then they kill",
    waits_s=30,
)
def session_hangs(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.administrator.send(scene.first, signal.SIGSTOP)
    seen = scene.attempt(after=lambda: scene.administrator.send(scene.first, signal.SIGCONT))
    if not [call for call in scene.calls() if call.what not in _LISTINGS]:
        yield rules.inconclusive("the situation did not arise: the scripts started no session")
    yield from rules.refused(seen, scene.scripts, "no session got an answer")


@family.scenario(
    "slow-freeze",
    situation="the freeze takes three seconds",
    right="the scripts wait for it",
    source="a freeze flushes all buffers; that takes what it takes",
    waits_s=4,
)
def slow_freeze(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.recorder.plant(FREEZE, "delay", 3)
    yield from rules.must_succeed(scene.backup(), scene.scripts)


@family.scenario(
    "too-slow-freeze",
    situation="the freeze takes longer than the caller waits, and happens afterwards",
    right="the freeze script gives up in time, says failure, and WDSuspendLimit ends the late freeze",
    source=CLASS_REFERENCE + ": WDSuspendLimit; Azure's hook waits 30 s, VSS 60 s",
    waits_s=45,
)
def too_slow_freeze(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.recorder.plant(FREEZE, "late", scene.scripts.timeout_s + 4, times=1)
    seen = scene.attempt()
    yield from rules.refused(seen, scene.scripts, "the freeze had not happened")
    if not scene.observer.wait_for(
        lambda: bool(scene.observer.events(scene.first)), within_s=scene.scripts.timeout_s + 20
    ):
        yield rules.inconclusive("the late freeze did not happen")
    yield from rules.thaws_itself(scene)


@family.scenario(
    "frozen-by-another",
    situation="another backup has frozen the instance",
    right="the freeze script says failure and does not thaw what is not its own",
    source="two backups at once; a thaw would tear the other one's snapshot",
)
def frozen_by_another(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.administrator.freeze(scene.first)
    why = "it did not freeze anything: another backup had"
    yield from rules.refused(scene.attempt(), scene.scripts, why)
    if scene.frozen(scene.first) is not True:
        yield Finding(
            code="other.thawed",
            message=f"the freeze script thawed {scene.first}, which another backup had frozen: it is torn now",
        )


@family.scenario(
    "freeze-twice",
    situation="the freeze script, or the job, runs again while its first freeze holds",
    right="the second says failure, the first freeze stays as it is",
    source="as frozen-by-another",
)
def freeze_twice(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    found: list[Finding] = []

    def again() -> None:
        if scene.frozen(scene.first) is not True:
            found.append(rules.inconclusive("the first freeze was not made"))
            return
        why = "everything was frozen already, by another run"
        found.extend(rules.refused(scene.attempt(), scene.scripts, why))
        if scene.frozen(scene.first) is not True:
            message = "the second run ended the freeze of the first: its snapshot is torn"
            found.append(Finding(code="other.thawed", message=message))

    if scene.scripts.program:
        seen = scene.backup(during=again)
        if not seen.taken:
            found.append(rules.nothing_taken(seen, scene.scripts))
    elif scene.call("freeze").status in scene.scripts.success:
        again()
    else:
        found.append(rules.inconclusive("the first freeze was not made"))
    yield from found


@family.scenario(
    "stale-log",
    situation="the freeze fails, and the log of yesterday records a good one",
    right="the freeze script says failure",
    source="a log is appended to: words in it may be of any day",
    needs=(Need.LOG_FILE,),
)
def stale_log(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    good = scene.backup()
    if good.freeze.status not in scene.scripts.success:
        yield rules.inconclusive("no good backup could be made first")
        return
    if not [path for path in scene.recorder.logs() if scene.machine.tree.exists(path)]:
        yield rules.inconclusive("the situation did not arise: the scripts keep no log of yesterday")
        return
    scene.recorder.plant(FREEZE, "end", 3, "ERROR #7200: System failed to quiesce")
    yield from _refused(scene, "ExternalFreeze ended with 3, and its log records the freeze of yesterday")


def _with_accounts(scene: Scene, *, owner: bool) -> None:
    users = scene.machine.told / "users"
    users.write_text(f"backup:{_SECRET}\n")
    users.chmod(0o644)
    options = [f"users={users}", *(["os_authentication=1"] if owner else [])]
    scene.instance(scene.first, *options, load=owner)
    destroy.file(users, destroy.Ground(folder=scene.machine.told, right="this scenario wrote it"))
    scene.setup.require_denied(scene.first, "somebody")


SCENARIOS = family.scenarios
