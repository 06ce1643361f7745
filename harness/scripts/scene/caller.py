"""The backup product that calls the scripts: freeze, snapshot if that succeeded, thaw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.scripts.model import Ran, Scripts, Seen
from harness.scripts.scene.job import Job, JobCall, left_frozen
from harness.scripts.scene.observer import Observer
from harness.scripts.scene.runner import Invocation, Kill, Runner
from harness.scripts.scene.setup import Setup
from harness.scripts.scene.snapshot import SnapshotTaker

_SNAPSHOT_S = 0.3


class DoesNotApply(Exception):
    """A scenario found that it does not apply to these scripts; the text says why."""


class Caller:
    """Calls the two scripts of a pair, or the one job of a suite with a `program`."""

    def __init__(
        self,
        scripts: Scripts,
        setup: Setup,
        observer: Observer,
        runner: Runner,
        taker: SnapshotTaker,
        job: Job,
        notes: list[str],
    ) -> None:
        self._scripts = scripts
        self._setup = setup
        self._observer = observer
        self._runner = runner
        self._taker = taker
        self._job = job
        self._notes = notes

    def call(
        self,
        hook: str,
        *,
        user: str = "",
        environment: Mapping[str, str] | None = None,
        kill: Kill | None = None,
    ) -> Ran:
        """Run the freeze or the thaw script as its caller would.

        Args:
            hook: `freeze` or `thaw`.
            user, environment: Instead of the usual ones.
            kill: When the script is sent a signal, and which.
        Raises:
            Contained: it took more than the machine gives.
            DoesNotApply: the scripts are a job.
        """
        if self._scripts.program:
            raise DoesNotApply("a job has no thaw script that could be called by itself")
        given = Invocation(
            argv=self._scripts.freeze if hook == "freeze" else self._scripts.thaw,
            name=hook,
            user=user or self._scripts.user,
            timeout_s=self._scripts.timeout_s,
            environment=environment,
            kill=kill,
        )
        ran = self._runner.run(given)
        self._notes.append(f"{hook} {ran}")
        return ran

    def call_with(self, *argv: str) -> Ran:
        """Run a script with other arguments than its caller gives."""
        user, timeout_s = self._scripts.user, self._scripts.timeout_s
        ran = self._runner.run(Invocation(argv=argv, name="other", user=user, timeout_s=timeout_s))
        self._notes.append(f"{' '.join(argv[1:]) or 'no argument'} {ran}")
        return ran

    def backup(
        self,
        *,
        expected: Sequence[str] | None = None,
        during: Callable[[], object] = lambda: None,
        before_thaw: Callable[[], object] = lambda: None,
        snapshot_s: float = _SNAPSHOT_S,
        user: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Seen:
        """Freeze, snapshot if that succeeded, thaw.

        Args:
            expected: Instances that must be frozen; all that run if not given.
            during: Done in the middle of the snapshot.
            before_thaw: Done between the snapshot and the thaw.
            snapshot_s: How long the snapshot takes.
            user, environment: For both scripts, as `call`.
        """
        wanted = tuple(self._setup.names if expected is None else expected)
        if self._scripts.program:
            return self._job.run(
                JobCall(
                    wanted=wanted,
                    during=during,
                    before_thaw=before_thaw,
                    snapshot_s=snapshot_s,
                    user=user,
                    environment=environment,
                )
            )
        before = self._observer.processes()
        freeze = self.call("freeze", user=user, environment=environment)
        frozen = self._observer.all_frozen()
        held: tuple[str, ...] = ()
        thaw = None
        if taken := freeze.status in self._scripts.success:
            held = self._taker.take(wanted, during, snapshot_s)
            before_thaw()
            thaw = self.call("thaw", user=user, environment=environment)
        running = self._observer.left_running(before)
        return Seen(
            freeze=freeze,
            expected=wanted,
            frozen_after=frozen,
            taken=taken,
            held=held,
            thaw=thaw,
            left_frozen=left_frozen(self._observer, self._notes),
            left_running=running,
        )

    def attempt(self, *, after: Callable[[], object] = lambda: None, kill: Kill | None = None) -> Seen:
        """Call the freeze script and nothing more, or a job from its beginning to its end.

        Args:
            after: Done when it has ended, before an instance is asked anything: until then none need answer.
            kill: As `call`.
        """
        wanted = tuple(self._setup.names)
        if self._scripts.program:
            return self._job.run(JobCall(wanted=wanted, after=after, kill=kill, ask=False))
        ran = self.call("freeze", kill=kill)
        after()
        return Seen(freeze=ran, expected=wanted, frozen_after={})

    def fail_snapshot(self, ends: str) -> Seen:
        """A backup whose snapshot fails: a job's program ends so; a pair's caller calls the thaw script."""
        if self._scripts.program:
            wanted = tuple(self._setup.names)
            return self._job.run(JobCall(wanted=wanted, snapshot_s=_SNAPSHOT_S, ends=ends))
        return self.backup(snapshot_s=0.0)
