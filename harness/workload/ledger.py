"""The oracle's memory: what was issued and acknowledged, and when, kept outside the database under test.

A writer acknowledges 1, 2, 3 … in order and issues the next number only after acknowledging the one before.
So two bounds say everything: by a moment, at least the numbers read until then were committed (floor), and at
most one more than the numbers that a later look found (ceiling).

The ledger stores looks, not single acknowledgements: (when the look began, when it ended, number reached).
That is exact enough for both bounds, and 60,000 acknowledgements a second cost next to nothing.
"""

from __future__ import annotations

import contextlib
import struct
import threading
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import PreconditionError

Vector = dict[int, int]
"""Writer → sequence number."""

_ON_DISK = struct.Struct("<HddQ")


@dataclass
class _Looks:
    """Looks at one writer, in order of time."""

    began_s: array[float] = field(default_factory=lambda: array("d"))
    ended_s: array[float] = field(default_factory=lambda: array("d"))
    reached: array[int] = field(default_factory=lambda: array("q"))


class Ledger:
    """Acknowledgements of all writers of one run; filled by the driver, read by the checks.

    Every look is also appended to `file`, so that a run cut short leaves its ledger. `unheard` are writers that were
    killed: what they committed last is not known.
    """

    def __init__(self, writers: int, file: Path) -> None:
        self.writers = writers
        self.unheard: set[int] = set()
        self._looks = {writer: _Looks() for writer in range(1, writers + 1)}
        self._lock = threading.Lock()
        self._file = file.open("ab", buffering=1 << 16)

    def note(self, writer: int, began_s: float, ended_s: float, reached: int) -> None:
        """A look that began and ended at these monotonic times found every number up to `reached`. Raises
        PreconditionError: it cannot be stored.
        """
        with self._lock:
            looks = self._looks[writer]
            looks.began_s.append(began_s)
            looks.ended_s.append(ended_s)
            looks.reached.append(reached)
            try:
                self._file.write(_ON_DISK.pack(writer, began_s, ended_s, reached))
            except OSError as error:
                raise PreconditionError(
                    f"the ledger {self._file.name} cannot be written: {error.strerror}", "Make room for it."
                ) from error

    def acknowledged(self) -> Vector:
        """Numbers reached so far."""
        with self._lock:
            return {w: looks.reached[-1] if looks.reached else 0 for w, looks in self._looks.items()}

    def floor(self, moment_s: float) -> Vector:
        """What was certainly committed at a monotonic time."""
        with self._lock:
            return {w: _last_until(looks, moment_s) for w, looks in self._looks.items()}

    def ceiling(self, moment_s: float) -> Vector:
        """What can at most have been issued by a monotonic time: one more than the first later look found."""
        with self._lock:
            return {w: _first_from(looks, moment_s) + 1 for w, looks in self._looks.items()}

    def acknowledged_at(self, writer: int, sequence: int) -> float:
        """Monotonic time at which a number was known to be acknowledged. KeyError if it was not."""
        with self._lock:
            looks = self._looks[writer]
            at = bisect_left(looks.reached, sequence)
            if at == len(looks.reached):
                raise KeyError((writer, sequence))
            return looks.ended_s[at]

    def slices(self, began_s: float, slice_s: float, number: int) -> tuple[list[int], list[float]]:
        """What happened in slices of time from a monotonic moment on.

        Returns:
            For each slice how many were acknowledged in it, and the longest time in seconds that a writer which went
            on then waited for its next acknowledgement; a wait counts in every slice that it touches.
        """
        acknowledged, waited_s = [0] * number, [0.0] * number

        def slice_of(moment_s: float) -> int:
            return int((moment_s - began_s) / slice_s)

        with self._lock:
            for looks in self._looks.values():
                before, last_s = 0, began_s
                for ended_s, reached in zip(looks.ended_s, looks.reached, strict=True):
                    if ended_s >= began_s and (at := slice_of(ended_s)) < number:
                        acknowledged[at] += reached - before
                        for touched in range(slice_of(last_s), at + 1):
                            waited_s[touched] = max(waited_s[touched], ended_s - last_s)
                        last_s = ended_s
                    before = reached
        return acknowledged, waited_s

    def close(self) -> None:
        """May be called twice. What no longer finds room on the disk is not kept: the checks have had it."""
        with contextlib.suppress(OSError):
            self._file.close()


def _last_until(looks: _Looks, moment_s: float) -> int:
    at = bisect_right(looks.ended_s, moment_s)
    return looks.reached[at - 1] if at else 0


def _first_from(looks: _Looks, moment_s: float) -> int:
    at = bisect_left(looks.began_s, moment_s)
    if at < len(looks.reached):
        return looks.reached[at]
    return looks.reached[-1] if looks.reached else 0
