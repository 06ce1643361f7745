"""A provider whose every exception is one of ours, so that a run goes on and says whose provider broke off.

A provider may come from any distribution. What it raises that its port does not know would otherwise end the run as a
defect of the harness, and lose what other cases recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from harness.command import Deadline
from harness.errors import HarnessError, PreconditionError, SnapshotError
from harness.snapshot.base import Snapshot, SnapshotProvider, Source

Answer = TypeVar("Answer")


class GuardedProvider:
    """Another provider; raises PreconditionError from `probe` and SnapshotError from all else."""

    def __init__(self, provider: SnapshotProvider, name: str, distribution: str) -> None:
        self._provider = provider
        self._of = f"the snapshot provider {name} of {distribution}"
        self.options_schema: dict[str, object] = provider.options_schema

    def probe(self, source: Source) -> None:
        try:
            with self._guarded("probe"):
                self._provider.probe(source)
        except SnapshotError as error:
            raise PreconditionError(str(error), "Use another provider.") from error

    def capture(self, source: Source, deadline: Deadline) -> Snapshot:
        with self._guarded("capture"):
            return self._is(Snapshot, self._provider.capture(source, deadline))

    def expose(self, snapshot: Snapshot, target: Path) -> int:
        with self._guarded("expose"):
            return self._is(int, self._provider.expose(snapshot, target))

    def release(self, snapshot: Snapshot) -> None:
        with self._guarded("release"):
            self._provider.release(snapshot)

    def _is(self, kind: type[Answer], answer: object) -> Answer:
        if not isinstance(answer, kind):
            raise TypeError(f"it gave {answer!r}, which is no {kind.__name__}")
        return answer

    @contextmanager
    def _guarded(self, method: str) -> Iterator[None]:
        try:
            yield
        except HarnessError:
            raise
        except (Exception, SystemExit) as error:
            raise SnapshotError(
                f"{self._of} broke off in {method}: {error!r}. Report it to its author"
            ) from error
