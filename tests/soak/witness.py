"""Somebody from outside who asks the source all the time whether it is frozen, and how that is judged.

No answer is no comfort: a source that lives must be *seen* to say "not frozen" at the end. What counts as a freeze
is that of the run alone: the stand-in raises the same flag for a moment when it sets a marker or switches journals,
so an answer "frozen" counts only while the freeze log does not say yet that the system has resumed.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

ASKED_EVERY_S = 0.05
SILENT_MAX_S = 8.0
"""A source that lives is given so long to answer at the end: it may just be starting, on a slow machine."""


class Answer(enum.Enum):
    """What a source said. NONE: it lives and said nothing. GONE: it does not live (yet, or any more)."""

    FROZEN = "frozen"
    RUNNING = "not frozen"
    NONE = "no answer"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer. `own` if a freeze of the run is under way by its log; times are monotonic seconds."""

    at_s: float
    answer: Answer
    own: bool = True


def frozen_spans(samples: Iterable[Sample]) -> list[tuple[float, float]]:
    """Begin and end of each freeze: from the first answer "frozen" to the next other than that, or to the last one.

    While nobody answers a freeze goes on.
    """
    spans: list[tuple[float, float]] = []
    began: float | None = None
    last = 0.0
    for sample in samples:
        last = sample.at_s
        if sample.answer is Answer.FROZEN and sample.own:
            began = sample.at_s if began is None else began
        elif began is not None and sample.answer is not Answer.NONE:
            spans.append((began, sample.at_s))
            began = None
    if began is not None:
        spans.append((began, last))
    return spans


def longest_s(samples: Iterable[Sample]) -> float:
    """Seconds of the longest freeze; 0 if there was none."""
    return max((end - began for began, end in frozen_spans(samples)), default=0.0)


def thawed_after_s(samples: Iterable[Sample], moment_s: float) -> float | None:
    """Seconds after a moment until a freeze that was in force then, or came later, was over; None without one."""
    ends = [end for _, end in frozen_spans(samples) if end > moment_s]
    return max(ends) - moment_s if ends else None


def violations(samples: Sequence[Sample], limit_s: float) -> list[str]:
    """What a source did that must not be: frozen for too long, left frozen, or without an answer though it lives."""
    found = []
    if (longest := longest_s(samples)) > limit_s:
        found.append(f"frozen for {longest:.1f} s, and {limit_s:.1f} s are the limit")
    last = samples[-1].answer if samples else Answer.GONE
    if last is Answer.FROZEN:
        found.append("left frozen")
    if last is Answer.NONE:
        found.append("the source lives, and nobody was told whether it is frozen")
    return found


@dataclass
class Witness:
    """Asks in a thread of its own, from `start` to `stop`.

    `ask` gives one answer and takes no longer than a second or two; `own` whether a freeze of the run is under way.
    """

    ask: Callable[[], Answer]
    own: Callable[[], bool]
    samples: list[Sample] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def look(self) -> Answer:
        """One answer now; it counts as the others do."""
        at = time.monotonic()
        answer = self.ask()
        self.samples.append(Sample(at_s=at, answer=answer, own=self.own()))
        return answer

    def settle(self, frozen_max_s: float) -> None:
        """Wait until the source has said for two seconds that it is not frozen, or is gone, or may not be waited for
        any longer.
        """
        began = quiet = time.monotonic()
        while time.monotonic() - quiet < _SETTLED_S:
            last = self.samples[-1].answer if self.samples else Answer.GONE
            if last is Answer.GONE and time.monotonic() - began > _GONE_S:
                return
            if last in (Answer.FROZEN, Answer.NONE):
                quiet = time.monotonic()
            if quiet - began > max(frozen_max_s, SILENT_MAX_S):
                return
            time.sleep(ASKED_EVERY_S)

    def stop(self) -> None:
        """May be called twice. The last answer is asked for now."""
        if self._thread and not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self.look()

    def _watch(self) -> None:
        while not self._ended.wait(ASKED_EVERY_S):
            self.look()


_SETTLED_S = 2.0
_GONE_S = 0.3
