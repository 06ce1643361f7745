"""Ordinary nights: what the scripts must do, and what a restore needs them to keep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.model import Finding
from harness.scripts import rules
from harness.scripts.scenarios.base import CLASS_REFERENCE, INTEGRITY_GUIDE, Family, Need, once_frozen
from harness.scripts.scene import CRON_ENVIRONMENT, DoesNotApply, Scene

family = Family("ordinary")
FREEZE, THAW = "externalfreeze", "externalthaw"
_TIMEOUT_DEFAULT_S, _TIMEOUT_MAX_S = 600, 1200


@family.scenario(
    "one-instance",
    situation="one instance runs, under load",
    right="freeze it, say 0; thaw it, say 0",
    source=CLASS_REFERENCE,
)
def one_instance(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.engine = scene.setup.engine(scene.first)
    seen = scene.backup()
    yield from rules.must_succeed(seen, scene.scripts)


@family.scenario(
    "two-instances",
    situation="two instances run, under load",
    right="both are frozen before the snapshot and thawed after it",
    source=CLASS_REFERENCE,
    needs=(Need.TWO_INSTANCES,),
)
def two_instances(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.instance(scene.second)
    yield from rules.must_succeed(scene.backup(), scene.scripts)


@family.scenario(
    "slow-snapshot",
    situation="the snapshot takes four seconds",
    right="everything stays frozen until it is over",
    source=INTEGRITY_GUIDE,
    waits_s=4,
)
def slow_snapshot(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    yield from rules.must_succeed(scene.backup(snapshot_s=4.0), scene.scripts)


@family.scenario(
    "two-nights",
    situation="a backup, and another one after it",
    right="the second succeeds as the first did",
    source="what a first backup leaves (log, state, lock) must not hinder the next",
)
def two_nights(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    for _ in range(2):
        yield from rules.must_succeed(scene.backup(), scene.scripts)


@family.scenario(
    "night-after-a-failure",
    situation="yesterday the freeze was refused; today it would succeed",
    right="the backup is made",
    source="what a failed backup leaves must not hinder the next",
)
def night_after_a_failure(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.recorder.plant(f"{FREEZE}|freeze", "end", 3, "ERROR #7200: System failed to quiesce")
    scene.attempt()
    if not scene.scripts.program:
        scene.call("thaw")
    scene.recorder.unplant()
    for name in scene.observer.which_frozen():
        scene.administrator.thaw(name)
    yield from rules.must_succeed(scene.backup(), scene.scripts)


@family.scenario(
    "only-iris",
    situation="only IRIS is installed: no ccontrol, no csession",
    right="the commands of IRIS are used",
    source="System Administration Guide: ccontrol and csession are Caché's names",
)
def only_iris(scene: Scene) -> Iterator[Finding]:
    scene.install(cache=False)
    scene.instance(scene.first)
    yield from _one_product(scene, "ccontrol", "csession")


@family.scenario(
    "only-cache",
    situation="only Caché is installed: no iris, no irissession",
    right="the commands of Caché are used; or the freeze script says that it can freeze nothing",
    source="System Administration Guide: ccontrol and csession are Caché's names",
)
def only_cache(scene: Scene) -> Iterator[Finding]:
    scene.install(iris=False)
    scene.instance(scene.first)
    yield from _one_product(scene, "iris", "irissession")


def _one_product(scene: Scene, *absent: str) -> Iterator[Finding]:
    """Scripts for one product may refuse where only the other is installed; they must not report success."""
    scene.setup.take_away(*absent)
    yield from rules.honest(scene.backup(), scene.scripts)


@family.scenario(
    "cron",
    situation="cron starts the scripts: a short PATH, no LANG, no terminal",
    right="freeze, say 0; thaw, say 0",
    source="crontab(5)",
)
def cron(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    yield from rules.must_succeed(scene.backup(environment=CRON_ENVIRONMENT), scene.scripts)


@family.scenario(
    "no-environment",
    situation="the scripts start with an empty environment",
    right="freeze and thaw, or an honest refusal",
    source="callers such as guest agents give no more",
)
def no_environment(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    yield from rules.honest(scene.backup(environment={}), scene.scripts)


@family.scenario(
    "other-locale",
    situation="the caller names a Turkish locale, installed or not, and a time zone in Nepal",
    right="freeze and thaw: nothing depends on letter case or on dates",
    source="locale(7)",
)
def other_locale(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    environment = {
        **CRON_ENVIRONMENT,
        "LANG": "tr_TR.UTF-8",
        "LC_ALL": "tr_TR.UTF-8",
        "LANGUAGE": "tr",
        "TZ": "Asia/Kathmandu",
    }
    yield from rules.must_succeed(scene.backup(environment=environment), scene.scripts)


@family.scenario(
    "journal-switched",
    situation="one instance runs",
    right="the freeze switches the journal and sets its marker, where a roll-forward will begin",
    source=CLASS_REFERENCE + ": SwitchJournalFile",
)
def journal_switched(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    before = scene.observer.journals(scene.first)

    def look() -> Iterator[Finding]:
        if not scene.observer.journals(scene.first).keys() - before.keys() or any(
            call.argument(3).strip() == "0" for call in scene.calls(FREEZE)
        ):
            yield Finding(
                code="marker.none",
                message="ExternalFreeze was called with SwitchJournalFile 0: there is no journal marker, and the "
                "start of a roll-forward is unknown",
            )

    yield from once_frozen(scene, look)


@family.scenario(
    "marker-kept",
    situation="one instance runs",
    right="the journal file and offset of the marker are written to a file: messages.log has no offset",
    source="Class reference 2024.1, ExternalFreeze: LogFile; the public azure_backup_script shows both logs",
)
def marker_kept(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    before = scene.observer.journals(scene.first)

    def look() -> Iterator[Finding]:
        new = {name: at for name, at in scene.observer.journals(scene.first).items() if name not in before}
        if not any(_names(text, new) for _, text in scene.recorder.written()):
            yield Finding(
                code="marker.not_kept",
                message="no file holds the journal marker of this freeze: ExternalFreeze was given no log file, and "
                "its output was not kept. The start of a roll-forward has to be searched for when this backup is "
                "restored",
            )

    yield from once_frozen(scene, look)


@family.scenario(
    "dead-mans-switch",
    situation="one instance runs",
    right="ExternalFreeze is given a WDSuspendLimit, so that an instance whose backup died thaws itself",
    source=CLASS_REFERENCE + ": WDSuspendLimit; ExternalFreezeTimeOut thaws nothing",
)
def dead_mans_switch(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)

    def look() -> Iterator[Finding]:
        for call in scene.calls(FREEZE) + scene.calls("freeze"):
            if call.what == "freeze" or not _seconds(call.argument(10)):
                yield Finding(
                    code="limit.none",
                    message=f"{'iris freeze has' if call.what == 'freeze' else 'ExternalFreeze was given'} no "
                    "WDSuspendLimit: an instance whose backup job died stays frozen, and its users are blocked once "
                    "ExternalFreezeTimeOut is over",
                    witness=", ".join(call.arguments),
                )

    yield from once_frozen(scene, look)


@family.scenario(
    "freeze-timeout",
    situation="one instance runs",
    right="ExternalFreezeTimeOut is at most 1200 seconds",
    source="InterSystems Japan's external backup tutorial: more is taken for 1200. Unverified elsewhere",
)
def freeze_timeout(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)

    def look() -> Iterator[Finding]:
        for call in scene.calls(FREEZE) + scene.calls("freeze"):
            option = next((word[8:] for word in call.arguments if word.startswith("timeout=")), "")
            asked = _seconds(option if call.what == "freeze" else call.argument(7)) or _TIMEOUT_DEFAULT_S
            if asked > _TIMEOUT_MAX_S:
                yield Finding(
                    code="timeout.too_long",
                    message=f"ExternalFreezeTimeOut is {asked} s, of which {_TIMEOUT_MAX_S} count: users are blocked "
                    "earlier than the script expects",
                    witness=", ".join(call.arguments),
                )

    yield from once_frozen(scene, look)


@family.scenario(
    "no-history",
    situation="a backup whose copy has not been verified yet",
    right="neither script calls ExternalSetHistory",
    source=INTEGRITY_GUIDE
    + ": freeze, snapshot, thaw, copy, then ExternalSetHistory; it lets journals be purged",
)
def no_history(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    seen = scene.backup()
    if not seen.taken:
        yield rules.nothing_taken(seen, scene.scripts)
    yield from rules.no_history(scene.calls(), "before the copy had been made")


@family.scenario(
    "logs-apart",
    situation="two instances run",
    right="each freeze has a log of its own, or one log in which no marker is lost",
    source="Class reference 2024.1, ExternalFreeze: the file is appended to; the markers of two "
    "instances in it are mixed up",
    needs=(Need.TWO_INSTANCES,),
)
def logs_apart(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.instance(scene.second)
    seen = scene.attempt()
    logs = {call.instance: call.argument(1) for call in scene.calls(FREEZE)}
    if scene.calls("freeze"):
        raise DoesNotApply("`iris freeze` has no log")
    if len(logs) < 2:
        yield _nothing_frozen() if seen.known else rules.nothing_taken(seen, scene.scripts)
    elif len(set(logs.values())) < 2 and set(logs.values()) not in ({""}, {"0"}):
        yield Finding(
            code="log.shared",
            message=f"both instances log their freeze to {next(iter(logs.values()))}: it is unknown which marker "
            "belongs to which",
        )


@family.scenario(
    "files-guarded",
    situation="the script files as they lie here",
    right="they can be executed, and only their owner and root can change them",
    source="VMware Tools run pre-freeze-script and post-thaw-script as root; the seed article gives them mode 0700",
)
def files_guarded(scene: Scene) -> Iterator[Finding]:
    for hook, argv in (("freeze", scene.scripts.freeze), ("thaw", scene.scripts.thaw)):
        path = scene.scripts.install.get(argv[0], Path(argv[0]))
        mode = path.stat().st_mode & 0o777
        if mode & 0o022:
            yield Finding(
                code="file.writable",
                message=f"{path} may be changed by others (mode {mode:04o}); the {hook} script runs with privileges",
            )
        if not mode & 0o100:
            yield Finding(code="file.not_executable", message=f"{path} cannot be executed (mode {mode:04o})")


def _nothing_frozen() -> Finding:
    return Finding(code="freeze.none", message="the freeze script froze nothing")


def _names(text: str, journals: dict[str, int]) -> bool:
    """Whether a text names a journal and the offset of its marker, in whatever words."""
    return any(name in text and re.search(rf"\b{at}\b", text) for name, at in journals.items())


def _seconds(argument: str) -> int:
    try:
        return int(float(argument or "0"))
    except ValueError:
        return 0


SCENARIOS = family.scenarios
