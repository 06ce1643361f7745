"""Runs the scenarios on a pair of scripts, several at a time, each in a machine of its own.

The first one, `one-instance`, also shows where the scripts keep their log, which scenarios that spoil the log need.
`restored` decides by the data: its backup is restored, rolled forward and compared with the ledger, as `harness run`
does.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import HarnessError, PreconditionError, UsageError
from harness.model import Finding, Verdict
from harness.scripts import scenarios
from harness.scripts.guard import Contained
from harness.scripts.model import Outcome, Report, Scripts
from harness.scripts.scenarios.base import Need, Scenario
from harness.scripts.scene import DoesNotApply, Learned, Scene, opened
from harness.session import leftovers
from harness.session.progress import CaseDone, Progress, RunBegan, StageBegan

FIRST = "one-instance"
_UNKNOWN = f"the scripts froze nothing in {FIRST}, so it is unknown whether this scenario applies to them"
_LISTINGS = {"qlist", "list", "all", "qall"}
_ALONE = threading.Lock()
"""One check at a time in a process: everything a run makes carries its token, a variable of the process."""


def chosen(names: Collection[str]) -> list[Scenario]:
    """The scenarios of these names or families; all if none is named. Raises UsageError for an unknown one."""
    every = scenarios.every()
    known = {one.name for one in every} | {one.family for one in every}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no scenario {name!r}; `harness scripts list` shows them")
    return [one for one in every if not names or one.name in names or one.family in names]


def check(scripts: Scripts, *, only: Collection[str], folder: Path, jobs: int, progress: Progress) -> Report:
    """Run the scenarios. An interrupt ends the machines at once and leaves nothing of them.

    Args:
        folder: The run's folder; what each scenario leaves is below `scenarios/`.
        jobs: How many machines at a time.
    Raises:
        UsageError: there is no scenario of such a name.
        PreconditionError: machines cannot be made here; nothing is left.
    """
    with _ALONE:
        # users of the machines read files below it too; the run's folder keeps the mode it has
        before = os.umask(0o022)
        try:
            return _check(scripts, chosen(only), folder, jobs, progress)
        finally:
            os.umask(before)


def _check(
    scripts: Scripts, wanted: Sequence[Scenario], folder: Path, jobs: int, progress: Progress
) -> Report:
    began, started = time.monotonic(), datetime.now(UTC)
    progress.tell(RunBegan(cases=len(wanted), alike=False))  # the longest first, and side by side
    work = folder / "work"
    entry = leftovers.register(work)
    try:
        _require_answers(scripts, work)
        progress.tell(StageBegan(case=FIRST, stage="what the scripts are like"))
        outcome, first = _discover(scripts, folder, work)
        found = [outcome] if any(one.name == FIRST for one in wanted) else []
        for one in found:
            progress.tell(_done(one))
        rest = sorted((one for one in wanted if one.name != FIRST), key=lambda one: -one.waits_s)
        scenes = _Scenes()
        with ThreadPoolExecutor(jobs) as pool:

            def play(one: Scenario) -> Outcome:
                progress.tell(StageBegan(case=one.name, stage=one.family))
                return _play(one, scripts, first, folder, work, scenes)[0]

            running = [pool.submit(play, one) for one in rest]
            try:
                for done in as_completed(running):
                    found.append(done.result())
                    progress.tell(_done(found[-1]))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                scenes.end()
                raise
    finally:
        leftovers.finish(entry)
    order = [one.name for one in wanted]
    return Report(
        scripts=scripts,
        engine=first.engine,
        started_utc=started.isoformat(timespec="seconds"),
        duration_s=time.monotonic() - began,
        outcomes=tuple(sorted(found, key=lambda one: order.index(one.name))),
    )


def _done(outcome: Outcome) -> CaseDone:
    return CaseDone(case=outcome.name, said=outcome.verdict.value, duration_s=outcome.duration_s)


def _require_answers(scripts: Scripts, work: Path) -> None:
    """Raises PreconditionError if no instance can be made here, or scripts cannot reach it.

    Checked before the first scenario: the scripts would be blamed for it.
    """
    try:
        with opened(scripts, work / "probe", work / "probe-kept") as scene:
            scene.install()
            scene.instance(scene.first, load=False)
            scene.setup.require_answers(scene.first)
    except PreconditionError:
        raise
    except HarnessError as error:
        raise PreconditionError(
            f"no instance of the stand-in runs in the machine, so no script can be judged: {error}",
            "`harness doctor` says what is missing",
        ) from error


class _Scenes:
    """The scenes at work, so that an interrupted check can end their machines at once."""

    def __init__(self) -> None:
        self._known: list[Scene] = []
        self._over = False

    def add(self, scene: Scene) -> None:
        self._known.append(scene)
        if self._over:
            scene.machine.close()

    def end(self) -> None:
        self._over = True
        for scene in list(self._known):
            scene.machine.close()


class _Discovered:
    """What the first scenario shows of the scripts besides its outcome."""

    def __init__(self) -> None:
        self.log_file = ""
        self.engine = ""
        self.program_called = False
        self.unmet: set[Need] = set()
        self.unknown: set[Need] = set()
        """Needs that the scripts did not get far enough to show."""

    def learn(self, scene: Scene, scripts: Scripts) -> None:
        self.program_called = scene.job.took
        self.engine = scene.engine
        logs = scene.recorder.logs()
        self.log_file = logs[0] if logs else ""
        if not logs:
            froze = scene.calls("externalfreeze") or scene.calls("freeze")
            (self.unmet if froze else self.unknown).add(Need.LOG_FILE)
        if not scene.machine.users:
            self.unmet.add(Need.SEVERAL_USERS)
        if scripts.instances:
            if len(scripts.instances) < 2:
                self.unmet.add(Need.TWO_INSTANCES)
            if not any(call.what in _LISTINGS for call in scene.calls()):
                (self.unmet if scene.calls() else self.unknown).add(Need.LISTING)
        if not scripts.credentials:
            self.unmet.add(Need.CREDENTIALS)
        if scripts.freeze[0] != scripts.thaw[0] or len(scripts.freeze) < 2:
            self.unmet.add(Need.ONE_SCRIPT)


def _discover(scripts: Scripts, folder: Path, work: Path) -> tuple[Outcome, _Discovered]:
    (scenario,) = chosen([FIRST])
    first = _Discovered()
    outcome, scene = _play(scenario, scripts, first, folder, work, _Scenes())
    if scene:
        first.learn(scene, scripts)
    return outcome, first


def _play(
    scenario: Scenario,
    scripts: Scripts,
    first: _Discovered,
    folder: Path,
    work: Path,
    scenes: _Scenes,
) -> tuple[Outcome, Scene | None]:
    began = time.monotonic()
    scene: Scene | None = None

    def outcome(verdict: Verdict, seen: str, findings: Sequence[Finding] = ()) -> Outcome:
        return Outcome(
            name=scenario.name,
            family=scenario.family,
            situation=scenario.situation,
            right=scenario.right,
            source=scenario.source,
            verdict=verdict,
            seen=seen,
            findings=tuple(findings),
            duration_s=time.monotonic() - began,
        )

    if scenario.name in scripts.skip:
        return outcome(Verdict.SKIPPED, scripts.skip[scenario.name]), None
    if missing := [need for need in scenario.needs if need in first.unmet]:
        return outcome(Verdict.SKIPPED, missing[0].value), None
    if any(need in first.unknown for need in scenario.needs):
        finding = Finding(code="not_measured", message=_UNKNOWN, verdict=Verdict.UNKNOWN)
        return outcome(Verdict.UNKNOWN, _UNKNOWN, [finding]), None
    kept = folder / "scenarios" / scenario.name
    try:
        learned = Learned(log_file=first.log_file, program_called=first.program_called)
        with opened(scripts, work / scenario.name, kept, learned) as scene:
            scenes.add(scene)
            findings = _each_once(scenario.play(scene))
            seen = "; ".join(scene.notes)
            return outcome(
                Verdict.worst([Verdict.PASS, *(one.verdict for one in findings)]), seen, findings
            ), scene
    except DoesNotApply as reason:
        return outcome(Verdict.SKIPPED, str(reason)), scene
    except Contained as error:
        finding = Finding(code="contained", message=f"the scripts exceeded a sandbox limit: {error}")
        return outcome(Verdict.FAIL, "; ".join(scene.notes if scene else ()), [finding]), scene
    except PreconditionError:
        raise
    except HarnessError as error:
        finding = Finding(code="not_measured", message=str(error), verdict=Verdict.UNKNOWN)
        return outcome(Verdict.UNKNOWN, "; ".join(scene.notes if scene else ()), [finding]), scene


def _each_once(findings: Iterable[Finding]) -> list[Finding]:
    kept: dict[tuple[str, str], Finding] = {}
    for one in findings:
        kept.setdefault((one.code, one.message), one)
    return list(kept.values())
