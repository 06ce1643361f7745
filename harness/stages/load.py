"""Runs the writers of one cycle and keeps the ledger.

One thread looks at all writers' output every few milliseconds instead of waking for every line: the writers
need the processor more than we do. A line that is not the next number is an error at once, since from then on
the ledger would no longer be an oracle.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from harness.command import Deadline, end
from harness.errors import HarnessError, InstanceError, ParseError
from harness.instance.iris import Instance
from harness.plan.model import WorkloadSpec
from harness.workload.ledger import Ledger, Vector

LOOK_EVERY_S = 0.004
LAST_BREATH_S = 5.0
"""How long writers that said "end", or were told to, may take to end before they are killed."""
REST_S = 0.01
"""How long a paced writer rests (RVWORK.m)."""
READY_TIMEOUT_S = 30.0
END_TIMEOUT_S = 60.0
_READ_BYTES = 1 << 17


@dataclass
class _Writer:
    number: int
    process: subprocess.Popen[bytes]
    reached: int
    ready: bool = False
    ended: bool = False
    rest: bytes = b""


class Driver:
    """The writers of one cycle: entered running, left ended. Where the cycle broke off they are told to stop, and
    what they say until then is in the ledger; one that had to be killed is `unheard` there.

    Args of `__init__`: `spec.transactions` is a total over all writers; without it writers go on until
    `stop`. Numbers go on where the ledger is.
    Raises InstanceError if a writer does not begin or ends by itself (InstanceGone: with its instance), or was not
    heard to the end in an earlier load; ParseError for a line out of order.
    """

    def __init__(self, instance: Instance, spec: WorkloadSpec, seed: int, ledger: Ledger) -> None:
        self._instance = instance
        self._spec = spec
        self._seed = seed
        self._ledger = ledger
        self._writers: list[_Writer] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._look_repeatedly, name="ledger", daemon=True)

    def __enter__(self) -> Driver:
        try:
            self._begin()
        except BaseException:
            self._end_all()
            raise
        self._thread.start()
        return self

    def _begin(self) -> None:
        if self._ledger.unheard:
            raise InstanceError(
                f"what writer {min(self._ledger.unheard)} did last is not known: it was killed when an earlier load "
                "broke off. Nothing can be compared with the ledger any more"
            )
        reached = self._ledger.acknowledged()
        for number in range(1, self._spec.writers + 1):
            self._writers.append(self._start(number, reached[number]))
        deadline = Deadline.after(READY_TIMEOUT_S)
        while not all(writer.ready for writer in self._writers):
            self._look()
            self._raise_failure()
            if deadline.passed:
                raise InstanceError(f"the writers did not begin within {READY_TIMEOUT_S:.0f} s")
            time.sleep(LOOK_EVERY_S)

    def _start(self, number: int, reached: int) -> _Writer:
        total = self._spec.transactions
        share = 0 if total is None else total // self._spec.writers + (number <= total % self._spec.writers)
        process = self._instance.start_writer(
            writer=number,
            writers=self._spec.writers,
            seed=self._seed,
            first=reached + 1,
            count=share,
            seconds=int(self._spec.duration_s) + 600,
            commit=self._spec.commit,
            pace=self._pace(),
        )
        assert process.stdout
        os.set_blocking(process.stdout.fileno(), False)
        return _Writer(number, process, reached)

    def _pace(self) -> int:
        """Transactions of one writer between rests, so that all together keep to the rate; 0 without one."""
        if self._spec.rate is None:
            return 0
        return max(1, round(self._spec.rate / self._spec.writers * REST_S))

    def mark(self) -> Vector:
        """Look now; returns what is acknowledged at this moment."""
        self._look()
        self._raise_failure()
        return self._ledger.acknowledged()

    @property
    def all_ended(self) -> bool:
        return all(writer.ended for writer in self._writers)

    def wait(self, seconds: float) -> None:
        """Let the writers work; returns early when all have ended."""
        deadline = Deadline.after(seconds)
        while not deadline.passed and not self.all_ended:
            self._raise_failure()
            time.sleep(min(LOOK_EVERY_S, deadline.left_s))

    def wait_for(self, transactions: int) -> None:
        """Let the writers work until that many more are acknowledged, or all have ended."""
        wanted = sum(self._ledger.acknowledged().values()) + transactions
        deadline = Deadline.after(END_TIMEOUT_S + transactions / 500)
        while sum(self._ledger.acknowledged().values()) < wanted and not self.all_ended:
            self._raise_failure()
            if deadline.passed:
                raise InstanceError(f"{transactions} transactions were not reached in time")
            time.sleep(LOOK_EVERY_S)

    def finish(self) -> Vector:
        """Wait for writers that have a count, stop those that have none; returns all acknowledgements."""
        if self._spec.transactions is None:
            self._instance.stop_writers()
        deadline = Deadline.after(END_TIMEOUT_S + (self._spec.transactions or 0) / 500)
        while not self.all_ended:
            self._raise_failure()
            if deadline.passed:
                raise InstanceError(
                    f"writers did not end: {[w.number for w in self._writers if not w.ended]}"
                )
            time.sleep(LOOK_EVERY_S)
        self._raise_failure()
        return self._ledger.acknowledged()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join()
        self._end_all()

    def _end_all(self) -> None:
        told = self._tell_to_stop()
        deadline = Deadline.after(LAST_BREATH_S)
        while told and not (self.all_ended or self._failure or deadline.passed):
            self._look()  # what is committed and not in the ledger would be done a second time by the next load
            time.sleep(LOOK_EVERY_S)
        for writer in self._writers:
            end(writer.process, grace_s=deadline.left_s if told or writer.ended else 0.0)
        self._ledger.unheard |= {writer.number for writer in self._writers if not writer.ended}

    def _tell_to_stop(self) -> bool:
        """An instance may outlive this run, and takes it better than a kill. Returns whether every writer knows."""
        try:
            if not self.all_ended:
                self._instance.stop_writers(timeout_s=LAST_BREATH_S)
        except HarnessError:
            return False
        return True

    def _look_repeatedly(self) -> None:
        while not self._over.wait(LOOK_EVERY_S) and self._failure is None:
            self._look()

    def _look(self) -> None:
        with self._lock:
            try:
                for writer in self._writers:
                    if not writer.ended:
                        self._look_at(writer)
            except (HarnessError, OSError) as error:
                self._failure = error

    def _look_at(self, writer: _Writer) -> None:
        assert writer.process.stdout
        began = time.monotonic()
        text = _available(writer.process.stdout.fileno())
        if text is None:
            return
        if text == b"":
            raise InstanceError(
                f"writer {writer.number} ended by itself with status {writer.process.wait()} after "
                f"transaction {writer.reached}: {writer.rest.decode('utf-8', 'replace')!r}"
            )
        reached = writer.reached
        self._take(writer, text)
        if writer.reached > reached:
            self._ledger.note(writer.number, began, time.monotonic(), writer.reached)

    def _take(self, writer: _Writer, text: bytes) -> None:
        lines = (writer.rest + text).split(b"\n")
        writer.rest = lines.pop()
        if not writer.ready and lines:
            if lines[0] != b"ready":
                raise ParseError(f"writer {writer.number}", 1, repr(lines[0]), "expected 'ready'")
            writer.ready = True
            del lines[0]
        if lines and lines[-1] == b"end":
            writer.ended = True
            del lines[-1]
        if not lines:
            return
        first = writer.reached + 1
        expected = [b"%d" % number for number in range(first, first + len(lines))]
        if lines != expected:
            line, number = next(pair for pair in zip(lines, expected, strict=True) if pair[0] != pair[1])
            raise ParseError(f"writer {writer.number}", 0, repr(line[:80]), f"expected {number.decode()}")
        writer.reached += len(lines)

    def _raise_failure(self) -> None:
        if isinstance(self._failure, InstanceError):
            self._instance.require_there()  # else that is the reason
        if self._failure:
            raise self._failure


def _available(descriptor: int) -> bytes | None:
    """Everything a pipe holds now; None if nothing, b'' if it was closed."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return b"".join(parts) if parts else None
        if not part:
            return b"".join(parts)
        parts.append(part)
