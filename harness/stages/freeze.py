"""Freezes and thaws an instance by its own calls, with a thaw on every path out of it.

"Was it still frozen?" and the thaw are one call, which stands ready inside the instance's surroundings before the
freeze is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from harness import freeze_log
from harness.command import Deadline, Prepared
from harness.errors import FreezeError, HarnessError, InstanceError, InstanceGone, ThawError
from harness.evidence.answers import FreezeAnswer, ThawAnswer
from harness.instance.iris import FREEZE_TIMEOUT_S, Instance
from harness.plan.model import FreezeSpec
from harness.session.watchdog import Orders, Watchdog
from harness.stages.window import Held

THAW_GRACE_S = 3.0
"""A window that goes on for so long past the limit of its snapshot is ended by the watchdog."""
SETTLED_S = 3.0
"""A freeze without an answer is believed not to have happened after this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFreezer:
    """The harness itself. What stands ready before the freeze: the thaw, and a watchdog.

    Attributes:
        log: File the engine appends to.
        text: Stored with the journal marker; distinct for each freeze.
        watchdog: Thaws if this process dies in the window, or has not thawed when the limit is over.
    """

    instance: Instance
    log: Path
    text: str
    spec: FreezeSpec
    watchdog: Watchdog

    def held(self, take: Callable[[Deadline], None], limit_s: float) -> Held:
        """As `Freezer.held`."""
        instance, log, watchdog = self.instance, self.log, self.watchdog
        log_from_byte = freeze_log.size_bytes(log)
        with closing(instance.prepare_thaw(log)) as prepared:
            watchdog.arm(orders_of(instance, log), FREEZE_TIMEOUT_S + limit_s + THAW_GRACE_S)
            # Only a refusal, a confirmed thaw or the end of the instance disarms: after anything else the watchdog
            # tries on when this run ends.
            try:
                frozen = _freeze(instance, log, self.text, self.spec)
            except (FreezeError, InstanceGone):
                watchdog.disarm()
                raise
            try:
                limit = Deadline(frozen.called_s + limit_s)
                watchdog.hold(limit.left_s + THAW_GRACE_S)
                take(limit)
                captured_s = time.monotonic()
            finally:
                try:
                    thawed = _thaw(instance, log, prepared)
                except InstanceGone:
                    watchdog.disarm()
                    raise
                watchdog.disarm()
        return Held(
            log=log,
            log_from_byte=log_from_byte,
            text=self.text,
            frozen=frozen,
            thawed=thawed,
            watchdog_thawed=watchdog.has_thawed(),
            in_time=captured_s < limit.at_s + THAW_GRACE_S,
        )


def orders_of(instance: Instance, log: Path) -> Orders:
    """What a watchdog does for an instance that is about to be frozen."""
    return Orders(
        thaw=instance.thaw_argv(log),
        is_frozen=instance.is_frozen_argv(),
        is_there=instance.place.is_there_argv(),
        stdin=instance.stdin,
    )


def _thaw(instance: Instance, log: Path, prepared: Prepared | None = None) -> ThawAnswer:
    """Every failure to thaw a running instance is a ThawError: nothing else says that it may still be frozen."""
    try:
        return instance.thaw(log, prepared)
    except (ThawError, InstanceGone):
        raise
    except Exception as error:
        raise ThawError(f"the thaw gave no answer: {error!r}", instance.thaw_by_hand(log)) from error


def _freeze(instance: Instance, log: Path, text: str, spec: FreezeSpec) -> FreezeAnswer:
    try:
        return instance.freeze(log, text, spec)
    except (FreezeError, InstanceGone):
        raise  # documented: a refused freeze leaves nothing frozen
    except BaseException as error:
        # no answer is no proof either way
        make_sure_thawed(instance, log, error)
        if isinstance(error, HarnessError):
            raise FreezeError(f"the freeze gave no answer and was taken back: {error}") from error
        raise


def make_sure_thawed(instance: Instance, log: Path, cause: BaseException) -> None:
    """After a freeze without an answer: thaw until the instance has said for a while that it is not frozen,
    since a freeze that is under way may still take effect. Raises ThawError if that cannot be told.
    """
    quiet_until, deadline = Deadline.after(SETTLED_S), Deadline.after(SETTLED_S + FREEZE_TIMEOUT_S)
    try:
        while not quiet_until.passed:
            if instance.is_frozen():
                _thaw(instance, log)
                quiet_until = Deadline.after(SETTLED_S)
            if deadline.passed:
                raise InstanceError("it was frozen again and again")
            time.sleep(0.1)
    except InstanceGone:
        return
    except ThawError:
        raise
    except HarnessError as error:
        by_hand = instance.thaw_by_hand(log)
        raise ThawError(
            f"after {cause} it is not known whether the instance is frozen: {error}", by_hand
        ) from error
