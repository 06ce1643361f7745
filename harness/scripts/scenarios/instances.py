"""Which instances there are, and in what state."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model import Finding
from harness.scripts import rules
from harness.scripts.scenarios.base import ADMIN_GUIDE, CLASS_REFERENCE, Family, Need
from harness.scripts.scene import Scene

family = Family("instances")
FREEZE = "externalfreeze"
_LISTS = "qlist|list|all|qall"


@family.scenario(
    "none-running",
    situation="the only instance listed is down",
    right="the freeze script does not say success: nothing was frozen",
    source="a loop over running instances that never runs ends with 0 (seed article, AWS's published document)",
)
def none_running(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first, start=False)
    yield from rules.refused(scene.attempt(), scene.scripts, "no instance runs and none was frozen")


@family.scenario(
    "none-listed",
    situation="no instance is listed at all",
    right="the freeze script does not say success",
    source="as none-running",
)
def none_listed(scene: Scene) -> Iterator[Finding]:
    scene.install()
    yield from rules.refused(scene.attempt(), scene.scripts, "there is no instance")


@family.scenario(
    "listing-fails",
    situation="the command that lists instances ends with 1 and prints nothing",
    right="the freeze script does not say success",
    source=ADMIN_GUIDE,
    needs=(Need.LISTING,),
)
def listing_fails(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.recorder.plant(_LISTS, "end", 1)
    seen = scene.backup()
    yield from rules.must_refuse(seen, scene.scripts, "it could not learn which instances run")


@family.scenario(
    "one-down",
    situation="one instance runs, another is down",
    right="the one that runs is frozen",
    source=ADMIN_GUIDE,
    needs=(Need.TWO_INSTANCES,),
)
def one_down(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.second, start=False)
    scene.instance(scene.first)
    if scene.scripts.instances:
        yield from rules.honest(scene.backup(expected=[scene.first]), scene.scripts)
    else:
        yield from rules.must_succeed(scene.backup(), scene.scripts)


@family.scenario(
    "sign-on-inhibited",
    situation="an instance runs but refuses every sign-on",
    right="the freeze script does not say success, and nothing stays frozen",
    source="status `sign-on inhibited` of qlist, as seen in the public isclib tests",
)
def sign_on_inhibited(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    named = bool(scene.scripts.instances)  # then scripts need no listing; otherwise they need no session
    scene.recorder.plant(_LISTS, "list", scene.first, "sign-on inhibited", of="*", may=named)
    sessions = "session|externalfreeze|iswdsuspendedext|iswdsuspended|freeze"
    scene.recorder.plant(sessions, "end", 1, "Sign-on inhibited", may=not named)
    seen = scene.backup()
    yield from rules.must_refuse(seen, scene.scripts, f"{scene.first} refused every sign-on")


@family.scenario(
    "thirty-instances",
    situation="thirty instances are listed, two of them run, in folders with long names",
    right="both are found, although qall cuts its lines at 78 columns, qlist does not",
    source=ADMIN_GUIDE,
    needs=(Need.TWO_INSTANCES,),
)
def thirty_instances(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.instance(scene.second)
    rows = (
        f"DOWN{n:02d}^/opt/intersystems/production/data-centre-west/cluster-{n:02d}/{'x' * 60}^2018.1.1.643.0^down, "
        f"last used Fri May 13 22:07:02 2016^cache.cpf^{56772 + n}^{57772 + n}^{62972 + n}"
        for n in range(28)
    )
    scene.recorder.plant(_LISTS, "list", "more", "\x1e".join(rows), of="*")
    yield from rules.must_succeed(scene.backup(), scene.scripts)


@family.scenario(
    "odd-names",
    situation="an instance has a dash and an underscore in its name; another one, which is down, lies in a folder "
    "with blanks, a quote and a star",
    right="the one that runs is frozen, and no name is taken apart or executed",
    source="shell quoting; names and folders are the administrator's choice",
    needs=(Need.LISTING,),
)
def odd_names(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance("HEALTH-SHARE_2")
    row = (
        "OLD^/opt/it's * an `id` $(touch /tmp/executed)/old iris^2018.1.1.643.0^"
        "down, last used Fri May 13 22:07:02 2016^cache.cpf^56772^57772^62972"
    )
    scene.recorder.plant(_LISTS, "list", "more", row, of="*")
    yield from rules.must_succeed(scene.backup(), scene.scripts)
    if scene.machine.tree.exists("/tmp/executed"):
        yield Finding(
            code="name.executed", message="a folder's name from the listing was executed as a command"
        )


@family.scenario(
    "long-name",
    situation="a running instance has a name of 40 letters",
    right="it is frozen, although the columns of a listing are shifted",
    source=ADMIN_GUIDE,
    needs=(Need.LISTING,),
)
def long_name(scene: Scene) -> Iterator[Finding]:
    scene.install()
    scene.instance("PRODUCTIONREPORTINGANDANALYTICSWAREHOUSE")
    yield from rules.must_succeed(scene.backup(), scene.scripts)


@family.scenario(
    "second-refuses",
    situation="two instances run, the freeze of the second is refused",
    right="the freeze script says failure and thaws the first again",
    source=CLASS_REFERENCE + ": 3 is a failure; no thaw comes for a freeze that was reported as failed",
    needs=(Need.TWO_INSTANCES,),
)
def second_refuses(scene: Scene) -> Iterator[Finding]:
    yield from _one_of_two_refuses(scene, scene.second)


@family.scenario(
    "first-refuses",
    situation="two instances run, the freeze of the first is refused",
    right="the freeze script says failure, and neither stays frozen",
    source=CLASS_REFERENCE + ": 3 is a failure",
    needs=(Need.TWO_INSTANCES,),
)
def first_refuses(scene: Scene) -> Iterator[Finding]:
    yield from _one_of_two_refuses(scene, scene.first)


def _one_of_two_refuses(scene: Scene, name: str) -> Iterator[Finding]:
    scene.install()
    scene.instance(scene.first)
    scene.instance(scene.second)
    scene.recorder.plant(f"{FREEZE}|freeze", "end", 3, "ERROR #7200: System failed to quiesce", of=name)
    yield from rules.must_refuse(scene.backup(), scene.scripts, f"{name} refused to freeze")


SCENARIOS = family.scenarios
