"""Tries every fact of the catalogue on one instance and says what was observed.

One probe after another on one running instance, each within a time limit. After each the instance is thawed: asked
whether it is frozen, thawed if it is, and asked again. If that cannot be told the run ends with a ThawError, as every
run of the harness does. A probe that breaks off says UNKNOWN with the reason and the next one begins.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import FrameType

from harness.conform import probes_freeze, probes_recovery
from harness.conform.bench import Bench, NotHere, Probe
from harness.declared import resting_on
from harness.errors import HarnessError, InstanceError, InstanceGone, ThawError
from harness.facts.catalogue import FACTS, Fact
from harness.facts.conformance import Conformance, FactResult
from harness.instance.iris import Instance
from harness.model import Verdict
from harness.plan.model import InstanceSpec, WorkloadSpec
from harness.session.opening import opened
from harness.session.progress import CaseDone, Progress, RunBegan, StageBegan
from harness.session.session import Session
from harness.stages.freeze import make_sure_thawed

PROBES: dict[str, Probe] = {**probes_freeze.PROBES, **probes_recovery.PROBES}
SEED = 20240101
_WRITERS = 2
_LIMIT_S = {True: 60.0, False: 900.0}
"""Time limit of a probe: the stand-in is quick; an IRIS container takes a minute to start, and a probe needs two."""
_VERDICTS = {True: Verdict.PASS, False: Verdict.FAIL, None: Verdict.UNKNOWN}


def opened_to_try(
    instance: InstanceSpec, target: InstanceSpec | None, folder: Path, progress: Progress
) -> AbstractContextManager[Session]:
    """A session with an instance of which facts are tried."""
    return opened(
        instance,
        folder,
        seed=SEED,
        progress=progress,
        workload=WorkloadSpec(writers=_WRITERS),
        target=target,
        name="conform",
    )


def conform(
    instance: InstanceSpec,
    target: InstanceSpec | None,
    folder: Path,
    progress: Progress,
) -> Conformance:
    """Try every fact.

    Args:
        instance: Which one is tried; `target` is what is restored into, where that is not another of these.
        folder: Exists; takes the log of all commands and the freeze logs.
    Raises:
        PreconditionError: something is missing; nothing is left running.
        ThawError: the instance may still be frozen; it is left alone.
    """
    progress.tell(RunBegan(cases=len(FACTS)))
    with opened_to_try(instance, target, folder, progress) as session:
        bench = Bench(session)
        results: list[FactResult] = []
        for fact in FACTS:
            progress.tell(StageBegan(case=fact.id, stage="try"))
            result = try_fact(fact, bench, _LIMIT_S[session.description.stand_in])
            results.append(result)
            progress.tell(CaseDone(case=fact.id, said=result.verdict.value, duration_s=result.duration_s))
        return Conformance(
            product=session.description.product,
            version=session.description.version,
            stand_in=session.description.stand_in,
            image=instance.name or instance.image,
            host=instance.host,
            harness=version("iris-restore-harness"),
            made_utc=datetime.now(UTC),
            facts=tuple(results),
        )


def try_fact(fact: Fact, bench: Bench, limit_s: float) -> FactResult:
    """The result of one fact; the instance is not frozen when this returns. Raises ThawError."""
    if fact.untried:
        return _result(fact, fact.untried, Verdict.SKIPPED, 0.0)
    began = time.monotonic()
    observed, verdict = _tried(PROBES[fact.id], bench, limit_s)
    return _result(fact, observed, verdict, time.monotonic() - began)


def _tried(probe: Probe, bench: Bench, limit_s: float) -> tuple[str, Verdict]:
    try:
        with _thawed_afterwards(bench), _within(limit_s):
            seen = probe(bench)
    except NotHere as reason:
        return str(reason), Verdict.SKIPPED
    except ThawError:
        raise
    except (HarnessError, OSError, ValueError, LookupError, TypeError) as error:
        # whatever an engine that nobody has tried prints: an answer of another shape keeps us from telling
        return f"inconclusive: {error or type(error).__name__}", Verdict.UNKNOWN
    return seen.observed, _VERDICTS[seen.holds]


@contextmanager
def _thawed_afterwards(bench: Bench) -> Iterator[None]:
    """Whatever happens within: afterwards the instance is not frozen and the watchdog at rest. Raises ThawError, and
    leaves the watchdog armed.
    """
    bench.arm()
    try:
        yield
    except NotHere:
        _settle(bench)
        raise
    except BaseException as error:
        # a freeze without an answer may still take effect
        make_sure_thawed(bench.session.source, bench.freeze_log, error)
        bench.session.watchdog.disarm()
        raise
    _settle(bench)


def _settle(bench: Bench) -> None:
    source = bench.session.source
    # one that is gone is not frozen; the probes that follow will say that it is gone
    with contextlib.suppress(InstanceGone):
        if _may_be_frozen(source):
            source.thaw(bench.freeze_log)
            if source.is_frozen():
                by_hand = source.thaw_by_hand(bench.freeze_log)
                raise ThawError("it was thawed and is still frozen", by_hand)
    bench.session.watchdog.disarm()


def _may_be_frozen(source: Instance) -> bool:
    try:
        return source.is_frozen()
    except InstanceGone:
        raise
    except HarnessError:
        return True  # past ExternalFreezeTimeOut nobody may log in to answer, yet a thaw needs no login


@contextmanager
def _within(limit_s: float) -> Iterator[None]:
    """An InstanceError if it takes longer. In the main thread only; elsewhere each command's own limit has to do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(_number: int, _frame: FrameType | None) -> None:
        raise InstanceError(f"the probe did not end within {limit_s:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _result(fact: Fact, observed: str, verdict: Verdict, duration_s: float) -> FactResult:
    return FactResult(
        id=fact.id,
        statement=fact.statement,
        source=fact.source,
        expected=fact.expected,
        observed=" ".join(observed.split()),
        verdict=verdict,
        checks=resting_on(fact.id),
        duration_s=round(duration_s, 3),
    )
