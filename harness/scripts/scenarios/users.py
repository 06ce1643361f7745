"""Who runs the scripts."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from harness.model import Finding
from harness.scripts import rules
from harness.scripts.scenarios.base import Family, Need
from harness.scripts.scene import ROOT_ENVIRONMENT, DoesNotApply, Scene

family = Family("users")
_OWN = "seed article, comments: the user needs rights in the instance, or a session asks for a login"


@family.scenario(
    "as-root",
    situation="root runs the scripts",
    right="freeze, say 0; thaw, say 0",
    source="VMware Tools and cron run them as root",
)
def as_root(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    yield from rules.must_succeed(scene.backup(user="root"), scene.scripts)


@family.scenario(
    "as-owner",
    situation="the owner of the instance runs the scripts",
    right="freeze and thaw, or an honest refusal: the owner may not write everywhere",
    source=_OWN,
    needs=(Need.SEVERAL_USERS,),
)
def as_owner(scene: Scene) -> Iterator[Finding]:
    yield from _as(scene, "irisowner")


@family.scenario(
    "as-somebody",
    situation="a user without any rights in the instance runs the scripts",
    right="the freeze script says failure, in time",
    source=_OWN,
    needs=(Need.SEVERAL_USERS,),
)
def as_somebody(scene: Scene) -> Iterator[Finding]:
    yield from _as(scene, "somebody")


def _as(scene: Scene, user: str) -> Iterator[Finding]:
    scene.install()
    for argv in (scene.scripts.freeze, scene.scripts.thaw):
        status = scene.machine.tree.status(argv[0])
        if not status.st_mode & 0o001:
            raise DoesNotApply(f"{user} may not run {argv[0]} (mode {stat.S_IMODE(status.st_mode):04o})")
    scene.instance(scene.first)
    environment = {**ROOT_ENVIRONMENT, "HOME": f"/home/{user}", "LOGNAME": user, "USER": user}
    yield from rules.honest(scene.backup(user=user, environment=environment), scene.scripts)


SCENARIOS = family.scenarios
